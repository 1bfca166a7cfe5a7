import Testing
import VarveCore
import VarveIO
import VarveSimulator
import VarveStorage

/// Of all rows of a scan, the newest of each series are what `lastRows` delivers, whatever became of the store before:
/// late rows, rows written twice, deletes, drops, seals, compactions, and the end of the process.
@Suite struct LastRowsTests {
  struct Row: Hashable {
    var series: SeriesID
    var time: Int64
    /// As SQL sees them: nil is NULL.
    var cells: [String?]
  }

  @Test(arguments: 1...seedCount) func newestRowsAreThoseOfAScan(seed: Int) {
    var random = SeededRandom(seed: UInt64(seed))
    var held: [(snapshot: Snapshot, store: WeakStore)] = []
    var count = 0
    let run = Run(Workload(seed: UInt64(9000 + seed), stepCount: 40), SimulatedFileSystem()) { store, _ in
      // A snapshot lives no longer than its process.
      held.removeAll { $0.store.store !== store }
      if held.count == 4 { held.remove(at: Int(random.next() % 4)) }
      held.append((store.snapshot(), WeakStore(store)))
      for each in held where random.chance(40) {
        for table in each.snapshot.tables() {
          try check(each.snapshot, table, &random, "seed \(seed)")
          count += 1
        }
      }
    }
    #expect(run.error == nil && count > 10, "seed \(seed): \(String(describing: run.error)), \(count) checks")
  }

  private func check(
    _ snapshot: Snapshot, _ table: TableSchema, _ random: inout SeededRandom, _ name: String
  ) throws {
    let fields = table.fields.map(\.id).filter { _ in random.chance(70) }
    let known = UInt32(snapshot.statistics(of: table.id).series)
    let series: SeriesSet =
      random.chance(50)
      ? .all : .some((0..<(known + 2)).filter { _ in random.chance(30) }.map { SeriesID(rawValue: $0) })
    let time =
      [TimeRange.all, .all, TimeRange(lower: 1000, upper: .max), TimeRange(lower: .min, upper: 3000)]
      .randomElement(using: &random) ?? .all
    let all = try rows(
      snapshot.scan(ScanRequest(table: table.id, series: series, time: time, fields: fields)))
    for wanted in [LastRowsRequest.Wanted.rows, .values] {
      let found = try rows(
        snapshot.lastRows(
          LastRowsRequest(table: table.id, series: series, time: time, fields: fields, wanted: wanted)))
      #expect(Set(found).count == found.count, "\(name): a row comes twice")
      #expect(Set(found).isSubset(of: all), "\(name): rows are those of the scan")
      #expect(Self.newest(found) == Self.newest(all), "\(name), \(wanted) in \(time)")
      guard wanted == .values else { continue }
      for field in fields.indices {
        #expect(
          Self.newest(found.filter { $0.cells[field] != nil }) == Self.newest(all.filter { $0.cells[field] != nil }),
          "\(name), values of field \(field) in \(time)")
      }
    }
  }

  private static func newest(_ rows: [Row]) -> [SeriesID: Row] {
    Dictionary(rows.map { ($0.series, $0) }) { $0.time > $1.time ? $0 : $1 }
  }

  private func rows(_ cursor: any ScanCursor) throws -> [Row] {
    var rows: [Row] = []
    while let batch = try cursor.next() {
      #expect(batch.count > 0 && batch.runs.reduce(0) { $0 + $1.count } == batch.count)
      var row = 0
      for run in batch.runs {
        for _ in 0..<run.count {
          rows.append(
            Row(
              series: run.series, time: batch.times[row],
              cells: batch.fields.map { column in
                guard column.state(row) == .value else { return nil }
                return column.type == .text ? column.string(row) : "\(column.words[row])"
              }))
          row += 1
        }
      }
    }
    return rows
  }

  private func row(_ host: Int, _ time: Int64, _ value: Int64) -> ModelRow {
    ModelRow(
      table: "t", identity: Identity(tags: ["h": "h\(host)"], time: time), fields: ["v": .integer(value)])
  }

  /// Many series, in chunks and in the head, over several windows of series.
  @Test func chunksAreReadOnce() throws {
    var options = Run.options(SimulatedFileSystem(), ManualClock())
    options.segmentByteCount = 1 << 20
    let store = try Store.open(options)
    let hosts = 10_000
    for time in 0..<3 {
      _ = try store.commit([.write(batches((0..<hosts).map { row($0, Int64(time), Int64($0 * 3 + time)) }))])[0].get()
      if time < 2 { try store.sealAll() }
    }
    // Some are newer still, and some late.
    _ = try store.commit([.write(batches((0..<500).map { row($0 * 20, 10, Int64($0)) }))])[0].get()
    _ = try store.commit([.write(batches((0..<500).map { row($0 * 20, -10, Int64($0)) }))])[0].get()
    let snapshot = store.snapshot()
    let table = try #require(snapshot.table(named: "t"))
    let request = LastRowsRequest(table: table.id, fields: table.fields.map(\.id))
    for read in 1...2 {
      let cursor = try snapshot.lastRows(request)
      let found = try rows(cursor)
      #expect(found.count == hosts)
      #expect(found.filter { $0.time == 10 }.count == 500 && found.filter { $0.time == 2 }.count == hosts - 500)
      #expect(cursor.statistics.rows == hosts)
      #expect((cursor.statistics.pagesRead > 0) == (read == 1), "the second time nothing is read")
    }
    #expect(store.tailStatistics.chunks == 2 && store.tailStatistics.byteCount > hosts * 2 * 24)
    // What is written once tails were asked for has its own from the start.
    let before = try rows(snapshot.lastRows(request))
    try store.sealAll()
    let sealed = try store.snapshot().lastRows(request)
    #expect(Set(try rows(sealed)) == Set(before) && sealed.statistics.pagesRead == 0)
    try store.compactAll()
    let compacted = try store.snapshot().lastRows(request)
    #expect(Set(try rows(compacted)) == Set(before) && compacted.statistics.pagesRead == 0)
  }

  @Test func tailsAreKeptWithinTheirLimit() throws {
    var options = Run.options(SimulatedFileSystem(), ManualClock())
    options.tailByteCount = 8_000
    options.compactsByItself = false
    let store = try Store.open(options)
    let day: Int64 = 86_400_000_000_000
    // In each partition a series more, so that all are looked at.
    for partition in 0..<12 {
      let rows = (0..<20).map { row($0 * (partition == 0 ? 1 : 0) + partition * 100, Int64(-partition) * day, 1) }
      _ = try store.commit([.write(batches(rows))])[0].get()
      try store.sealAll()
    }
    let snapshot = store.snapshot()
    let table = try #require(snapshot.table(named: "t"))
    let request = LastRowsRequest(table: table.id, fields: table.fields.map(\.id))
    for _ in 0..<2 {
      #expect(try rows(snapshot.lastRows(request)).count == 31)
      #expect(store.tailStatistics.byteCount <= 8_000)
    }
  }
}

private struct WeakStore {
  weak var store: Store?
  init(_ store: Store) { self.store = store }
}
