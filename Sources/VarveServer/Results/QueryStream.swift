// One statement whose result is text, made piece by piece: a result of any size takes the memory of a piece and a batch.
//
//   next ──▶ piece … ──▶ last piece
//
// Used by one thread at a time, not always the same. Whoever stops asking lets go of it.

import VarveCompute
import VarveCore
import VarveWire

final class QueryStream {
  struct Piece: Sendable {
    var bytes: [UInt8]
    var isLast: Bool
  }

  static let pieceByteCount = 64 * 1024

  private let session: any QuerySession
  private let portal: any QueryPortal
  private let columns: [ResultColumn]?
  private let sink: any ResultSink
  private let gathered: Gathered
  private var texts = RowTexts()
  private var rowCount = 0
  private var hasBegun = false
  private var hasEnded = false

  private final class Gathered {
    var bytes: [UInt8] = []
  }

  /// Takes the session over. Throws what is wrong with the statement, or with its parameters, which are texts or NULL.
  init(_ session: any QuerySession, _ sql: String, parameters: [String?], format: HTTPQueryFormat) throws {
    self.session = session
    let gathered = Gathered()
    self.gathered = gathered
    let output: TextOutput = { gathered.bytes += $0 }
    sink = format == .json ? JSONSink(output) : CSVSink(output)
    do {
      let statements = try session.split(sql)
      guard let statement = statements.first, statements.count == 1 else {
        throw PostgresError(
          "42601",
          statements.isEmpty ? "there is no statement" : "a request takes one statement, not \(statements.count)",
          hint: statements.isEmpty ? nil : "Send each in a request of its own, or use the PostgreSQL port.")
      }
      let query = try statement.prepare(parameterTypes: [])
      portal = try query.bind(parameters.map { ParameterValue(format: .text, bytes: $0.map { Array($0.utf8) }) })
      columns = query.columns
    } catch {
      QueryStream.end(session)
      throw error
    }
  }

  deinit { if hasEnded { session.close() } else { QueryStream.end(session) } }

  /// After a failure, or in the middle.
  private static func end(_ session: any QuerySession) {
    // What ending it adds to the failure that is being told is of no use to anybody.
    do { try session.endImplicitTransaction(failed: true) } catch {}
    session.close()
  }

  func next() throws -> Piece {
    precondition(!hasEnded, "nothing follows the last piece")
    if !hasBegun, let columns { try sink.begin(columns) }
    hasBegun = true
    while gathered.bytes.count < Self.pieceByteCount {
      if !texts.isDone {
        try texts.send(to: sink) { gathered.bytes.count >= Self.pieceByteCount }
      } else if let batch = try nextBatch() {
        rowCount += batch.count
        if columns != nil { try texts.start(batch, session.evaluationContext) }
      } else {
        try session.endImplicitTransaction(failed: false)
        hasEnded = true
        let tag = portal.commandTag(rowCount: rowCount)
        try sink.end(tag: tag)
        if columns == nil, sink is JSONSink { gathered.bytes += Array("{\"tag\":\(JSONText.string(tag))}\n".utf8) }
        break
      }
    }
    defer { gathered.bytes = [] }
    return Piece(bytes: gathered.bytes, isLast: hasEnded)
  }

  private func nextBatch() throws -> ColumnBatch? {
    // COPY … TO is refused by the session itself.
    if columns == nil, try portal.beginCopy() != nil {
      throw PostgresError(
        "0A000", "COPY … FROM STDIN is not supported over HTTP",
        hint: "Send line protocol to /write, or use the PostgreSQL port.")
    }
    return try portal.nextBatch()
  }
}
