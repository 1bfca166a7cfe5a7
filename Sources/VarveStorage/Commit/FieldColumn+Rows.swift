// Selecting, widening and overlaying the cells of a batch's columns.

import VarveCore

extension FieldColumn {
  /// The rows named, in order.
  func gathered(_ rows: [Int]) -> FieldColumn {
    let builder = FieldColumnBuilder(type: type, capacity: rows.count)
    for row in rows { builder.append(self, row: row) }
    return builder.finish()
  }

  /// Integers as doubles; or, for a column without any value (all its cells are NULL or absent), any type.
  func converted(to target: FieldType) -> FieldColumn {
    let words = Buffer<UInt64>(capacity: count)
    for row in 0..<count {
      let isValue = state(row) == .value
      precondition(!isValue || (type == .int64 && target == .float64), "only integers widen, to double")
      words.append(isValue ? Double(Int64(bitPattern: self.words[row])).bitPattern : 0)
    }
    return FieldColumn(type: target, words: words, text: target == .text ? Buffer() : nil, states: states)
  }

  /// The cells of `other` where it has any, else one's own.
  func overlaid(with other: FieldColumn) -> FieldColumn {
    let builder = FieldColumnBuilder(type: type, capacity: count)
    for row in 0..<count {
      builder.append(other.state(row) == .absent ? self : other, row: row)
    }
    return builder.finish()
  }
}

extension HeadBlock {
  /// A block of the rows that `order` names.
  static func gathered(
    _ order: Buffer<UInt32>, _ series: Buffer<UInt32>, _ times: Buffer<Int64>,
    _ fields: [(id: ColumnID, column: FieldColumn)]
  ) -> HeadBlock {
    let someSeries = Buffer<UInt32>(capacity: order.count)
    let someTimes = Buffer<Int64>(capacity: order.count)
    for row in order.span {
      someSeries.append(series.base[Int(row)])
      someTimes.append(times.base[Int(row)])
    }
    let someFields = fields.map { field in
      let builder = FieldColumnBuilder(type: field.column.type, capacity: order.count)
      builder.append(field.column, order: order.span)
      return (id: field.id, column: builder.finish())
    }
    return HeadBlock(series: someSeries, times: someTimes, fields: someFields)
  }
}
