// INSERT of rows of plain literals: the cells of a column are read one after the other, as what the column takes. Where
// a cell is not what it takes as it stands, the statement is bound with each cell as an expression, which converts it,
// or says what is wrong with it and where.

import VarveCompute
import VarveCore

extension Binder {
  /// nil: some cell needs more than to be read.
  func literalRows(_ rows: LiteralRows, _ types: [SQLType]) -> LiteralRowsNode? {
    guard types.count == rows.width else { return nil }
    var text = source.text
    let columns = text.withUTF8 { text in
      types.indices.map { index in
        LiteralColumn(rows, index, types[index], text, evaluation).read()
      }
    }
    let read = columns.compactMap { $0 }
    guard read.count == columns.count else { return nil }
    return LiteralRowsNode(QueryBatch(count: rows.count, columns: read), types)
  }

  /// The statement with all its rows as syntax.
  func wholeInsert() throws -> InsertSyntax {
    guard case .insert(let insert) = try SQLParser.parseWhole(source).first?.syntax else {
      preconditionFailure("what begins as an INSERT is one")
    }
    return insert
  }
}

/// One column of the rows.
private struct LiteralColumn {
  private let rows: LiteralRows
  private let index: Int
  private let type: SQLType
  private let text: UnsafeBufferPointer<UInt8>
  private let evaluation: EvaluationContext

  init(
    _ rows: LiteralRows, _ index: Int, _ type: SQLType, _ text: UnsafeBufferPointer<UInt8>,
    _ evaluation: EvaluationContext
  ) {
    self.rows = rows
    self.index = index
    self.type = type
    self.text = text
    self.evaluation = evaluation
  }

  /// nil: some cell needs more than to be read.
  func read() -> Column? {
    var builder = ColumnBuilder(type, capacity: rows.count)
    var unquoted: [UInt8] = []
    for row in 0..<rows.count {
      let ref = TextRef(word: rows.cells[row * rows.width + index])
      let cell = UnsafeBufferPointer(rebasing: text[ref.offset..<ref.offset + ref.length])
      do {
        switch cell[0] {
        case UInt8(ascii: "'"):
          let inner = UnsafeBufferPointer(rebasing: cell[1..<cell.count - 1])
          if inner.contains(UInt8(ascii: "'")) {
            Self.unquote(inner, into: &unquoted)
            try unquoted.withUnsafeBufferPointer { try append(quoted: $0, to: &builder) }
          } else {
            try append(quoted: inner, to: &builder)
          }
        case UInt8(ascii: "n"), UInt8(ascii: "N"): builder.appendNull()
        default:
          guard let word = try word(bare: cell) else { return nil }
          builder.append(word: word)
        }
      } catch {
        // Found again where the statement is bound cell by cell, which adds the place.
        return nil
      }
    }
    return builder.finish()
  }

  private func append(quoted cell: UnsafeBufferPointer<UInt8>, to builder: inout ColumnBuilder) throws {
    if type.isText { return try builder.append(text: cell) }
    try builder.append(try TypeText.parse(bytes: cell, as: type, context: evaluation))
  }

  private static func unquote(_ cell: UnsafeBufferPointer<UInt8>, into bytes: inout [UInt8]) {
    bytes.removeAll(keepingCapacity: true)
    var isSecond = false
    for byte in cell {
      isSecond = byte == UInt8(ascii: "'") && !isSecond
      if !isSecond { bytes.append(byte) }
    }
  }

  /// A number or a boolean as the column's word; nil: it has to be converted.
  private func word(bare cell: UnsafeBufferPointer<UInt8>) throws -> UInt64? {
    switch type {
    case .bool:
      let first = cell[0] | 0x20
      return first == UInt8(ascii: "t") ? 1 : first == UInt8(ascii: "f") ? 0 : nil
    case .int8:
      // Digits alone: others are rounded.
      return Int64(cell).map { UInt64(bitPattern: $0) }
    case .float8:
      guard case .float(let value) = try TypeText.parse(bytes: cell, as: type, context: evaluation) else { return nil }
      // Numerics, which such literals are, have no zero below zero.
      return (value == 0 ? 0 : value).bitPattern
    default: return nil
    }
  }
}

extension Int64 {
  /// nil: anything but digits behind an optional sign, or too many.
  fileprivate init?(_ digits: UnsafeBufferPointer<UInt8>) {
    let isNegative = digits.first == UInt8(ascii: "-")
    var value: Int64 = 0
    for byte in digits.dropFirst(isNegative ? 1 : 0) {
      guard (0x30...0x39).contains(byte) else { return nil }
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, overflows) = product.subtractingReportingOverflow(Int64(byte - 0x30))
      guard !overflow, !overflows else { return nil }
      value = sum
    }
    // Counted below zero, where there is one number more.
    if isNegative { self = value } else if value > .min { self = -value } else { return nil }
  }
}
