// The terminal behind standard input, for a program that draws its own line: keys come one by one, unechoed.

import Glibc
import VarveCore

package final class Terminal {
  private var before = termios()

  /// nil where standard input or output is no terminal, or one that cannot move its cursor.
  package init?() {
    guard StandardStreams.isTerminal(.input), StandardStreams.isTerminal(.output), tcgetattr(0, &before) == 0 else {
      return nil
    }
    let kind = ProcessEnvironment.variables()["TERM"] ?? ""
    if kind.isEmpty || kind == "dumb" { return nil }
  }

  /// Runs `body` with keys unechoed and without signals from them. What was typed ahead stays.
  package func raw<T>(_ body: () throws -> T) throws -> T {
    var raw = before
    cfmakeraw(&raw)
    // Line ends that are written still begin a new line.
    raw.c_oflag |= tcflag_t(OPOST)
    guard tcsetattr(0, TCSADRAIN, &raw) == 0 else {
      throw VarveError(.inputOutput, "cannot change the terminal's mode: \(String(cString: strerror(errno)))")
    }
    defer { tcsetattr(0, TCSADRAIN, &before) }
    return try body()
  }

  /// Whether a byte can be read at once.
  package var hasInput: Bool {
    var descriptor = pollfd(fd: 0, events: Int16(POLLIN), revents: 0)
    return poll(&descriptor, 1, 0) > 0
  }

  /// The next byte; nil at the end of the input, or when none came in time.
  package func readByte(milliseconds: Int? = nil) throws -> UInt8? {
    var descriptor = pollfd(fd: 0, events: Int16(POLLIN), revents: 0)
    var byte: UInt8 = 0
    while true {
      if let milliseconds {
        let ready = poll(&descriptor, 1, Int32(clamping: milliseconds))
        if ready == 0 { return nil }
        if ready < 0, errno == EINTR { continue }
      }
      let count = read(0, &byte, 1)
      if count == 1 { return byte }
      // EIO: the terminal is gone.
      if count == 0 || errno == EIO { return nil }
      if errno != EINTR {
        throw VarveError(.inputOutput, "cannot read the terminal: \(String(cString: strerror(errno)))")
      }
    }
  }
}
