// INSERT, UPDATE and DELETE on a dimension table: what a statement makes of the rows that it finds.
//
// A plan is run on one version of the table, while no other session may write it, and gives the rows that change: they
// come true with the session's transaction.

import VarveCompute
import VarveCore
import VarveFormat
import VarveStorage

/// Makes rows of a dimension table.
protocol DimensionRowWriter: Sendable {
  var table: DimensionSchema { get }
}

protocol DimensionPlan: DimensionRowWriter {
  /// INSERT, UPDATE or DELETE.
  var verb: String { get }
  /// Over what `DimensionOutcome.Returned` holds; nil without RETURNING.
  var returning: [BoundExpression]? { get }
  /// For EXPLAIN.
  var source: any PlanNode { get }
  func run(_ rows: DimensionRows, _ context: ExecutionContext) throws -> DimensionOutcome
}

struct DimensionOutcome {
  /// By key: the row to be, or none.
  var changes: [[UInt8]: [UInt8]?] = [:]
  var count = 0
  /// The rows that RETURNING speaks of, in order.
  var returned: [QueryBatch] = []
}

extension DimensionRowWriter {
  /// Values of all columns, dropped ones included, by id; `columns` are the table's, in order.
  func values(_ columns: [Column], row: Int) -> [DimensionValue] {
    var values = [DimensionValue](repeating: .null, count: table.nextColumn)
    for (column, definition) in zip(columns, table.columns) {
      values[Int(definition.id.rawValue)] = DimensionValue(column.datum(at: row))
    }
    return values
  }

  /// The row and its key. Throws 23502 for a NULL where none may be.
  func encoded(_ values: [DimensionValue]) throws -> (key: [UInt8], row: [UInt8]) {
    for column in table.columns {
      let value = values[Int(column.id.rawValue)]
      if column.isNotNull, value == .null {
        throw SQLError.make(
          "23502",
          "null value in column \"\(column.name)\" of relation \"\(table.name)\" violates not-null constraint")
      }
      if case .bytes(let bytes) = value, bytes.count > Limits.textValueByteCount {
        throw SQLError.make(
          "22001",
          "value too long for column \"\(column.name)\": \(bytes.count) bytes, at most \(Limits.textValueByteCount)")
      }
    }
    let row = DimensionRow.encoded(values)
    guard row.count <= Limits.dimensionRowByteCount else {
      throw SQLError.make(
        "54000", "a row of \"\(table.name)\" has \(row.count) bytes, at most \(Limits.dimensionRowByteCount)")
    }
    return (try table.key(of: values), row)
  }

  /// 23505, as PostgreSQL words it.
  func duplicate(_ values: [DimensionValue], _ context: ExecutionContext) throws -> VarveError {
    var names: [String] = []
    var texts: [String] = []
    for id in table.key {
      guard let column = table.column(id) else { preconditionFailure("the key's columns stay") }
      names.append(Binder.quoteIfNeeded(column.name))
      var builder = ColumnBuilder(column.type.sqlType)
      try builder.append(values[Int(id.rawValue)], column.type, context.evaluation)
      let datum = builder.finish().datum(at: 0)
      texts.append(try TypeText.string(datum, type: column.type.sqlType, context: context.evaluation))
    }
    return SQLError.make(
      "23505", "duplicate key value violates unique constraint \"\(table.keyName)\"",
      hint: "Key (\(names.joined(separator: ", ")))=(\(texts.joined(separator: ", "))) already exists.")
  }

  /// Rows that are written down as values, as columns again, for RETURNING.
  func batch(_ rows: [[DimensionValue]], _ context: ExecutionContext) throws -> QueryBatch {
    var builders = table.columns.map { ColumnBuilder($0.type.sqlType, capacity: rows.count) }
    for values in rows {
      for (place, column) in table.columns.enumerated() {
        try builders[place].append(values[Int(column.id.rawValue)], column.type, context.evaluation)
      }
    }
    return DimensionDecoder.batch(&builders, rows.count)
  }
}
