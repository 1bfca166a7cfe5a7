import Testing
import VarveCore
import VarveIO
import VarveSimulator
import VarveStorage

/// Any selection of a scan gives exactly the rows that a plain filter of everything gives, whatever lies in chunks, in
/// the head, or in both.
@Suite struct ScanTests {
  @Test(arguments: 1...20) func everySelectionEqualsAPlainFilter(seed: Int) throws {
    var random = SeededRandom(seed: UInt64(seed))
    let store = try Store.open(Run.options(SimulatedFileSystem(), ManualClock()))
    let day: Int64 = 86_400_000_000_000
    var model: [Identity: Int64] = [:]
    for _ in 0..<40 {
      var rows: [ModelRow] = []
      for _ in 0..<Int.random(in: 1...60, using: &random) {
        let identity = Identity(
          tags: ["h": "h\(random.next() % 7)"], time: Int64(random.next() % 50) * 1000 + Int64(random.next() % 3) * day)
        let value = Int64(random.next() % 100)
        rows.append(ModelRow(table: "t", identity: identity, fields: ["v": .integer(value)]))
        model[identity] = value
      }
      _ = try store.commit([.write(batches(rows))])[0].get()
      if random.chance(20) { try store.sealAll() }
      while random.chance(50), let gather = store.pickGather(byteCount: 1_000, joinedRowCount: 0) {
        #expect(store.install(gather, gather.make()))
      }
    }
    let snapshot = store.snapshot()
    let table = try #require(snapshot.table(named: "t"))
    let host = try #require(table.tags.first)
    for _ in 0..<30 {
      let hosts = Set((0..<Int.random(in: 0...4, using: &random)).map { _ in "h\(random.next() % 9)" })
      let lower = Int64(random.next() % 50) * 1000
      let range = TimeRange(lower: lower, upper: lower + Int64(random.next() % UInt64(2 * day)))
      let series = snapshot.series(of: table.id, where: [TagPredicate(column: host.id, condition: .isIn(Array(hosts)))])
      let request = ScanRequest(
        table: table.id, series: series, time: range, fields: [table.fields[0].id],
        newestPartitionFirst: random.chance(50))
      let found = try read(request, snapshot, host.id)
      let expected = model.filter { hosts.contains($0.key.tags["h"] ?? "") && range.contains($0.key.time) }
      #expect(found == expected, "seed \(seed)")
      #expect(try snapshot.estimate(request).rows >= expected.count, "an estimate is an upper bound; seed \(seed)")
    }
  }

  private func read(_ request: ScanRequest, _ snapshot: Snapshot, _ host: ColumnID) throws -> [Identity: Int64] {
    let tags = snapshot.tagColumn(host, of: request.table)
    let cursor = try snapshot.scan(request)
    var found: [Identity: Int64] = [:]
    while let batch = try cursor.next() {
      #expect(batch.runs.reduce(0) { $0 + $1.count } == batch.count && batch.count > 0)
      var row = 0
      for run in batch.runs {
        for _ in 0..<run.count {
          let identity = Identity(
            tags: ["h": tags.value(tags.code(of: run.series))], time: batch.times[row])
          #expect(found.updateValue(Int64(bitPattern: batch.fields[0].words[row]), forKey: identity) == nil)
          row += 1
        }
      }
    }
    return found
  }

  @Test func predicatesPrunePartitionsChunksAndRowBlocks() throws {
    let store = try Store.open(Run.options(SimulatedFileSystem(), ManualClock()))
    let day: Int64 = 86_400_000_000_000
    for partition in 0..<3 {
      for host in 0..<4 {
        let rows = (0..<3000).map { number in
          ModelRow(
            table: "t",
            identity: Identity(tags: ["h": "h\(host)"], time: Int64(partition) * day + Int64(number) * 1_000_000_000),
            fields: ["v": .integer(Int64(number))])
        }
        _ = try store.commit([.write(batches(rows))])[0].get()
      }
      try store.sealAll()
    }
    let snapshot = store.snapshot()
    let table = try #require(snapshot.table(named: "t"))
    let one = snapshot.series(of: table.id, where: [TagPredicate(column: table.tags[0].id, condition: .isIn(["h2"]))])
    var request = ScanRequest(
      table: table.id, series: one, time: TimeRange(lower: day, upper: day + 59_000_000_000),
      fields: [table.fields[0].id])
    let cursor = try snapshot.scan(request)
    var rows = 0
    while let batch = try cursor.next() { rows += batch.count }
    #expect(rows == 60)
    #expect(cursor.statistics.partitions == 3 && cursor.statistics.partitionsPruned == 2)
    #expect(cursor.statistics.rowBlocksPruned > 0 && cursor.statistics.pagesRead == 3)
    request.time = .all
    request.zones = [ZonePredicate(column: table.fields[0].id, lower: 10_000, upper: nil)]
    let none = try snapshot.scan(request)
    #expect(try none.next() == nil && none.statistics.pagesRead == 0)
  }
}
