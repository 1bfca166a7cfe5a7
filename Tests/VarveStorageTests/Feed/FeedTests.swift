import Synchronization
import Testing
import VarveCore
import VarveFormat
import VarveIO
import VarveSimulator
@testable import VarveStorage

/// What those who follow commits are told, and from where they can go on.
@Suite struct FeedTests {
  private static func options(_ disk: SimulatedFileSystem, kept: Int = 0) -> StoreOptions {
    var options = Run.options(disk, ManualClock())
    options.keptLogByteCount = kept
    return options
  }

  private func write(_ store: Store, _ number: Int, table: String = "t") throws {
    let row = ModelRow(
      table: table, identity: Identity(tags: ["h": "a"], time: Int64(number)),
      fields: ["v": .double(Double(number).bitPattern)])
    _ = try store.commit([.write(batches([row]))])[0].get()
  }

  /// Times of the rows behind an offset, each with its commit.
  private func read(_ store: Store, after offset: Int) throws -> [[Int64]] {
    var follower = LogFollower()
    defer { follower.close() }
    var told: [[Int64]] = []
    var last = Sequence(rawValue: UInt64(offset))
    while true {
      let found = try store.commits(after: last, &follower, byteLimit: 1)
      if found.isEmpty { return told }
      for commit in found {
        #expect(commit.sequence == last.next, "without gaps, each once")
        last = commit.sequence
        told.append(commit.rows.flatMap { Array($0.block.times.span) })
      }
    }
  }

  private func code(_ body: () throws -> Void) -> VarveError.Code? {
    do {
      try body()
      return nil
    } catch { return (error as? VarveError)?.code }
  }

  @Test func whoFollowsIsWokenForItsTablesAlone() throws {
    let store = try Store.open(Self.options(SimulatedFileSystem()))
    try write(store, 1)
    try write(store, 2, table: "u")
    let table = try #require(store.snapshot().table(named: "t")).id
    let woken = Mutex(0)
    let all = Mutex(0)
    let one = store.feed.follow([table]) { woken.withLock { $0 += 1 } }
    let other = store.feed.follow(nil) { all.withLock { $0 += 1 } }
    try write(store, 3)
    try write(store, 4, table: "u")
    #expect(woken.withLock { $0 } == 1)
    #expect(all.withLock { $0 } == 2)
    #expect(try read(store, after: 2) == [[3], [4]])
    store.feed.unfollow(one)
    store.feed.unfollow(other)
    try write(store, 5)
    #expect(woken.withLock { $0 } == 1)
  }

  @Test func whoHasSeenAllPassesOverWhatDoesNotMatterAndNothingElse() throws {
    let store = try Store.open(Self.options(SimulatedFileSystem()))
    try write(store, 1)
    let table = try #require(store.snapshot().table(named: "t")).id
    let number = store.feed.follow([table]) {}
    let seen = Sequence(rawValue: 1)
    #expect(store.feed.skipped(number, from: .zero) == .zero, "what came before it followed may matter")
    try write(store, 2, table: "u")
    #expect(store.feed.skipped(number, from: seen) == Sequence(rawValue: 2))
    try write(store, 3)
    try write(store, 4, table: "u")
    #expect(store.feed.skipped(number, from: seen) == seen)
    #expect(store.feed.skipped(number, from: Sequence(rawValue: 3)) == Sequence(rawValue: 4))
    // While a commit is on its way.
    var follower = LogFollower()
    let contents = try store.commits(after: Sequence(rawValue: 2), &follower)[0]
    store.feed.publish(Sequence(rawValue: 5), isDurable: true) {
      #expect(store.feed.skipped(number, from: Sequence(rawValue: 4)) == Sequence(rawValue: 4))
      return CommitContents(sequence: Sequence(rawValue: 5), rows: contents.rows, deletions: [])
    }
    #expect(store.feed.skipped(number, from: Sequence(rawValue: 4)) == Sequence(rawValue: 4))
    store.feed.unfollow(number)
  }

  @Test func theLogTellsWhatMemoryDoesNot() throws {
    var options = Self.options(SimulatedFileSystem())
    options.feedByteCount = 700
    let store = try Store.open(options)
    try write(store, 1)
    let number = store.feed.follow(nil) {}
    for time in 2...40 { try write(store, time) }
    #expect(try read(store, after: 0) == (1...40).map { [Int64($0)] })
    #expect(try read(store, after: 37) == (38...40).map { [Int64($0)] })
    #expect(try read(store, after: 40) == [])
    #expect(code { _ = try read(store, after: 41) } == .invalidArgument)
    store.feed.unfollow(number)
  }

  @Test func anOffsetIsGoneOnceTheLogIs() throws {
    let store = try Store.open(Self.options(SimulatedFileSystem()))
    for time in 1...5 { try write(store, time) }
    #expect(store.feed.oldest == .zero)
    try store.sealAll()
    #expect(store.feed.oldest == Sequence(rawValue: 5))
    #expect(try read(store, after: 5) == [])
    #expect(code { _ = try read(store, after: 4) } == .gone)
    try write(store, 6)
    #expect(try read(store, after: 5) == [[6]])
    #expect(code { _ = try read(store, after: 4) } == .gone)
  }

  @Test func aKeptLogTellsWhatIsSealedAlsoAfterARestart() throws {
    let disk = SimulatedFileSystem()
    let store = try Store.open(Self.options(disk, kept: 1 << 20))
    for time in 1...30 {
      try write(store, time)
      if time % 7 == 0 { try store.sealAll() }
    }
    #expect(store.feed.oldest == .zero)
    #expect(try read(store, after: 0) == (1...30).map { [Int64($0)] })
    let again = try Store.open(Self.options(disk.afterCrash(.nothing, seed: 1), kept: 1 << 20))
    #expect(again.feed.oldest == .zero)
    #expect(try read(again, after: 11) == (12...30).map { [Int64($0)] })
  }

  @Test func onlySoMuchOfTheLogIsKept() throws {
    let disk = SimulatedFileSystem()
    var options = Self.options(disk)
    options.keptLogByteCount = 2 * options.segmentByteCount
    let store = try Store.open(options)
    for time in 1...50 {
      try write(store, time)
      if time % 5 == 0 { try store.sealAll() }
    }
    // Two segments are kept, and the last seal has put all it had into the second.
    #expect(store.feed.oldest == Sequence(rawValue: 40))
    #expect(try read(store, after: 40) == (41...50).map { [Int64($0)] })
    // Who wants none has none.
    options.keptLogByteCount = 0
    options.fileSystem = disk.restart()
    let last = try Store.open(options)
    try write(last, 51)
    try last.sealAll()
    #expect(last.feed.oldest == Sequence(rawValue: 51))
  }

  @Test func aNewStoreKeepsNothingBeforeItIsFollowed() throws {
    let disk = SimulatedFileSystem()
    var options = Self.options(disk, kept: 1 << 20)
    options.keepsLogUnasked = false
    let store = try Store.open(options)
    for time in 1...10 { try write(store, time) }
    try store.sealAll()
    #expect(store.feed.oldest == Sequence(rawValue: 10))
    store.feed.unfollow(store.feed.follow(nil) {})
    for time in 11...20 { try write(store, time) }
    try store.sealAll()
    #expect(try read(store, after: 10) == (11...20).map { [Int64($0)] })
    // Whoever followed may come back to the next process.
    options.fileSystem = disk.restart()
    let again = try Store.open(options)
    for time in 21...30 { try write(again, time) }
    try again.sealAll()
    #expect(try read(again, after: 10) == (11...30).map { [Int64($0)] })
  }

  @Test func aFollowerThatIsOvertakenByTheLogIsTold() throws {
    let store = try Store.open(Self.options(SimulatedFileSystem()))
    for time in 1...20 { try write(store, time) }
    var follower = LogFollower()
    let first = try store.commits(after: .zero, &follower, byteLimit: 1)
    #expect(first.map(\.sequence.rawValue) == [1])
    try store.sealAll()
    // Its segment becomes another.
    for time in 21...40 { try write(store, time) }
    var offset = first[0].sequence
    var told: [UInt64] = []
    let error = code {
      while true {
        let found = try store.commits(after: offset, &follower, byteLimit: 1)
        if found.isEmpty { return }
        told += found.map(\.sequence.rawValue)
        offset = found[found.count - 1].sequence
      }
    }
    #expect(error == .gone && told.isEmpty, "never a silent gap: \(told)")
  }

  @Test func whatIsNotSyncedIsNotTold() throws {
    var options = Self.options(SimulatedFileSystem())
    options.sync = .interval(milliseconds: 1000)
    let store = try Store.open(options)
    let woken = Mutex(0)
    let number = store.feed.follow(nil) { woken.withLock { $0 += 1 } }
    try write(store, 1)
    #expect(try read(store, after: 0) == [])
    #expect(woken.withLock { $0 } == 0)
    try store.syncLog()
    #expect(try read(store, after: 0) == [[1]])
    #expect(woken.withLock { $0 } == 1)
    store.feed.unfollow(number)
  }

  @Test func aSnapshotOfCommitsHoldsTheirRowsAlone() throws {
    let store = try Store.open(Self.options(SimulatedFileSystem()))
    for time in 1...3 { try write(store, time) }
    try store.sealAll()
    for time in 3...5 { try write(store, time) }
    var follower = LogFollower()
    let found = try store.commits(after: Sequence(rawValue: 3), &follower)
    let snapshot = store.snapshot()
    let table = try #require(snapshot.table(named: "t")).id
    func times(_ contents: [CommitContents]) throws -> [Int64] {
      let cursor = try snapshot.holding(only: contents).scan(ScanRequest(table: table))
      var times: [Int64] = []
      while let batch = try cursor.next() { times += Array(batch.times.span) }
      return times
    }
    #expect(try times(found) == [3, 4, 5])
    #expect(try times([found[0]]) == [3])
    #expect(try times([]) == [])
    #expect(found[1].time(of: table) == TimeRange(lower: 4, upper: 4))
  }

  @Test func damageInTheKeptLogIsNamedAndStopsNobodyElse() throws {
    let disk = SimulatedFileSystem()
    let store = try Store.open(Self.options(disk, kept: 1 << 20))
    for time in 1...9 { try write(store, time) }
    let path = try #require(disk.paths.first { $0.hasSuffix(".wal") })
    try store.sealAll()
    try write(store, 10)
    try store.close()
    let damaged = disk.restart()
    // Within the second record of the segment.
    damaged.flip(path, bit: (WriteAheadLog.firstRecordOffset + 500) * 8)
    let problems = try StoreVerifier.verify(directory: "/sim/db", files: damaged).problems
    #expect(problems.map(\.path) == [path])
    let again = try Store.open(Self.options(damaged, kept: 1 << 20))
    #expect(code { _ = try read(again, after: 0) } == .corruption)
    #expect(try read(again, after: 9) == [[10]])
  }

  /// Wherever the machine stops, who has seen an acknowledged commit is told exactly what came behind it.
  @Test(arguments: 1...6) func noCrashMakesAGap(seed: Int) throws {
    var random = SeededRandom(seed: UInt64(seed))
    let disk = SimulatedFileSystem()
    disk.startHistory()
    let options = Self.options(disk, kept: 1 << 20)
    let store = try Store.open(options)
    for time in 1...24 {
      disk.mark = time - 1
      try write(store, time)
      if random.chance(20) { try store.sealAll() }
    }
    var stateCount = 0
    for (number, moment) in disk.takeHistory().enumerated() {
      let after = moment.disk.afterCrash(.chance, seed: random.next())
      guard let store = try? Store.open(Self.options(after, kept: 1 << 20)) else {
        Issue.record("seed \(seed), moment \(number): it does not open")
        continue
      }
      let oldest = Int(store.feed.oldest.rawValue)
      let told = try read(store, after: oldest)
      #expect(
        told == (oldest..<(oldest + told.count)).map { [Int64($0 + 1)] }, "seed \(seed), moment \(number)")
      #expect(oldest + told.count >= moment.mark, "seed \(seed), moment \(number): what was acknowledged is told")
      #expect(oldest == 0, "seed \(seed), moment \(number): nothing of what is kept is lost")
      stateCount += 1
    }
    print("feed: seed \(seed), \(stateCount) crash states")
  }
}
