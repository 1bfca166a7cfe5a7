import Testing
import VarveCore
import VarveIO
import VarveSimulator

/// What a simulated disk does when it is told to fail, and what crashes leave then.
@Suite struct SimulatedFaultTests {
  private let ones = [UInt8](repeating: 1, count: 1000)

  private func disk() throws -> (SimulatedFileSystem, any File) {
    let disk = SimulatedFileSystem(root: "/r")
    let file = try disk.open("/r/a", .createNew)
    try disk.syncDirectory("/r")
    return (disk, file)
  }

  private func code(_ body: () throws -> Void) -> VarveError.Code? {
    do { try body() } catch { return (error as? VarveError)?.code }
    return nil
  }

  @Test(arguments: Fault.Kind.allCases, [false, true])
  func aFaultHitsItsCallAndLaterOnesOnlyForGood(kind: Fault.Kind, forGood: Bool) throws {
    for call in 1...6 {
      let (disk, file) = try disk()
      disk.set(fault: Fault(call: disk.callCount + call, kind: kind, forGood: forGood))
      let failed = (1...8).filter { number in code { try file.write([UInt8(number)], at: (number - 1) * 10) } != nil }
      let lasts = forGood || kind == .crash
      #expect(failed == (lasts ? Array(call...8) : [call]), "call \(call)")
    }
  }

  @Test func everyKindOfCallIsCountedAndCanFail() throws {
    let calls: [(SimulatedFileSystem, any File) throws -> Void] = [
      { disk, _ in try disk.open("/r/b", .createNew).close() }, { disk, _ in _ = try disk.exists("/r/a") },
      { disk, _ in _ = try disk.byteCount("/r/a") }, { disk, _ in try disk.createDirectory("/r/d") },
      { disk, _ in _ = try disk.list("/r") }, { disk, _ in try disk.rename("/r/a", to: "/r/c") },
      { disk, _ in try disk.remove("/r/a") }, { disk, _ in try disk.syncDirectory("/r") },
      { disk, _ in try disk.lock("/r/LOCK", shared: false).release() },
      { _, file in _ = try file.read(count: 1, at: 0) },
      { _, file in try file.write([1], at: 0) }, { _, file in try file.sync() },
      { _, file in try file.truncate(to: 3) },
      { _, file in _ = try file.byteCount() },
    ]
    for (number, call) in calls.enumerated() {
      let (disk, file) = try disk()
      let before = disk.callCount
      disk.startTrace()
      try call(disk, file)
      #expect(disk.callCount == before + 1 && disk.trace.count == 1, "call \(number)")
      let (other, otherFile) = try self.disk()
      other.set(fault: Fault(call: other.callCount + 1, kind: .inputOutput))
      #expect(code { try call(other, otherFile) } == .inputOutput, "call \(number)")
    }
  }

  @Test func aShortWriteStoresAPart() throws {
    let (disk, file) = try disk()
    disk.set(fault: Fault(call: disk.callCount + 1, kind: .shortWrite))
    #expect(code { try file.write(ones, at: 0) } == .inputOutput)
    let stored = try file.byteCount()
    #expect(stored > 0 && stored < ones.count)
  }

  @Test func aFullDiskFailsOnlyWhatNeedsRoom() throws {
    let (disk, file) = try disk()
    try file.write(ones, at: 0)
    disk.set(fault: Fault(call: disk.callCount + 1, kind: .diskFull, forGood: true))
    #expect(code { try file.write(ones, at: 500) } == .diskFull)
    #expect(try file.byteCount() == 1000)
    #expect(code { try file.truncate(to: 2000) } == .diskFull)
    #expect(code { try disk.createDirectory("/r/d") } == .diskFull)
    #expect(code { try disk.open("/r/b", .createNew).close() } == .diskFull)
    #expect(try disk.freeByteCount("/r") == 0)
    try file.write([9], at: 0)
    try file.sync()
    try disk.rename("/r/a", to: "/r/b")
    try file.truncate(to: 10)
    disk.releaseSpace()
    try file.write(ones, at: 500)
  }

  @Test func removingAFileMakesRoom() throws {
    let (disk, file) = try disk()
    disk.set(capacity: 1500)
    try file.write(ones, at: 0)
    #expect(try disk.freeByteCount("/r") == 500)
    let other = try disk.open("/r/b", .createNew)
    #expect(code { try other.write(ones, at: 0) } == .diskFull)
    #expect(try other.byteCount() == 500)
    #expect(code { try other.truncate(to: 501) } == .diskFull)
    try disk.remove("/r/a")
    try other.write(ones, at: 0)
    try other.write(ones, at: 500)
    #expect(try disk.freeByteCount("/r") == 0)
  }

  @Test func aLaterDirectorySyncDoesNotHealAFailedOne() throws {
    let (disk, file) = try disk()
    try file.sync()
    try disk.open("/r/b", .createNew).close()
    disk.set(fault: Fault(call: disk.callCount + 1, kind: .inputOutput))
    #expect(code { try disk.syncDirectory("/r") } == .inputOutput)
    try disk.open("/r/c", .createNew).close()
    try disk.syncDirectory("/r")
    #expect(disk.paths == ["/r/a", "/r/b", "/r/c"])
    #expect(disk.afterCrash(.nothing, seed: 1).paths == ["/r/a", "/r/c"])
    #expect(disk.afterCrash(.everything, seed: 1).paths == ["/r/a", "/r/b", "/r/c"])
    // A later change of the same name, made safe, settles it.
    try disk.rename("/r/b", to: "/r/d")
    try disk.syncDirectory("/r")
    #expect(disk.afterCrash(.nothing, seed: 1).paths == ["/r/a", "/r/c", "/r/d"])
  }

  @Test func bytesWrittenAndSyncedAfterAFailedSyncAreSafe() throws {
    let (disk, file) = try disk()
    try file.write(ones, at: 0)
    disk.set(fault: Fault(call: disk.callCount + 1, kind: .inputOutput))
    #expect(code { try file.sync() } == .inputOutput)
    try file.write([5, 6], at: 998)
    try file.sync()
    var outcomes = Set<Int>()
    for seed in 0..<100 {
      let bytes = try #require(disk.afterCrash(.chance, seed: UInt64(seed)).contents("/r/a"))
      #expect(Array(bytes.suffix(2)) == [5, 6] && bytes.count == 1000, "seed \(seed)")
      outcomes.insert(bytes.filter { $0 == 1 }.count)
    }
    #expect(outcomes.count > 1)
  }

  @Test func whatWasCutOffForSureNeverComesBack() throws {
    let (disk, file) = try disk()
    try file.write(ones, at: 0)
    try file.sync()
    disk.set(fault: Fault(call: disk.callCount + 1, kind: .inputOutput))
    #expect(code { try file.sync() } == .inputOutput)
    try file.write([2], at: 0)
    disk.set(fault: Fault(call: disk.callCount + 1, kind: .inputOutput))
    #expect(code { try file.sync() } == .inputOutput)
    try file.truncate(to: 10)
    try file.truncate(to: 1000)
    try file.sync()
    for seed in 0..<100 {
      let bytes = try #require(disk.afterCrash(.chance, seed: UInt64(seed)).contents("/r/a"))
      #expect(bytes.count == 1000 && bytes[10...].allSatisfy { $0 == 0 }, "seed \(seed)")
    }
  }

  @Test func anUnsyncedLengthIsOldOrNewOrBetween() throws {
    let (disk, file) = try disk()
    try file.write(ones, at: 0)
    try file.sync()
    try file.truncate(to: 5000)
    let grown = Set((0..<200).map { disk.afterCrash(.chance, seed: UInt64($0)).contents("/r/a")?.count ?? -1 })
    #expect(grown.contains(1000) && grown.contains(5000) && grown.count > 10)
    #expect(grown.allSatisfy { (1000...5000).contains($0) })
    let (second, other) = try self.disk()
    try other.write(ones, at: 0)
    try other.sync()
    try other.truncate(to: 100)
    #expect(
      Set((0..<50).map { second.afterCrash(.chance, seed: UInt64($0)).contents("/r/a") }) == [
        ones, Array(ones[..<100]),
      ])
  }

  @Test func namesSurviveIndependently() throws {
    let disk = SimulatedFileSystem(root: "/r")
    for name in ["a", "b"] { try disk.open("/r/" + name, .createNew).close() }
    let outcomes = Set((0..<100).map { disk.afterCrash(.chance, seed: UInt64($0)).paths })
    #expect(outcomes == [[], ["/r/a"], ["/r/b"], ["/r/a", "/r/b"]])
  }

  @Test func aRenameBetweenDirectoriesIsNeverHalfDone() throws {
    for synced in ["/r", "/r/d"] {
      let (disk, file) = try disk()
      try file.sync()
      try disk.createDirectory("/r/d")
      try disk.syncDirectory("/r")
      try disk.rename("/r/a", to: "/r/d/b")
      #expect(Set((0..<50).map { disk.afterCrash(.chance, seed: UInt64($0)).paths }) == [["/r/a"], ["/r/d/b"]])
      try disk.syncDirectory(synced)
      #expect(disk.afterCrash(.nothing, seed: 1).paths == ["/r/d/b"])
    }
  }

  @Test func aCrashReleasesLocksAndStopsTheOldDisk() throws {
    let (disk, file) = try disk()
    let lock = try disk.lock("/r/LOCK", shared: false)
    try disk.syncDirectory("/r")
    let next = disk.crash(.chance, seed: 1)
    #expect(code { _ = try file.byteCount() } == .inputOutput)
    #expect(code { _ = try disk.list("/r") } == .inputOutput)
    try next.lock("/r/LOCK", shared: false).release()
    lock.release()
  }

  @Test func aCloneHasItsOwnFuture() throws {
    let (disk, file) = try disk()
    try file.write([1], at: 0)
    let copy = disk.clone()
    try file.write([2], at: 0)
    copy.flip("/r/a", bit: 7)
    #expect(disk.contents("/r/a") == [2])
    #expect(copy.contents("/r/a") == [129])
    copy.cut("/r/a", to: 0)
    #expect(copy.contents("/r/a") == [])
  }
}
