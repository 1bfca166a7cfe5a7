// COPY between the wire and the session. FROM STDIN one reads the client's bytes, the other writes the rows; TO STDOUT the
// session makes the bytes, and the wire sends them.

import VarveCore
import VarveQuery
import VarveWire

final class DatabaseCopy: CopyReceiver {
  private let target: CopyTarget
  private let reader: CopyReader

  /// `seriesMemory`: for the tag sets that this COPY and others remember.
  init(_ target: CopyTarget, seriesMemory: ByteBudget?) {
    self.target = target
    var options = Self.options(target)
    options.seriesMemory = seriesMemory
    reader = CopyReader(options: options)
  }

  var format: FormatCode { target.plan.shape.format == .binary ? .binary : .text }
  var columnCount: Int { target.plan.columns.count }
  var remainingNanoseconds: Int64? { target.remainingNanoseconds }
  func check() throws { try target.check() }

  func receive(_ bytes: UnsafeRawBufferPointer) throws {
    try reader.read(bytes)
    try passOn()
  }

  func finish() throws -> String {
    try reader.finish()
    try passOn()
    return "COPY \(try target.finish())"
  }

  func abandon(_ error: PostgresError) -> PostgresError {
    var error = error
    error.context = error.context ?? reader.context
    let failure = VarveError(.query, error.message, sqlState: error.sqlState)
    if let stored = target.abandon(failure) { error.hint = error.hint.map { "\($0) \(stored)" } ?? stored }
    return error
  }

  private func passOn() throws {
    for batch in reader.takeBatches() { try target.take(batch.points, firstRow: batch.firstRow) }
  }

  private static func options(_ target: CopyTarget) -> CopyOptions {
    let plan = target.plan
    let values = target.values
    let columns = plan.columns.map { column in
      let role: CopyColumn.Role =
        switch column.target {
        case .time: .time
        case .tag: .tag
        case .field(let type): .field(type)
        }
      return CopyColumn(
        name: column.name, role: role, isNeverNull: column.isNeverNull, isNullInQuotes: column.isNullInQuotes)
    }
    let format: CopyFormat =
      switch plan.shape.format {
      case .text: .text
      case .csv: .csv
      case .binary: .binary
      }
    var options = CopyOptions(
      table: plan.table, columns: columns, format: format,
      conversion: CopyConversion(
        fromText: { (bytes, type) throws(VarveError) in try values.word(text: bytes, type: type) },
        fromBinary: { (bytes, type) throws(VarveError) in try values.word(binary: bytes, type: type) }))
    options.delimiter = plan.shape.delimiter
    options.null = plan.shape.null
    options.quote = plan.shape.quote
    options.escape = plan.shape.escape
    options.header =
      switch plan.shape.header {
      case .none: .none
      case .present: .skipped
      case .matched: .matched
      }
    options.isUTC = target.isUTC
    options.latestTime = target.latestTime
    return options
  }
}

final class DatabaseCopyOut: CopySender {
  private let source: CopySource
  init(_ source: CopySource) { self.source = source }

  var format: FormatCode { source.isBinary ? .binary : .text }
  var columnCount: Int { source.columnCount }
  var rowCount: Int { source.rowCount }
  func appendNext(to out: Buffer<UInt8>) throws -> Bool { try source.appendNext(to: out) }
}
