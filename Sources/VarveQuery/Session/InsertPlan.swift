// INSERT into a series table: rows of a query become a batch of points.
//
// A row without a time is of now; an explicit NULL in a field hides what the row had there; a field that is not
// named keeps it. A tag that is NULL or empty is a tag the series does not have. RETURNING gives rows as they were
// inserted: what an earlier write left in fields that are not named is not in them.

import VarveCompute
import VarveCore
import VarveStorage

struct InsertPlan: Sendable {
  enum Target: Sendable, Hashable {
    case time
    case tag(String)
    case field(String, FieldType)
  }
  let table: TableSchema
  let source: any PlanNode
  /// One a column of the source, which has the target's type.
  let targets: [Target]
  /// Over the table's columns; nil without RETURNING.
  let returning: [BoundExpression]?
  /// Whether nothing but the statement says what its rows are: then it need not see what its transaction has written.
  let readsNothing: Bool

  /// Pulls the source and makes batches, each small enough for the store, and the rows of RETURNING.
  func run(_ context: ExecutionContext) throws -> (batches: [PointBatch], returned: [QueryBatch]) {
    let input = try context.open(source)
    var result: [PointBatch] = []
    var returned: [QueryBatch] = []
    while let rows = try input.next() {
      try context.check()
      for start in stride(from: 0, to: rows.count, by: Limits.batchRowCount) {
        let part = rows.slice(start..<min(start + Limits.batchRowCount, rows.count))
        let batch = try points(part, context)
        try context.memory.charge(part.byteCount * 2)
        result.append(batch)
        if let returning {
          let rows = wholeRows(part, context)
          returned.append(
            QueryBatch(count: rows.count, columns: try returning.map { try context.evaluate($0, rows) }))
        }
      }
    }
    return (result, returned)
  }

  /// All columns of the table, in SQL's order.
  private func wholeRows(_ rows: QueryBatch, _ context: ExecutionContext) -> QueryBatch {
    let columns = table.sqlColumns.map { name, column -> Column in
      let place = targets.firstIndex { target in
        switch target {
        case .time: column == .time
        case .tag(let own), .field(let own, _): own.isSameName(as: name)
        }
      }
      if let place { return rows.columns[place] }
      if column == .time {
        return .constant(.timestamp(context.evaluation.now), type: .timestamptz, count: rows.count)
      }
      return .null(column.type, count: rows.count)
    }
    return QueryBatch(count: rows.count, columns: columns)
  }

  private func points(_ rows: QueryBatch, _ context: ExecutionContext) throws -> PointBatch {
    var times: Buffer<Int64>?
    var tags: [(name: String, column: Column)] = []
    var fields: [PointBatch.Field] = []
    for (index, target) in targets.enumerated() {
      let column = rows.columns[index]
      switch target {
      case .time:
        let flat = column.materialized()
        let buffer = Buffer<Int64>(capacity: rows.count)
        for row in 0..<rows.count {
          if flat.isNull(at: row) {
            throw SQLError.make(
              "23502", "null value in column \"time\" of relation \"\(table.name)\" violates not-null constraint")
          }
          buffer.append(Int64(bitPattern: flat.wordBuffer[row]))
        }
        times = buffer
      case .tag(let name): tags.append((name, column))
      case .field(let name, let type):
        fields.append(PointBatch.Field(name: name, column: try field(name, type, column)))
      }
    }
    // Rows of a series are found by the bytes of their tags; strings are made once a series.
    var found = KeyTable(types: tags.map(\.column.type))
    let rowSeries = try found.assign(tags.map(\.column), count: rows.count, memory: context.memory)
    let keys = found.keys()
    let series = try (0..<found.count).map { row in
      SeriesKey(tags: try zip(tags, keys).compactMap { tag, values in try tagValue(tag.name, values.datum(at: row)) })
    }
    let stamps = times ?? Buffer(repeating: context.evaluation.now, count: rows.count)
    return PointBatch(table: table.name, series: series, rowSeries: rowSeries, times: stamps, fields: fields)
  }

  /// nil: the series does not have the tag.
  private func tagValue(_ name: String, _ value: Datum) throws -> (name: String, value: String)? {
    guard case .text(let value) = value else { return nil }
    guard value.utf8.count <= Limits.tagValueByteCount else {
      throw SQLError.make(
        "22001", "value too long for tag \"\(name)\": \(value.utf8.count) bytes, at most \(Limits.tagValueByteCount)")
    }
    return (name, value)
  }

  private func field(_ name: String, _ type: FieldType, _ column: Column) throws -> FieldColumn {
    let count = column.count
    let flat = column.materialized()
    var states: Buffer<UInt8>?
    if flat.hasNulls {
      let buffer = Buffer<UInt8>(capacity: count)
      for row in 0..<count {
        buffer.append(flat.isNull(at: row) ? CellState.null.rawValue : CellState.value.rawValue)
      }
      states = buffer
    }
    switch type {
    case .text:
      let words = Buffer<UInt64>(capacity: count)
      let bytes = Buffer<UInt8>()
      let view = TextView(flat)
      for row in 0..<count {
        if flat.isNull(at: row) {
          words.append(0)
          continue
        }
        let text = view.bytes(row)
        guard text.count <= Limits.textValueByteCount else {
          throw SQLError.make(
            "22001", "value too long for column \"\(name)\": \(text.count) bytes, at most \(Limits.textValueByteCount)")
        }
        words.append(TextRef(offset: bytes.count, length: text.count).word)
        bytes.append(text)
      }
      return FieldColumn(type: .text, words: words, text: bytes, states: states)
    case .uint64:
      let words = Buffer<UInt64>(capacity: count)
      for row in 0..<count {
        guard case .numeric(let value) = flat.datum(at: row) else {
          words.append(0)
          continue
        }
        guard let word = UInt64(exactly: try value.rescaled(to: 0).mantissa) else {
          throw SQLError.make(
            "22003", "value of column \"\(name)\" is out of range: \(value.text) is not within 0 to 2^64 - 1")
        }
        words.append(word)
      }
      return FieldColumn(type: .uint64, words: words, states: states)
    case .float64, .int64, .bool, .timestamp:
      let words = Buffer<UInt64>(flat.wordBuffer.span)
      for row in 0..<count where flat.isNull(at: row) { words[row] = 0 }
      return FieldColumn(type: type, words: words, states: states)
    }
  }
}
