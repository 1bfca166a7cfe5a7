import Foundation
import Synchronization
import Testing
import VarveCore
import VarveIO
import VarveSimulator

/// What only the real disk has: processes, descriptors and the machine.
@Suite struct PosixDiskTests {
  private func withDirectory(_ body: (String) throws -> Void) throws {
    let root = NSTemporaryDirectory() + "varve-posix-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
    defer { #expect(throws: Never.self) { try FileManager.default.removeItem(atPath: root) } }
    try body(root)
  }

  private func message(_ path: String, shared: Bool) -> String? {
    #expect(throws: VarveError.self) { try PosixFileSystem().lock(path, shared: shared) }?.message
  }

  @Test func aLockHeldByThisProcessIsSaidToBe() throws {
    try withDirectory { root in
      let held = try PosixFileSystem().lock(root + "/LOCK", shared: false)
      #expect(try PosixFileSystem().readAll(root + "/LOCK") == Array("\(getpid())\n".utf8))
      #expect(message(root + "/LOCK", shared: true) == "the data directory is in use by this process")
      held.release()
      #expect(try PosixFileSystem().byteCount(root + "/LOCK") == 0)
    }
  }

  @Test func anotherProcessThatHoldsTheLockIsNamed() throws {
    try withDirectory { root in
      // flock(1) holds the lock as a server would, and leaves the name in the file to its command.
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/usr/bin/flock")
      process.arguments = ["-F", root + "/LOCK", "/bin/sh", "-c", "echo $$ > '\(root)/LOCK'; echo ready; read line"]
      let input = Pipe()
      let output = Pipe()
      process.standardInput = input
      process.standardOutput = output
      try process.run()
      #expect(output.fileHandleForReading.availableData == Data("ready\n".utf8))
      #expect(
        message(root + "/LOCK", shared: false) == "the data directory is in use by process \(process.processIdentifier)"
      )
      try input.fileHandleForWriting.close()
      process.waitUntilExit()
      // The lock went with its process; its name stayed, and is not blamed for what a reader holds.
      let reader = try PosixFileSystem().lock(root + "/LOCK", shared: true)
      #expect(message(root + "/LOCK", shared: false) == "the data directory is in use by another process")
      reader.release()
    }
  }

  @Test(.enabled(if: FileManager.default.isWritableFile(atPath: "/dev/full")))
  func aFullDiskSaysSo() throws {
    let full = try PosixFileSystem().open("/dev/full", .readWrite)
    let error = #expect(throws: VarveError.self) { try full.write([1], at: 0) }
    #expect(error?.code == .diskFull && error?.place == "/dev/full")
  }

  /// The system gives a closed descriptor's number to the next open: a call that began before must not meet it.
  @Test func closingNeverLetsACallReachAnotherFile() throws {
    try withDirectory { root in
      let files = PosixFileSystem()
      let writerCount = 6
      for round in 0..<120 {
        let victim = try files.open(root + "/victim", round == 0 ? .createNew : .readWrite)
        let others = (0..<4).map { root + "/other\($0)" }
        if round == 0 { for path in others { try files.open(path, .createNew).close() } }
        let errors = Mutex<[String]>([])
        let started = Gate(0)
        let writers = (0..<writerCount).map { _ in
          WorkerThread(name: "writer") {
            do {
              try victim.write([1], at: 0)
              started.update { $0 += 1 }
              while true { try victim.write([1], at: 0) }
            } catch {
              errors.withLock { $0.append((error as? VarveError)?.message ?? "\(error)") }
            }
          }
        }
        _ = started.wait { $0 == writerCount ? true : nil }
        victim.close()
        let handles = try others.map { try files.open($0, .readWrite) }
        for writer in writers { writer.join() }
        #expect(errors.withLock { $0 } == Array(repeating: "the file is closed", count: writerCount))
        for handle in handles { #expect(try handle.byteCount() == 0, "round \(round)") }
      }
    }
  }

  /// The name is for messages only. A device file takes locks, and can be neither cut nor filled.
  @Test(.enabled(if: FileManager.default.isWritableFile(atPath: "/dev/full")))
  func aNameThatCannotBeWrittenDoesNotCostTheLock() throws {
    let held = try PosixFileSystem().lock("/dev/full", shared: false)
    #expect(throws: VarveError.self) { try PosixFileSystem().lock("/dev/full", shared: true) }
    held.release()
  }

  @Test func theTightestGroupAroundTheProcessBindsItsMemory() throws {
    func usable(_ group: String, _ limits: [String: String]) throws -> Int {
      let disk = SimulatedFileSystem(root: "")
      for (path, text) in limits.merging(["/proc/self/cgroup": group], uniquingKeysWith: { first, _ in first }) {
        var directory = ""
        for part in path.split(separator: "/").dropLast() {
          directory += "/" + part
          try disk.createDirectory(directory)
        }
        try disk.open(path, .createNew).write(Array((text + "\n").utf8), at: 0)
      }
      return MemoryInformation.usableByteCount(disk)
    }
    let machine = try usable("0::/", [:])
    #expect(machine > 1 << 20)
    let root = "/sys/fs/cgroup"
    #expect(try usable("0::/a/b", [root + "/a/b/memory.max": "9000", root + "/a/memory.max": "max"]) == 9000)
    #expect(try usable("0::/a/b", [root + "/a/b/memory.max": "9000", root + "/a/memory.max": "8000"]) == 8000)
    #expect(try usable("0::/gone", [root + "/memory.max": "7000"]) == 7000)
    #expect(try usable("3:cpu:/\n4:memory:/x/y\n0::/", [root + "/memory/x/y/memory.limit_in_bytes": "6000"]) == 6000)
    #expect(try usable("4:cpu,memory:/x", [root + "/memory/x/memory.limit_in_bytes": "5000"]) == 5000)
    for none in ["max", "9223372036854771712", "", "0", "99999999999999999999999"] {
      #expect(try usable("0::/a", [root + "/a/memory.max": none]) == machine, "\(none)")
    }
    #expect(MemoryInformation.usableByteCount() <= machine)
  }

  @Test func clocksGoForward() {
    let clock = SystemClock()
    let first = clock.monotonicNanoseconds()
    #expect(clock.monotonicNanoseconds() >= first)
    #expect(clock.wallNanoseconds() > 1_600_000_000_000_000_000)
    let manual = ManualClock(wall: 5)
    manual.advance(nanoseconds: 3)
    manual.set(wall: 1)
    #expect(manual.wallNanoseconds() == 1 && manual.monotonicNanoseconds() == 3)
  }
}
