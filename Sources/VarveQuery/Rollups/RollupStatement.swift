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

/// The parts of some aggregates, each as the field that keeps it.
struct KeptAggregates: Sendable {
  struct Field: Sendable {
    let part: AggregateParts.Part
    /// Which of `calls` it was made for; others may share it.
    let call: Int
  }
  let calls: [AggregateCall]
  /// Of each call, and where its parts stand among `fields`.
  let parts: [(parts: AggregateParts, fields: [Int])]
  let fields: [Field]

  /// Whether parts of one group merge only if no part's samples lie between those of another.
  var needsDisjointTimes: Bool { parts.contains { $0.parts.needsDisjointTimes } }

  /// Throws 0A000 for an aggregate that cannot be kept.
  init(_ calls: [AggregateCall]) throws {
    var fields: [Field] = []
    var parts: [(AggregateParts, [Int])] = []
    for (number, call) in calls.enumerated() {
      let kept = try AggregateParts.of(call.function, isDistinct: call.isDistinct)
      let places = kept.parts.map { part -> Int in
        let field = Field(part: part, call: number)
        if let shared = fields.firstIndex(where: { Self.isSame($0, calls, field, calls) }) { return shared }
        fields.append(field)
        return fields.count - 1
      }
      parts.append((kept, places))
    }
    self.calls = calls
    self.fields = fields
    self.parts = parts
  }

  /// Where a field of others, whose arguments are over the same columns, is kept here; nil if it is not.
  func place(of field: Field, _ others: [AggregateCall]) -> Int? {
    fields.firstIndex { Self.isSame($0, calls, field, others) }
  }

  private static func isSame(_ a: Field, _ calls: [AggregateCall], _ b: Field, _ others: [AggregateCall]) -> Bool {
    let (call, other) = (calls[a.call], others[b.call])
    guard a.part.signature == b.part.signature, a.part.arguments.count == b.part.arguments.count,
      zip(a.part.arguments, b.part.arguments).allSatisfy({ call.arguments[$0].isSame(as: other.arguments[$1]) })
    else { return false }
    switch (call.filter, other.filter) {
    case (nil, nil): return true
    case (let x?, let y?): return x.isSame(as: y)
    default: return false
    }
  }
}

/// What is grouped, by what, and what is kept of each group. Expressions are over the source's columns.
struct PartsQuery: Sendable {
  let source: RollupSource
  let keys: [BoundExpression]
  let conditions: [BoundExpression]
  let kept: KeptAggregates
}

extension PartsQuery {
  /// Of outputs over the keys and the aggregates.
  fileprivate func knownFrom(_ outputs: [BoundExpression], _ additions: [RollupDefinition.Addition]) -> [Int64] {
    let fields = kept.fields.enumerated().map { number, field -> Int64 in
      let call = kept.calls[field.call]
      let added = additions.last { $0.firstField <= number }?.knownFrom ?? .min
      return max(added, sourceKnownFrom(call.arguments + (call.filter.map { [$0] } ?? []) + conditions))
    }
    return outputs.map { output in
      output.columns.filter { $0 >= keys.count }
        .flatMap { kept.parts[$0 - keys.count].fields.map { fields[$0] } }.max() ?? .min
    }
  }

  /// Of what is made of columns of the source.
  private func sourceKnownFrom(_ expressions: [BoundExpression]) -> Int64 {
    guard case .rollup(let rollup) = source else { return .min }
    return expressions.flatMap(\.columns).map { rollup.statement.knownFrom[$0] }.max() ?? .min
  }
}

final class RollupStatement: Sendable {
  let query: PartsQuery
  /// Names of the keys' columns; of the bucket's nothing is stored under a name.
  let keyNames: [String]
  /// Which of the keys is the bucket.
  let bucketKey: Int
  /// Of the fields.
  let fieldNames: [String]
  /// NULL in buckets that begin before what is `knownFrom`.
  let outputs: [BoundExpression]
  /// Of each output: times of the source's rows from which on it is what all of them make. Of rows before, which were
  /// gone when it came to be kept, nothing is known of it.
  let knownFrom: [Int64]
  let columns: [ResultColumn]
  let grid: BucketGrid
  /// Width of the buckets as EXPLAIN and varve.rollups say it.
  let bucketText: String
  /// Columns of the source that must stay.
  let usedColumns: [ColumnID]

  init(
    _ query: PartsQuery, keyNames: [String], bucketKey: Int, outputs: [BoundExpression], columns: [ResultColumn],
    grid: BucketGrid, bucketText: String, usedColumns: [ColumnID], additions: [RollupDefinition.Addition] = []
  ) {
    self.query = query
    self.keyNames = keyNames
    self.bucketKey = bucketKey
    let known = query.knownFrom(outputs, additions)
    knownFrom = known
    self.outputs = zip(outputs, known).map { Self.known($0, from: $1, query.keys[bucketKey].type, bucketKey) }
    self.columns = columns
    self.grid = grid
    self.bucketText = bucketText
    self.usedColumns = usedColumns
    // Number and name, with something before it where a tag has that name.
    fieldNames = query.kept.fields.map { field in
      var name = "\(field.call)_\(field.part.name)"
      while keyNames.contains(where: { $0.isSameName(as: name) }) { name = "_" + name }
      return name
    }
  }

  private static func known(_ output: BoundExpression, from time: Int64, _ type: SQLType, _ bucketKey: Int)
    -> BoundExpression
  {
    guard time > .min else { return output }
    let isKnown = BoundExpression.call(
      TimeRanges.comparison(">="), [.place(bucketKey, type), .constant(.timestamp(time), .timestamptz)])
    return .choose(
      cases: [(when: isKnown, result: output)], otherwise: .constant(.null, output.type), output.type)
  }

  var source: RollupSource { query.source }
  var keys: [BoundExpression] { query.keys }
  var fields: [KeptAggregates.Field] { query.kept.fields }

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
      name: name, tags: tagKeys.map { keyNames[$0] }, fields: zip(fieldNames, fields).map { ($0, $1.part.fieldType) },
      partitionNanoseconds: partitionNanoseconds)
  }
}

/// A statement, and the table that holds what it gives.
struct BoundRollup: Sendable {
  let schema: TableSchema
  let definition: RollupDefinition
  let statement: RollupStatement
}
