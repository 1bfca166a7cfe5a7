import Synchronization
import Testing
import VarveCore
import VarveIO
import VarveSimulator
import VarveStorage

/// What is wanting and may come back, descriptors and room, costs nobody more than another try.
@Suite struct WantTests {
  private func write(_ number: Int64, _ store: Store, table: String = "t", text: String = "x") -> CommitOutcome {
    let row = ModelRow(
      table: table, identity: Identity(tags: ["h": "a"], time: number),
      fields: ["v": .integer(number), "s": .text(text)])
    return store.commit([.write(batches([row]))])[0]
  }

  private func open(_ files: any FileSystem) throws -> Store {
    var options = Run.options(SimulatedFileSystem(), ManualClock())
    options.fileSystem = files
    options.manifestByteCount = 64 << 10
    return try Store.open(options)
  }

  /// Text that does not compress.
  private func noise(_ count: Int, _ seed: Int64) -> String {
    var random = SeededRandom(seed: UInt64(seed))
    return String(decoding: (0..<count).map { _ in UInt8.random(in: 32...126, using: &random) }, as: UTF8.self)
  }

  private func rowCount(_ snapshot: Snapshot) throws -> Int {
    try snapshot.tables().reduce(0) { total, table in
      let cursor = try snapshot.scan(ScanRequest(table: table.id, fields: table.fields.map(\.id)))
      var count = 0
      while let batch = try cursor.next() { count += batch.count }
      return total + count
    }
  }

  // MARK: - Descriptors

  /// A snapshot that holds a chunk beyond its name needs a descriptor; without one it says what was wanting.
  @Test func aSnapshotWithoutADescriptorSaysSo() throws {
    let files = ScarceFiles(SimulatedFileSystem())
    let store = try open(files)
    _ = try write(1, store).get()
    try store.sealAll()
    let before = store.snapshot()
    files.isExhausted = true
    _ = try store.commit([.dropTable("t")])[0].get()
    files.isExhausted = false
    let error = #expect(throws: VarveError.self) { try rowCount(before) }
    #expect(error?.code == .overloaded)
  }

  @Test func writersGoOnOnceThereAreDescriptorsAgain() throws {
    let disk = SimulatedFileSystem()
    let files = ScarceFiles(disk)
    let store = try open(files)
    var acknowledged = 0
    var refused = 0
    for number in 1...200 {
      // Small segments: each few rows need another.
      files.isExhausted = number % 40 > 20
      switch write(Int64(number), store, text: noise(200, Int64(number))) {
      case .success: acknowledged += 1
      case .failure(let error):
        #expect(error.code == .overloaded)
        refused += 1
      }
    }
    files.isExhausted = false
    #expect(refused > 20 && acknowledged > 100, "\(refused) refused, \(acknowledged) acknowledged")
    #expect(store.failure == nil)
    #expect(try Model.reading(store).rowCount == acknowledged)
    let again = try open(ScarceFiles(disk.afterCrash(.nothing, seed: 1)))
    #expect(try Model.reading(again).rowCount == acknowledged)
  }

  @Test func sealingWaitsForDescriptors() throws {
    let files = ScarceFiles(SimulatedFileSystem())
    let store = try open(files)
    _ = try write(1, store).get()
    files.isExhausted = true
    #expect(try store.freeze())
    #expect(#expect(throws: VarveError.self) { try store.writeChunks() }?.code == .overloaded)
    files.isExhausted = false
    let chunks = try store.writeChunks()
    files.isExhausted = true
    // The manifest has room, and nothing else needs a descriptor; an emptied segment is not kept.
    try store.install(chunks)
    files.isExhausted = false
    #expect(store.failure == nil)
    _ = try write(2, store).get()
    #expect(try Model.reading(store).rowCount == 2)
  }

  @Test func aQueryWithoutDescriptorsFailsAlone() throws {
    let files = ScarceFiles(SimulatedFileSystem())
    let store = try open(files)
    _ = try write(1, store).get()
    try store.sealAll()
    files.isExhausted = true
    #expect(#expect(throws: VarveError.self) { try Model.reading(store) }?.code == .overloaded)
    files.isExhausted = false
    #expect(try Model.reading(store).rowCount == 1)
  }

  /// Dropping a table of many chunks opens none of them, unless somebody reads them.
  @Test func aDropNeedsDescriptorsOnlyForReaders() throws {
    let files = ScarceFiles(SimulatedFileSystem())
    let store = try open(files)
    for number in 1...3 {
      _ = try write(Int64(number), store).get()
      try store.sealAll()
    }
    let opened = files.openCount
    var reader: Snapshot? = store.snapshot()
    _ = try store.commit([.dropTable("t")])[0].get()
    #expect(files.openCount >= opened + 3)
    #expect(try rowCount(try #require(reader)) == 3)
    reader = nil
    for number in 1...3 {
      _ = try write(Int64(number), store).get()
      try store.sealAll()
    }
    let before = files.openCount
    files.isExhausted = true
    _ = try store.commit([.dropTable("t")])[0].get()
    #expect(files.openCount == before)
  }

  // MARK: - Room

  @Test func onAFullDiskADropMakesRoomAtOnce() throws {
    let disk = SimulatedFileSystem()
    var options = Run.options(disk, ManualClock())
    options.reserveByteCount = 8192
    let store = try Store.open(options)
    for number in 1...20 {
      _ = try write(Int64(number), store, table: "big", text: noise(1000, Int64(number))).get()
    }
    _ = try write(1, store, table: "small").get()
    try store.sealAll()
    // No byte is left, and the log needs another segment.
    disk.set(capacity: used(disk))
    #expect(disk.paths.contains("/sim/db/RESERVE"))
    var rows = 1
    for size in [300, 10] {
      while case .success = write(Int64(rows + 1), store, table: "small", text: noise(size, Int64(rows))) { rows += 1 }
    }
    // Marks take what is left of the segment.
    for _ in 0..<200 { store.markDurable() }
    #expect(#expect(throws: VarveError.self) { try write(1000, store, table: "small").get() }?.code == .diskFull)
    let chunks = disk.paths.filter { $0.hasSuffix(".chunk") }

    _ = try store.commit([.dropTable("big")])[0].get()
    #expect(store.failure == nil)
    #expect(disk.paths.filter { $0.hasSuffix(".chunk") }.count == chunks.count - 1)
    #expect(try Model.reading(store).rowCount == rows)
    // What a crash leaves at this moment has neither the table nor its rows.
    for survival in Survival.allCases {
      let again = try Store.open(Run.options(disk.afterCrash(survival, seed: 7), ManualClock()))
      #expect(try Model.reading(again).rowCount == rows)
      #expect(again.snapshot().table(named: "big") == nil)
    }
    disk.releaseSpace()
    _ = try write(500, store, table: "small").get()
    try store.sealAll()
    #expect(disk.contents("/sim/db/RESERVE")?.count == 8192, "there is room for the reserve again")
  }

  @Test func aFullDiskDoesNotKeepAStoreFromOpening() throws {
    let disk = SimulatedFileSystem()
    var options = Run.options(disk, ManualClock())
    options.reserveByteCount = 8192
    let store = try Store.open(options)
    _ = try write(1, store).get()
    // Killed: the reserve is whole. It is after an opening, since that makes a manifest and removes one.
    var full = disk.restart()
    full.set(capacity: used(full))
    options.fileSystem = full
    let again = try Store.open(options)
    #expect(full.contents("/sim/db/RESERVE")?.count == 8192)
    try again.close()
    // At rest there is as much of it as an opening needs; so there is after an opening, however often.
    for _ in 0..<3 {
      let manifest = try #require(full.paths.first { $0.hasSuffix(".manifest") })
      #expect(full.contents("/sim/db/RESERVE")?.count == full.contents(manifest)?.count)
      full = full.restart()
      full.set(capacity: used(full))
      options.fileSystem = full
      let store = try Store.open(options)
      #expect(try Model.reading(store).rowCount == 1)
      try store.close()
    }
  }

  @Test func theReserveMayBeGoneOrShort() throws {
    let disk = SimulatedFileSystem()
    try Store.open(Run.options(disk, ManualClock())).close()
    let short = disk.restart()
    short.cut("/sim/db/RESERVE", to: 100)
    try Store.open(Run.options(short, ManualClock())).close()
    #expect(short.contents("/sim/db/RESERVE")?.count == 512)
    let gone = short.restart()
    try gone.remove("/sim/db/RESERVE")
    let report = try StoreVerifier.verify(directory: "/sim/db", files: gone)
    #expect(report.isSound && report.orphans.isEmpty)
    try Store.open(Run.options(gone, ManualClock())).close()
    #expect(gone.contents("/sim/db/RESERVE")?.count == 512)
  }

  private func used(_ disk: SimulatedFileSystem) -> Int {
    disk.usedByteCount
  }
}

/// A disk whose files cannot always be opened.
private final class ScarceFiles: FileSystem {
  private let disk: SimulatedFileSystem
  private let state = Mutex((isExhausted: false, openCount: 0))

  init(_ disk: SimulatedFileSystem) { self.disk = disk }

  var isExhausted: Bool {
    get { state.withLock { $0.isExhausted } }
    set { state.withLock { $0.isExhausted = newValue } }
  }
  var openCount: Int { state.withLock { $0.openCount } }

  func open(_ path: String, _ mode: OpenMode) throws -> any File {
    let isExhausted = state.withLock { state in
      state.openCount += 1
      return state.isExhausted
    }
    if isExhausted { throw VarveError(.overloaded, "open: Too many open files", place: path) }
    return try disk.open(path, mode)
  }

  func exists(_ path: String) throws -> Bool { try disk.exists(path) }
  func byteCount(_ path: String) throws -> Int { try disk.byteCount(path) }
  func createDirectory(_ path: String) throws { try disk.createDirectory(path) }
  func list(_ path: String) throws -> [String] { try disk.list(path) }
  func rename(_ source: String, to target: String) throws { try disk.rename(source, to: target) }
  func remove(_ path: String) throws { try disk.remove(path) }
  func removeDirectory(_ path: String) throws { try disk.removeDirectory(path) }
  func syncDirectory(_ path: String) throws { try disk.syncDirectory(path) }
  func lock(_ path: String, shared: Bool) throws -> any FileLock { try disk.lock(path, shared: shared) }
  func freeByteCount(_ path: String) throws -> Int { try disk.freeByteCount(path) }
}
