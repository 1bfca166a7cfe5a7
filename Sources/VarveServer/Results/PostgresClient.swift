// SQL through a server: as much of PostgreSQL's protocol 3.0 as a command line needs, which is the simple query.

import VarveCore
import VarveWire

package final class PostgresClient: SQLConnection {
  private let stream: PostgresStream
  package var copyInput: InputFile?
  package var copyOutput: ((UnsafeRawBufferPointer) throws -> Void)?

  package convenience init(_ url: ConnectionURL) throws {
    try self.init(host: url.host, port: url.port, user: url.user ?? "varve", database: url.name ?? "varve")
  }

  package init(host: String, port: Int, user: String, database: String) throws {
    stream = try PostgresStream(host: host, port: port, user: user, database: database)
  }

  package var canceller: @Sendable () -> Void { stream.canceller }

  package func run(_ sql: String, into sink: any ResultSink) throws {
    try stream.send(0x51, Array(sql.utf8) + [0])
    var failure: PostgresError?
    var failureOfSink: (any Error)?
    func toSink(_ body: () throws -> Void) {
      guard failureOfSink == nil else { return }
      do { try body() } catch { failureOfSink = error }
    }
    while true {
      let message = try stream.next()
      switch message.type {
      case "T":
        let columns = try Self.columns(message.body)
        toSink { try sink.begin(columns) }
      case "D":
        let cells = try Self.cells(message.body)
        toSink { try sink.row(ResultRow(bytes: message.body, cells: cells)) }
      case "C":
        let tag = try message.text()
        toSink { try sink.end(tag: tag) }
      case "E": failure = try message.error()
      case "N": sink.notice(try message.error())
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
          try stream.send(0x66, Array("\(error)".utf8) + [0])
        }
      // What a COPY … TO STDOUT sends is no rows that a sink could show.
      case "H": if copyOutput == nil { failureOfSink = failureOfSink ?? CopyInput.isOutput }
      case "d": toSink { try copyOutput?(UnsafeRawBufferPointer(message.body)) }
      case "c": break
      default: throw PostgresStream.violation("message '\(message.type)'")
      }
    }
  }

  private func sendCopyData() throws {
    guard let copyInput else { throw CopyInput.missing }
    try CopyInput.forEachPiece(copyInput) { piece in
      try stream.socket.send([0x64] + PostgresStream.bigEndian(piece.count + 4))
      try stream.socket.send(piece)
    }
    try stream.send(0x63, [])
  }

  // MARK: Bodies

  private static func columns(_ body: UnsafeBufferPointer<UInt8>) throws -> [ResultColumn] {
    try PostgresMessageReader.read(body) { reader in
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
    try PostgresMessageReader.read(body) { reader in
      let count = try reader.integer(2)
      return try (0..<count).map { _ in
        let length = try reader.integer(4)
        return length == 0xFFFF_FFFF ? nil : try reader.skip(length)
      }
    }
  }
}
