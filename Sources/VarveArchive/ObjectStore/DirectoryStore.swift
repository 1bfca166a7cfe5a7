// Objects as files of a directory: a key is a path in it. A disk of another machine, mounted here, is what it is for.
//
// An object is written under its name with `.new` behind it, synced, renamed, and its directory synced: it is there whole
// or not at all. Files without a dot in their names, and such as end with `.new` or `.lock`, are no objects.

import Synchronization
import VarveCore
import VarveIO

package final class DirectoryStore: ObjectStore {
  package let root: String
  private let files: any FileSystem
  /// Directories that are there for sure, by folder.
  private let known = Mutex(Set<String>())

  package init(root: String, files: any FileSystem) {
    self.root = root
    self.files = files
  }

  package func address(_ key: String) -> String { key.isEmpty ? root : "\(root)/\(key)" }

  package func checkPlace() throws {
    guard try files.exists(root) else {
      throw VarveError(
        .notFound, "there is no such directory",
        hint: "make it first: what goes to a disk that is not mounted is not backed up", place: root)
    }
  }

  /// Makes the directory, in one that is there.
  func makePlace() throws {
    guard try !files.exists(root), let slash = root.lastIndex(of: "/") else { return }
    try files.createDirectory(root)
    try files.syncDirectory(slash == root.startIndex ? "/" : String(root[..<slash]))
  }

  package func put(_ key: String, _ bytes: [UInt8]) throws {
    let folder = Self.folder(of: key)
    try makeFolder(folder)
    let path = address(key)
    let temporary = path + ".new"
    if try files.exists(temporary) { try files.remove(temporary) }
    let file = try files.open(temporary, .createNew)
    do {
      defer { file.close() }
      try file.write(bytes, at: 0)
      try file.sync()
      try files.rename(temporary, to: path)
    } catch {
      try discard(temporary, after: error)
      throw error
    }
    try files.syncDirectory(address(folder))
  }

  package func move(_ key: String, to target: String) throws {
    let (folder, targetFolder) = (Self.folder(of: key), Self.folder(of: target))
    try makeFolder(targetFolder)
    try files.rename(address(key), to: address(target))
    try files.syncDirectory(address(targetFolder))
    if folder != targetFolder { try files.syncDirectory(address(folder)) }
  }

  package func get(_ key: String, _ range: Range<Int>) throws -> [UInt8] {
    let file = try files.open(address(key), .read)
    defer { file.close() }
    return try file.read(count: range.count, at: range.lowerBound)
  }

  package func byteCount(_ key: String) throws -> Int? {
    do { return try files.byteCount(address(key)) } catch let error as VarveError where error.code == .notFound {
      return nil
    }
  }

  package func list(_ folder: String) throws -> [ObjectEntry] {
    var entries: [ObjectEntry] = []
    for name in try names(folder) where !Self.isUnfinished(name) {
      if !name.contains(".") {
        entries += try list(folder + name + "/")
      } else if let byteCount = try byteCount(folder + name) {
        entries.append(ObjectEntry(key: folder + name, byteCount: byteCount))
      }
    }
    return entries
  }

  package func folders(_ folder: String) throws -> [String] { try names(folder).filter { !$0.contains(".") } }

  package func delete(_ keys: [String]) throws {
    var folders = Set<String>()
    for key in keys {
      do { try files.remove(address(key)) } catch let error as VarveError where error.code == .notFound { continue }
      folders.insert(Self.folder(of: key))
    }
    for folder in folders.sorted() { try files.syncDirectory(address(folder)) }
  }

  package func removeUnfinished(_ folder: String) throws {
    for name in try names(folder) {
      if name.hasSuffix(".new") {
        try files.remove(address(folder + name))
      } else if !name.contains(".") {
        try removeUnfinished(folder + name + "/")
      }
    }
  }

  package func lock(_ key: String) throws -> any ObjectLock {
    try makeFolder(Self.folder(of: key))
    return DirectoryLock(try files.lock(address(key) + ".lock", shared: false))
  }

  // MARK: -

  private static func isUnfinished(_ name: String) -> Bool { name.hasSuffix(".new") || name.hasSuffix(".lock") }

  /// Without the slash at its end.
  private static func folder(of key: String) -> String {
    key.lastIndex(of: "/").map { String(key[..<$0]) } ?? ""
  }

  /// None where there is no directory.
  private func names(_ folder: String) throws -> [String] {
    let path = folder.isEmpty ? root : address(String(folder.dropLast()))
    do { return try files.list(path) } catch let error as VarveError where error.code == .notFound { return [] }
  }

  /// Each directory is durable before anything is put into it.
  private func makeFolder(_ folder: String) throws {
    guard !folder.isEmpty, !known.withLock({ $0.contains(folder) }) else { return }
    let parent = Self.folder(of: folder)
    try makeFolder(parent)
    try files.createDirectory(address(folder))
    try files.syncDirectory(address(parent))
    known.withLock { _ = $0.insert(folder) }
  }

  /// Half an object takes room that there may not be. What keeps it from being removed is told with what came before.
  private func discard(_ temporary: String, after error: any Error) throws {
    do {
      if try files.exists(temporary) { try files.remove(temporary) }
    } catch let second {
      var first = error as? VarveError ?? VarveError(.inputOutput, "\(error)", place: temporary)
      first.message += "; and the unfinished file stays: \((second as? VarveError)?.message ?? "\(second)")"
      throw first
    }
  }
}

private final class DirectoryLock: ObjectLock {
  private let lock: any FileLock
  init(_ lock: any FileLock) { self.lock = lock }
  /// The system takes it from nobody.
  func check() {}
  func release() { lock.release() }
}
