// What work costs, for EXPLAIN. The unit is PostgreSQL's: reading a page of eight kilobytes in order, so that a PostgreSQL
// that asks for estimates (postgres_fdw's use_remote_estimate) can hold them against its own. A page has a thousand plain
// values of eight bytes.
//
// Costs say which of two plans reads and computes more, on the same data; they are no times. Whether pages are cached or
// archived, and how many threads share the work, is not in them.

enum CostModel {
  /// A value that is read, and a value of a summary.
  static let value = 0.001
  /// A row, whatever its columns, that an operator takes in or hands on.
  static let row = 0.001
  /// One function or comparison for one row.
  static let operation = 0.000_5
  /// A row's key that is looked up in a hash table, or put there.
  static let lookup = 0.004
  /// Two rows that a sort compares.
  static let comparison = 0.001
  /// A chunk that is looked into, and a row block of it.
  static let chunk = 0.5
  static let rowBlock = 0.02

  /// A sort of so many rows of which `kept` are wanted.
  static func sort(_ rows: Double, keys: Int, kept: Double) -> Double {
    let depth = max(2, min(rows, kept * 2)).exponent
    return rows * Double(depth) * comparison * Double(max(1, keys))
  }

  /// What an expression costs for one row: its calls, and all that they are given.
  static func perRow(_ expression: BoundExpression) -> Double {
    expression.children.reduce(expression.isLeaf ? 0 : operation) { $0 + perRow($1) }
  }
  static func perRow(_ expressions: [BoundExpression]) -> Double { expressions.reduce(0) { $0 + perRow($1) } }
}

extension BoundExpression {
  fileprivate var isLeaf: Bool {
    switch self {
    case .constant, .column, .outer, .parameter: true
    default: false
    }
  }
}
