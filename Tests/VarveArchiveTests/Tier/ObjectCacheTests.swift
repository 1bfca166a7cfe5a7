import Synchronization
import Testing
import VarveCore
import VarveFormat
import VarveIO
import VarveSimulator

@testable import VarveArchive

/// The cache of pieces on a disk on which something happens in the middle of a write: a lock that is held there would be
/// taken twice by one thread, which ends the process.
@Suite struct ObjectCacheTests {
  private let disk = BusyDisk()
  private static let directory = "/sim/archive"

  private func cache(_ told: @escaping @Sendable (String) -> Void = { Issue.record("told: \($0)") }) -> ObjectCache {
    ObjectCache(files: disk, directory: Self.directory, byteLimit: 10_000, log: told)
  }

  private static func object(_ number: Int) -> ArchivedObject {
    ArchivedObject(key: "f/1/\(number).parquet", byteCount: 1000, checksum: 0)
  }

  private static func bytes(_ number: Int, _ range: Range<Int>) -> [UInt8] {
    range.map { UInt8(truncatingIfNeeded: $0 * 7 + number) }
  }

  private static func keep(_ number: Int, _ range: Range<Int>, in cache: ObjectCache) {
    cache.keep(object(number), offset: range.lowerBound, bytes(number, range))
  }

  private static func find(_ number: Int, _ range: Range<Int>, in cache: ObjectCache) -> [UInt8]? {
    cache.find(object(number), ObjectPiece(offset: range.lowerBound, byteCount: range.count))
  }

  private static func has(_ number: Int, _ range: Range<Int>, in cache: ObjectCache) -> Bool {
    find(number, range, in: cache) == bytes(number, range)
  }

  @Test func recordsAreWrittenSideBySide() throws {
    let cache = cache()
    Self.keep(1, 0..<10, in: cache)
    disk.duringNextWrite { _ in
      #expect(Self.has(1, 0..<10, in: cache) && Self.find(1, 10..<30, in: cache) == nil)
      Self.keep(2, 0..<100, in: cache)
      Self.keep(1, 50..<70, in: cache)
      #expect(Self.has(2, 0..<100, in: cache) && Self.has(1, 55..<60, in: cache))
      // What is on its way is not written again.
      let before = cache.byteCount
      Self.keep(1, 12..<20, in: cache)
      #expect(cache.byteCount == before)
    }
    Self.keep(1, 10..<30, in: cache)
    func expectAll(_ cache: ObjectCache) {
      #expect(Self.has(1, 0..<30, in: cache) && Self.has(1, 50..<70, in: cache) && Self.has(2, 0..<100, in: cache))
      #expect(Self.find(1, 30..<50, in: cache) == nil && !cache.hasAll(Self.object(2)))
    }
    expectAll(cache)
    // Whoever opens the files next finds the same.
    expectAll(self.cache())
    #expect(cache.byteCount == 4 * 24 + 150)
  }

  @Test func whatIsRemovedWhileItIsWrittenIsGone() throws {
    let cache = cache()
    disk.duringNextWrite { _ in cache.remove(Self.object(1).key) }
    Self.keep(1, 0..<50, in: cache)
    #expect(Self.find(1, 0..<50, in: cache) == nil && cache.byteCount == 0 && disk.disk.paths.isEmpty)
    // Nor is it looked for in another file of the same name.
    disk.duringNextWrite { _ in
      cache.remove(Self.object(1).key)
      Self.keep(1, 100..<130, in: cache)
    }
    Self.keep(1, 0..<50, in: cache)
    #expect(Self.find(1, 0..<50, in: cache) == nil && Self.has(1, 100..<130, in: cache))
    Self.keep(1, 0..<50, in: cache)
    #expect(Self.has(1, 0..<50, in: cache) && Self.has(1, 100..<130, in: cache) && cache.byteCount == 2 * 24 + 80)
  }

  @Test func aRecordThatIsNotWrittenLeavesNoHole() throws {
    let told = Mutex<[String]>([])
    let cache = cache { text in told.withLock { $0.append(text) } }
    Self.keep(1, 0..<10, in: cache)
    disk.duringNextWrite { _ in
      Self.keep(1, 50..<70, in: cache)
      throw VarveError(.inputOutput, "the disk of the test fails")
    }
    Self.keep(1, 10..<30, in: cache)
    #expect(told.withLock { $0.count } == 1)
    #expect(Self.find(1, 0..<10, in: cache) == nil && cache.byteCount == 0 && disk.disk.paths.isEmpty)
    Self.keep(1, 10..<30, in: cache)
    #expect(Self.has(1, 10..<30, in: cache) && Self.has(1, 10..<30, in: self.cache()))
  }

  @Test func whatAnEarlierProcessKeptIsFoundWhileOthersAreRead() throws {
    let first = cache()
    for number in 1...3 { Self.keep(number, 0..<40, in: first) }
    let second = cache()
    disk.duringNextRead { _ in
      // Both look into the file; one of them is faster.
      #expect(Self.has(1, 0..<40, in: second) && Self.has(2, 0..<40, in: second))
      Self.keep(1, 40..<60, in: second)
    }
    #expect(Self.has(1, 0..<40, in: second) && Self.has(1, 40..<60, in: second))
    disk.duringNextRead { _ in second.remove(Self.object(3).key) }
    #expect(Self.find(3, 0..<40, in: second) == nil && second.byteCount == 3 * 24 + 100)
  }

  @Test func theOldestGoFirst() throws {
    let cache = cache()
    for number in 1...9 { Self.keep(number, 0..<1000, in: cache) }
    #expect(Self.has(1, 0..<1000, in: cache))
    Self.keep(10, 0..<1000, in: cache)
    #expect(Self.has(1, 0..<1000, in: cache) && Self.find(2, 0..<1000, in: cache) == nil)
    #expect(Self.has(10, 0..<1000, in: cache) && cache.byteCount == 9 * 1024)
  }
}

/// A disk that does something before a write, or a read.
private final class BusyDisk: FileSystem {
  fileprivate typealias Work = @Sendable (_ path: String) throws -> Void
  let disk = SimulatedFileSystem()
  private let work = Mutex<(write: Work?, read: Work?)>((nil, nil))

  func duringNextWrite(_ body: @escaping Work) { work.withLock { $0.write = body } }
  func duringNextRead(_ body: @escaping Work) { work.withLock { $0.read = body } }

  fileprivate func beforeWrite(_ path: String) throws {
    let body = work.withLock { work -> Work? in
      defer { work.write = nil }
      return work.write
    }
    try body?(path)
  }

  fileprivate func beforeRead(_ path: String) throws {
    let body = work.withLock { work -> Work? in
      defer { work.read = nil }
      return work.read
    }
    try body?(path)
  }

  func open(_ path: String, _ mode: OpenMode) throws -> any File { BusyFile(try disk.open(path, mode), self) }
  func remove(_ path: String) throws { try disk.remove(path) }
  func exists(_ path: String) throws -> Bool { try disk.exists(path) }
  func byteCount(_ path: String) throws -> Int { try disk.byteCount(path) }
  func createDirectory(_ path: String) throws { try disk.createDirectory(path) }
  func list(_ path: String) throws -> [String] { try disk.list(path) }
  func rename(_ source: String, to target: String) throws { try disk.rename(source, to: target) }
  func removeDirectory(_ path: String) throws { try disk.removeDirectory(path) }
  func syncDirectory(_ path: String) throws { try disk.syncDirectory(path) }
  func lock(_ path: String, shared: Bool) throws -> any FileLock { try disk.lock(path, shared: shared) }
  func freeByteCount(_ path: String) throws -> Int { 1 << 30 }
}

private final class BusyFile: File {
  private let file: any File
  private let disk: BusyDisk

  init(_ file: any File, _ disk: BusyDisk) {
    self.file = file
    self.disk = disk
  }

  var path: String { file.path }
  func byteCount() throws -> Int { try file.byteCount() }
  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int {
    try disk.beforeRead(path)
    return try file.read(into: buffer, at: offset)
  }
  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
    try disk.beforeWrite(path)
    try file.write(bytes, at: offset)
  }
  func sync() throws { try file.sync() }
  func truncate(to byteCount: Int) throws { try file.truncate(to: byteCount) }
  func close() { file.close() }
}
