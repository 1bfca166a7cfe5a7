// Ctrl-C while a statement runs: the statement ends, the program goes on.
//
// The handler may do next to nothing, and may run on any thread: it writes a byte into a pipe, and a thread of ours waits
// at the other end.

import Glibc
import Synchronization
import VarveIO

package enum KeyboardInterrupt {
  /// Written once before the handler is installed, read by the handler.
  nonisolated(unsafe) private static var pipeEnd: Int32 = -1

  private struct State {
    /// What ends the work at hand; nil: there is none, and an interrupt ends the program.
    var end: (@Sendable () -> Void)?
    var count = 0
  }
  private static let state = Mutex(State())

  /// Runs `body`, which `end` ends soon when it is called, on another thread.
  package static func during<T>(end: @escaping @Sendable () -> Void, _ body: () throws -> T) throws -> T {
    install()
    state.withLock { $0 = State(end: end) }
    defer { state.withLock { $0.end = nil } }
    return try body()
  }

  /// Whether there was an interrupt since the innermost `during` began.
  package static var hasCome: Bool { state.withLock { $0.count > 0 } }

  /// Waits that long, or until an interrupt. True: there was one.
  package static func wait(milliseconds: Int) -> Bool {
    let start = ProcessEnvironment.monotonicSeconds()
    while !hasCome {
      let left = Double(milliseconds) / 1000 - (ProcessEnvironment.monotonicSeconds() - start)
      if left <= 0 { return false }
      usleep(useconds_t(min(left, 0.02) * 1e6))
    }
    return true
  }

  private static func install() {
    guard pipeEnd < 0 else { return }
    var ends: [Int32] = [-1, -1]
    precondition(pipe(&ends) == 0, "the system refuses a pipe (error \(errno))")
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    let source = ends[0]
    pipeEnd = ends[1]
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { _ in
      let saved = errno
      var byte: UInt8 = 1
      _ = write(KeyboardInterrupt.pipeEnd, &byte, 1)
      errno = saved
    }
    action.sa_flags = SA_RESTART
    sigaction(SIGINT, &action, nil)
    _ = WorkerThread(name: "varve-interrupts") {
      while true {
        var byte: UInt8 = 0
        guard read(source, &byte, 1) == 1 else { continue }
        let end = state.withLock { state in
          state.count += 1
          return state.end
        }
        guard let end else { _exit(130) }
        end()
      }
    }
  }
}
