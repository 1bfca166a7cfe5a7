// What a subscription tells, as events. Rows are as /query has them.

import Varve
import VarveCompute
import VarveCore
import VarveQuery
import VarveWire

enum SubscriptionEvents {
  static func ready(_ live: LiveQuery) -> [UInt8] {
    var text = EventText()
    text.retry(milliseconds: 2_000)
    let columns = live.columns.map { JSONText.string($0.name) }.joined(separator: ",")
    text.event(
      "ready", id: live.first,
      data: "{\"offset\":\(JSONText.string(live.first)),\"columns\":[\(columns)]}".utf8)
    return text.bytes
  }

  @Sendable static func bytes(
    _ piece: LiveQuery.Piece, _ session: VarveQuery.QuerySession, _ columns: [VarveQuery.ResultColumn]
  )
    throws -> [UInt8]
  {
    var text = EventText()
    let context = session.evaluationContext
    let rows = try piece.batch.map { try self.rows($0, columns, context) } ?? []
    switch piece.kind {
    case .rows: text.event("rows", id: piece.offset, data: rows)
    case .bucket: text.event("bucket", id: piece.offset, data: try buckets(piece, rows, context))
    case .corrected: text.event("corrected", id: piece.offset, data: try buckets(piece, rows, context))
    case .changed:
      text.event("changed", id: piece.offset, data: Array("{\(try bounds(piece, context))}".utf8))
    }
    return text.bytes
  }

  /// `from` and `to`, and whether more rows of the same buckets follow.
  private static func buckets(_ piece: LiveQuery.Piece, _ rows: [UInt8], _ context: EvaluationContext) throws -> [UInt8]
  {
    Array("{\(try bounds(piece, context)),\"more\":\(piece.isPart),\"rows\":".utf8) + rows + [0x7D]
  }

  private static func bounds(_ piece: LiveQuery.Piece, _ context: EvaluationContext) throws -> String {
    func json(_ time: Int64?) throws -> String {
      try time.map { JSONText.string(try TypeText.string(.timestamp($0), type: .timestamptz, context: context)) }
        ?? "null"
    }
    return "\"from\":\(try json(piece.time.from)),\"to\":\(try json(piece.time.to))"
  }

  private static func rows(_ batch: ColumnBatch, _ columns: [VarveQuery.ResultColumn], _ context: EvaluationContext)
    throws
    -> [UInt8]
  {
    if batch.count == 0 { return Array("[]".utf8) }
    var bytes: [UInt8] = []
    try withoutActuallyEscaping({ (piece: UnsafeRawBufferPointer) in bytes += piece }) { output in
      let sink = JSONSink(output)
      try sink.begin(columns.map(VarveWire.ResultColumn.init))
      var texts = RowTexts()
      try texts.start(batch, context)
      try texts.send(to: sink)
      try sink.end(tag: "")
    }
    // The line behind the last is the event's own.
    if bytes.last == 0x0A { bytes.removeLast() }
    return bytes
  }

  /// Why it is over.
  static func end(_ error: any Error, oldest: Sequence) -> [UInt8] {
    let failure: PostgresError =
      switch error {
      case let error as PostgresError: error
      case let error as VarveError: PostgresError(error)
      default: PostgresError("XX000", "internal error: \(error)")
      }
    let name: String
    switch (error as? VarveError)?.code {
    case .gone: name = "gone"
    case .closed, .cancelled: name = "end"
    default: name = "failed"
    }
    var json = "{\"code\":\(JSONText.string(failure.sqlState)),\"message\":\(JSONText.string(failure.message))"
    if let hint = failure.hint { json += ",\"hint\":\(JSONText.string(hint))" }
    if name == "gone" { json += ",\"oldest\":\"\(oldest.rawValue)\"" }
    var text = EventText()
    text.event(name, id: nil, data: Array((json + "}").utf8))
    return text.bytes
  }
}
