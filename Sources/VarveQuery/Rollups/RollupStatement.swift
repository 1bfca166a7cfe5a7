// What a rollup is made of: the meaning of its statement, as the catalog keeps its text.
//
//   SELECT time_bucket('1 hour', time) AS hour, host, avg(usage) FROM cpu WHERE … GROUP BY 1, 2
//
// Keys, conditions and arguments are over the source's columns, outputs over the keys and then the aggregates. What is
// stored of each aggregate are its parts (`AggregateParts`); parts that hold the same share a field.

import VarveCompute
import VarveCore
import VarveFormat
import VarveRollup
import VarveStorage

/// What a rollup is made from.
indirect enum RollupSource: Sendable {
  case table(TableSchema)
  case rollup(BoundRollup)

  var id: TableID {
    switch self {
    case .table(let table): table.id
    case .rollup(let rollup): rollup.schema.id
    }
  }
  var name: String {
    switch self {
    case .table(let table): table.name
    case .rollup(let rollup): rollup.schema.name
    }
  }
  /// As SQL sees them.
  var columns: [(name: String, type: SQLType)] {
    switch self {
    case .table(let table): table.sqlColumns.map { ($0.name, $0.column.type) }
    case .rollup(let rollup): rollup.statement.columns.map { ($0.name, $0.type) }
    }
  }
  /// Place of the column that says when a row was.
  var timePlace: Int {
    switch self {
    case .table: 0
    case .rollup(let rollup): rollup.statement.timeOutput
    }
  }
}

final class RollupStatement: Sendable {
  /// A field of the series table that holds the rollup's rows.
  struct Field: Sendable {
    let name: String
    let part: AggregateParts.Part
    /// Which of `calls` it was made for; others may share it.
    let call: Int
  }

  let source: RollupSource
  let keys: [BoundExpression]
  /// Names of the keys' columns; of the bucket's nothing is stored under a name.
  let keyNames: [String]
  /// Which of the keys is the bucket.
  let bucketKey: Int
  let conditions: [BoundExpression]
  let calls: [AggregateCall]
  /// Of each call, and where its parts stand among `fields`.
  let parts: [(parts: AggregateParts, fields: [Int])]
  let fields: [Field]
  let outputs: [BoundExpression]
  let columns: [ResultColumn]
  let grid: BucketGrid
  /// Width of the buckets as EXPLAIN and varve.rollups say it.
  let bucketText: String
  /// Columns of the source that must stay.
  let usedColumns: [ColumnID]

  init(
    source: RollupSource, keys: [BoundExpression], keyNames: [String], bucketKey: Int, conditions: [BoundExpression],
    calls: [AggregateCall], outputs: [BoundExpression], columns: [ResultColumn], grid: BucketGrid, bucketText: String,
    usedColumns: [ColumnID]
  ) throws {
    self.source = source
    self.keys = keys
    self.keyNames = keyNames
    self.bucketKey = bucketKey
    self.conditions = conditions
    self.calls = calls
    self.outputs = outputs
    self.columns = columns
    self.grid = grid
    self.bucketText = bucketText
    self.usedColumns = usedColumns
    var fields: [Field] = []
    var parts: [(AggregateParts, [Int])] = []
    for (number, call) in calls.enumerated() {
      let kept = try AggregateParts.of(call.function, isDistinct: call.isDistinct)
      let places = kept.parts.map { part -> Int in
        if let shared = fields.firstIndex(where: { Self.isSame($0.part, calls[$0.call], part, call) }) { return shared }
        fields.append(Field(name: Self.name(number, part, keyNames), part: part, call: number))
        return fields.count - 1
      }
      parts.append((kept, places))
    }
    self.fields = fields
    self.parts = parts
  }

  /// Number and name, with something before it where a tag has that name.
  private static func name(_ number: Int, _ part: AggregateParts.Part, _ taken: [String]) -> String {
    var name = "\(number)_\(part.name)"
    while taken.contains(where: { $0.isSameName(as: name) }) { name = "_" + name }
    return name
  }

  /// Whether the parts of two calls hold the same.
  static func isSame(
    _ a: AggregateParts.Part, _ call: AggregateCall, _ b: AggregateParts.Part, _ other: AggregateCall
  ) -> Bool {
    guard a.signature == b.signature, a.arguments.count == b.arguments.count,
      zip(a.arguments, b.arguments).allSatisfy({ call.arguments[$0].isSame(as: other.arguments[$1]) })
    else { return false }
    switch (call.filter, other.filter) {
    case (nil, nil): return true
    case (let x?, let y?): return x.isSame(as: y)
    default: return false
    }
  }

  /// Which output is the bucket itself.
  var timeOutput: Int {
    guard let place = output(ofKey: bucketKey) else { preconditionFailure("a rollup's bucket is among its columns") }
    return place
  }

  func output(ofKey key: Int) -> Int? {
    outputs.firstIndex { if case .column(let reference) = $0 { reference.index == key } else { false } }
  }

  /// Keys but the bucket, in order: the tags of the stored rows.
  var tagKeys: [Int] { keys.indices.filter { $0 != bucketKey } }

  /// The series table that is to hold the rows.
  func tableDefinition(named name: String, partitionNanoseconds: Int64) -> TableDefinition {
    TableDefinition(
      name: name, tags: tagKeys.map { keyNames[$0] }, fields: fields.map { ($0.name, $0.part.fieldType) },
      partitionNanoseconds: partitionNanoseconds)
  }
}

/// A statement, and the table that holds what it gives.
struct BoundRollup: Sendable {
  let schema: TableSchema
  let definition: RollupDefinition
  let statement: RollupStatement
}
