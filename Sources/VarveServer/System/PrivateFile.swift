// A small text file that only its owner may read, such as the history of a prompt.

import Glibc
import VarveCore

package struct PrivateFile: Sendable {
  package let path: String
  package init(_ path: String) { self.path = path }

  /// The text; nil where there is no file, or none that can be read. At most the last `limit` bytes.
  package func read(limit: Int) -> [UInt8]? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    let byteCount = lseek(descriptor, 0, SEEK_END)
    guard byteCount >= 0, lseek(descriptor, max(0, byteCount - limit), SEEK_SET) >= 0 else { return nil }
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = Glibc.read(descriptor, &piece, piece.count)
      if count == 0 { return bytes }
      if count > 0 {
        bytes += piece[..<count]
      } else if errno != EINTR {
        return nil
      }
    }
  }

  /// Adds to the end in one write, so that two programs do not mix their lines.
  package func append(_ bytes: [UInt8]) throws { try write(bytes, to: path, O_APPEND) }

  /// Puts `bytes` in place of what is there; whoever reads sees the one or the other.
  package func replace(_ bytes: [UInt8]) throws {
    let temporary = "\(path).\(getpid())"
    try write(bytes, to: temporary, O_TRUNC)
    guard rename(temporary, path) == 0 else {
      let error = failure(errno)
      unlink(temporary)
      throw error
    }
  }

  private func write(_ bytes: [UInt8], to path: String, _ flags: Int32) throws {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0o600)
    guard descriptor >= 0 else { throw failure(errno) }
    defer { close(descriptor) }
    // Also where the file was made by something less careful.
    guard fchmod(descriptor, 0o600) == 0 else { throw failure(errno) }
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + done, bytes.count - done) }
      if count >= 0 {
        done += count
      } else if errno != EINTR {
        throw failure(errno)
      }
    }
  }

  private func failure(_ code: Int32) -> VarveError {
    VarveError(.inputOutput, "cannot write \(path): \(String(cString: strerror(code)))")
  }
}
