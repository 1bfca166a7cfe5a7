// A file, or standard input, read from front to end: what `varve import` reads.

import Glibc
import VarveCore

package final class InputFile {
  package let name: String
  /// Bytes in all; nil for a pipe or a terminal.
  package let byteCount: Int?
  package private(set) var consumedByteCount = 0
  private let descriptor: Int32
  private let isOurs: Bool

  /// `-` is standard input.
  package init(_ path: String) throws {
    if path == "-" {
      name = "standard input"
      descriptor = 0
      isOurs = false
    } else {
      name = path
      descriptor = open(path, O_RDONLY | O_CLOEXEC)
      isOurs = true
      guard descriptor >= 0 else {
        throw VarveError(
          errno == ENOENT ? .notFound : .inputOutput, "cannot open \(path): \(String(cString: strerror(errno)))")
      }
    }
    var status = stat()
    byteCount = fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG ? Int(status.st_size) : nil
    if status.st_mode & S_IFMT == S_IFDIR { throw VarveError(.inputOutput, "\(path) is a directory") }
  }

  deinit { if isOurs { close(descriptor) } }

  /// As much as there is at once, at most the buffer; 0 at the end.
  package func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    while true {
      let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
      if count >= 0 {
        consumedByteCount += count
        return count
      }
      if errno != EINTR { throw VarveError(.inputOutput, "cannot read \(name): \(String(cString: strerror(errno)))") }
    }
  }
}

extension InputFile {
  /// All of it. Throws `limit_exceeded` for more bytes, `invalid_utf8` for other than text.
  package func readText(limit: Int) throws -> String {
    var bytes: [UInt8] = []
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 * 1024, alignment: 1)
    defer { buffer.deallocate() }
    while true {
      let count = try read(into: buffer)
      if count == 0 { break }
      bytes += UnsafeRawBufferPointer(buffer)[..<count]
      guard bytes.count <= limit else {
        throw VarveError(.limitExceeded, "the SQL text of \(name) is longer than \(limit) bytes")
      }
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw VarveError(.invalidUTF8, "the SQL text of \(name) is not UTF-8")
    }
    return text
  }
}

/// A text file that is written from front to end, replacing what was there.
package final class OutputFile {
  private let descriptor: Int32
  private let path: String

  package init(_ path: String) throws {
    self.path = path
    descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw VarveError(.inputOutput, "cannot write \(path): \(String(cString: strerror(errno)))")
    }
  }

  deinit { close(descriptor) }

  package func write(_ text: String) throws {
    var text = text
    try text.withUTF8 { try write(UnsafeRawBufferPointer($0)) }
  }

  package func write(_ bytes: UnsafeRawBufferPointer) throws {
    var done = 0
    while done < bytes.count {
      let count = Glibc.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
      if count >= 0 {
        done += count
      } else if errno != EINTR {
        throw VarveError(.inputOutput, "cannot write \(path): \(String(cString: strerror(errno)))")
      }
    }
  }
}
