// A command of the user's, such as a pager or an editor, run by the shell on the terminal that this process has.

import Glibc
import VarveCore

package final class ShellCommand {
  private var process: pid_t = 0
  /// Where its standard input is written to; negative: it has the terminal's.
  private var input: Int32 = -1

  /// `takesInput`: its standard input is what `write` gives it. `variables` are added to the environment.
  package init(_ command: String, takesInput: Bool, variables: [String: String] = [:]) throws {
    var ends: [Int32] = [-1, -1]
    if takesInput {
      guard pipe(&ends) == 0 else { throw Self.failure("the system refuses a pipe", errno) }
      for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
      // A pager that is left before its end is no reason to die.
      signal(SIGPIPE, SIG_IGN)
    }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    if takesInput { posix_spawn_file_actions_adddup2(&actions, ends[0], 0) }
    // What this process heeds in its own way, the command does in the usual one.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGPIPE)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF))
    var environment = ProcessEnvironment.variables()
    environment.merge(variables) { old, _ in old }
    let words = (["sh", "-c", command] as [String]).map { strdup($0) } + [nil]
    let settings = environment.map { strdup("\($0)=\($1)") } + [nil]
    defer { for text in words + settings { free(text) } }
    let code = posix_spawn(&process, "/bin/sh", &actions, &attributes, words, settings)
    if takesInput { close(ends[0]) }
    guard code == 0 else {
      if takesInput { close(ends[1]) }
      throw Self.failure("cannot run \(command)", code)
    }
    input = ends[1]
  }

  deinit { if input >= 0 { close(input) } }

  /// False: it takes no more.
  package func write(_ bytes: UnsafeRawBufferPointer) throws -> Bool {
    var done = 0
    while done < bytes.count {
      let count = Glibc.write(input, bytes.baseAddress! + done, bytes.count - done)
      if count >= 0 {
        done += count
      } else if errno == EPIPE {
        return false
      } else if errno != EINTR {
        throw Self.failure("cannot write to a command", errno)
      }
    }
    return true
  }

  /// Ends its input and waits for its end. Gives its exit code; nil: a signal ended it.
  @discardableResult
  package func wait() -> Int32? {
    if input >= 0 { close(input) }
    input = -1
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0, errno == EINTR {}
    return status & 0x7F == 0 ? (status >> 8) & 0xFF : nil
  }

  /// Whether a program is found where the shell looks.
  package static func exists(_ program: String) -> Bool {
    (ProcessEnvironment.variables()["PATH"] ?? "").split(separator: ":").contains {
      access("\($0)/\(program)", X_OK) == 0
    }
  }

  private static func failure(_ what: String, _ code: Int32) -> VarveError {
    VarveError(.inputOutput, "\(what): \(String(cString: strerror(code)))")
  }
}
