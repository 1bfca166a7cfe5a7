import Foundation
import Testing
import VarveCore
import VarveIO
import VarveSimulator

/// Both disks behave alike as long as nothing goes wrong.
@Suite struct FileSystemTests {
  enum Kind: CaseIterable { case posix, simulated }

  private func with(_ kind: Kind, _ body: (any FileSystem, String) throws -> Void) throws {
    switch kind {
    case .simulated: try body(SimulatedFileSystem(root: "/root"), "/root")
    case .posix:
      let root = NSTemporaryDirectory() + "varve-io-\(UUID().uuidString)"
      try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(atPath: root) }
      try body(PosixFileSystem(), root)
    }
  }

  @Test(arguments: Kind.allCases) func bytesComeBackAsWritten(kind: Kind) throws {
    try with(kind) { files, root in
      let file = try files.open(root + "/a", .createNew)
      try file.write([1, 2, 3], at: 4)
      #expect(try file.readAll() == [0, 0, 0, 0, 1, 2, 3])
      #expect(try file.read(count: 10, at: 5) == [2, 3])
      #expect(try file.read(count: 10, at: 50) == [])
      try file.truncate(to: 5)
      try file.truncate(to: 6)
      #expect(try file.readAll() == [0, 0, 0, 0, 1, 0])
      try file.sync()
      file.close()
      file.close()
      #expect(throws: VarveError.self) { try file.byteCount() }
      #expect(try files.byteCount(root + "/a") == 6)
    }
  }

  @Test(arguments: Kind.allCases) func errorsHaveTheirCodeAndPlace(kind: Kind) throws {
    try with(kind) { files, root in
      let missing = #expect(throws: VarveError.self) { try files.open(root + "/none", .read) }
      #expect(missing?.code == .notFound && missing?.place == root + "/none")
      files_close(try files.open(root + "/a", .createNew))
      #expect(#expect(throws: VarveError.self) { try files.open(root + "/a", .createNew) }?.code == .alreadyExists)
      #expect(#expect(throws: VarveError.self) { try files.remove(root + "/b") }?.code == .notFound)
      #expect(#expect(throws: VarveError.self) { try files.open(root + "/no/a", .createNew) }?.code == .notFound)
      let reader = try files.open(root + "/a", .read)
      #expect(throws: VarveError.self) { try reader.write([1], at: 0) }
    }
  }

  @Test(arguments: Kind.allCases) func namesListInOrderAndRenameReplaces(kind: Kind) throws {
    try with(kind) { files, root in
      try files.createDirectory(root + "/d")
      try files.createDirectory(root + "/d")
      for name in ["b", "a", "c"] {
        let file = try files.open(root + "/d/" + name, .createNew)
        try file.write(Array(name.utf8), at: 0)
        file.close()
      }
      #expect(try files.list(root + "/d") == ["a", "b", "c"])
      try files.rename(root + "/d/a", to: root + "/d/b")
      #expect(try files.list(root + "/d") == ["b", "c"])
      #expect(try files.readAll(root + "/d/b") == Array("a".utf8))
      #expect(try !files.exists(root + "/d/a"))
      try files.syncDirectory(root + "/d")
    }
  }

  @Test(arguments: Kind.allCases) func anExclusiveLockExcludesAllAndASharedOneOnlyExclusives(kind: Kind) throws {
    try with(kind) { files, root in
      let held = try files.lock(root + "/LOCK", shared: false)
      #expect(
        #expect(throws: VarveError.self) { try files.lock(root + "/LOCK", shared: false) }?.code == .directoryLocked)
      #expect(
        #expect(throws: VarveError.self) { try files.lock(root + "/LOCK", shared: true) }?.code == .directoryLocked)
      held.release()
      let first = try files.lock(root + "/LOCK", shared: true)
      let second = try files.lock(root + "/LOCK", shared: true)
      #expect(throws: VarveError.self) { try files.lock(root + "/LOCK", shared: false) }
      first.release()
      second.release()
      try files.lock(root + "/LOCK", shared: false).release()
    }
  }

  private func files_close(_ file: any File) { file.close() }
}
