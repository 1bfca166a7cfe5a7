import Synchronization
import Testing
import VarveArchive
import VarveCore
import VarveFormat
import VarveIO
import VarveSimulator
import VarveStorage

/// Runs of the archive on the simulated disk, with the objects beside the database on it: a crash or a failure at any call
/// of a run leaves every row where it can be read, once; and what an object store has garbled is never relied on.
@Suite struct ArchiveRunTests {
  @Test(arguments: 1...seedCount) func whatIsArchivedIsReadAsBefore(seed: Int) throws {
    let archived = try Archived(seed: UInt64(seed), SimulatedFileSystem())
    var objects = 0
    for round in 0..<12 {
      for _ in 0..<6 { try archived.life.go() }
      objects += try archived.run(deletingUnneeded: round % 2 == 0).tables.reduce(0) { $0 + $1.chunksAfter }
      try archived.expectAll("seed \(seed), round \(round)")
    }
    #expect(objects > 10)
  }

  @Test(arguments: 1...seedCount) func aCrashAtAnyCallOfARunLosesNothing(seed: Int) throws {
    let disk = SimulatedFileSystem()
    let archived = try Archived(seed: UInt64(seed), disk)
    for _ in 0..<10 { try archived.life.go() }
    try archived.run()
    for _ in 0..<6 { try archived.life.go() }
    try archived.life.store.sealAll()
    disk.startHistory()
    try archived.run(deletingUnneeded: seed % 2 == 0)
    var random = SeededRandom(seed: UInt64(seed))
    var states = 0
    for (number, moment) in disk.takeHistory().enumerated() where random.chance(25) {
      for survival in Survival.allCases {
        let label = "seed \(seed), moment \(number), \(survival)"
        let after = try Archived(after: archived.life, moment.disk.afterCrash(survival, seed: random.next()))
        try after.expectAll(label)
        try after.run(deletingUnneeded: true)
        try after.expectAll(label + ", after another run")
        states += 1
      }
    }
    print("simulation: seed \(seed), \(states) crash states of archiving")
    #expect(states > 20)
  }

  /// The disk has the objects as well, so this is every call of the object store, too.
  @Test(arguments: [Fault.Kind.inputOutput, .diskFull, .noRoomToChange, .shortWrite])
  func aFailureAtAnyCallOfARunHarmsNothing(kind: Fault.Kind) throws {
    let begin = SimulatedFileSystem()
    let first = try Archived(seed: 11, begin)
    for _ in 0..<14 { try first.life.go() }
    try first.run()
    for _ in 0..<6 { try first.life.go() }
    try first.life.store.sealAll()
    try first.life.store.close()
    let counted = begin.clone()
    let whole = try Archived(after: first.life, counted)
    let before = counted.callCount
    try whole.run()
    let calls = counted.callCount - before
    #expect(calls > 40)
    var failures = 0
    for call in stride(from: 1, through: calls, by: 2) {
      let disk = begin.clone()
      let archived = try Archived(after: first.life, disk)
      disk.set(fault: Fault(call: disk.callCount + call, kind: kind))
      do { try archived.run() } catch { failures += 1 }
      disk.set(fault: nil)
      disk.releaseSpace()
      let label = "\(kind) at call \(call)"
      #expect(try Model.reading(archived.life.store) == first.life.model, "\(label)")
      // A store that fails for good says so; its directory is sound.
      let again = try Archived(after: first.life, disk.restart())
      try again.run()
      try again.expectAll(label + ", opened again")
    }
    #expect(failures > 10)
  }

  @Test func anObjectThatIsNotWhatWasPutIsNotReliedOn() throws {
    let disk = SimulatedFileSystem()
    try disk.createDirectory("/sim/archive")
    let objects = GarblingStore(DirectoryStore(root: "/sim/archive", files: disk))
    let archived = try Archived(seed: 3, disk, Archived.Choice(objects: objects))
    for _ in 0..<20 { try archived.life.go() }
    objects.garbles.withLock { $0 = true }
    #expect(try !archived.run().failures.isEmpty)
    #expect(try Model.reading(archived.life.store) == archived.life.model)
    objects.garbles.withLock { $0 = false }
    #expect(try archived.run().failures.isEmpty)
    try archived.expectAll("garbled before")
  }

  @Test func aChangedOrCutObjectFailsWhatNeedsItByName() throws {
    for damage in 0..<3 {
      let disk = SimulatedFileSystem()
      let archived = try Archived(seed: 9, disk)
      for _ in 0..<20 { try archived.life.go() }
      try archived.run()
      let object = try #require(
        try archived.life.store.archivedChunks().found.max { $0.object.byteCount < $1.object.byteCount })
      let path = "/sim/archive/" + object.object.key
      switch damage {
      case 0: disk.flip(path, bit: 8 * 24)
      case 1: disk.cut(path, to: 50)
      default: try disk.remove(path)
      }
      do {
        _ = try Model.reading(archived.life.store)
        Issue.record("damage \(damage) is not seen")
      } catch let error as VarveError {
        #expect(
          [.corruption, .gone].contains(error.code) && error.place?.contains(path) == true, "\(error)"
        )
      }
      let report = try ArchiveVerifier.verify(archived.life.store, archived.tier, table: nil) {}
      #expect(report.problems.count == 1 && report.problems[0].path.contains(path), "\(report.problems)")
    }
  }

  /// What is put aside is kept for seven days, by a clock that commits have gone along with.
  @Test func aClockThatJumpsDeletesNothingEarly() throws {
    let day: Int64 = 86_400_000_000_000
    let archived = try Archived(seed: 7, SimulatedFileSystem())
    let clock = archived.life.clock
    for _ in 0..<10 { try archived.life.go() }
    try archived.run()
    for _ in 0..<10 { try archived.life.go() }
    let aside = try archived.run()
    #expect(aside.unneededObjects > 0 && aside.deletedObjects == 0 && !aside.isClockDoubted)
    let start = clock.wallNanoseconds()
    func expectKept(_ wall: Int64, doubted: Bool, _ label: String) throws {
      clock.set(wall: wall)
      let report = try archived.run()
      #expect(report.deletedObjects == 0 && report.unneededObjects == aside.unneededObjects, "\(label): \(report)")
      #expect(report.isClockDoubted == doubted, "\(label)")
    }
    try expectKept(start + 6 * day, doubted: false, "six days")
    try expectKept(start + 3650 * day, doubted: true, "ten years ahead")
    try expectKept(0, doubted: false, "in 1970")
    try expectKept(start + day, doubted: false, "set right")
    // Time goes by as commits see it.
    for step: Int64 in 1...3 {
      clock.set(wall: start + 2 * step * day)
      try archived.life.commit()
    }
    try archived.run()
    clock.set(wall: start + 7 * day)
    let late = try archived.run()
    #expect(late.deletedObjects >= aside.unneededObjects && !late.isClockDoubted, "\(late)")
    try archived.expectAll("in the end")
    // Whoever says that they go at once needs no clock.
    for _ in 0..<10 { try archived.life.go() }
    clock.set(wall: start + 3650 * day)
    #expect(try archived.run(deletingUnneeded: true).unneededObjects == 0)
  }

  /// What a run deletes hangs on the names in stubs.
  @Test func aDamagedStubNamesNoOtherObject() throws {
    let disk = SimulatedFileSystem()
    let archived = try Archived(seed: 9, disk)
    for _ in 0..<20 { try archived.life.go() }
    try archived.run()
    let store = archived.life.store
    let all = try store.archivedChunks().found.map(\.object)
    let path = try #require(disk.paths.first { disk.contents($0)?.starts(with: Array("VARVESTB".utf8)) == true })
    let bytes = try #require(disk.contents(path))
    let mapByteCount = Int(bytes[40]) | Int(bytes[41]) << 8
    for offset in 0..<(64 + mapByteCount) {
      disk.flip(path, bit: 8 * offset + offset % 8)
      let (found, problems) = try store.archivedChunks()
      #expect(problems.count == 1 && problems[0].place?.contains(path) == true, "byte \(offset): \(problems)")
      #expect(found.count == all.count - 1 && found.allSatisfy { all.contains($0.object) }, "byte \(offset)")
      disk.flip(path, bit: 8 * offset + offset % 8)
    }
    try archived.expectAll("whole again")
  }

  @Test func theSecondOfTwoCopiesOfADirectoryIsRefused() throws {
    let disk = SimulatedFileSystem()
    let first = try Archived(seed: 21, disk)
    for _ in 0..<10 { try first.life.go() }
    try first.run()
    let identity = try #require(disk.contents("/sim/db/archive/identity"))
    try first.run()
    // As a copy from before the last run has it.
    disk.replace("/sim/db/archive/identity", with: identity)
    do {
      try first.run()
      Issue.record("a copy writes to the other's folder")
    } catch let error as VarveError {
      #expect(error.code == .invalidArgument && error.message.contains("another copy"), "\(error)")
    }
    try first.expectAll("refused")
    try disk.remove("/sim/db/archive/identity")
    for _ in 0..<5 { try first.life.go() }
    try first.run()
    try first.expectAll("in a folder of its own")
  }
}

/// An object store that does not keep what it is given.
private final class GarblingStore: ObjectStore {
  private let store: DirectoryStore
  let garbles = Mutex(false)
  init(_ store: DirectoryStore) { self.store = store }

  func put(_ key: String, _ bytes: [UInt8]) throws {
    var bytes = bytes
    if key.hasSuffix(".parquet"), garbles.withLock({ $0 }) { bytes[bytes.count / 2] ^= 4 }
    try store.put(key, bytes)
  }
  func move(_ key: String, to target: String) throws { try store.move(key, to: target) }
  func address(_ key: String) -> String { store.address(key) }
  func checkPlace() throws {}
  func get(_ key: String, _ range: Range<Int>) throws -> [UInt8] { try store.get(key, range) }
  func byteCount(_ key: String) throws -> Int? { try store.byteCount(key) }
  func list(_ folder: String) throws -> [ObjectEntry] { try store.list(folder) }
  func folders(_ folder: String) throws -> [String] { try store.folders(folder) }
  func delete(_ keys: [String]) throws { try store.delete(keys) }
  func removeUnfinished(_ folder: String) throws { try store.removeUnfinished(folder) }
  func lock(_ key: String) throws -> any ObjectLock { try store.lock(key) }
}
