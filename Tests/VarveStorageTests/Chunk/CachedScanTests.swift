import Testing
import VarveCore
import VarveFormat
import VarveIO
import VarveSimulator
import VarveStorage

/// Scans through the page cache and the cache of indexes: the same rows, and damage never gets in.
@Suite struct CachedScanTests {
  private let disk = SimulatedFileSystem()

  /// Opens the store of `chunks` days with 300 rows each.
  private func open(chunks: Int = 1, tune: (inout StoreOptions) -> Void = { _ in }) throws -> Store {
    if disk.paths.isEmpty {
      let store = try Store.open(Run.options(disk, ManualClock()))
      for chunk in 0..<chunks {
        let rows = (0..<300).map { number in
          ModelRow(
            table: "t",
            identity: Identity(
              tags: ["h": "h\(number % 3)"], time: Int64(chunk) * 86_400_000_000_000 + Int64(number) * 1_000_000_000),
            fields: ["v": .integer(Int64(number * number)), "w": .double(Double(number).bitPattern)])
        }
        _ = try store.commit([.write(batches(rows))])[0].get()
        try store.sealAll()
      }
      try store.close()
    }
    var options = Run.options(disk, ManualClock())
    tune(&options)
    return try Store.open(options)
  }

  private func scan(_ store: Store) throws -> (sum: UInt64, statistics: ScanStatistics) {
    let snapshot = store.snapshot()
    let table = try #require(snapshot.table(named: "t"))
    let cursor = try snapshot.scan(ScanRequest(table: table.id, fields: table.fields.map(\.id)))
    var sum: UInt64 = 0
    while let batch = try cursor.next() {
      for field in batch.fields { for word in field.words.span { sum = sum &* 31 &+ word } }
    }
    return (sum, cursor.statistics)
  }

  @Test func theSecondScanReadsNothing() throws {
    let store = try open(chunks: 3)
    let first = try scan(store)
    #expect(first.statistics.pagesRead == 12 && first.statistics.pagesFromCache == 0)
    let calls = disk.callCount
    let second = try scan(store)
    #expect(second.sum == first.sum && disk.callCount == calls)
    #expect(second.statistics.pagesRead == 12 && second.statistics.pagesFromCache == 12)
    let statistics = store.pageCacheStatistics
    #expect(statistics.hits == 12 && statistics.misses == 12 && statistics.pages == 12)
    try store.close()
  }

  @Test func compactionReadsPastTheCacheUnnoticed() throws {
    let store = try open()
    _ = try scan(store)
    let before = store.pageCacheStatistics
    try store.compactAll()
    #expect(store.maintenanceStatistics.compaction.runs == 1 && store.pageCacheStatistics == before)
    try store.close()
  }

  @Test func pagesAskedForInVainAreKeptToo() throws {
    let store = try open()
    let snapshot = store.snapshot()
    let table = try #require(snapshot.table(named: "t"))
    // Between the rows of series 0, which come every three seconds.
    let request = ScanRequest(
      table: table.id, series: .some([SeriesID(rawValue: 0)]),
      time: TimeRange(lower: 1_000_000_000, upper: 2_000_000_000), fields: table.fields.map(\.id))
    for cachedPages in [0, 4] {
      let cursor = try snapshot.scan(request)
      #expect(try cursor.next() == nil)
      #expect(cursor.statistics.pagesRead == 4 && cursor.statistics.pagesFromCache == cachedPages)
    }
    try store.close()
  }

  @Test func withoutACacheEveryScanReads() throws {
    let store = try open { $0.pageCacheByteCount = 0 }
    let first = try scan(store)
    let second = try scan(store)
    #expect(second.sum == first.sum && second.statistics.pagesFromCache == 0)
    #expect(store.pageCacheStatistics.pages == 0)
    try store.close()
  }

  @Test func twoStoresHaveACacheEach() throws {
    let store = try open()
    _ = try scan(store)
    let reader = try open { $0.readOnly = true }
    #expect(try scan(reader).statistics.pagesFromCache == 0)
    #expect(store.pageCacheStatistics.hits == 0)
    try reader.close()
    try store.close()
  }

  @Test func aDamagedPageIsNamedAndNeverCached() throws {
    let sound = try scan(try open()).sum
    let path = try #require(disk.paths.first { $0.hasSuffix(".chunk") })
    let bytes = try #require(disk.contents(path))
    let contents = try ChunkContents.open(bytes, file: nil, place: path)
    let block = contents.index.rowBlocks[0]
    let pages =
      [("series", block.seriesPage), ("times", block.timesPage)]
      + block.fields.map { ("column \($0.column.rawValue)", $0.page) }
    #expect(pages.count == 4)
    for (name, page) in pages {
      let store = try open()
      let bit = (page.offset + page.byteCount - 1) * 8
      disk.flip(path, bit: bit)
      let error = #expect(throws: VarveError.self) { try scan(store) }
      #expect(error?.code == .corruption)
      let place = try #require(error?.place)
      #expect(place.contains(path) && place.contains(name) && place.contains("series 0...2"), "\(place)")
      #expect(place.contains("times 0...299000000000, 300 rows"), "\(place)")
      // Pages before it may be there; once the disk is right again, it is read.
      let hits = store.pageCacheStatistics.hits
      disk.flip(path, bit: bit)
      #expect(try scan(store).sum == sound)
      #expect(store.pageCacheStatistics.hits - hits < 4, "the damaged page was not in the cache")
      try store.close()
    }
  }

  @Test func whatIsCachedIsServedThoughTheFileIsDamagedSince() throws {
    let store = try open()
    let sound = try scan(store).sum
    let path = try #require(disk.paths.first { $0.hasSuffix(".chunk") })
    let byteCount = try #require(disk.contents(path)).count
    for byte in stride(from: 70, to: byteCount, by: 10) { disk.flip(path, bit: byte * 8) }
    #expect(try scan(store).sum == sound, "pages were verified when they were read")
    let report = try StoreVerifier.verifyRunning(store, check: {})
    #expect(!report.isSound, "verifying reads the disk, never the cache")
    try store.close()
    #expect(throws: VarveError.self) { try scan(try open()) }
  }

  @Test func indexesBeyondTheirLimitAreReadAgain() throws {
    let store = try open(chunks: 12) { $0.pageCacheByteCount = 0 }
    let first = try scan(store)
    let all = store.chunkIndexByteCount
    #expect(all > 0)
    let reads = disk.callCount
    #expect(try scan(store).sum == first.sum)
    let callsOfAScan = disk.callCount - reads
    try store.close()

    let limit = all / 3
    let bounded = try open {
      $0.pageCacheByteCount = 0
      $0.chunkIndexByteCount = limit
    }
    for _ in 0..<3 {
      let before = disk.callCount
      #expect(try scan(bounded).sum == first.sum)
      #expect(disk.callCount - before > callsOfAScan)
      #expect(bounded.chunkIndexByteCount <= limit && bounded.chunkIndexByteCount > 0)
    }
    try bounded.close()
  }

  @Test func anIndexInUseIsKept() throws {
    _ = try open(chunks: 4)
    let cache = ChunkIndexCache(byteLimit: 0)
    let paths = disk.paths.filter { $0.hasSuffix(".chunk") }
    let contents = try paths.map { try ChunkContents.open(try #require(disk.contents($0)), file: nil, place: $0) }
    let size = ChunkIndexCache.byteCount(of: contents[0])
    for one in contents { cache.insert(one, of: one.identity.file) }
    #expect(cache.find(contents[3].identity.file)?.footer == contents[3].footer, "the last one stays whatever its size")
    #expect(cache.find(contents[0].identity.file) == nil)
    let larger = ChunkIndexCache(byteLimit: size * 8)
    for one in contents { larger.insert(one, of: one.identity.file) }
    for one in contents { #expect(larger.find(one.identity.file)?.footer == one.footer) }
    #expect(larger.byteCount <= size * 8)
  }
}
