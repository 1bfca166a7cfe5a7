// COPY between the wire and the session. FROM STDIN one reads the client's bytes, the other writes the rows; TO STDOUT the
// session makes the bytes, and the wire sends them.

import VarveCore
import VarveQuery
import VarveWire

final class DatabaseCopy: CopyReceiver {
  private let target: any CopyTarget
  /// The same, where it takes batches.
  private let series: SeriesCopyTarget?
  private let reader: CopyReader

  /// `seriesMemory`: for the tag sets that this COPY and others remember.
  init(_ target: any CopyTarget, seriesMemory: ByteBudget?) {
    self.target = target
    series = target as? SeriesCopyTarget
    var options = Self.options(target)
    if let series {
      options.isUTC = series.isUTC
      options.latestTime = series.latestTime
      options.seriesMemory = seriesMemory
    }
    if let rows = target as? DimensionCopyTarget { options.rows = DatabaseRows(rows) }
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
    guard let series else { return try target.check() }
    for batch in reader.takeBatches() { try series.take(batch.points, firstRow: batch.firstRow) }
  }

  private static func options(_ target: any CopyTarget) -> CopyOptions {
    let plan = target.plan
    let values = target.values
    let columns = plan.columns.map { column in
      let role: CopyColumn.Role =
        switch column.target {
        case .time: .time
        case .tag: .tag
        case .field(let type): .field(type)
        case .value: .value
        }
      return CopyColumn(
        name: column.name, role: role, isNeverNull: column.isNeverNull, isNullInQuotes: column.isNullInQuotes)
    }
    let format: CopyFormat =
      switch plan.shape.format {
      case .text: .text
      case .csv: .csv
      case .binary: .binary
      case .parquet: preconditionFailure("Parquet is not taken from the client")
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
    return options
  }
}

/// Rows of a dimension table, from the reader to the session.
private final class DatabaseRows: CopyRows {
  private let target: DimensionCopyTarget
  init(_ target: DimensionCopyTarget) { self.target = target }

  func put(_ bytes: UnsafeBufferPointer<UInt8>?, column: Int, isBinary: Bool) throws(VarveError) {
    try target.put(bytes, column: column, isBinary: isBinary)
  }
  func checkRow() throws(VarveError) { try target.checkRow() }
  func endRow() throws(VarveError) { try target.endRow() }
}

final class DatabaseCopyOut: CopySender {
  private let source: CopySource
  init(_ source: CopySource) { self.source = source }

  var format: FormatCode { source.isBinary ? .binary : .text }
  var columnCount: Int { source.columnCount }
  var rowCount: Int { source.rowCount }
  func appendNext(to out: Buffer<UInt8>) throws -> Bool { try source.appendNext(to: out) }
}

/// The same as a Parquet file: a message is a piece of it, cut anywhere.
final class ParquetCopyOut: CopySender {
  /// Bytes of a message.
  private static let pieceByteCount = 256 * 1024

  private let source: CopySource
  private let encoder: ParquetEncoder
  private var ready: ArraySlice<UInt8> = []
  private var hasEnded = false

  /// Throws where a column cannot stand in a Parquet file.
  init(_ source: CopySource) throws {
    self.source = source
    encoder = try ParquetEncoder(
      source.columns.map { ($0.name, $0.type) }, context: source.evaluationContext,
      memoryByteLimit: source.memoryByteLimit)
  }

  let format = FormatCode.binary
  var columnCount: Int { source.columnCount }
  var rowCount: Int { source.rowCount }

  func appendNext(to out: Buffer<UInt8>) throws -> Bool {
    while ready.isEmpty {
      if hasEnded { return false }
      if let batch = try source.nextBatch() {
        try encoder.append(batch)
        try source.holds(encoder.heldByteCount)
      } else {
        encoder.finish()
        hasEnded = true
      }
      ready = encoder.takeBytes()[...]
    }
    let piece = ready.prefix(Self.pieceByteCount)
    piece.withUnsafeBufferPointer { out.append($0) }
    ready = ready.dropFirst(piece.count)
    return true
  }
}
