// Rows of a dimension table, in order of its primary key.
//
// Conditions that fix the whole key find the one row there can be; other conditions are tested above the scan.

import VarveCompute
import VarveCore
import VarveFormat
import VarveStorage

final class DimensionScanNode: PlanNode {
  let table: DimensionSchema
  /// Places in the table's columns.
  let columns: [Int]
  /// A value for each column of the key; nil: all rows.
  let key: [BoundExpression]?

  init(_ table: DimensionSchema, _ columns: [Int], key: [BoundExpression]? = nil) {
    self.table = table
    self.columns = columns
    self.key = key
  }

  var types: [SQLType] { columns.map { table.columns[$0].type.sqlType } }
  var inputs: [any PlanNode] { [] }
  var label: String { "\(key == nil ? "Dimension Scan" : "Dimension Lookup") on \(table.name)" }

  func open(_ context: ExecutionContext) throws -> any Operator {
    let rows = context.snapshot.rows(of: table)
    let decoder = DimensionDecoder(table, columns)
    guard let key else { return DimensionScanOperator(rows, decoder, context) }
    var bytes: [UInt8] = []
    for part in key {
      let value = DimensionValue(try context.constant(part))
      // Nothing equals NULL.
      if value == .null { return EmptyOperator() }
      DimensionKey.append(value, to: &bytes)
    }
    guard let row = rows.find(bytes) else { return EmptyOperator() }
    return RowsOperator(try decoder.batch([row], context.evaluation))
  }
}

private final class DimensionScanOperator: Operator {
  private static let batchRowCount = 4096
  private let rows: DimensionRows
  private let decoder: DimensionDecoder
  private let context: ExecutionContext
  private var block = 0

  init(_ rows: DimensionRows, _ decoder: DimensionDecoder, _ context: ExecutionContext) {
    self.rows = rows
    self.decoder = decoder
    self.context = context
  }

  func next() throws -> QueryBatch? {
    guard block < rows.blocks.count else { return nil }
    try context.check()
    var builders = decoder.builders(capacity: Self.batchRowCount)
    var count = 0
    while block < rows.blocks.count, count < Self.batchRowCount {
      try rows.blocks[block].forEachRow { try decoder.append($0, to: &builders, context.evaluation) }
      count += rows.blocks[block].count
      block += 1
    }
    return DimensionDecoder.batch(&builders, count)
  }
}

/// Rows of a dimension table as columns.
struct DimensionDecoder {
  private let table: DimensionSchema
  private let columns: [Int]
  /// Place among `columns` by column id, or nil for one that nobody reads.
  private let targets: [Int?]

  /// `columns` are places in the table's columns.
  init(_ table: DimensionSchema, _ columns: [Int]) {
    self.table = table
    self.columns = columns
    var targets = [Int?](repeating: nil, count: table.nextColumn)
    for (target, place) in columns.enumerated() { targets[Int(table.columns[place].id.rawValue)] = target }
    self.targets = targets
  }

  func builders(capacity: Int) -> [ColumnBuilder] {
    columns.map { ColumnBuilder(table.columns[$0].type.sqlType, capacity: capacity) }
  }

  func append(_ row: UnsafeRawBufferPointer, to builders: inout [ColumnBuilder], _ context: EvaluationContext) throws {
    var reader = try DimensionRowReader(row)
    let count = min(reader.count, targets.count)
    for id in 0..<count {
      let cell = try reader.next()
      guard let target = targets[id] else { continue }
      try builders[target].append(cell, table.columns[columns[target]].type, context)
    }
    // Columns that came after the row was written.
    for id in count..<targets.count {
      guard let target = targets[id] else { continue }
      let column = table.columns[columns[target]]
      try builders[target].append(column.older, column.type, context)
    }
  }

  func batch(_ rows: [[UInt8]], _ context: EvaluationContext) throws -> QueryBatch {
    var builders = builders(capacity: rows.count)
    for row in rows { try row.withUnsafeBytes { try append($0, to: &builders, context) } }
    return Self.batch(&builders, rows.count)
  }

  static func batch(_ builders: inout [ColumnBuilder], _ count: Int) -> QueryBatch {
    QueryBatch(count: count, columns: builders.map { $0.finish() })
  }
}
