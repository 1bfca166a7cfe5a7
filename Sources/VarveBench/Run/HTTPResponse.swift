// Reads the answers to requests over HTTP/1.1, as much of it as a server's answers to writes have.

import VarveCore

struct HTTPResponse: Equatable {
  var status = 0
  /// The connection ends behind it.
  var closes = false
  /// Of `Retry-After`, in seconds.
  var retryAfterSeconds: Int?
  var body = ""

  /// Takes an answer from the front of the buffer; nil while it is not whole. Intermediate ones (1xx) are skipped.
  static func take(from buffer: Buffer<UInt8>) throws -> HTTPResponse? {
    while true {
      guard let head = headLength(buffer.span) else {
        guard buffer.count <= 64 * 1024 else { throw stranger(buffer.span) }
        return nil
      }
      let lines = String(decoding: buffer.span[..<head], as: UTF8.self).split(separator: "\r\n")
      let words = lines.first?.split(separator: " ", maxSplits: 2) ?? []
      guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]) else {
        throw stranger(buffer.span)
      }
      var response = HTTPResponse(status: status)
      var length = 0
      for line in lines.dropFirst() {
        let parts = line.split(separator: ":", maxSplits: 1)
        guard parts.count == 2 else { continue }
        let value = parts[1].drop { $0 == " " }
        switch parts[0].lowercased() {
        case "content-length": length = Int(value) ?? -1
        case "connection": response.closes = value.lowercased() == "close"
        case "retry-after": response.retryAfterSeconds = Int(value)
        case "transfer-encoding": length = -1
        default: break
        }
      }
      guard (0...1 << 24).contains(length) else { throw stranger(buffer.span) }
      guard buffer.count >= head + length else { return nil }
      response.body = String(decoding: buffer.span[head..<(head + length)], as: UTF8.self)
      buffer.base.update(from: buffer.base + head + length, count: buffer.count - head - length)
      buffer.count -= head + length
      if status >= 200 { return response }
    }
  }

  /// Behind the empty line.
  private static func headLength(_ bytes: UnsafeBufferPointer<UInt8>) -> Int? {
    guard bytes.count >= 4 else { return nil }
    for end in 3..<bytes.count
    where bytes[end] == 0x0A && bytes[end - 1] == 0x0D && bytes[end - 2] == 0x0A && bytes[end - 3] == 0x0D {
      return end + 1
    }
    return nil
  }

  private static func stranger(_ bytes: UnsafeBufferPointer<UInt8>) -> VarveError {
    let text = String(decoding: bytes.prefix(100), as: UTF8.self)
    return VarveError(.inputOutput, "this is no HTTP port of Varve: it answered '\(text)'")
  }
}
