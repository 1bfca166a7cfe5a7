// A client's end of PostgreSQL's protocol 3.0: the startup, and messages out and in. What they mean is for its users, the
// command line and the load generator.

import VarveCore
import VarveWire

package final class PostgresStream {
  package struct Message {
    package let type: Unicode.Scalar
    /// Valid until the next message is asked for.
    package let body: UnsafeBufferPointer<UInt8>
  }

  package let socket: ClientSocket
  private let host: String
  private let port: Int
  /// What a request to cancel names: process and secret.
  private var key: [UInt8] = []
  private let inbound = Buffer<UInt8>()
  private var consumed = 0

  package convenience init(_ url: ConnectionURL) throws {
    try self.init(host: url.host, port: url.port, user: url.user ?? "varve", database: url.name ?? "varve")
  }

  package init(host: String, port: Int, user: String, database: String) throws {
    socket = try ClientSocket(host: host, port: port)
    self.host = host
    self.port = port
    try startUp(["user", user, "database", database, "application_name", "varve", "client_encoding", "UTF8"])
  }

  deinit {
    // Nobody is left to be told if the server is gone already.
    do { try socket.send([0x58, 0, 0, 0, 4]) } catch {}
  }

  private func startUp(_ parameters: [String]) throws {
    var body: [UInt8] = [0, 3, 0, 0]
    for parameter in parameters { body += Array(parameter.utf8) + [0] }
    body.append(0)
    try socket.send(Self.bigEndian(body.count + 4) + body)
    while true {
      let message = try next()
      switch message.type {
      case "R":
        let code = try PostgresMessageReader.read(message.body) { try $0.integer(4) }
        guard code == 0 else {
          throw VarveError(
            .unsupported, "the server asks for a password, which this command does not support", hint: "use psql")
        }
      case "K": key = Array(message.body)
      case "S", "N", "v": break
      case "E": throw try message.error()
      case "Z": return
      default: throw Self.violation("message '\(message.type)' at startup")
      }
    }
  }

  /// Asks the server to end what runs here; on any thread.
  package var canceller: @Sendable () -> Void {
    let request = Self.bigEndian(16) + Self.bigEndian(80_877_102) + key
    return { [host, port] in
      // A server that cannot be reached any more ends the statement by itself.
      do {
        let socket = try ClientSocket(host: host, port: port)
        try socket.send(request)
        // It closes when it has heard: a peer that leaves before may not be heard at all.
        let answer = Buffer<UInt8>()
        while try socket.receive(into: answer) { answer.count = 0 }
      } catch {}
    }
  }

  package func send(_ type: UInt8, _ body: [UInt8]) throws {
    try socket.send([type] + Self.bigEndian(body.count + 4) + body)
  }

  /// Waits for it.
  package func next() throws -> Message {
    while true {
      if let message = try received() { return message }
      guard try socket.receive(into: inbound) else { throw Self.closed }
    }
  }

  /// A message that has come whole; nil: there is none yet.
  package func received() throws -> Message? {
    let available = inbound.count - consumed
    if available >= 5 {
      let count = (1...4).reduce(0) { $0 << 8 | Int(inbound.base[consumed + $1]) }
      guard (4...(1 << 30)).contains(count) else { throw Self.violation("a message of \(count) bytes") }
      if available > count {
        let start = consumed
        consumed += count + 1
        return Message(
          type: Unicode.Scalar(inbound.base[start]),
          body: UnsafeBufferPointer(start: inbound.base + start + 5, count: count - 4))
      }
    }
    inbound.base.update(from: inbound.base + consumed, count: available)
    inbound.count = available
    consumed = 0
    return nil
  }

  /// Takes what has come, without waiting; whether that was anything.
  package func receiveSome() throws -> Bool {
    switch try socket.receiveSome(into: inbound) {
    case .bytes: return true
    case .nothing: return false
    case .end: throw Self.closed
    }
  }

  package static func bigEndian(_ value: Int) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) }
  }

  package static func violation(_ what: String) -> VarveError {
    VarveError(.inputOutput, "the server does not speak PostgreSQL's protocol: \(what)")
  }

  private static var closed: VarveError { VarveError(.inputOutput, "the server closed the connection") }
}

extension PostgresStream.Message {
  /// Of a body that begins with one, such as CommandComplete's.
  package func text() throws -> String { try PostgresMessageReader.read(body) { try $0.string() } }

  /// Of ErrorResponse and NoticeResponse.
  package func error() throws -> PostgresError {
    try PostgresMessageReader.read(body) { reader in
      var error = PostgresError("XX000", "")
      while true {
        let field = try reader.integer(1)
        if field == 0 { return error }
        let text = try reader.string()
        switch Unicode.Scalar(UInt8(field)) {
        case "V": error.severity = PostgresError.Severity(rawValue: text) ?? .error
        case "C": error.sqlState = text
        case "M": error.message = text
        case "D": error.detail = text
        case "H": error.hint = text
        case "P": error.position = Int(text)
        case "W": error.context = text
        default: break
        }
      }
    }
  }
}

/// Reads the body of one message from a server. What isn't there is an error.
struct PostgresMessageReader {
  private let bytes: UnsafeBufferPointer<UInt8>
  private var index = 0

  static func read<T>(_ bytes: UnsafeBufferPointer<UInt8>, _ body: (inout PostgresMessageReader) throws -> T) throws
    -> T
  {
    var reader = PostgresMessageReader(bytes: bytes)
    return try body(&reader)
  }

  private init(bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

  /// Unsigned, of 1 to 4 bytes.
  mutating func integer(_ count: Int) throws -> Int { try skip(count).reduce(0) { $0 << 8 | Int(bytes[$1]) } }

  mutating func skip(_ count: Int) throws -> Range<Int> {
    guard count <= bytes.count - index else { throw PostgresStream.violation("a message ends early") }
    defer { index += count }
    return index..<(index + count)
  }

  mutating func string() throws -> String {
    guard let end = bytes[index...].firstIndex(of: 0) else { throw PostgresStream.violation("a text without an end") }
    defer { index = end + 1 }
    return String(decoding: bytes[index..<end], as: UTF8.self)
  }
}
