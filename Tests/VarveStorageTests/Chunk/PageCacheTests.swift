import Synchronization
import Testing
import VarveCore
import VarveFormat
import VarveIO
import VarveSimulator
import VarveStorage

/// The cache holds what it was given, within its limit, and what is hot stays when cold data passes through.
@Suite struct PageCacheTests {
  private let file = FileID(rawValue: 7)

  private func reference(_ number: Int, _ byteCount: Int) -> PageReference {
    PageReference(offset: number << 20, byteCount: byteCount)
  }

  private func bytes(_ number: Int, _ byteCount: Int) -> [UInt8] {
    withUnsafeBytes(of: number) { Array($0) }
      + Array(repeating: UInt8(truncatingIfNeeded: number), count: byteCount - 8)
  }

  private func insert(_ number: Int, _ byteCount: Int, into cache: PageCache) {
    bytes(number, byteCount).withUnsafeBytes { cache.insert($0, at: reference(number, byteCount).offset, of: file) }
  }

  /// Whether the cache has the page; if so it is the very bytes.
  private func find(_ number: Int, _ byteCount: Int, in cache: PageCache) -> Bool {
    var found: [Buffer<UInt8>?] = []
    cache.find([reference(number, byteCount)], of: file, appendingTo: &found)
    guard let page = found[0] else { return false }
    #expect(page.array == bytes(number, byteCount))
    return true
  }

  @Test(arguments: 1...10) func itDoesExactlyWhatThePaperSays(seed: Int) {
    var random = SeededRandom(seed: UInt64(seed))
    let limit = Int.random(in: 40_000...400_000, using: &random)
    let cache = PageCache(byteLimit: limit)
    var model = NaiveCache(byteLimit: limit)
    let pages = Int.random(in: 20...600, using: &random)
    let sizes = (0..<pages).map { _ in Int.random(in: 24...(random.chance(5) ? 20_000 : 2_000), using: &random) }
    for step in 0..<2_000 {
      // Some pages are asked for more often than others.
      let number = min(Int.random(in: 0..<pages, using: &random), Int.random(in: 0..<pages, using: &random))
      let isHit = find(number, sizes[number], in: cache)
      #expect(isHit == model.find(number), "seed \(seed), step \(step)")
      if !isHit {
        insert(number, sizes[number], into: cache)
        model.insert(number, byteCount: sizes[number])
      }
      let statistics = cache.statistics
      #expect(statistics.byteCount <= limit, "seed \(seed), step \(step)")
      #expect(statistics.byteCount == model.byteCount && statistics.pages == model.pageCount, "seed \(seed)")
    }
    #expect(cache.statistics.hits + cache.statistics.misses == 2_000)
    #expect(cache.statistics.evictions == model.evictions, "seed \(seed)")
  }

  @Test func hotPagesSurviveAScanOfTenTimesTheRoom() {
    let pageByteCount = 2_000
    let cache = PageCache(byteLimit: 100 * 2_400)
    let hot = 0..<50
    for number in hot { insert(number, pageByteCount, into: cache) }
    for _ in 0..<3 { for number in hot { #expect(find(number, pageByteCount, in: cache)) } }
    for number in 1_000..<2_000 {
      #expect(!find(number, pageByteCount, in: cache))
      insert(number, pageByteCount, into: cache)
    }
    #expect(hot.allSatisfy { find($0, pageByteCount, in: cache) })
    #expect(cache.statistics.evictions >= 900)
  }

  @Test func pagesThatAreNoLongerHotGo() {
    let cache = PageCache(byteLimit: 100 * 2_400)
    for generation in 0..<3 {
      let hot = (generation * 80)..<(generation * 80 + 80)
      for _ in 0..<8 {
        for number in hot where !find(number, 2_000, in: cache) { insert(number, 2_000, into: cache) }
      }
      #expect(hot.allSatisfy { find($0, 2_000, in: cache) }, "the hot set fits, so all of it is there in the end")
    }
  }

  @Test func aPageThatWouldPushOutManyIsNotTaken() {
    let cache = PageCache(byteLimit: 1 << 20)
    for number in 0..<20 { insert(number, 20_000, into: cache) }
    #expect(cache.pageByteLimit < 1 << 15)
    insert(100, cache.pageByteLimit + 1, into: cache)
    #expect(!find(100, cache.pageByteLimit + 1, in: cache))
    insert(101, cache.pageByteLimit, into: cache)
    #expect(find(101, cache.pageByteLimit, in: cache))
    #expect((0..<20).allSatisfy { find($0, 20_000, in: cache) })
  }

  @Test func theSameOffsetOfAnotherFileIsAnotherPage() {
    let cache = PageCache(byteLimit: 1 << 20)
    insert(3, 100, into: cache)
    var found: [Buffer<UInt8>?] = []
    cache.find([reference(3, 100)], of: FileID(rawValue: 8), appendingTo: &found)
    #expect(found.count == 1 && found[0] == nil)
  }

  @Test func aCacheWithoutRoomKeepsNothing() {
    let cache = PageCache(byteLimit: 0)
    insert(1, 24, into: cache)
    #expect(!find(1, 24, in: cache))
    let statistics = cache.statistics
    #expect(statistics.misses == 1 && statistics.hits == 0 && statistics.pages == 0 && statistics.byteCount == 0)
  }

  @Test func threadsFindTheVeryBytesWhilePagesComeAndGo() {
    let cache = PageCache(byteLimit: 300_000)
    let failures = Atomic(0)
    let threads = (1...4).map { seed in
      WorkerThread(name: "reader \(seed)") { [self] in
        var random = SeededRandom(seed: UInt64(seed))
        for _ in 0..<2_000 {
          let number = Int(random.next() % 100)
          let expected = bytes(number, 4_000 + number)
          var found: [Buffer<UInt8>?] = []
          cache.find([reference(number, expected.count)], of: file, appendingTo: &found)
          if let page = found[0] {
            if page.array != expected { failures.add(1, ordering: .relaxed) }
          } else {
            insert(number, expected.count, into: cache)
          }
          if cache.statistics.byteCount > 300_000 { failures.add(1, ordering: .relaxed) }
        }
      }
    }
    for thread in threads { thread.join() }
    let statistics = cache.statistics
    #expect(failures.load(ordering: .relaxed) == 0)
    #expect(statistics.hits + statistics.misses == 8_000 && statistics.hits > 0 && statistics.evictions > 0)
  }
}

/// S3-FIFO in arrays, newest first: slow, and plain to see.
private struct NaiveCache {
  private struct Entry {
    let number: Int
    let byteCount: Int
    var uses = 0
  }

  let byteLimit: Int
  private(set) var evictions = 0
  private var small: [Entry] = []
  private var main: [Entry] = []
  private var ghosts: [Entry] = []

  init(byteLimit: Int) { self.byteLimit = byteLimit }

  var byteCount: Int { Self.byteCount(small) + Self.byteCount(main) }
  var pageCount: Int { small.count + main.count }

  private static func byteCount(_ queue: [Entry]) -> Int { queue.reduce(0) { $0 + $1.byteCount } }

  mutating func find(_ number: Int) -> Bool {
    if let at = small.firstIndex(where: { $0.number == number }) {
      small[at].uses = min(3, small[at].uses + 1)
      return true
    }
    guard let at = main.firstIndex(where: { $0.number == number }) else { return false }
    main[at].uses = min(3, main[at].uses + 1)
    return true
  }

  mutating func insert(_ number: Int, byteCount: Int) {
    // A page is charged for its part of the books.
    let entry = Entry(number: number, byteCount: byteCount + 320)
    guard entry.byteCount <= byteLimit / 32 else { return }
    let ghost = ghosts.firstIndex { $0.number == number }
    if let ghost { ghosts.remove(at: ghost) }
    while self.byteCount + entry.byteCount > byteLimit { makeRoom() }
    if ghost == nil { small.insert(entry, at: 0) } else { main.insert(entry, at: 0) }
  }

  private mutating func makeRoom() {
    if Self.byteCount(small) >= byteLimit / 10 || main.isEmpty {
      var oldest = small.removeLast()
      if oldest.uses > 1 {
        oldest.uses = 0
        main.insert(oldest, at: 0)
      } else {
        evictions += 1
        ghosts.insert(oldest, at: 0)
        while ghosts.count > max(1, pageCount) || Self.byteCount(ghosts) > byteLimit { ghosts.removeLast() }
      }
    } else {
      var oldest = main.removeLast()
      if oldest.uses > 0 {
        oldest.uses -= 1
        main.insert(oldest, at: 0)
      } else {
        evictions += 1
      }
    }
  }
}
