// COPY … TO STDOUT: the rows of a query as PostgreSQL writes them (copyto.c), a piece at a time, so that no more of them
// is in memory than the batch they stand in. Of a Parquet file, whose columns stand together, whoever writes it takes the
// batches instead.

import VarveCompute
import VarveCore

/// Used from one thread at a time, by the connection that its session belongs to.
package final class CopySource {
  private enum Place { case start, rows, end }

  package let columnCount: Int
  package let isBinary: Bool
  package private(set) var rowCount = 0

  private let plan: CopyOutPlan
  private let result: QueryResult
  private let context: ExecutionContext
  private var place = Place.start
  /// Of the batch whose rows are given.
  private var values: RowValues?
  private var nextRow = 0
  /// Whether the column's texts can go out as they are.
  private var isPlain: [Bool] = []
  private var text: CopyText
  /// Of whoever takes batches, in the query's account.
  private var heldByteCount = 0

  init(_ plan: CopyOutPlan, _ result: QueryResult, _ context: ExecutionContext) {
    self.plan = plan
    self.result = result
    self.context = context
    columnCount = plan.columns.count
    isBinary = plan.shape.format == .binary || plan.shape.format == .parquet
    text = CopyText(plan.shape, isSingleColumn: plan.columns.count == 1)
  }

  /// `nextBatch` gives the rows, and not `appendNext`.
  package var isParquet: Bool { plan.shape.format == .parquet }
  package var columns: [ResultColumn] { plan.columns }
  package var evaluationContext: EvaluationContext { context.evaluation }

  /// The next rows; nil: all has been given.
  package func nextBatch() throws -> ColumnBatch? {
    try context.check()
    let batch = try result.next()
    rowCount += batch?.count ?? 0
    return batch
  }

  /// What whoever takes the batches may keep of them.
  package var memoryByteLimit: Int { context.memory.limit }

  /// Whoever takes the batches keeps so much. Throws 53200 where that is too much.
  package func holds(_ byteCount: Int) throws {
    context.memory.release(heldByteCount)
    heldByteCount = byteCount
    try context.memory.charge(byteCount)
  }

  deinit { context.memory.release(heldByteCount) }

  /// Appends what the client gets as one message: the header, a row, or what stands behind the last one. False: all
  /// has been given.
  package func appendNext(to out: Buffer<UInt8>) throws -> Bool {
    precondition(!isParquet, "the rows of a Parquet file are taken in batches")
    if place == .end { return false }
    if place == .start {
      place = .rows
      if isBinary {
        // In one message with what follows, as readers of rows expect it.
        Self.signature.withUnsafeBufferPointer { out.append($0) }
      } else if plan.shape.header != .none {
        appendNames(to: out)
        return true
      }
    }
    while nextRow >= values?.rowCount ?? 0 {
      try context.check()
      guard let next = try result.next() else {
        place = .end
        values = nil
        if isBinary { out.append(repeating: 0xFF, count: 2) }
        return isBinary
      }
      try start(next)
    }
    if let values { isBinary ? try appendTuple(values, to: out) : try appendLine(values, to: out) }
    nextRow += 1
    rowCount += 1
    return true
  }

  private func start(_ batch: ColumnBatch) throws {
    let isBinary = isBinary
    values = try RowValues(batch, context: context.evaluation) { _ in isBinary }
    nextRow = 0
    isPlain = batch.columns.indices.map { !plan.quoted[$0] && text.isPlain(batch.columns[$0]) }
  }

  private func appendLine(_ values: RowValues, to out: Buffer<UInt8>) throws {
    // Looked up once a row, and not once a value.
    let (row, text, isPlain, quoted) = (nextRow, text, isPlain, plan.quoted)
    for column in 0..<columnCount {
      if column > 0 { out.append(text.delimiter) }
      if values.isNull(row, column: column) {
        text.appendNull(to: out)
        continue
      }
      let start = out.count
      try values.appendText(row, column: column, to: out)
      if !isPlain[column] { text.finish(out, from: start, isQuoted: quoted[column]) }
    }
    out.append(0x0A)
  }

  private func appendTuple(_ values: RowValues, to out: Buffer<UInt8>) throws {
    out.append(UInt8(truncatingIfNeeded: columnCount >> 8))
    out.append(UInt8(truncatingIfNeeded: columnCount))
    try values.append(nextRow, to: out)
  }

  private func appendNames(to out: Buffer<UInt8>) {
    for (index, column) in plan.columns.enumerated() {
      if index > 0 { out.append(plan.shape.delimiter) }
      let start = out.count
      var name = column.name
      name.withUTF8 { out.append($0) }
      text.finish(out, from: start, isQuoted: false)
    }
    out.append(0x0A)
  }

  /// The signature, no flags, and no further header.
  private static let signature: [UInt8] =
    Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0x00] + [UInt8](repeating: 0, count: 8)
}

/// How values stand in lines: with backslashes, or in quotes.
private struct CopyText {
  let delimiter: UInt8
  private let isCSV: Bool
  private let quote: UInt8
  private let escape: UInt8
  private let null: [UInt8]
  private let isSingleColumn: Bool
  /// Digits, letters and what stands in times cannot be taken for anything else.
  private let isOrdinary: Bool
  private let scratch = Buffer<UInt8>()

  init(_ shape: CopyShape, isSingleColumn: Bool) {
    isCSV = shape.format == .csv
    delimiter = shape.delimiter
    quote = shape.quote
    escape = shape.escape
    null = shape.null
    self.isSingleColumn = isSingleColumn
    isOrdinary =
      [0x09, 0x2C, 0x3B, 0x7C].contains(shape.delimiter)
      && (!isCSV || (shape.quote == UInt8(ascii: "\"") && shape.null.isEmpty))
  }

  func appendNull(to out: Buffer<UInt8>) { null.withUnsafeBufferPointer { out.append($0) } }

  func isPlain(_ column: Column) -> Bool {
    guard isOrdinary, case .words = column.storage else { return false }
    return switch column.type {
    case .bool, .int2, .int4, .int8, .float4, .float8, .oid, .date, .timestamp, .timestamptz: true
    default: false
    }
  }

  /// Makes the value that was written from `start` on what it has to be within a line.
  func finish(_ out: Buffer<UInt8>, from start: Int, isQuoted: Bool) {
    isCSV ? quoteValue(out, start, isQuoted: isQuoted) : escapeValue(out, start)
  }

  /// The letter behind the backslash; 0: the byte stands for itself.
  @inline(__always)
  private static func escaped(_ byte: UInt8, _ delimiter: UInt8) -> UInt8 {
    if byte >= 0x20 { return byte == 0x5C || byte == delimiter ? byte : 0 }
    switch byte {
    case 0x08: return UInt8(ascii: "b")
    case 0x09: return UInt8(ascii: "t")
    case 0x0A: return UInt8(ascii: "n")
    case 0x0B: return UInt8(ascii: "v")
    case 0x0C: return UInt8(ascii: "f")
    case 0x0D: return UInt8(ascii: "r")
    default: return byte == delimiter ? byte : 0
    }
  }

  private func escapeValue(_ out: Buffer<UInt8>, _ start: Int) {
    var first = start
    while first < out.count, Self.escaped(out.base[first], delimiter) == 0 { first += 1 }
    if first == out.count { return }
    takeBack(out, to: first)
    for index in 0..<scratch.count {
      let byte = scratch.base[index]
      let letter = Self.escaped(byte, delimiter)
      if letter != 0 { out.append(0x5C) }
      out.append(letter != 0 ? letter : byte)
    }
  }

  private func quoteValue(_ out: Buffer<UInt8>, _ start: Int, isQuoted: Bool) {
    guard isQuoted || needsQuotes(UnsafeBufferPointer(rebasing: out.span[start...])) else { return }
    takeBack(out, to: start)
    out.append(quote)
    for index in 0..<scratch.count {
      let byte = scratch.base[index]
      if byte == quote || byte == escape { out.append(escape) }
      out.append(byte)
    }
    out.append(quote)
  }

  private func needsQuotes(_ value: UnsafeBufferPointer<UInt8>) -> Bool {
    if value.count == null.count, value.elementsEqual(null) { return true }
    // The end of the data, where nothing stands beside it.
    if isSingleColumn, value.count == 2, value[0] == 0x5C, value[1] == 0x2E { return true }
    for byte in value where byte == delimiter || byte == quote || byte == 0x0A || byte == 0x0D { return true }
    return false
  }

  /// Moves what stands behind `end` to the scratch.
  private func takeBack(_ out: Buffer<UInt8>, to end: Int) {
    scratch.count = 0
    scratch.append(UnsafeBufferPointer(rebasing: out.span[end...]))
    out.count = end
  }
}

extension QuerySession {
  /// Starts COPY … TO STDOUT; rows are computed as they are taken.
  package func beginCopyOut(_ prepared: PreparedStatement) throws -> CopySource {
    let watch = beginWatch(prepared, [])
    do {
      try checkTransaction(prepared)
      let (statement, catalog) = try current(prepared)
      guard case .copyOut(let plan) = statement.kind else { preconditionFailure("only a COPY … TO is begun") }
      state.setSnapshot(catalog.snapshot)
      let context = context(catalog, [])
      watchPlan(plan.rows, context)
      let result = QueryResult(
        columns: plan.columns, rows: try plan.rows.open(context), verb: "COPY",
        failed: { [weak self] in
          self?.fail(); return $0
        })
      settleWatch(result)
      return CopySource(plan, result, context)
    } catch {
      fail()
      watch.end(error)
      throw error
    }
  }
}
