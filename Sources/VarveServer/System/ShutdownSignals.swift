// SIGTERM and SIGINT: the first asks to stop, a second one ends the process at once.
//
// The handler may do next to nothing, and may run on any thread: it writes a byte into a pipe, and a thread of ours
// waits at the other end.

import Glibc
import VarveIO

package enum ShutdownSignals {
  /// Written once before the handler is installed, read by the handler.
  nonisolated(unsafe) private static var pipeEnd: Int32 = -1

  /// Calls `body` on a thread of its own at the first signal. Once a process.
  package static func onFirst(_ body: @escaping @Sendable (_ signal: String) -> Void) {
    precondition(pipeEnd < 0, "signals are handled once a process")
    var ends: [Int32] = [-1, -1]
    precondition(pipe(&ends) == 0, "the system refuses a pipe (error \(errno))")
    let source = ends[0]
    pipeEnd = ends[1]
    for signal in [SIGTERM, SIGINT] {
      var action = sigaction()
      action.__sigaction_handler.sa_handler = { signal in
        let saved = errno
        var byte = UInt8(truncatingIfNeeded: signal)
        _ = write(ShutdownSignals.pipeEnd, &byte, 1)
        errno = saved
      }
      action.sa_flags = SA_RESTART
      sigaction(signal, &action, nil)
    }
    _ = WorkerThread(name: "varve-signals") {
      var isFirst = true
      while true {
        var byte: UInt8 = 0
        guard read(source, &byte, 1) == 1 else { continue }
        if !isFirst { _exit(128 + Int32(byte)) }
        isFirst = false
        body(Int32(byte) == SIGTERM ? "SIGTERM" : "SIGINT")
      }
    }
  }
}
