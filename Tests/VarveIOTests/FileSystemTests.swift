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
      try files.open(root + "/a", .createNew).close()
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

  @Test(arguments: Kind.allCases) func whatIsNotAFileIsRefusedAsOne(kind: Kind) throws {
    try with(kind) { files, root in
      try files.createDirectory(root + "/d")
      for call: () throws -> Void in [
        { _ = try files.open(root + "/d", .read) }, { _ = try files.open(root + "/d", .readWrite) },
        { _ = try files.byteCount(root + "/d") }, { try files.remove(root + "/d") },
      ] { #expect(#expect(throws: VarveError.self) { try call() }?.code == .inputOutput) }
      try files.open(root + "/f", .createNew).close()
      #expect(#expect(throws: VarveError.self) { try files.rename(root + "/f", to: root + "/d") }?.code == .inputOutput)
      #expect(#expect(throws: VarveError.self) { try files.createDirectory(root + "/f") }?.code == .alreadyExists)
      for path in ["/f", "/none"] {
        for call: () throws -> Void in [{ _ = try files.list(root + path) }, { try files.syncDirectory(root + path) }] {
          let error = #expect(throws: VarveError.self) { try call() }
          #expect(error?.code == .notFound && error?.place == root + path)
        }
      }
      let rename = #expect(throws: VarveError.self) { try files.rename(root + "/none", to: root + "/g") }
      #expect(rename?.code == .notFound && rename?.place == root + "/none")
      #expect(#expect(throws: VarveError.self) { try files.lock(root + "/no/LOCK", shared: false) }?.code == .notFound)
    }
  }

  @Test(arguments: Kind.allCases) func anEmptyWriteExtendsNothing(kind: Kind) throws {
    try with(kind) { files, root in
      let file = try files.open(root + "/a", .createNew)
      try file.write([], at: 100)
      #expect(try file.byteCount() == 0)
    }
  }

  @Test(arguments: Kind.allCases) func anOpenFileOutlivesItsName(kind: Kind) throws {
    try with(kind) { files, root in
      let file = try files.open(root + "/a", .createNew)
      try file.write([1, 2], at: 0)
      try files.remove(root + "/a")
      #expect(try file.readAll() == [1, 2])
      try files.open(root + "/a", .createNew).close()
      #expect(try files.byteCount(root + "/a") == 0)
    }
  }

  @Test(arguments: Kind.allCases) func aLockEndsWithItsLastReference(kind: Kind) throws {
    try with(kind) { files, root in
      var held: (any FileLock)? = try files.lock(root + "/LOCK", shared: false)
      #expect(held != nil)
      held = nil
      try files.lock(root + "/LOCK", shared: false).release()
    }
  }

  @Test(arguments: Kind.allCases) func aRefusedLockSaysHowToGoOn(kind: Kind) throws {
    try with(kind) { files, root in
      let held = try files.lock(root + "/LOCK", shared: false)
      let error = #expect(throws: VarveError.self) { try files.lock(root + "/LOCK", shared: true) }
      #expect(error?.message.hasPrefix("the data directory is in use by ") ?? false)
      #expect(error?.hint != nil && error?.place == root + "/LOCK")
      held.release()
    }
  }
}
