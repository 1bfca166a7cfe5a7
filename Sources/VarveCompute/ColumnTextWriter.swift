// Writes rows of one column as text into a byte buffer: no String a value for the common types.

import VarveCore

package struct ColumnTextWriter {
  private let column: Column
  private let type: SQLType
  private var cursor: TimeZone.Cursor
  private let context: EvaluationContext
  private let words: Buffer<UInt64>?
  private let text: TextView?

  package init(_ column: Column, context: EvaluationContext) throws {
    self.column = column
    self.context = context
    type = column.type
    cursor = TimeZone.Cursor(column.type == .timestamptz ? try context.sessionZone() : .utc)
    if case .words(let buffer) = column.storage { words = buffer } else { words = nil }
    switch column.storage {
    case .text, .dictionary: text = TextView(column)
    default: text = nil
    }
  }

  @inline(__always) package func isNull(_ row: Int) -> Bool { column.isNull(at: row) }

  /// The row must not be NULL.
  package mutating func append(_ row: Int, to out: Buffer<UInt8>) throws {
    if let words {
      TypeText.appendWord(words.base[row], type: type, cursor: &cursor, context: context, to: out)
    } else if let text {
      out.append(text.bytes(row))
    } else {
      try TypeText.append(column.datum(at: row), type: type, to: out, context: context)
    }
  }
}

extension TypeText {
  /// One row of a column; false when it is NULL and nothing was written. For many rows keep a `ColumnTextWriter`.
  package static func append(
    _ column: Column, row: Int, to out: Buffer<UInt8>, context: EvaluationContext
  ) throws -> Bool {
    var writer = try ColumnTextWriter(column, context: context)
    if writer.isNull(row) { return false }
    try writer.append(row, to: out)
    return true
  }
}
