import Testing
import VarveCore
import VarveIO
import VarveSimulator
import VarveStorage

/// A scan with a filter gives, in the batches that it says are filtered, the rows that the filter chooses, and in the
/// others all: whatever became of the store before.
@Suite struct RowFilterTests {
  /// Chooses rows by what their series, time and tested fields hash to.
  private final class HashFilter: RowFilter {
    let places: [Int]
    let salt: UInt64
    let percent: UInt64
    /// Answers nil where all are chosen.
    let saysAll: Bool
    init(_ places: [Int], salt: UInt64, percent: UInt64, saysAll: Bool) {
      self.places = places
      self.salt = salt
      self.percent = percent
      self.saysAll = saysAll
    }

    func rows(of batch: ScanBatch) throws -> Buffer<UInt32>? {
      #expect(batch.fields.count == places.count)
      let chosen = Buffer<UInt32>()
      for (row, each) in RowFilterTests.rows(of: batch).enumerated() {
        if choose(each.series, each.time, each.cells) { chosen.append(UInt32(row)) }
      }
      return saysAll && chosen.count == batch.count ? nil : chosen
    }

    func choose(_ series: SeriesID, _ time: Int64, _ tested: [String?]) -> Bool {
      var hash =
        salt ^ UInt64(series.rawValue) &* 0x9E37_79B9_7F4A_7C15 ^ UInt64(bitPattern: time) &* 0xD6E8_FEB8_6659_FD93
      for cell in tested {
        for byte in (cell ?? "\u{0}").utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
      }
      return (hash ^ hash >> 32) % 100 < percent
    }
  }

  private struct Row: Hashable {
    var series: SeriesID
    var time: Int64
    var cells: [String?]
  }

  private static func rows(of batch: ScanBatch) -> [Row] {
    var rows: [Row] = []
    #expect(batch.count > 0 && batch.runs.reduce(0) { $0 + $1.count } == batch.count)
    for run in batch.runs {
      for _ in 0..<run.count {
        let row = rows.count
        rows.append(
          Row(
            series: run.series, time: batch.times[row],
            cells: batch.fields.map { column in
              guard column.state(row) == .value else { return nil }
              return column.type == .text ? column.string(row) : "\(column.words[row])"
            }))
      }
    }
    return rows
  }

  @Test(arguments: 1...seedCount) func filteredScansGiveTheChosenRows(seed: Int) {
    var random = SeededRandom(seed: UInt64(seed))
    var count = 0
    let run = Run(Workload(seed: UInt64(7000 + seed), stepCount: 40), SimulatedFileSystem()) { store, _ in
      let snapshot = store.snapshot()
      for table in snapshot.tables() where random.chance(40) {
        count += try check(snapshot, table, &random, "seed \(seed)")
      }
    }
    #expect(run.error == nil && count > 0, "seed \(seed): \(String(describing: run.error)), \(count) filtered batches")
  }

  /// Says how many batches were filtered.
  private func check(
    _ snapshot: Snapshot, _ table: TableSchema, _ random: inout SeededRandom, _ name: String
  ) throws -> Int {
    let fields = table.fields.map(\.id).filter { _ in random.chance(80) }
    let known = UInt32(snapshot.statistics(of: table.id).series)
    let series: SeriesSet =
      random.chance(50)
      ? .all : .some((0..<(known + 2)).filter { _ in random.chance(50) }.map { SeriesID(rawValue: $0) })
    let time =
      [TimeRange.all, TimeRange(lower: 1000, upper: .max), TimeRange(lower: .min, upper: 3000)]
      .randomElement(using: &random) ?? .all
    let request = ScanRequest(table: table.id, series: series, time: time, fields: fields)
    let filter = HashFilter(
      fields.indices.filter { _ in random.chance(40) }, salt: random.next(),
      percent: [0, 1, 50, 100].randomElement(using: &random) ?? 50, saysAll: random.chance(50))
    let plain = try snapshot.scan(request)
    var all: [Row] = []
    while let batch = try plain.next() { all += Self.rows(of: batch) }
    func isChosen(_ row: Row) -> Bool { filter.choose(row.series, row.time, filter.places.map { row.cells[$0] }) }
    let cursor = try snapshot.scan(request, filter: filter)
    var found: [Row] = []
    var filteredCount = 0
    while let batch = try cursor.next() {
      let rows = Self.rows(of: batch)
      if batch.isFiltered {
        filteredCount += 1
        #expect(rows.allSatisfy(isChosen), "\(name): a row that was not chosen")
      }
      found += rows
    }
    #expect(found.filter(isChosen) == all.filter(isChosen), "\(name): the chosen rows, in their order")
    #expect(cursor.statistics.rows == plain.statistics.rows, "\(name): rows that were tested count as read")
    return filteredCount
  }

  @Test func blocksWithoutChosenRowsAreNotDecoded() throws {
    let store = try Store.open(Run.options(SimulatedFileSystem(), ManualClock()))
    for host in 0..<6 {
      let rows = (0..<3000).map { number in
        ModelRow(
          table: "t", identity: Identity(tags: ["h": "h\(host)"], time: Int64(number) * 1_000_000_000),
          fields: [
            "text": .text("\(host) \(number)"), "v": .integer(Int64(number * 7 % 1000)), "w": .integer(Int64(number)),
          ])
      }
      _ = try store.commit([.write(batches(rows))])[0].get()
    }
    try store.sealAll()
    let snapshot = store.snapshot()
    let table = try #require(snapshot.table(named: "t"))
    final class OneRow: RowFilter {
      let places = [0]
      var tested = 0
      func rows(of batch: ScanBatch) throws -> Buffer<UInt32>? {
        tested += batch.count
        var row = 0
        let chosen = Buffer<UInt32>()
        for run in batch.runs {
          for _ in 0..<run.count {
            if run.series.rawValue == 4, batch.fields[0].words[row] == 1234 { chosen.append(UInt32(row)) }
            row += 1
          }
        }
        return chosen
      }
    }
    let fields = try ["w", "v", "text"].map { name in try #require(table.fields.first { $0.name == name }).id }
    let filter = OneRow()
    let cursor = try snapshot.scan(ScanRequest(table: table.id, fields: fields), filter: filter)
    let batch = try #require(try cursor.next())
    #expect(try cursor.next() == nil)
    #expect(
      Self.rows(of: batch) == [
        Row(series: SeriesID(rawValue: 4), time: 1_234_000_000_000, cells: ["1234", "638", "4 1234"])
      ])
    #expect(filter.tested == 18_000 && cursor.statistics.rows == 18_000)
  }
}
