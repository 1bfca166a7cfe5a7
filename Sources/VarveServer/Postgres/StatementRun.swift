// A statement on its way to its rows: what the names of the protocol stand for.

import VarveCompute
import VarveCore
import VarveWire

/// What Parse made; nil: the text held no statement.
final class NamedStatement {
  let query: (any PreparedQuery)?
  init(_ query: (any PreparedQuery)?) { self.query = query }

  var parameterTypes: [UInt32] { query?.parameterTypes ?? [] }
  var columns: [ResultColumn]? { query?.columns }

  /// Throws if the messages of the protocol could not say it.
  func check() throws(PostgresError) {
    if let columns, columns.count > PostgresLimits.resultColumns {
      throw PostgresError("54011", "a result can have at most \(PostgresLimits.resultColumns) columns")
    }
    if parameterTypes.count > UInt16.max {
      throw PostgresError("54000", "a statement can have at most \(UInt16.max) parameters")
    }
  }
}

/// What Bind made: a portal with its place in the result.
final class StatementRun {
  enum Outcome {
    /// There is enough to send; go on afterwards.
    case outputFull
    case rowLimitReached
    case complete(tag: String)
    case empty
    /// The client is to send data, which decides how the statement ends.
    case copyIn(any CopyReceiver)
  }

  let columns: [ResultColumn]?
  var formats: [FormatCode] = []
  private let portal: (any QueryPortal)?
  private var encoder: RowEncoder?
  private var isComplete = false
  /// The COPY … TO STDOUT that the statement has come to, until its end.
  private var sender: (any CopySender)?
  /// Rows since the last time that an Execute began.
  private var rowCount = 0

  init(_ statement: NamedStatement, values: [ParameterValue], name: String = "") throws {
    columns = statement.columns
    portal = try statement.query?.bind(values, name: name)
  }

  /// Writes rows until the result is complete, `rowLimit` is reached, or `byteLimit` bytes are there to be sent.
  func advance(
    rowLimit: Int?, byteLimit: Int, into writer: BackendWriter, context: @autoclosure () -> EvaluationContext
  )
    throws -> Outcome
  {
    guard let portal else { return .empty }
    guard let columns else { return try runWithoutRows(portal, byteLimit: byteLimit, into: writer) }
    if encoder == nil { encoder = RowEncoder(columnCount: columns.count, formats: formats, context: context()) }
    while true {
      if let rowLimit, rowCount >= rowLimit {
        rowCount = 0
        return .rowLimitReached
      }
      if writer.byteCount >= byteLimit { return .outputFull }
      let limit = rowLimit.map { $0 - rowCount } ?? Int.max
      if encoder!.remainingRows > 0 {
        rowCount += try encoder!.encode(rowLimit: limit, byteLimit: byteLimit, into: writer)
      } else if !isComplete, let batch = try portal.nextBatch(atMost: limit) {
        try encoder!.start(batch)
      } else {
        isComplete = true
        defer { rowCount = 0 }
        return .complete(tag: portal.commandTag(rowCount: rowCount))
      }
    }
  }

  private func runWithoutRows(_ portal: any QueryPortal, byteLimit: Int, into writer: BackendWriter) throws -> Outcome {
    if let sender { return try send(sender, byteLimit: byteLimit, into: writer) }
    if isComplete { throw PostgresError("55000", "portal cannot be run again: its statement is complete") }
    isComplete = true
    if let copy = try portal.beginCopy() { return .copyIn(copy) }
    if let sender = try portal.beginCopyOut() {
      self.sender = sender
      writer.copyOutResponse(format: sender.format, columnCount: sender.columnCount)
      return try send(sender, byteLimit: byteLimit, into: writer)
    }
    while try portal.nextBatch() != nil {}
    return .complete(tag: portal.commandTag(rowCount: 0))
  }

  /// Writes rows of a COPY … TO STDOUT, whatever row limit there is: it knows none.
  private func send(_ sender: any CopySender, byteLimit: Int, into writer: BackendWriter) throws -> Outcome {
    while writer.byteCount < byteLimit {
      let message = writer.beginCopyData()
      do {
        if try sender.appendNext(to: writer.buffer) {
          try writer.endDataRow(message)
          continue
        }
      } catch {
        self.sender = nil
        // A row that is too large was taken back already.
        if writer.byteCount >= message { writer.takeBack(message) }
        throw error
      }
      writer.takeBack(message)
      writer.copyDone()
      self.sender = nil
      return .complete(tag: "COPY \(sender.rowCount)")
    }
    return .outputFull
  }
}

/// The statements of one simple query.
final class SimpleQueryRun {
  var statements: ArraySlice<any QueryStatement>
  var current: StatementRun?
  var isTransactionEnded = false
  init(_ statements: [any QueryStatement]) { self.statements = statements[...] }
}
