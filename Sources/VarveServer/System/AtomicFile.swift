// A file that is there whole or not at all: written under another name beside it, made durable, then renamed.
//
//   write … write → commit        (let go without commit, nothing is left)

import Glibc
import VarveCore
import VarveIO

package final class AtomicFile {
  private let path: String
  private let temporary: String
  private let files = PosixFileSystem()
  private let file: any File
  private var isCommitted = false
  package private(set) var byteCount = 0
  /// What is at the path is a device or a pipe, which takes the bytes itself.
  private let isInPlace: Bool

  /// Throws `already_exists` unless `replaces`.
  package init(_ path: String, replaces: Bool) throws {
    self.path = path
    var status = stat()
    let isThere = stat(path, &status) == 0
    if isThere, status.st_mode & S_IFMT == S_IFDIR { throw VarveError(.inputOutput, "\(path) is a directory") }
    isInPlace = isThere && status.st_mode & S_IFMT != S_IFREG
    if isThere, !isInPlace, !replaces {
      throw VarveError(.alreadyExists, "\(path) is there already", hint: "--force replaces it")
    }
    temporary = isInPlace ? path : "\(path).\(getpid()).part"
    file = try files.open(temporary, isInPlace ? .readWrite : .createNew)
  }

  deinit {
    file.close()
    guard !isCommitted, !isInPlace else { return }
    // What failed is being told; a leftover that cannot be removed is only a leftover.
    do { try files.remove(temporary) } catch {}
  }

  package func write(_ bytes: UnsafeRawBufferPointer) throws {
    try file.write(bytes, at: byteCount)
    byteCount += bytes.count
  }

  /// From now on it is there, also after a crash.
  package func commit() throws {
    if isInPlace { return isCommitted = true }
    try file.sync()
    try files.rename(temporary, to: path)
    isCommitted = true
    let parent = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    try files.syncDirectory(parent)
  }
}
