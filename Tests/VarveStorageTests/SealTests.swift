import Testing
import VarveCore
import VarveIO
import VarveSimulator
import VarveStorage

/// What becomes of rows when the head is written to chunks, at the borders that small workloads never reach.
@Suite struct SealTests {
  private func row(_ host: Int, _ time: Int64, _ value: Double) -> ModelRow {
    ModelRow(
      table: "t", identity: Identity(tags: ["h": "h\(host)"], time: time), fields: ["v": .double(value.bitPattern)])
  }

  @Test(arguments: [
    [8191], [8192], [8193], [16_385], [8192, 1, 8192], [5000, 5000, 6384], [12_288, 12_289], [3, 30_000, 8640, 2],
  ])
  func fullRowBlocksKeepTheirLastRows(rowCounts: [Int]) throws {
    let store = try Store.open(Run.options(SimulatedFileSystem(), ManualClock()))
    var model = Model()
    for (host, count) in rowCounts.enumerated() {
      let rows = (0..<count).map { row(host, Int64($0), Double($0)) }
      _ = try store.commit([.write(batches(rows))])[0].get()
      for row in rows { model.write(row) }
    }
    try store.sealAll()
    #expect(try Model.reading(store) == model)
    // Blocks of chunks, as they are read, are blocks again, but where a series goes on in the next.
    try store.compactAll()
    #expect(try Model.reading(store) == model)
  }

  /// Blocks that are each less than half as long as the one before stay apart in the head.
  @Test(arguments: 1...8) func blocksThatOverlapAreSealedAsOne(seed: Int) throws {
    var random = SeededRandom(seed: UInt64(seed))
    let store = try Store.open(Run.options(SimulatedFileSystem(), ManualClock()))
    var model = Model()
    let timeCount = seed.isMultiple(of: 2) ? 40 : 100_000
    for count in [12_000, 5_900, 800, 390, 190, 90, 40, 15, 5] {
      var rows: [ModelRow] = []
      let name = ["v", "w"].randomElement(using: &random) ?? "v"
      for _ in 0..<count {
        let time = Int64(random.next() % UInt64(timeCount))
        rows.append(
          ModelRow(
            table: "t", identity: Identity(tags: ["h": "h\(random.next() % 20)"], time: time),
            fields: [name: .double(Double(random.next() % 1000).bitPattern)]))
      }
      _ = try store.commit([.write(batches(rows))])[0].get()
      for row in rows { model.write(row) }
    }
    try store.sealAll()
    #expect(try Model.reading(store) == model, "seed \(seed)")
  }

  /// Series of blocks in order are copied in stretches, those of others row by row, with any kind of column.
  @Test(arguments: 1...12) func blocksInOrderAndOthersAreSealedAsOne(seed: Int) throws {
    var random = SeededRandom(seed: UInt64(seed))
    let store = try Store.open(Run.options(SimulatedFileSystem(), ManualClock()))
    var model = Model()
    var times = Array(Int64(0)..<20_000)
    if seed.isMultiple(of: 2) { times.shuffle(using: &random) }
    let isComplete = seed.isMultiple(of: 3)
    var gathers = 0
    for count in [9_000, 4_000, 1_900, 900, 400, 190, 90, 40, 15, 5] {
      let rows = (0..<count).map { number -> ModelRow in
        var fields: [String: Cell] = ["v": .double(Double(random.next() % 1000).bitPattern)]
        if !isComplete, random.chance(70) { fields["w"] = .integer(Int64(random.next() % 1000)) }
        if seed.isMultiple(of: 4) { fields["s"] = .text("text \(random.next() % 1000)") }
        let host = number == 0 ? 0 : random.next() % 20
        return ModelRow(
          table: "t", identity: Identity(tags: ["h": "h\(host)"], time: times.removeLast()), fields: fields)
      }
      _ = try store.commit([.write(batches(rows))])[0].get()
      for row in rows { model.write(row) }
      while gathers == 0 || random.chance(50), let gather = store.pickGather(byteCount: 1_000, joinedRowCount: 0) {
        #expect(store.install(gather, gather.make()))
        gathers += 1
      }
    }
    #expect(gathers > 0, "seed \(seed)")
    try store.sealAll()
    #expect(try Model.reading(store) == model, "seed \(seed)")
  }

  /// A range condition may deliver too much, never too little: whatever the values are, NaN and infinities too.
  @Test(arguments: 1...8) func zoneMapsRuleOutNoRowThatPasses(seed: Int) throws {
    var random = SeededRandom(seed: UInt64(seed))
    let store = try Store.open(Run.options(SimulatedFileSystem(), ManualClock()))
    let values: [Double] = [.nan, -.nan, .infinity, -.infinity, 0, -0.0, 1, 2, 3, -1, .leastNonzeroMagnitude]
    var rows: [ModelRow] = []
    // A partition a day, a chunk each, a few rows in it.
    for day in -6..<10 {
      for second in 0..<Int.random(in: 1...3, using: &random) {
        rows.append(row(0, Int64(day) * 86_400_000_000_000 + Int64(second), values.randomElement(using: &random) ?? 0))
      }
    }
    _ = try store.commit([.write(batches(rows))])[0].get()
    try store.sealAll()
    let snapshot = store.snapshot()
    let table = try #require(snapshot.table(named: "t"))
    for _ in 0..<60 {
      let zone = ZonePredicate(
        column: table.fields[0].id, lower: random.chance(70) ? Double(Int(random.next() % 7)) - 3 : nil,
        upper: random.chance(70) ? Double(Int(random.next() % 7)) - 3 : nil)
      let cursor = try snapshot.scan(ScanRequest(table: table.id, fields: [zone.column], zones: [zone]))
      var found = Set<Int64>()
      while let batch = try cursor.next() { found.formUnion(batch.times.array) }
      for row in rows {
        guard case .double(let bits)? = row.fields["v"], passes(Double(bitPattern: bits), zone) else { continue }
        #expect(found.contains(row.identity.time), "seed \(seed): \(Double(bitPattern: bits)) in \(zone)")
      }
    }
  }

  /// As SQL orders: NaN is greater than every number.
  private func passes(_ value: Double, _ zone: ZonePredicate) -> Bool {
    if value.isNaN { return zone.upper == nil }
    return zone.lower.map { value >= $0 } ?? true && zone.upper.map { value <= $0 } ?? true
  }
}
