import Testing
import VarveCore
import VarveIO
import VarveSimulator

@Suite struct SimulatedDiskTests {
  private func diskWith(_ bytes: [UInt8], synced: Bool, named: Bool) throws -> SimulatedFileSystem {
    let disk = SimulatedFileSystem(root: "/r")
    let file = try disk.open("/r/a", .createNew)
    try file.write(bytes, at: 0)
    if synced { try file.sync() }
    if named { try disk.syncDirectory("/r") }
    return disk
  }

  @Test func whatWasSyncedSurvivesEveryCrash() throws {
    let bytes = [UInt8](repeating: 7, count: 2000)
    let disk = try diskWith(bytes, synced: true, named: true)
    for seed in 0..<200 {
      #expect(disk.afterCrash(.chance, seed: UInt64(seed)).contents("/r/a") == bytes, "seed \(seed)")
    }
  }

  @Test func whatWasNotSyncedIsSometimesLostSometimesKeptAndSometimesTorn() throws {
    let disk = try diskWith([UInt8](repeating: 7, count: 2000), synced: false, named: true)
    var sevens = Set<Int>()
    for seed in 0..<300 {
      sevens.insert(disk.afterCrash(.chance, seed: UInt64(seed)).contents("/r/a")?.filter { $0 == 7 }.count ?? -1)
    }
    #expect(sevens.contains(0) && sevens.contains(2000) && sevens.count > 10)
  }

  @Test func aNameIsSafeOnlyAfterItsDirectoryIsSynced() throws {
    let disk = try diskWith([1], synced: true, named: false)
    let survived = (0..<100).filter { disk.afterCrash(.chance, seed: UInt64($0)).contents("/r/a") != nil }.count
    #expect(survived > 10 && survived < 90)
  }

  @Test func aRenameIsWholeOrNotAtAll() throws {
    let disk = try diskWith([1], synced: true, named: true)
    let other = try disk.open("/r/b", .createNew)
    try other.write([2], at: 0)
    try other.sync()
    try disk.syncDirectory("/r")
    try disk.rename("/r/b", to: "/r/a")
    var outcomes = Set<[[UInt8]?]>()
    for seed in 0..<100 {
      let next = disk.afterCrash(.chance, seed: UInt64(seed))
      outcomes.insert([next.contents("/r/a"), next.contents("/r/b")])
    }
    #expect(outcomes == [[[1], [2]], [[2], nil]])
  }

  @Test func aLaterSyncDoesNotHealAFailedOne() throws {
    let disk = SimulatedFileSystem(root: "/r")
    let file = try disk.open("/r/a", .createNew)
    try disk.syncDirectory("/r")
    try file.write([1, 2, 3], at: 0)
    disk.set(fault: Fault(call: disk.callCount + 1, kind: .inputOutput))
    #expect(throws: VarveError.self) { try file.sync() }
    try file.sync()
    #expect(try file.readAll() == [1, 2, 3])
    #expect(disk.afterCrash(.nothing, seed: 1).contents("/r/a") != [1, 2, 3])
  }

  @Test func exactlyTheNthCallFails() throws {
    for call in 1...3 {
      let disk = SimulatedFileSystem(root: "/r")
      disk.set(fault: Fault(call: call, kind: .inputOutput))
      let failed = (1...5).filter { _ in (try? disk.exists("/r")) == nil }
      #expect(failed == [call])
    }
  }

  @Test func aFullDiskEndsWhenRoomIsMade() throws {
    let disk = SimulatedFileSystem(root: "/r")
    disk.set(capacity: 100)
    let file = try disk.open("/r/a", .createNew)
    try file.write([UInt8](repeating: 1, count: 90), at: 0)
    #expect(
      #expect(throws: VarveError.self) { try file.write([UInt8](repeating: 1, count: 20), at: 90) }?.code == .diskFull)
    try file.write([2], at: 5)
    disk.releaseSpace()
    try file.write([UInt8](repeating: 1, count: 20), at: 90)
  }

  @Test func aSeedGivesOneResult() throws {
    let disk = try diskWith([UInt8](repeating: 7, count: 5000), synced: false, named: false)
    for seed in 0..<20 {
      #expect(
        disk.afterCrash(.chance, seed: UInt64(seed)).contents("/r/a")
          == disk.afterCrash(.chance, seed: UInt64(seed)).contents("/r/a"))
    }
  }
}
