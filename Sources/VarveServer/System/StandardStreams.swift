// Standard output, standard error and standard input of the process, without buffering of their own.

import Glibc
import VarveCore

package enum StandardStreams {
  package enum Stream: Int32, Sendable {
    case input = 0
    case output = 1
    case error = 2
  }

  package static func isTerminal(_ stream: Stream) -> Bool { isatty(stream.rawValue) == 1 }

  /// Columns of the terminal behind a stream; nil if there is none.
  package static func width(_ stream: Stream) -> Int? {
    var size = winsize()
    guard ioctl(stream.rawValue, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
    return Int(size.ws_col)
  }

  /// Rows of the terminal behind a stream; nil if there is none.
  package static func height(_ stream: Stream) -> Int? {
    var size = winsize()
    guard ioctl(stream.rawValue, UInt(TIOCGWINSZ), &size) == 0, size.ws_row > 0 else { return nil }
    return Int(size.ws_row)
  }

  /// Writes all of it, or throws.
  package static func write(_ bytes: UnsafeRawBufferPointer, to stream: Stream = .output) throws {
    var done = 0
    while done < bytes.count {
      let count = Glibc.write(stream.rawValue, bytes.baseAddress! + done, bytes.count - done)
      if count >= 0 {
        done += count
      } else if errno != EINTR {
        throw VarveError(
          .inputOutput,
          "cannot write to standard \(stream == .error ? "error" : "output"): \(String(cString: strerror(errno)))")
      }
    }
  }

  package static func write(_ text: String, to stream: Stream = .output) throws {
    var text = text
    try text.withUTF8 { try write(UnsafeRawBufferPointer($0), to: stream) }
  }

  /// A line for people, where nothing can be done if it cannot be written.
  package static func note(_ text: String) {
    var text = text + "\n"
    text.withUTF8 { bytes in _ = Glibc.write(Stream.error.rawValue, bytes.baseAddress, bytes.count) }
  }
}
