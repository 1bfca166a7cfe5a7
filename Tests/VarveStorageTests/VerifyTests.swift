import Testing
import VarveCore
import VarveIO
import VarveSimulator
import VarveStorage

@Suite struct VerifyTests {
  private func sealedDisk() throws -> SimulatedFileSystem {
    let disk = SimulatedFileSystem()
    let store = try Store.open(Run.options(disk, ManualClock()))
    for number in 1...4 {
      let row = ModelRow(
        table: "t", identity: Identity(tags: ["h": "a"], time: Int64(number)), fields: ["v": .integer(7)])
      _ = try store.commit([.write(batches([row]))])[0].get()
      store.markDurable()
      if number == 2 { try store.sealAll() }
    }
    try store.close()
    return disk
  }

  @Test func aSoundDirectoryHasNoProblems() throws {
    let report = try StoreVerifier.verify(directory: "/sim/db", files: try sealedDisk())
    #expect(report.isSound, "\(report.lines)")
    #expect(report.rows == 2 && report.commitsInLog == 2)
    #expect(Set(report.files.map(\.kind)).isSuperset(of: ["manifest", "series file", "chunk", "log segment"]))
  }

  @Test(arguments: ["wal", "manifest", "series", "chunk"]) func damageIsNamedByFile(kind: String) throws {
    let disk = try sealedDisk()
    let path = try #require(disk.paths.first { $0.hasSuffix("." + kind) })
    disk.flip(path, bit: 100 * 8)
    let report = try StoreVerifier.verify(directory: "/sim/db", files: disk)
    #expect(report.problems.contains { $0.path.hasPrefix(path) }, "\(report.lines)")
  }

  @Test(arguments: ["wal", "manifest", "series", "chunk"]) func everyFileCanBeInspected(kind: String) throws {
    let disk = try sealedDisk()
    let path = try #require(disk.paths.first { $0.hasSuffix("." + kind) })
    let lines = try FileInspector.describe(path, files: disk)
    #expect(lines.count > 2 && !lines.contains { $0.contains("DAMAGED") }, "\(lines)")
  }

  @Test func aServedDirectoryIsNotVerifiedUnderItsServer() throws {
    let disk = SimulatedFileSystem()
    let store = try Store.open(Run.options(disk, ManualClock()))
    let error = #expect(throws: VarveError.self) { try StoreVerifier.verify(directory: "/sim/db", files: disk) }
    #expect(error?.code == .directoryLocked)
    try store.close()
  }
}
