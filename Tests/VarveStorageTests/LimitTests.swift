import Testing
import VarveCore
import VarveIO
import VarveSimulator
import VarveStorage

/// A row beyond a limit is rejected alone: what came with it is stored.
@Suite struct LimitTests {
  private func open(_ change: (inout StoreOptions) -> Void = { _ in }) throws -> Store {
    var options = Run.options(SimulatedFileSystem(), ManualClock())
    change(&options)
    return try Store.open(options)
  }

  private func row(_ tags: [String: String], _ time: Int64, _ fields: [String: Cell]) -> ModelRow {
    ModelRow(table: "t", identity: Identity(tags: tags, time: time), fields: fields)
  }

  private func write(_ store: Store, _ rows: [ModelRow]) throws -> [Rejection] {
    try store.commit([.write(batches(rows))])[0].get().flatMap(\.rejections)
  }

  @Test func aRowThatWouldMakeAColumnTooManyIsRejectedAlone() throws {
    let store = try open()
    let wide = Dictionary(uniqueKeysWithValues: (0..<Limits.columnsPerTable - 1).map { ("f\($0)", Cell.integer(1)) })
    let rejected = try write(
      store,
      [
        row([:], 1, wide), row(["h": "a"], 2, ["f1": .integer(2)]), row([:], 3, ["g": .integer(3), "f1": .integer(3)]),
        row(["k": "a"], 4, ["f1": .integer(4)]), row([:], 5, ["f2": .integer(5)]),
      ])
    #expect(rejected.map(\.line) == [3, 4])
    #expect(rejected.allSatisfy { $0.code == .limitExceeded })
    #expect(store.snapshot().table(named: "t")?.columns.count == Limits.columnsPerTable)
    #expect(try Model.reading(store).rowCount == 3)
  }

  @Test func aRowThatWouldMakeASeriesTooManyIsRejectedAlone() throws {
    let store = try open { $0.maxSeriesPerTable = 3 }
    let rows = (0..<6).map { row(["h": "\($0 % 5)"], Int64($0), ["v": .integer(1)]) }
    #expect(try write(store, rows).map(\.line) == [4, 5])
    #expect(try write(store, rows).map(\.line) == [4, 5], "a refused series is refused again")
    #expect(try Model.reading(store).rowCount == 4)
    // The limit is a table's own.
    var other = rows[4]
    other.table = "u"
    #expect(try write(store, [other]).isEmpty)
  }

  /// In a table that is known, where new series take the short way as long as there is room.
  @Test func onlyTheSeriesBeyondTheLimitAreRejectedFromATableThatIsKnown() throws {
    let store = try open { $0.maxSeriesPerTable = 4 }
    func rows(_ hosts: [Int], _ time: Int64) -> [ModelRow] {
      hosts.map { row(["h": "\($0)"], time, ["v": .integer(1)]) }
    }
    #expect(try write(store, rows([0, 1], 1)).isEmpty)
    #expect(try write(store, rows([1, 2, 3, 4, 2, 5, 0], 2)).map(\.line) == [4, 6])
    #expect(try Model.reading(store).rowCount == 2 + 4, "host 2 has its time once")
  }

  /// As from a connection that spelled its tags in two orders.
  @Test func aTagSetThatABatchListsTwiceIsOneSeries() throws {
    for isKnown in [false, true] {
      let store = try open { $0.maxSeriesPerTable = isKnown ? 2 : 1 }
      if isKnown { #expect(try write(store, [row(["h": "first", "k": "1"], 1, ["v": .integer(1)])]).isEmpty) }
      let key = SeriesKey(tags: [("h", "a"), ("k", "2")])
      let batch = PointBatch(
        table: "t", series: [key, key], rowSeries: Buffer([0, 1, 0]), times: Buffer([1, 2, 3]),
        fields: [.init(name: "v", column: FieldColumn(type: .int64, words: Buffer([1, 2, 3])))],
        memo: (SeriesMemo(), [0, 1]))
      let result = try store.commit([.write([batch])])[0].get()[0]
      #expect(result.rejections.isEmpty && result.rowsWritten == 3)
      let table = try #require(store.snapshot().table(named: "t"))
      #expect(store.snapshot().statistics(of: table.id).series == (isKnown ? 2 : 1))
    }
  }

  @Test func theSeriesIndexKeepsToItsShareOfMemory() throws {
    let store = try open { $0.seriesByteCount = 100_000 }
    var taken = 0
    for number in 0..<40 {
      let rows = (0..<50).map {
        row(["host": "a host's name that is long, \(number * 50 + $0)"], 1, ["v": .integer(1)])
      }
      let rejected = try write(store, rows)
      #expect(rejected.allSatisfy { $0.code == .limitExceeded })
      taken += rows.count - rejected.count
    }
    #expect(taken > 500 && taken < 1_500, "\(taken) series of some 100 bytes in 100,000")
    // Arrays grow by a part of themselves: the last time may go beyond.
    #expect(store.seriesByteCount <= 150_000)
    #expect(try write(store, [row(["host": "a host's name that is long, 7"], 2, ["v": .integer(2)])]).isEmpty)
  }

  /// A connection's notes must not outlive the table whose ids they are.
  @Test func notesOfADroppedTableAreNotUsedForItsSuccessor() throws {
    let store = try open()
    let memo = SeriesMemo()
    func write(_ hosts: [String], numbers: [UInt32], time: Int64) throws {
      let keys = hosts.map { SeriesKey(tags: [("h", $0)]) }
      let batch = PointBatch(
        table: "t", series: keys, rowSeries: Buffer(keys.indices.map { UInt32($0) }),
        times: Buffer(repeating: time, count: keys.count),
        fields: [
          .init(
            name: "v", column: FieldColumn(type: .int64, words: Buffer(repeating: UInt64(time), count: keys.count)))
        ], memo: (memo, numbers))
      #expect(try store.commit([.write([batch])])[0].get()[0].rowsWritten == keys.count)
    }
    try write(["a", "b", "c"], numbers: [0, 1, 2], time: 1)
    try write(["c", "a"], numbers: [2, 0], time: 2)
    _ = try store.commit([.dropTable("t")])[0].get()
    try write(["c"], numbers: [2], time: 3)
    try write(["c", "a"], numbers: [2, 0], time: 4)
    try write(["c", "a"], numbers: [2, 0], time: 5)
    let cells = try Model.reading(store).tables["t"] ?? [:]
    let found = Set(cells.keys.map { "\($0.tags["h"] ?? "") \($0.time)" })
    #expect(found == ["c 3", "c 4", "a 4", "c 5", "a 5"])
  }
}
