// What a query computes, before it is decided how: the tree that the binder makes and the optimiser rewrites.
// Columns of a node are numbered from 0; expressions of a node are over the columns of its input (a join's: left
// then right).

import VarveCompute
import VarveCore
import VarveStorage

/// A column that a series table offers.
enum SeriesColumn: Sendable, Hashable {
  case time
  case tag(ColumnID)
  case field(ColumnID, FieldType)

  var type: SQLType {
    switch self {
    case .time: .timestamptz
    case .tag: .text
    case .field(_, let type): type.sqlType
    }
  }
}

extension FieldType {
  /// The type that SQL sees a field with.
  var sqlType: SQLType {
    switch self {
    case .float64: .float8
    case .int64: .int8
    case .uint64: .numeric(precision: 20, scale: 0)
    case .bool: .bool
    case .text: .text
    case .timestamp: .timestamptz
    }
  }
}

extension TableSchema {
  /// As SQL orders them: time, tags, fields.
  var sqlColumns: [(name: String, column: SeriesColumn)] {
    var result: [(name: String, column: SeriesColumn)] = [("time", .time)]
    for column in columns where column.isTag { result.append((column.name, .tag(column.id))) }
    for column in columns {
      if case .field(let type) = column.kind { result.append((column.name, .field(column.id, type))) }
    }
    return result
  }
}

struct SeriesScan: Sendable {
  var table: TableSchema
  /// What is delivered, in this order.
  var columns: [SeriesColumn]
  /// Over `columns`; all must hold.
  var conditions: [BoundExpression] = []
  /// How many of `columns` are delivered; the rest are for `conditions` only.
  var width: Int
  /// What is made from the table, and may answer for it.
  var rollups: [BoundRollup] = []

  init(table: TableSchema, columns: [SeriesColumn]) {
    self.table = table
    self.columns = columns
    width = columns.count
  }
}

enum JoinKind: Sendable { case inner, left, full }

indirect enum LogicalPlan: Sendable {
  case series(SeriesScan)
  case rollup(RollupScan)
  case virtual(VirtualTable, columns: [Int])
  /// Places in the table's columns; a value for each column of the key where only one row is wanted.
  case dimension(DimensionSchema, columns: [Int], key: [BoundExpression]?)
  /// One row without columns: SELECT without FROM.
  case oneRow
  case values([[BoundExpression]], [SQLType])
  case function(TableFunction, [BoundExpression])
  case filter(LogicalPlan, [BoundExpression])
  case project(LogicalPlan, [BoundExpression])
  case aggregate(LogicalPlan, keys: [BoundExpression], [AggregateCall])
  /// The input's columns, then one a call.
  case gapFill(LogicalPlan, GapFill, [FillCall])
  case groupingSets(LogicalPlan, GroupingSets, [AggregateCall])
  /// The input's columns, then one a call. All calls are of this order.
  case window(LogicalPlan, WindowOrder, [WindowCall])
  case join(JoinKind, LogicalPlan, LogicalPlan, on: [BoundExpression])
  /// The right side is run for each row of the left: LATERAL.
  case lateral(
    JoinKind, LogicalPlan, SubqueryPlan, outerInputs: [BoundExpression], types: [SQLType], on: [BoundExpression],
    asOf: AsOf? = nil)
  case sort(LogicalPlan, [BoundSort])
  case distinct(LogicalPlan)
  /// The first row for each value of the keys.
  case distinctOn(LogicalPlan, [BoundExpression])
  case limit(LogicalPlan, limit: BoundExpression?, offset: BoundExpression?)
  /// With the rows behind the last that no key tells from it. The input is of this order.
  case ties(LogicalPlan, [BoundSort], limit: BoundExpression, offset: BoundExpression?)
  case setOperation(SelectSyntax.SetOperation, isAll: Bool, LogicalPlan, LogicalPlan)

  var types: [SQLType] {
    switch self {
    case .series(let scan): scan.columns.prefix(scan.width).map(\.type)
    case .rollup(let scan): scan.types
    case .virtual(let table, let columns): columns.map { table.columns[$0].type }
    case .dimension(let table, let columns, _): columns.map { table.columns[$0].type.sqlType }
    case .oneRow: []
    case .values(_, let types): types
    case .function(let function, _): function.types
    case .filter(let input, _), .sort(let input, _), .distinct(let input), .distinctOn(let input, _),
      .limit(let input, _, _), .ties(let input, _, _, _), .setOperation(_, _, let input, _):
      input.types
    case .project(_, let expressions): expressions.map(\.type)
    case .aggregate(_, let keys, let calls): keys.map(\.type) + calls.map(\.function.resultType)
    case .gapFill(let input, _, let calls): input.types + calls.map(\.type)
    case .groupingSets(_, let grouping, let calls):
      grouping.keys.map(\.type) + calls.map(\.function.resultType) + grouping.masks.map { _ in .int4 }
    case .window(let input, _, let calls): input.types + calls.map(\.type)
    case .join(_, let left, let right, _): left.types + right.types
    case .lateral(_, let left, _, _, let types, _, _): left.types + types
    }
  }
}
