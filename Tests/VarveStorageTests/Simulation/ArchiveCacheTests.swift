import Synchronization
import Testing
import VarveArchive
import VarveCore
import VarveFormat
import VarveSimulator
import VarveStorage

/// What is at hand of an object on disk may be damaged where the object is not.
@Suite struct ArchiveCacheTests {
  /// Whichever byte of a file of the cache is another: every row is read as before, and the file made anew.
  @Test func whatIsGarbledInTheCacheIsFetchedAgain() throws {
    let disk = SimulatedFileSystem()
    var choice = Archived.Choice()
    choice.cacheByteLimit = 1 << 20
    let archived = try Archived(seed: 5, disk, choice)
    for _ in 0..<30 { try archived.life.go() }
    try archived.run()
    try archived.expectAll("archived")
    let cached = disk.paths.filter { $0.hasPrefix("/sim/db/archive/cache/") }
    let path = try #require(cached.max { (disk.contents($0)?.count ?? 0) < (disk.contents($1)?.count ?? 0) })
    var made = 0
    for turn in 0..<150 {
      // The file that is made anew has nothing but what was asked for.
      let byteCount = try #require(disk.contents(path)?.count)
      let offset = turn * 37 % byteCount
      disk.flip(path, bit: 8 * offset + turn % 8)
      let garbled = disk.contents(path)
      #expect(try Model.reading(archived.life.store) == archived.life.model, "byte \(offset) of \(byteCount)")
      if disk.contents(path) != garbled { made += 1 }
    }
    #expect(made > 20, "\(made)")
  }

  /// Pieces that are as good as any, and others than were asked for: only the checksums of the pages tell.
  @Test func whatIsAtHandAndReadsWellMayBeWrong() throws {
    var choice = Archived.Choice()
    let lies = Mutex(Lies())
    choice.wrap = { LyingTier($0, { change in lies.withLock { change(&$0) } }) }
    let archived = try Archived(seed: 5, SimulatedFileSystem(), choice)
    for _ in 0..<30 { try archived.life.go() }
    try archived.run()
    func told() -> Int { lies.withLock { $0.told } }
    // Once from what is at hand, which is then fetched.
    lies.withLock { $0 = Lies(left: 1, isAtHand: true) }
    #expect(try Model.reading(archived.life.store) == archived.life.model)
    #expect(told() == 1)
    // Twice, or with nothing at hand, it is the object.
    for (count, isAtHand) in [(2, true), (1, false)] {
      lies.withLock { $0 = Lies(left: count, isAtHand: isAtHand) }
      let error = #expect(throws: VarveError.self) { try Model.reading(archived.life.store) }
      #expect(error?.code == .corruption && told() == count, "\(count), \(isAtHand)")
      #expect(error?.place?.hasPrefix("/sim/archive/") == true, "\(String(describing: error))")
    }
  }
}

private struct Lies {
  var left = 0
  var isAtHand = false
  var told = 0
}

/// Gives times that are an hour late, where it lies.
private final class LyingTier: ArchiveTier {
  fileprivate typealias Access = @Sendable ((inout Lies) -> Void) -> Void
  private let tier: ParquetTier
  private let lies: Access

  init(_ tier: ParquetTier, _ lies: @escaping Access) {
    self.tier = tier
    self.lies = lies
  }

  func makeObject(_ description: ObjectDescription) throws -> any ObjectSink { try tier.makeObject(description) }
  func open(_ object: ArchivedObject) -> any ArchivedPages { LyingPages(tier.open(object), lies) }
  func address(_ object: ArchivedObject) -> String { tier.address(object) }
}

private final class LyingPages: ArchivedPages {
  private let pages: any ArchivedPages
  private let lies: LyingTier.Access

  init(_ pages: any ArchivedPages, _ lies: @escaping LyingTier.Access) {
    self.pages = pages
    self.lies = lies
  }

  func make(_ wanted: [StubMap.MadePage]) throws -> [ObjectCells] {
    var isLie = false
    lies { lies in
      guard lies.left > 0 else { return }
      isLie = true
      (lies.left, lies.told) = (lies.left - 1, lies.told + 1)
    }
    let made = try pages.make(wanted)
    guard isLie else { return made }
    return made.map { cells in
      guard case .times(let times) = cells else { return cells }
      return .times(Buffer((0..<times.count).map { times[$0] + 3_600_000_000_000 }))
    }
  }

  func distrust() -> Bool {
    var isAtHand = false
    lies { isAtHand = $0.isAtHand }
    return isAtHand
  }
  func expectAll() throws { try pages.expectAll() }
  var reads: ArchiveReads { pages.reads }
}
