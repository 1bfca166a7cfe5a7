// A peer whose first bytes are no startup packet most often speaks another protocol. It is answered in words that
// it can read, where its protocol has any, so that a wrong port shows in the peer's own log.

enum StrangerAtStartup {
  case http, tls, other

  init(_ firstBytes: ArraySlice<UInt8>) {
    let methods = ["GET ", "POST", "PUT ", "HEAD", "DELE", "OPTI", "PATC", "CONN", "TRAC"]
    if methods.contains(where: { firstBytes.starts(with: $0.utf8) }) {
      self = .http
    } else if firstBytes.starts(with: [0x16, 0x03]) {
      self = .tls
    } else {
      self = .other
    }
  }

  static let explanation = "this port speaks the PostgreSQL protocol, and what was received is not a startup packet"

  func answer(to writer: BackendWriter) {
    switch self {
    case .http:
      let body = "\(Self.explanation) but HTTP\n"
      writer.raw(
        Array(
          """
          HTTP/1.1 400 Bad Request\r
          Content-Type: text/plain; charset=utf-8\r
          Content-Length: \(body.utf8.count)\r
          Connection: close\r
          \r
          \(body)
          """.utf8))
    case .tls:
      // A fatal alert handshake_failure (RFC 8446, section 6): a client that starts with TLS reads nothing else.
      writer.raw([0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x28])
    case .other:
      writer.error(
        PostgresError(
          .fatal, "08P01", "invalid length of startup packet: \(Self.explanation)",
          hint: "Send line protocol and HTTP to their own ports."))
    }
  }
}
