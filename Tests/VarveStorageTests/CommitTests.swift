import Testing
import VarveCore
import VarveIO
import VarveSimulator
import VarveStorage

/// Schema on write, rejections and merging, as users meet them.
@Suite struct CommitTests {
  private let store: Store
  private let clock = ManualClock()

  init() throws {
    store = try Store.open(Run.options(SimulatedFileSystem(), clock))
  }

  private func row(_ tags: [String: String], _ time: Int64, _ fields: [String: Cell]) -> ModelRow {
    ModelRow(table: "t", identity: Identity(tags: tags, time: time), fields: fields)
  }

  private func write(_ rows: [ModelRow]) throws -> [Rejection] {
    try store.commit([.write(batches(rows))])[0].get().flatMap(\.rejections)
  }

  @Test func theSameIdentityMergesFieldByFieldAndTheLastWriteWins() throws {
    _ = try write([row(["h": "a"], 1, ["v": .integer(1), "n": .integer(1)]), row(["h": "a"], 1, ["v": .integer(2)])])
    try store.sealAll()
    _ = try write([row(["h": "a"], 1, ["n": .integer(3)])])
    let cells = try Model.reading(store).tables["t"]?[Identity(tags: ["h": "a"], time: 1)]
    #expect(cells == ["v": .integer(2), "n": .integer(3)])
  }

  @Test func anExplicitNullHidesWhatOlderRowsHad() throws {
    _ = try write([row(["h": "a"], 1, ["v": .integer(1), "n": .integer(1)])])
    try store.sealAll()
    _ = try write([row(["h": "a"], 1, ["v": .null, "n": .integer(2)])])
    // A column of NULLs only has no type of its own; here it comes as a double.
    #expect(try Model.reading(store).tables["t"]?[Identity(tags: ["h": "a"], time: 1)] == ["n": .integer(2)])
  }

  @Test func integersWidenIntoADoubleColumnAndNothingElseConverts() throws {
    _ = try write([row([:], 1, ["v": .double(1.5.bitPattern)])])
    #expect(try write([row([:], 2, ["v": .integer(2)])]).isEmpty)
    let rejected = try write([row([:], 3, ["v": .text("x")]), row([:], 4, ["v": .double(4.0.bitPattern)])])
    #expect(rejected.map(\.code) == [.typeConflict] && rejected.map(\.line) == [1])
    let table = try Model.reading(store).tables["t"]
    #expect(table?[Identity(tags: [:], time: 2)] == ["v": .double(2.0.bitPattern)])
    #expect(table?[Identity(tags: [:], time: 3)] == nil)
    #expect(table?[Identity(tags: [:], time: 4)] != nil)
  }

  @Test func theEarlierLineOfABatchDecidesWhatANewNameIs() throws {
    let rejected = try write([
      row(["a": "x"], 1, ["b": .integer(1)]), row(["b": "y"], 2, ["c": .integer(1)]), row([:], 3, ["n": .integer(1)]),
      row([:], 4, ["n": .text("x")]),
    ])
    #expect(rejected.map(\.code) == [.nameConflict, .typeConflict])
    #expect(rejected.map(\.line) == [2, 4])
    let columns = store.snapshot().table(named: "t")?.columns.map(\.name)
    #expect(columns == ["a", "b", "n"], "a rejected line creates nothing")
  }

  @Test func timeIsReservedAndNamesHaveALimit() throws {
    let long = String(repeating: "x", count: 64)
    let rejected = try write([
      row(["time": "x"], 1, ["v": .integer(1)]), row([:], 2, ["time": .integer(1)]), row([:], 3, [long: .integer(1)]),
      row([long: "y"], 4, ["v": .integer(1)]), row([:], 5, ["v": .integer(1)]),
    ])
    #expect(Set(rejected.map(\.line)) == [1, 2, 3, 4])
    #expect(rejected.filter { $0.code == .reservedName }.count == 2)
    #expect(rejected.filter { $0.code == .nameTooLong }.count == 2)
    #expect(try Model.reading(store).rowCount == 1)
  }

  @Test func stampsBeyondTheAllowedFutureAreRejected() throws {
    let now = clock.wallNanoseconds()
    let rejected = try write([
      row([:], now, ["v": .integer(1)]), row([:], now + 2 * 86_400_000_000_000, ["v": .integer(1)]),
    ])
    #expect(rejected.map(\.code) == [.timestampInFuture])
  }

  @Test func canonicallyEquivalentStringsStayApart() throws {
    // U+00E9, and e with a combining accent: equal to Swift's String, two values to a store.
    _ = try write([row(["h": "\u{E9}"], 1, ["v": .integer(1)]), row(["h": "e\u{301}"], 1, ["v": .integer(2)])])
    let snapshot = store.snapshot()
    let table = try #require(snapshot.table(named: "t"))
    #expect(
      snapshot.tagColumn(table.columns[0].id, of: table.id).values.map { Array($0.utf8) } == [
        [], [0xC3, 0xA9], [0x65, 0xCC, 0x81],
      ])
  }

  @Test func aSnapshotStaysAsItWas() throws {
    _ = try write([row(["h": "a"], 1, ["v": .integer(1)])])
    let snapshot = store.snapshot()
    let table = try #require(snapshot.table(named: "t"))
    _ = try write([row(["h": "a"], 1, ["v": .integer(9)]), row(["h": "b"], 2, ["v": .integer(2)])])
    try store.sealAll()
    _ = try store.commit([.dropTable("t")])[0].get()
    let batch = try snapshot.scan(ScanRequest(table: table.id, fields: [table.fields[0].id])).next()
    #expect(batch?.count == 1 && batch?.fields[0].words[0] == 1)
    #expect(snapshot.tagColumn(table.columns[0].id, of: table.id).values.contains("a"))
  }

  @Test func timesAtBothEndsOfInt64HavePartitions() throws {
    #expect(
      try write([
        row([:], .min + 1, ["v": .integer(1)]), row([:], -1, ["v": .integer(2)]), row([:], 0, ["v": .integer(3)]),
      ])
      .isEmpty)
    try store.sealAll()
    let times = try Model.reading(store).tables["t"]?.keys.map(\.time).sorted()
    #expect(times == [.min + 1, -1, 0])
    #expect(try write([row([:], .min, ["v": .integer(1)])]).map(\.code) == [.invalidTimestamp])
  }

  /// As the parser hands over a line that has a field twice with different types.
  @Test func aColumnWithoutAnyValueCreatesNothing() throws {
    let absent = FieldColumn(
      type: .int64, words: Buffer(repeating: 0, count: 1),
      states: Buffer(repeating: CellState.absent.rawValue, count: 1))
    let value = FieldColumn(type: .float64, words: Buffer(repeating: Double(2).bitPattern, count: 1))
    let batch = PointBatch(
      table: "t", series: [SeriesKey(canonical: [])], rowSeries: Buffer(repeating: 0, count: 1),
      times: Buffer(repeating: 1, count: 1),
      fields: [.init(name: "v", column: absent), .init(name: "v", column: value)])
    _ = try store.commit([.write([batch])])[0].get()
    #expect(try Model.reading(store).tables["t"]?[Identity(tags: [:], time: 1)] == ["v": .double(2.0.bitPattern)])
  }
}
