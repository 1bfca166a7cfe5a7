// SQL through a server: as much of PostgreSQL's protocol 3.0 as a command line needs, which is the simple query.

import VarveCore
import VarveWire

package final class PostgresClient: SQLConnection {
  private let socket: ClientSocket
  private let inbound = Buffer<UInt8>()
  private var consumed = 0
  package var copyInput: InputFile?

  package convenience init(_ url: ConnectionURL) throws {
    try self.init(host: url.host, port: url.port, user: url.user ?? "varve", database: url.name ?? "varve")
  }

  package init(host: String, port: Int, user: String, database: String) throws {
    socket = try ClientSocket(host: host, port: port)
    try startUp(["user", user, "database", database, "application_name", "varve", "client_encoding", "UTF8"])
  }

  deinit {
    // Nobody is left to be told if the server is gone already.
    do { try socket.send([0x58, 0, 0, 0, 4]) } catch {}
  }

  package func run(_ sql: String, into sink: any ResultSink) throws {
    try send(0x51, Array(sql.utf8) + [0])
    var failure: PostgresError?
    var failureOfSink: (any Error)?
    func toSink(_ body: () throws -> Void) {
      guard failureOfSink == nil else { return }
      do { try body() } catch { failureOfSink = error }
    }
    while true {
      let message = try next()
      switch message.type {
      case "T":
        let columns = try Self.columns(message.body)
        toSink { try sink.begin(columns) }
      case "D":
        let cells = try Self.cells(message.body)
        toSink { try sink.row(ResultRow(bytes: message.body, cells: cells)) }
      case "C":
        let tag = try MessageReader.read(message.body) { try $0.string() }
        toSink { try sink.end(tag: tag) }
      case "E": failure = try Self.error(message.body)
      case "N": sink.notice(try Self.error(message.body))
      case "I", "S", "A": break
      case "Z":
        if let failureOfSink { throw failureOfSink }
        if let failure { throw failure }
        return
      case "G":
        do {
          try sendCopyData()
        } catch {
          failureOfSink = failureOfSink ?? error
          try send(0x66, Array("\(error)".utf8) + [0])
        }
      default: throw Self.violation("message '\(message.type)'")
      }
    }
  }

  private func sendCopyData() throws {
    guard let copyInput else { throw CopyInput.missing }
    try CopyInput.forEachPiece(copyInput) { piece in
      try socket.send([0x64] + Self.bigEndian(piece.count + 4))
      try socket.send(piece)
    }
    try send(0x63, [])
  }

  // MARK: Messages

  private struct Message {
    let type: Unicode.Scalar
    /// Valid until the next message is asked for.
    let body: UnsafeBufferPointer<UInt8>
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
        let code = try MessageReader.read(message.body) { try $0.integer(4) }
        guard code == 0 else {
          throw VarveError(
            .unsupported, "the server asks for a password, which this command does not support", hint: "use psql")
        }
      case "S", "K", "N", "v": break
      case "E": throw try Self.error(message.body)
      case "Z": return
      default: throw Self.violation("message '\(message.type)' at startup")
      }
    }
  }

  private func send(_ type: UInt8, _ body: [UInt8]) throws {
    try socket.send([type] + Self.bigEndian(body.count + 4) + body)
  }

  private func next() throws -> Message {
    while true {
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
      guard try socket.receive(into: inbound) else {
        throw VarveError(.inputOutput, "the server closed the connection")
      }
    }
  }

  private static func bigEndian(_ value: Int) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) }
  }

  static func violation(_ what: String) -> VarveError {
    VarveError(.inputOutput, "the server does not speak PostgreSQL's protocol: \(what)")
  }

  // MARK: Bodies

  private static func columns(_ body: UnsafeBufferPointer<UInt8>) throws -> [ResultColumn] {
    try MessageReader.read(body) { reader in
      let count = try reader.integer(2)
      return try (0..<count).map { _ in
        let name = try reader.string()
        let table = try reader.integer(4)
        let attribute = try reader.integer(2)
        let type = try reader.integer(4)
        let size = try reader.integer(2)
        let modifier = try reader.integer(4)
        _ = try reader.integer(2)
        return ResultColumn(
          name: name, tableOID: UInt32(table), attributeNumber: Int16(truncatingIfNeeded: attribute),
          typeOID: UInt32(type),
          typeSize: Int16(truncatingIfNeeded: size), typeModifier: Int32(truncatingIfNeeded: modifier))
      }
    }
  }

  private static func cells(_ body: UnsafeBufferPointer<UInt8>) throws -> [Range<Int>?] {
    try MessageReader.read(body) { reader in
      let count = try reader.integer(2)
      return try (0..<count).map { _ in
        let length = try reader.integer(4)
        return length == 0xFFFF_FFFF ? nil : try reader.skip(length)
      }
    }
  }

  private static func error(_ body: UnsafeBufferPointer<UInt8>) throws -> PostgresError {
    try MessageReader.read(body) { reader in
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
private struct MessageReader {
  private let bytes: UnsafeBufferPointer<UInt8>
  private var index = 0

  static func read<T>(_ bytes: UnsafeBufferPointer<UInt8>, _ body: (inout MessageReader) throws -> T) throws -> T {
    var reader = MessageReader(bytes: bytes)
    return try body(&reader)
  }

  private init(bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

  /// Unsigned, of 1 to 4 bytes.
  mutating func integer(_ count: Int) throws -> Int { try skip(count).reduce(0) { $0 << 8 | Int(bytes[$1]) } }

  mutating func skip(_ count: Int) throws -> Range<Int> {
    guard count <= bytes.count - index else { throw PostgresClient.violation("a message ends early") }
    defer { index += count }
    return index..<(index + count)
  }

  mutating func string() throws -> String {
    guard let end = bytes[index...].firstIndex(of: 0) else { throw PostgresClient.violation("a text without an end") }
    defer { index = end + 1 }
    return String(decoding: bytes[index..<end], as: UTF8.self)
  }
}
