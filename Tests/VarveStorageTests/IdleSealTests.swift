import Testing
import VarveCore
import VarveIO
import VarveSimulator
import VarveStorage

/// A head at rest is sealed, and slow writers leave no chunk each time they come.
@Suite struct IdleSealTests {
  private static let second: Int64 = 1_000_000_000

  private func opened(_ clock: ManualClock, sealByteCount: Int = 400_000) throws -> Store {
    var options = Run.options(SimulatedFileSystem(), clock)
    options.sealIdleByteCount = 2_000
    options.sealByteCount = sealByteCount
    return try Store.open(options)
  }

  private func write(_ store: Store, rows count: Int) throws {
    let rows = (0..<count).map {
      ModelRow(table: "t", identity: Identity(tags: ["h": "a"], time: Int64($0)), fields: ["v": .integer(1)])
    }
    _ = try store.commit([.write(batches(rows))])[0].get()
  }

  @Test func aHeadAtRestIsSealed() throws {
    let clock = ManualClock()
    let store = try opened(clock)
    try write(store, rows: 200)
    clock.advance(nanoseconds: 2 * Self.second - 1)
    #expect(!store.shouldFreeze)
    clock.advance(nanoseconds: 1)
    #expect(store.shouldFreeze)
    try store.sealAll()
    clock.advance(nanoseconds: 60 * Self.second)
    #expect(!store.shouldFreeze, "there is nothing to seal")
  }

  @Test func aCommitBeginsTheWaitAnew() throws {
    let clock = ManualClock()
    let store = try opened(clock)
    for _ in 0..<20 {
      try write(store, rows: 100)
      clock.advance(nanoseconds: Self.second)
      #expect(!store.shouldFreeze)
    }
    clock.advance(nanoseconds: Self.second)
    #expect(store.shouldFreeze)
  }

  @Test func fewRowsWaitForTheirAge() throws {
    let clock = ManualClock()
    let store = try opened(clock)
    try write(store, rows: 10)
    clock.advance(nanoseconds: 599 * Self.second)
    #expect(!store.shouldFreeze)
    clock.advance(nanoseconds: Self.second)
    #expect(store.shouldFreeze)
  }

  @Test func itIsNotForTheIdleWhereItIsOff() throws {
    let clock = ManualClock()
    var options = Run.options(SimulatedFileSystem(), clock)
    options.sealIdleMilliseconds = 0
    options.sealIdleByteCount = 0
    let store = try Store.open(options)
    try write(store, rows: 500)
    clock.advance(nanoseconds: 599 * Self.second)
    #expect(!store.shouldFreeze)
  }

  /// However long the pauses of a steady writer are, chunks are few: the logarithm of them, and those by age.
  @Test(arguments: [3, 10, 20, 100, 599, 601]) func aSteadySlowWriterLeavesFewChunks(pauseSeconds: Int) throws {
    let clock = ManualClock()
    let store = try opened(clock, sealByteCount: 64 << 20)
    var seals = 0
    let hours = 2
    for _ in 0..<(hours * 3600 / pauseSeconds) {
      try write(store, rows: 130)
      for _ in 0..<pauseSeconds {
        clock.advance(nanoseconds: Self.second)
        guard store.shouldFreeze else { continue }
        seals += 1
        try store.sealAll()
      }
    }
    // By age alone: six an hour. Doubling from 2 s to 600 s takes nine steps; a pause as long as the age begins anew.
    #expect(seals <= hours * 6 + 9, "\(seals) seals")
  }

  @Test func aLargeHeadIsNotMadeToWait() throws {
    let clock = ManualClock()
    let store = try opened(clock)
    for _ in 0..<6 {
      try write(store, rows: 6_000)
      clock.advance(nanoseconds: 2 * Self.second)
      #expect(store.shouldFreeze)
      try store.sealAll()
    }
  }

  @Test func whatTheLogBroughtBackIsSealedToo() throws {
    let clock = ManualClock()
    let disk = SimulatedFileSystem()
    var options = Run.options(disk, clock)
    options.sealIdleByteCount = 2_000
    let first = try Store.open(options)
    try write(first, rows: 200)
    try first.close()
    options.fileSystem = disk.restart()
    let store = try Store.open(options)
    #expect(!store.shouldFreeze)
    clock.advance(nanoseconds: 2 * Self.second)
    #expect(store.shouldFreeze)
  }
}
