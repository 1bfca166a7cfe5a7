// Who speaks another protocol to the line protocol port is told so in a form that its program shows, instead of a
// list of rejected lines. No line of line protocol begins as these do: the first bytes of TLS and PostgreSQL are
// control characters, and an HTTP request line ends in what can be no time stamp.

import VarveCore

/// What the first bytes of a connection are.
enum ForeignProtocol {
  case undecided
  case lineProtocol
  case http
  case tls
  case postgres

  private static let methods = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE", "PRI",
  ].map { Array(($0 + " ").utf8) }
  private static let requestLineByteLimit = 8 * 1024

  /// `bytes` are all there are so far; `ended` when no more will come.
  static func recognise(_ bytes: [UInt8], ended: Bool) -> ForeignProtocol {
    guard let first = bytes.first else { return ended ? .lineProtocol : .undecided }
    if first == 0x16 {
      guard bytes.count >= 3 else { return ended ? .lineProtocol : .undecided }
      return bytes[1] == 3 && bytes[2] <= 4 ? .tls : .lineProtocol
    }
    if first == 0 {
      guard bytes.count >= 8 else { return ended ? .lineProtocol : .undecided }
      let code = bytes[4..<8].reduce(0) { $0 << 8 | UInt32($1) }
      let codes: [UInt32] = [196_608, 80_877_102, 80_877_103, 80_877_104]
      return codes.contains(code) || code >> 16 == 3 ? .postgres : .lineProtocol
    }
    guard methods.contains(where: { $0.starts(with: bytes.prefix($0.count)) }) else { return .lineProtocol }
    guard let lineBreak = bytes.prefix(requestLineByteLimit).firstIndex(of: 0x0A) else {
      return ended || bytes.count >= requestLineByteLimit ? .lineProtocol : .undecided
    }
    var line = bytes[..<lineBreak]
    if line.last == 0x0D { line.removeLast() }
    let version = Array(line.suffix(9))
    return version.count == 9 && version.starts(with: " HTTP/".utf8) ? .http : .lineProtocol
  }

  /// The answer after which the connection is closed; nil for line protocol.
  var answer: [UInt8]? {
    let message = "this port takes line protocol over plain TCP"
    switch self {
    case .undecided, .lineProtocol: return nil
    case .http:
      let body = message + "; HTTP is served on the --http port (8086 unless set otherwise)\n"
      return Array(
        ("HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: \(body.utf8.count)\r\n"
          + "Connection: close\r\n\r\n" + body).utf8)
    case .tls:
      return Array(
        "end error line=1 column=1 code=unsupported message=\(JSONText.string(message + ", this is a TLS handshake"))\n"
          .utf8)
    case .postgres:
      let text = message + "; SQL is served on the --postgres port (5433 unless set otherwise)"
      var fields: [UInt8] = []
      for (name, value) in [("S", "FATAL"), ("V", "FATAL"), ("C", "08P01"), ("M", text)] {
        fields += Array(name.utf8) + Array(value.utf8) + [0]
      }
      fields.append(0)
      let count = UInt32(fields.count + 4)
      return [0x45] + (0..<4).map { UInt8(truncatingIfNeeded: count >> UInt32(24 - 8 * $0)) } + fields
    }
  }
}
