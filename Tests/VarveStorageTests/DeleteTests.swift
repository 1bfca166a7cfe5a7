import Testing
import VarveCore
import VarveFormat
import VarveIO
import VarveSimulator
import VarveStorage

/// A delete takes rows of earlier commits and nothing else, wherever they are, and for nobody who looked before.
@Suite struct DeleteTests {
  private let disk = SimulatedFileSystem()
  private let store: Store

  init() throws { store = try Store.open(Run.options(disk, ManualClock())) }

  private func row(_ host: Int, _ time: Int64, _ fields: [String: Cell] = ["v": .integer(1)]) -> ModelRow {
    ModelRow(table: "t", identity: Identity(tags: ["host": "h\(host)"], time: time), fields: fields)
  }

  private func write(_ rows: [ModelRow]) throws { _ = try store.commit([.write(batches(rows))])[0].get() }

  private func delete(_ host: Int?, _ time: ClosedRange<Int64>, then rows: [ModelRow] = []) throws {
    let delete = ModelDelete(
      table: "t", host: host.map { "h\($0)" }, time: TimeRange(lower: time.lowerBound, upper: time.upperBound))
    _ = try store.commit([Request.delete(delete, then: rows).forStore(store)])[0].get()
  }

  private func times(_ host: Int, in store: Store? = nil, at snapshot: Snapshot? = nil) throws -> [Int64] {
    let model = try Model.reading(snapshot ?? (store ?? self.store).snapshot())
    return (model.tables["t"] ?? [:]).keys.filter { $0.tags == ["host": "h\(host)"] }.map(\.time).sorted()
  }

  private func reopened() throws -> Store {
    try Store.open(Run.options(disk.afterCrash(.nothing, seed: 1), ManualClock()))
  }

  @Test func rowsInMemoryGo() throws {
    try write((0..<10).map { row(0, $0) } + (0..<10).map { row(1, $0) })
    try delete(0, 3...5)
    #expect(try times(0) == [0, 1, 2, 6, 7, 8, 9])
    #expect(try times(1) == Array(0..<10))
    #expect(try times(0, in: reopened()) == [0, 1, 2, 6, 7, 8, 9])
  }

  @Test func rowsInChunksGo() throws {
    try write((0..<10).map { row(0, $0) } + (0..<10).map { row(1, $0) })
    try store.sealAll()
    try delete(0, 3...5)
    try delete(nil, 8...Int64.max)
    for store in [store, try reopened()] {
      #expect(try times(0, in: store) == [0, 1, 2, 6, 7])
      #expect(try times(1, in: store) == Array(0..<8))
    }
  }

  @Test func rowsThatAreBeingSealedGo() throws {
    try write((0..<10).map { row(0, $0) })
    #expect(try store.freeze())
    try delete(0, 0...3)
    let chunks = try store.writeChunks()
    try delete(0, 9...9)
    #expect(try times(0) == Array(4..<9))
    try store.install(chunks)
    #expect(try times(0) == Array(4..<9))
    #expect(try times(0, in: reopened()) == Array(4..<9))
    try write([row(0, 9)])
    #expect(try times(0) == Array(4..<10))
  }

  /// What leaves no row in memory is in the log all the same, and only a seal lets go of that: also when all of it was
  /// there before the store was opened.
  @Test(arguments: [false, true]) func deletesAloneLetTheLogGoInTime(isReopened: Bool) throws {
    let (disk, clock) = (SimulatedFileSystem(), ManualClock())
    var options = Run.options(disk, clock)
    var store = try Store.open(options)
    func commit(_ rows: [ModelRow]) throws {
      _ = try store.commit([.write(batches(rows))])[0].get()
      let delete = try Request.delete(ModelDelete(table: "t", host: nil, time: .all), then: []).forStore(store)
      _ = try store.commit([delete])[0].get()
    }
    try commit([row(0, 1)])
    try store.sealAll()
    #expect(!store.shouldFreeze)
    for number in 0..<8 {
      try commit((0..<20).map { row(0, $0) })
      clock.advance(nanoseconds: Int64(options.sealAgeMilliseconds) * 1_000_000 / 8)
      #expect(store.shouldFreeze == (number == 7))
    }
    if isReopened {
      options.fileSystem = disk.afterCrash(.everything, seed: 1)
      store = try Store.open(options)
      #expect(!store.shouldFreeze)
      clock.advance(nanoseconds: Int64(options.sealAgeMilliseconds) * 1_000_000)
      #expect(store.shouldFreeze)
    }
    try store.sealAll()
    #expect(!store.shouldFreeze)
    #expect(try times(0, in: store).isEmpty)
  }

  /// One commit deletes much: of some series and of all, at times that overlap, in blocks that it leaves alone too.
  @Test(arguments: 1...seedCount) func manyDeletesOfOneCommitTakeWhatEachWould(seed: Int) throws {
    var random = SeededRandom(seed: UInt64(seed))
    var left = Set<Identity>()
    for number in 0..<4 {
      let first = Int64(number) * 250
      let rows = (0..<750).map { _ in
        row(Int.random(in: 0..<20, using: &random), Int64.random(in: first..<(first + 300), using: &random))
      }
      try write(rows)
      left.formUnion(rows.map(\.identity))
    }
    let deletes = (0..<40).map { number in
      let first = Int64.random(in: 0..<900, using: &random)
      let time = TimeRange(lower: first, upper: first + Int64.random(in: 0..<80, using: &random))
      return ModelDelete(
        table: "t", host: number % 10 == 0 ? nil : "h\(Int.random(in: 0..<12, using: &random))", time: time)
    }
    let snapshot = store.snapshot()
    _ = try store.commit([.delete(deletes.map { $0.forStore(snapshot) }, then: [])])[0].get()
    for each in deletes {
      left = left.filter { !(each.time.contains($0.time) && (each.host == nil || $0.tags["host"] == each.host)) }
    }
    #expect(try Set((Model.reading(store).tables["t"] ?? [:]).keys) == left, "seed \(seed)")
    #expect(try Set((Model.reading(reopened()).tables["t"] ?? [:]).keys) == left, "seed \(seed)")
  }

  /// The commits before the delete are flushed, its own not, then its own too.
  @Test func deletesOutliveTheLogThatBroughtThem() throws {
    try write((0..<6).map { row(0, $0) })
    try store.sealAll()
    try delete(0, 2...3)
    try write([row(1, 0)])
    try store.sealAll()
    #expect(try times(0, in: reopened()) == [0, 1, 4, 5])
    // Through the manifest's next checkpoint, too.
    try store.close()
    let again = try Store.open(Run.options(disk, ManualClock()))
    #expect(try times(0, in: again) == [0, 1, 4, 5])
  }

  @Test func whatIsWrittenAfterwardsStays() throws {
    try write([row(0, 1, ["v": .integer(1), "n": .integer(7)])])
    try store.sealAll()
    try delete(nil, Int64.min...Int64.max)
    #expect(try times(0).isEmpty)
    try write([row(0, 1, ["n": .integer(8)])])
    // Not merged with what was deleted.
    let expected: [Identity: [String: Cell]] = [row(0, 1).identity: ["n": .integer(8)]]
    #expect(try Model.reading(store).tables["t"] == expected)
    try store.sealAll()
    #expect(try Model.reading(store).tables["t"] == expected)
    #expect(try Model.reading(try reopened()).tables["t"] == expected)
  }

  @Test func aDeleteComesBeforeTheRowsOfItsOwnCommit() throws {
    try write((0..<4).map { row(0, $0) })
    try delete(0, Int64.min...Int64.max, then: [row(0, 2), row(0, 9)])
    for store in [store, try reopened()] { #expect(try times(0, in: store) == [2, 9]) }
  }

  /// Writes that came to the store before a delete, as one group with it, are covered.
  @Test func inAGroupTheOrderOfRequestsCounts() throws {
    try write([row(0, 1)])
    let delete = try Request.delete(ModelDelete(table: "t", host: nil, time: .all), then: []).forStore(store)
    for outcome in store.commit([.write(batches([row(0, 2)])), delete, .write(batches([row(0, 3)]))]) {
      _ = try outcome.get()
    }
    #expect(try times(0) == [3])
    #expect(store.sequence == Sequence(rawValue: 4))
  }

  @Test func snapshotsFromBeforeGoOnSeeingTheRows() throws {
    try write((0..<4).map { row(0, $0) })
    try store.sealAll()
    try write((4..<8).map { row(0, $0) })
    let before = store.snapshot()
    try delete(nil, Int64.min...Int64.max)
    #expect(try times(0, at: before) == Array(0..<8))
    #expect(try times(0).isEmpty)
  }

  @Test func countsLeaveOutChunksThatAreCoveredWhole() throws {
    try write((0..<4).map { row(0, $0) })
    try store.sealAll()
    try write([row(0, 86_400_000_000_000)])
    try delete(nil, 0...3)
    let snapshot = store.snapshot()
    let statistics = snapshot.statistics(of: try #require(snapshot.table(named: "t")).id)
    #expect(statistics.rows == 1 && statistics.chunks == 1)
    #expect(statistics.time == TimeRange(lower: 86_400_000_000_000, upper: 86_400_000_000_000))
  }

  @Test func aTableTakesSoManyDeletesUntilItIsCompacted() throws {
    try write((0..<4).map { row(0, $0) })
    try store.sealAll()
    for _ in 0..<Limits.tombstonesPerTable { try delete(0, 1...1) }
    let error = #expect(throws: VarveError.self) { try delete(0, 2...2) }
    #expect(error?.code == .limitExceeded && error?.hint?.contains("compact_chunks('t')") == true)
    #expect(try times(0) == [0, 2, 3])
    // Where there are only rows in memory nothing is kept.
    try write([ModelRow(table: "u", identity: Identity(tags: [:], time: 1), fields: ["v": .integer(1)])])
    let other = try Request.delete(ModelDelete(table: "u", host: nil, time: .all), then: []).forStore(store)
    for _ in 0..<(Limits.tombstonesPerTable + 10) { _ = try store.commit([other])[0].get() }
  }

  @Test func aDeleteFromATableThatIsGoneIsRefused() throws {
    try write([row(0, 1)])
    let delete = try Request.delete(ModelDelete(table: "t", host: nil, time: .all), then: []).forStore(store)
    _ = try store.commit([.dropTable("t")])[0].get()
    let error = #expect(throws: VarveError.self) { try store.commit([delete])[0].get() }
    #expect(error?.code == .notFound)
    #expect(store.failure == nil)
  }

  /// A full disk refuses rows, and takes deletes, which make room in the end.
  @Test func aFullDiskTakesDeletes() throws {
    let disk = SimulatedFileSystem()
    var options = Run.options(disk, ManualClock())
    options.reserveByteCount = 8192
    let store = try Store.open(options)
    _ = try store.commit([.write(batches((0..<4).map { row(0, $0) }))])[0].get()
    disk.set(capacity: disk.paths.reduce(0) { $0 + (disk.contents($1)?.count ?? 0) })
    var random = SeededRandom(seed: 1)
    // Larger than all segments together: one must be refused.
    let refusal = (0..<40).lazy.compactMap { number -> VarveError? in
      let text = String((0..<1000).map { _ in Character(UnicodeScalar(UInt8(33 + random.next() % 90))) })
      let outcome = store.commit([.write(batches([self.row(1, Int64(number), ["s": .text(text)])]))])[0]
      return if case .failure(let error) = outcome { error } else { nil }
    }.first
    #expect(refusal?.code == .diskFull)
    for _ in 0..<200 { store.markDurable() }
    let delete = ModelDelete(table: "t", host: "h0", time: TimeRange(lower: 0, upper: 2))
    _ = try store.commit([Request.delete(delete, then: []).forStore(store)])[0].get()
    #expect(try times(0, in: store) == [3])
    #expect(store.failure == nil)
  }
}
