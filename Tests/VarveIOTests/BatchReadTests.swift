import Foundation
import Synchronization
import Testing
import VarveCore
import VarveIO
import VarveSimulator

/// Many stretches of a file at once: the same bytes as one by one, whichever way they come.
@Suite struct BatchReadTests {
  enum Kind: CaseIterable { case ring, readAhead, simulated }

  private func with(_ kind: Kind, _ body: (any FileSystem, String) throws -> Void) throws {
    if kind == .simulated { return try body(SimulatedFileSystem(root: "/root"), "/root") }
    let root = NSTemporaryDirectory() + "varve-batch-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
    defer { #expect(throws: Never.self) { try FileManager.default.removeItem(atPath: root) } }
    try body(PosixFileSystem(usesIORing: kind == .ring), root)
  }

  /// Reads the stretches as one batch into memory that held something else.
  private func read(_ stretches: [Range<Int>], _ file: any File) throws -> [[UInt8]] {
    let memory = stretches.map { UnsafeMutableRawBufferPointer.allocate(byteCount: $0.count, alignment: 1) }
    defer { memory.forEach { $0.deallocate() } }
    for buffer in memory { buffer.initializeMemory(as: UInt8.self, repeating: 0xEE) }
    var requests = zip(stretches, memory).map { ReadRequest(offset: $0.lowerBound, buffer: $1) }
    try file.read(&requests)
    return requests.map { Array($0.buffer.prefix($0.byteCount)) }
  }

  @Test(arguments: Kind.allCases) func aBatchReadsWhatSingleReadsDo(kind: Kind) throws {
    let seed = UInt64.random(in: 1...UInt64.max)
    var random = SeededRandom(seed: seed)
    try with(kind) { files, root in
      let content = (0..<300_000).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      let file = try files.open(root + "/a", .createNew)
      try file.write(content, at: 0)
      // Up to several times what a ring takes; some stretches are empty, overlap, or lie behind the end.
      for count in [0, 1, 2, 3, 4, 5, 127, 128, 129, 700] {
        var stretches = (0..<count).map { _ in
          let start = Int.random(in: 0...301_000, using: &random)
          return start..<(start + Int.random(in: 0...9_000, using: &random))
        }
        // As scans ask.
        if count % 2 == 0 { stretches.sort { $0.lowerBound < $1.lowerBound } }
        let expected = stretches.map { Array(content[min($0.lowerBound, 300_000)..<min($0.upperBound, 300_000)]) }
        #expect(try read(stretches, file) == expected, "\(count) stretches, seed \(seed)")
      }
      file.close()
      let error = #expect(throws: VarveError.self) { try read([0..<1, 1..<2, 2..<3, 3..<4, 4..<5], file) }
      #expect(error?.message == "the file is closed")
    }
  }

  @Test func manyThreadsMayReadAtOnce() throws {
    try with(.ring) { files, root in
      let content = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
      let file = try files.open(root + "/a", .createNew)
      try file.write(content, at: 0)
      let wrong = Mutex(0)
      let threads = (0..<8).map { number in
        WorkerThread(name: "reader") {
          for round in 0..<50 {
            let stretches = (0..<40).map {
              ($0 * 2_000 + number * 10 + round)..<($0 * 2_000 + number * 10 + round + 900)
            }
            let found = try? read(stretches, file)
            if found != stretches.map({ Array(content[$0]) }) { wrong.withLock { $0 += 1 } }
          }
        }
      }
      for thread in threads { thread.join() }
      #expect(wrong.withLock { $0 } == 0)
    }
  }

  /// Files that a ring cannot read, or only in part, are read all the same.
  @Test(arguments: [true, false]) func virtualFilesAreRead(usesIORing: Bool) throws {
    let file = try PosixFileSystem(usesIORing: usesIORing).open("/proc/self/status", .read)
    let parts = try read((0..<8).map { ($0 * 16)..<($0 * 16 + 16) }, file)
    #expect(parts.allSatisfy { $0.count == 16 } && String(decoding: parts[0], as: UTF8.self).hasPrefix("Name:"))
  }

  @Test func errorsNameTheFile() throws {
    try with(.ring) { files, root in
      try files.open(root + "/a", .createNew).close()
      let file = try files.open(root + "/a", .read)
      let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 8, alignment: 1)
      defer { buffer.deallocate() }
      // No file reaches that far.
      var requests = (0..<6).map { _ in ReadRequest(offset: .max - 3, buffer: buffer) }
      let error = #expect(throws: VarveError.self) { try file.read(&requests) }
      #expect(error?.code == .inputOutput && error?.place == root + "/a")
    }
  }

  @Test func theEnvironmentTurnsRingsOff() async {
    await #expect(processExitsWith: .success) {
      setenv("VARVE_IO_URING", "off", 1)
      let file = try PosixFileSystem().open("/proc/self/exe", .read)
      let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4, alignment: 1)
      var requests = (0..<6).map { _ in ReadRequest(offset: 0, buffer: buffer) }
      try file.read(&requests)
      precondition(requests.allSatisfy { $0.byteCount == 4 })
      precondition(PosixFileSystem.ioRingState == "off, by VARVE_IO_URING")
    }
  }
}
