// An answer packed as it is made (RFC 1952): each piece can be unpacked by who has those before it, so rows are not held
// back. Used by one thread at a time.

import CZlib
import VarveCore

final class GzipStream {
  /// Text of rows shrinks to a tenth at the fastest level already.
  private static let level: Int32 = 1

  private var stream = z_stream()

  init() throws {
    guard czlib_begin_gzip(&stream, Self.level) == Z_OK else {
      throw VarveError(.limitExceeded, "there is no memory to pack an answer", sqlState: "53200")
    }
  }

  deinit { deflateEnd(&stream) }

  /// The bytes that follow those given before; with the last ones, the end.
  func pack(_ bytes: [UInt8], isLast: Bool) -> [UInt8] {
    var packed: [UInt8] = []
    bytes.withUnsafeBufferPointer { input in
      // zlib only reads them.
      stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
      stream.avail_in = UInt32(input.count)
      repeat {
        packed.append(contentsOf: nextPart(flush: isLast ? Z_FINISH : Z_SYNC_FLUSH))
      } while stream.avail_out == 0
      stream.next_in = nil
    }
    return packed
  }

  private func nextPart(flush: Int32) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: 16 * 1024) { output, count in
      stream.next_out = output.baseAddress
      stream.avail_out = UInt32(output.count)
      let status = deflate(&stream, flush)
      precondition(status != Z_STREAM_ERROR, "a stream of zlib is used in order")
      count = output.count - Int(stream.avail_out)
      stream.next_out = nil
    }
  }

  /// Whether a client that says so takes gzip (RFC 9110, 12.5.3).
  static func isAccepted(_ acceptEncoding: [Substring]) -> Bool {
    var isAcceptedByName: Bool?
    var isAnyAccepted = false
    for entry in acceptEncoding {
      let parts = entry.split(separator: ";").map { $0.filter { !$0.isWhitespace }.lowercased() }
      guard let coding = parts.first else { continue }
      let weight = parts.dropFirst().first { $0.hasPrefix("q=") }.map { Double($0.dropFirst(2)) ?? 0 } ?? 1
      if coding == "gzip" || coding == "x-gzip" { isAcceptedByName = weight > 0 }
      if coding == "*" { isAnyAccepted = weight > 0 }
    }
    return isAcceptedByName ?? isAnyAccepted
  }
}
