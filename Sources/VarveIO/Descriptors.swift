// Opening when the process, or the system, has no descriptor left. That passes: other files and connections are closed
// all the time. So opening waits for it, but not for long, and not again right after it was in vain.

import Glibc
import Synchronization
import VarveCore

enum Descriptors {
  private static let patienceNanoseconds: Int64 = 500_000_000
  /// Monotonic time before which nobody waits again.
  private static let noWaitingBefore = Atomic<Int64>(0)
  /// Held for directories: what a sync of a name needs must be there, or a log with room to go on would have to end.
  private static let spare = Mutex<Int32>(Glibc.open("/dev/null", O_RDONLY | O_CLOEXEC))

  /// Takes the spare one while there are some.
  static func prepare() { spare.withLock { _ in } }

  static func open(_ path: String, _ flags: Int32) throws -> Int32 {
    var patience: Int64?
    while true {
      let descriptor = Glibc.open(path, flags | O_CLOEXEC, 0o644)
      if descriptor >= 0 { return descriptor }
      let code = errno
      if code == EINTR { continue }
      guard code == EMFILE || code == ENFILE else { throw systemError("open", path, code) }
      IORings.shared?.closeIdle()
      let now = SystemClock().monotonicNanoseconds()
      let deadline = patience ?? (now < noWaitingBefore.load(ordering: .relaxed) ? now : now + patienceNanoseconds)
      patience = deadline
      guard now < deadline else {
        noWaitingBefore.store(now + 2 * patienceNanoseconds, ordering: .relaxed)
        throw systemError("open", path, code)
      }
      usleep(5_000)
    }
  }

  /// Opens for the time of `body`, with the descriptor that is kept for it if there is no other.
  static func withDirectory<T>(_ path: String, _ body: (Int32) throws -> T) throws -> T {
    let flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC
    var descriptor = Glibc.open(path, flags)
    if descriptor < 0, errno == EMFILE || errno == ENFILE {
      return try spare.withLock { spare in
        if spare >= 0 { close(spare) }
        spare = -1
        // Another thread may have been faster; then there is none until one is closed. What is opened here stays open, as
        // the next spare one.
        spare = try open(path, flags)
        return try body(spare)
      }
    }
    if descriptor < 0 { descriptor = try open(path, flags) }
    defer { close(descriptor) }
    return try body(descriptor)
  }
}
