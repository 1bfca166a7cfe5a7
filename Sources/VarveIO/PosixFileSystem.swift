// The real disk, by POSIX calls. The only place, besides sockets, where the system is called.

import Glibc
import VarveCore

package struct PosixFileSystem: FileSystem {
  private let rings: IORings?

  /// Batches are read through io_uring where the system has it, unless `usesIORing` is false.
  package init(usesIORing: Bool = true) {
    Descriptors.prepare()
    rings = usesIORing ? IORings.shared : nil
  }

  /// Whether io_uring is in use in this process, in words, and if not why not.
  package static var ioRingState: String { IORings.state }

  package func open(_ path: String, _ mode: OpenMode) throws -> any File {
    let flags: Int32 =
      switch mode {
      case .read: O_RDONLY
      case .readWrite: O_RDWR
      case .createNew: O_RDWR | O_CREAT | O_EXCL
      }
    let descriptor = try Descriptors.open(path, flags)
    // The system opens directories for reading; nobody here means to.
    let file = PosixFile(descriptor: descriptor, path: path, rings: rings)
    var status = stat()
    _ = try retrying("fstat", path) { fstat(descriptor, &status) }
    guard status.st_mode & S_IFMT != S_IFDIR else { throw systemError("open", path, EISDIR) }
    return file
  }

  package func exists(_ path: String) throws -> Bool {
    var status = stat()
    if stat(path, &status) == 0 { return true }
    if errno == ENOENT || errno == ENOTDIR { return false }
    throw systemError("stat", path, errno)
  }

  package func byteCount(_ path: String) throws -> Int {
    var status = stat()
    _ = try retrying("stat", path) { stat(path, &status) }
    guard status.st_mode & S_IFMT != S_IFDIR else { throw systemError("stat", path, EISDIR) }
    return Int(status.st_size)
  }

  package func createDirectory(_ path: String) throws {
    if mkdir(path, 0o755) == 0 { return }
    let code = errno
    var status = stat()
    if code == EEXIST, stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR { return }
    throw systemError("mkdir", path, code)
  }

  package func list(_ path: String) throws -> [String] {
    guard let directory = opendir(path) else { throw systemError("opendir", path, errno) }
    defer { closedir(directory) }
    var names: [String] = []
    while true {
      errno = 0
      guard let entry = readdir(directory) else {
        if errno != 0 { throw systemError("readdir", path, errno) }
        break
      }
      let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  package func rename(_ source: String, to target: String) throws {
    _ = try retrying("rename", source) { Glibc.rename(source, target) }
  }

  package func remove(_ path: String) throws { _ = try retrying("unlink", path) { unlink(path) } }

  package func removeDirectory(_ path: String) throws { _ = try retrying("rmdir", path) { rmdir(path) } }

  package func syncDirectory(_ path: String) throws {
    try Descriptors.withDirectory(path) { descriptor in
      // Not retried: after a failed sync nothing is known (EINTR cannot come from fsync on local file systems).
      if fsync(descriptor) != 0 { throw systemError("fsync", path, errno) }
    }
  }

  package func lock(_ path: String, shared: Bool) throws -> any FileLock { try PosixLock(path, shared: shared) }

  package func freeByteCount(_ path: String) throws -> Int {
    var status = statvfs()
    _ = try retrying("statvfs", path) { statvfs(path, &status) }
    // Some network file systems report absurd sizes.
    let (bytes, overflow) = UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize))
    return overflow ? .max : Int(clamping: bytes)
  }
}
