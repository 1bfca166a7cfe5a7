// Batches of columns into DataRow messages: the wire is by row where the batch is by column.

import VarveCompute
import VarveCore
import VarveWire

/// Encodes the batches of one portal, one after the other, as far as there is room.
struct RowEncoder {
  private let columnCount: Int
  private let formats: [FormatCode]
  private let context: EvaluationContext

  private var values: RowValues?
  private var nextRow = 0

  /// `formats`: none (text), one for all, or one a column.
  init(columnCount: Int, formats: [FormatCode], context: EvaluationContext) {
    precondition(formats.count <= 1 || formats.count == columnCount, "a format a column")
    self.columnCount = columnCount
    self.formats = formats
    self.context = context
  }

  /// Rows of the batch that are not encoded yet.
  var remainingRows: Int { values.map { $0.rowCount - nextRow } ?? 0 }

  /// Takes up a batch whose rows are encoded next.
  mutating func start(_ batch: ColumnBatch) throws {
    precondition(remainingRows == 0, "a batch before the last one is done")
    precondition(batch.columns.count == columnCount, "a batch has the columns that were announced")
    let formats = formats
    values = try RowValues(batch, context: context) { column in
      !formats.isEmpty && formats[formats.count == 1 ? 0 : column] == .binary
    }
    nextRow = 0
  }

  /// Writes rows until `rowLimit` of them, the end of the batch, or a buffer of `byteLimit`. Returns their number.
  mutating func encode(rowLimit: Int, byteLimit: Int, into writer: BackendWriter) throws -> Int {
    guard let values else { return 0 }
    let first = nextRow
    let end = first + min(rowLimit, values.rowCount - first)
    while nextRow < end {
      let message = writer.beginDataRow(columnCount: columnCount)
      do {
        try values.append(nextRow, to: writer.buffer)
      } catch {
        writer.takeBack(message)
        throw error
      }
      try writer.endDataRow(message)
      nextRow += 1
      if writer.byteCount >= byteLimit { break }
    }
    // Large texts needn't wait for the next batch.
    if nextRow == values.rowCount { self.values = nil }
    return nextRow - first
  }
}
