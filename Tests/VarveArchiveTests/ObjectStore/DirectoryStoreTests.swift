import Testing
import VarveArchive
import VarveCore
import VarveSimulator

@Suite struct DirectoryStoreTests {
  private let disk = SimulatedFileSystem()
  private var store: DirectoryStore { DirectoryStore(root: "/sim", files: disk) }

  @Test func objectsAreReadAsTheyWerePut() throws {
    let store = store
    try store.put("a/b/1.x", [1, 2, 3])
    try store.put("a/b/2.x", [])
    try store.put("a/3.y", [9])
    #expect(try store.get("a/b/1.x", 0..<3) == [1, 2, 3])
    #expect(try store.get("a/b/1.x", 1..<2) == [2])
    #expect(try store.get("a/b/1.x", 2..<10) == [3])
    #expect(
      try store.get([
        ObjectRange(key: "a/3.y", range: 0..<9), ObjectRange(key: "a/b/1.x", range: 1..<3),
      ]) == [[9], [2, 3]])
    #expect(try store.byteCount("a/b/1.x") == 3)
    #expect(try store.byteCount("a/b/9.x") == nil)
    #expect(
      try store.list("a/") == [
        ObjectEntry(key: "a/3.y", byteCount: 1), ObjectEntry(key: "a/b/1.x", byteCount: 3),
        ObjectEntry(key: "a/b/2.x", byteCount: 0),
      ])
    #expect(try store.list("") == store.list("a/"))
    #expect(try store.list("nothing/").isEmpty)
    #expect(try store.folders("") == ["a"] && store.folders("a/") == ["b"])
    try store.put("a/b/1.x", [4])
    #expect(try store.get("a/b/1.x", 0..<3) == [4])
    try store.delete(["a/b/1.x", "a/b/never.x"])
    #expect(try store.byteCount("a/b/1.x") == nil)
    let error = #expect(throws: VarveError.self) { try store.get("a/b/1.x", 0..<1) }
    #expect(error?.code == .notFound)
  }

  /// Whatever a crash loses, an object is there whole or as it was before, and what is put is there for sure.
  @Test func anObjectIsThereWholeOrNotAtAll() throws {
    let store = store
    try store.put("a/1.x", [1, 1])
    disk.startHistory()
    try store.put("a/1.x", [2, 2, 2])
    try store.put("a/2.x", [3])
    let moments = disk.takeHistory()
    for (number, moment) in moments.enumerated() {
      for survival in Survival.allCases {
        let crashed = DirectoryStore(root: "/sim", files: moment.disk.afterCrash(survival, seed: UInt64(number)))
        #expect([[1, 1], [2, 2, 2]].contains(try crashed.get("a/1.x", 0..<9)), "moment \(number)")
        #expect([nil, 1].contains(try crashed.byteCount("a/2.x")), "moment \(number)")
        try crashed.removeUnfinished("")
        try crashed.put("a/2.x", [3])
      }
    }
    let end = DirectoryStore(root: "/sim", files: disk.afterCrash(.nothing, seed: 0))
    #expect(try end.get("a/1.x", 0..<9) == [2, 2, 2] && end.get("a/2.x", 0..<9) == [3])
  }

  /// Whatever a crash loses, a moved object is whole under one of its names, and under the other for sure in the end.
  @Test func anObjectIsMovedAtOnce() throws {
    let store = store
    try store.put("a/1.x", [1, 2, 3])
    try store.put("a/_1.y", [9])
    disk.startHistory()
    try store.move("a/1.x", to: "a/_1.y")
    let calls = disk.takeHistory()
    #expect(!calls.isEmpty)
    for (number, moment) in calls.enumerated() {
      for survival in Survival.allCases {
        let crashed = DirectoryStore(root: "/sim", files: moment.disk.afterCrash(survival, seed: UInt64(number)))
        let found = try crashed.list("").filter { $0.byteCount == 3 }
        #expect(found.count == 1, "moment \(number), \(survival): \(found)")
        for entry in found { #expect(try crashed.get(entry.key, 0..<9) == [1, 2, 3]) }
      }
    }
    let end = DirectoryStore(root: "/sim", files: disk.afterCrash(.nothing, seed: 0))
    #expect(try end.list("").map(\.key) == ["a/_1.y"] && end.get("a/_1.y", 0..<9) == [1, 2, 3])
    let error = #expect(throws: VarveError.self) { try store.move("a/1.x", to: "a/2.x") }
    #expect(error?.code == .notFound)
    try store.move("a/_1.y", to: "b/1.x")
    #expect(
      try DirectoryStore(root: "/sim", files: disk.afterCrash(.nothing, seed: 0)).list("").map(\.key) == ["b/1.x"])
  }

  @Test func aFailedPutLeavesNothing() throws {
    let store = store
    try store.put("a/1.x", [1])
    disk.set(capacity: disk.usedByteCount + 10)
    let error = #expect(throws: VarveError.self) { try store.put("a/2.x", [UInt8](repeating: 7, count: 100)) }
    #expect(error?.code == .diskFull)
    #expect(disk.paths == ["/sim/a/1.x"])
  }

  @Test func aLockKeepsOthersOut() throws {
    let lock = try store.lock("a/backup")
    let error = #expect(throws: VarveError.self) { try store.lock("a/backup") }
    #expect(error?.code == .directoryLocked)
    #expect(try store.list("").isEmpty, "a lock is no object")
    lock.release()
    try store.lock("a/backup").release()
  }

  @Test func placesAreNamedByURL() throws {
    func address(_ text: String) throws -> String {
      try ObjectStoreURL.open(text, files: disk, schemes: .none).address("")
    }
    #expect(try address("file:///mnt/back%20ups/") == "/mnt/back ups")
    #expect(try address("file://localhost/mnt") == "/mnt")
    #expect(try address("/mnt/b/") == "/mnt/b")
    #expect(try address("FILE:///é") == "/é")
    for wrong in ["mnt", "", "file://other/mnt", "file:///%zz", "file:///%ff", "file:///a%00b", "file:"] {
      let error = #expect(throws: VarveError.self) { try address(wrong) }
      #expect(error?.code == .invalidArgument, "\(wrong)")
    }
    let error = #expect(throws: VarveError.self) { try address("s3://bucket/prefix") }
    #expect(error?.code == .unsupported)
    let brought = ObjectStoreSchemes(["s3": { DirectoryStore(root: "/there/\($0.rest)", files: disk) }])
    #expect(try ObjectStoreURL.open("S3://b/p", files: disk, schemes: brought).address("") == "/there/b/p")
    let missing = #expect(throws: VarveError.self) { try BackupPlace.open("/sim/missing", files: disk, schemes: .none) }
    #expect(missing?.code == .notFound && missing?.place == "/sim/missing")
  }
}
