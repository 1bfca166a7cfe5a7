// The directory lock of the real disk: flock(2), which excludes other opens in this process as well as in others and
// ends with its process. The file names the process that holds it exclusively; that is for messages only, so what
// goes wrong with the name (a full disk, a read-only one) never costs the lock.

import Glibc
import Synchronization
import VarveCore

final class PosixLock: FileLock {
  private let descriptor: Mutex<Int32>
  private let isShared: Bool

  init(_ path: String, shared: Bool) throws {
    let descriptor = try Self.open(path, shared: shared)
    while flock(descriptor, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0 {
      let code = errno
      if code == EINTR { continue }
      defer { Glibc.close(descriptor) }
      guard code == EWOULDBLOCK else { throw systemError("flock", path, code) }
      throw VarveError.directoryInUse(by: Self.holder(descriptor), path)
    }
    // A holder that was killed left its name, which must not be blamed for what a reader holds.
    Self.setHolder(shared ? nil : getpid(), descriptor)
    self.descriptor = Mutex(descriptor)
    isShared = shared
  }

  deinit { release() }

  func release() {
    descriptor.withLock { descriptor in
      guard descriptor >= 0 else { return }
      if !isShared { Self.setHolder(nil, descriptor) }
      // Closing the last descriptor of the open file drops its lock.
      Glibc.close(descriptor)
      descriptor = -1
    }
  }

  private static func open(_ path: String, shared: Bool) throws -> Int32 {
    while true {
      let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
      if descriptor >= 0 { return descriptor }
      let code = errno
      if code == EINTR { continue }
      guard shared, code == EACCES || code == EPERM || code == EROFS else { throw systemError("open", path, code) }
      // Whoever may only read the directory may still share it.
      return try retrying("open", path) { Glibc.open(path, O_RDONLY | O_CLOEXEC) }
    }
  }

  private static func holder(_ descriptor: Int32) -> String {
    var bytes = [UInt8](repeating: 0, count: 32)
    let count = pread(descriptor, &bytes, bytes.count, 0)
    let digits = bytes.prefix(max(count, 0)).prefix { $0 >= 48 && $0 <= 57 }
    guard let process = Int32(String(decoding: digits, as: UTF8.self)) else { return "another process" }
    return process == getpid() ? "this process" : "process \(process)"
  }

  private static func setHolder(_ process: pid_t?, _ descriptor: Int32) {
    let text = process.map { Array("\($0)\n".utf8) } ?? []
    guard ftruncate(descriptor, 0) == 0 else { return }
    _ = pwrite(descriptor, text, text.count, 0)
  }
}
