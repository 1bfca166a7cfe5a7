// The real disk, by POSIX calls. The only place, besides sockets, where the system is called.

import Glibc
import Synchronization
import VarveCore

package struct PosixFileSystem: FileSystem {
  package init() {}

  package func open(_ path: String, _ mode: OpenMode) throws -> any File {
    let flags: Int32 =
      switch mode {
      case .read: O_RDONLY
      case .readWrite: O_RDWR
      case .createNew: O_RDWR | O_CREAT | O_EXCL
      }
    let descriptor = try retrying("open", path) { Glibc.open(path, flags | O_CLOEXEC, 0o644) }
    return PosixFile(descriptor: descriptor, path: path)
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
    return names.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
  }

  package func rename(_ source: String, to target: String) throws {
    _ = try retrying("rename", source) { Glibc.rename(source, target) }
  }

  package func remove(_ path: String) throws { _ = try retrying("unlink", path) { unlink(path) } }

  package func syncDirectory(_ path: String) throws {
    let descriptor = try retrying("open", path) { Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
    defer { Glibc.close(descriptor) }
    // Not retried: after a failed sync nothing is known (EINTR cannot come from fsync on the local file systems of Linux).
    if fsync(descriptor) != 0 { throw systemError("fsync", path, errno) }
  }

  package func lock(_ path: String, shared: Bool) throws -> any FileLock {
    let descriptor = try retrying("open", path) { Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644) }
    while flock(descriptor, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0 {
      let code = errno
      if code == EINTR { continue }
      defer { Glibc.close(descriptor) }
      guard code == EWOULDBLOCK else { throw systemError("flock", path, code) }
      let holder = Self.holder(descriptor)
      throw VarveError(
        .directoryLocked, "the data directory is in use by \(holder.map { "process \($0)" } ?? "another process")",
        hint: "stop that process, or go through its server with --connect", place: path)
    }
    if !shared { try Self.write(holder: getpid(), descriptor, path) }
    return PosixLock(descriptor: descriptor)
  }

  package func freeByteCount(_ path: String) throws -> Int {
    var status = statvfs()
    _ = try retrying("statvfs", path) { statvfs(path, &status) }
    return Int(status.f_bavail) * Int(status.f_frsize)
  }

  /// The process that the lock file names: for messages only, the lock itself is the kernel's.
  private static func holder(_ descriptor: Int32) -> Int? {
    var bytes = [UInt8](repeating: 0, count: 32)
    let count = pread(descriptor, &bytes, bytes.count, 0)
    guard count > 0 else { return nil }
    return Int(String(decoding: bytes[..<count].prefix { $0 >= 48 && $0 <= 57 }, as: UTF8.self))
  }

  private static func write(holder: pid_t, _ descriptor: Int32, _ path: String) throws {
    let text = Array("\(holder)\n".utf8)
    guard ftruncate(descriptor, 0) == 0, pwrite(descriptor, text, text.count, 0) == text.count else {
      let code = errno
      Glibc.close(descriptor)
      throw systemError("write", path, code)
    }
  }
}

/// Calls again after an interruption; throws what else goes wrong.
private func retrying(_ operation: String, _ path: String, _ call: () -> Int32) throws -> Int32 {
  while true {
    let result = call()
    if result >= 0 { return result }
    if errno != EINTR { throw systemError(operation, path, errno) }
  }
}

private func systemError(_ operation: String, _ path: String, _ code: Int32) -> VarveError {
  let reason = String(cString: strerror(code))
  let kind: VarveError.Code =
    switch code {
    case ENOENT, ENOTDIR: .notFound
    case EEXIST: .alreadyExists
    case ENOSPC, EDQUOT: .diskFull
    default: .inputOutput
    }
  return VarveError(kind, "\(operation): \(reason)", place: path)
}

/// An open file; its descriptor is closed once, by `close` or with the last reference.
final class PosixFile: File {
  let path: String
  private let descriptor: Mutex<Int32>

  init(descriptor: Int32, path: String) {
    self.path = path
    self.descriptor = Mutex(descriptor)
  }

  deinit { close() }

  func byteCount() throws -> Int {
    var status = stat()
    let descriptor = try current()
    _ = try retrying("fstat", path) { fstat(descriptor, &status) }
    return Int(status.st_size)
  }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int {
    let descriptor = try current()
    var done = 0
    while done < buffer.count, let base = buffer.baseAddress {
      let count = pread(descriptor, base + done, buffer.count - done, off_t(offset + done))
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw systemError("pread", path, errno) }
      if count == 0 { break }
      done += count
    }
    return done
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
    let descriptor = try current()
    var done = 0
    while done < bytes.count, let base = bytes.baseAddress {
      let count = pwrite(descriptor, base + done, bytes.count - done, off_t(offset + done))
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw systemError("pwrite", path, count == 0 ? ENOSPC : errno) }
      done += count
    }
  }

  func sync() throws {
    let descriptor = try current()
    if fdatasync(descriptor) != 0 { throw systemError("fdatasync", path, errno) }
  }

  func truncate(to byteCount: Int) throws {
    let descriptor = try current()
    _ = try retrying("ftruncate", path) { ftruncate(descriptor, off_t(byteCount)) }
  }

  func close() {
    descriptor.withLock { descriptor in
      if descriptor >= 0 { Glibc.close(descriptor) }
      descriptor = -1
    }
  }

  private func current() throws -> Int32 {
    let descriptor = descriptor.withLock { $0 }
    guard descriptor >= 0 else { throw VarveError(.inputOutput, "the file is closed", place: path) }
    return descriptor
  }
}

final class PosixLock: FileLock {
  private let descriptor: Mutex<Int32>

  init(descriptor: Int32) { self.descriptor = Mutex(descriptor) }

  deinit { release() }

  func release() {
    descriptor.withLock { descriptor in
      // Closing the last descriptor of the open file drops its lock.
      if descriptor >= 0 { Glibc.close(descriptor) }
      descriptor = -1
    }
  }
}
