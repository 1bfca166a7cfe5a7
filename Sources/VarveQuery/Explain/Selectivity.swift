// Which share of rows a condition leaves, as PostgreSQL takes it where it has no statistics; where it is known how many
// values a column has, as for tags, equality leaves one of them.

import VarveCompute

enum Selectivity {
  static let equality = 0.005
  static let inequality = 1.0 / 3
  /// Between two values.
  static let range = 0.005
  static let pattern = 0.005
  static let null = 0.005
  static let subquery = 0.5

  /// Of one more than all of so many values are equal to.
  static func equality(_ columns: [ColumnEstimate]) -> Double {
    columns.compactMap(\.distinct).max().map { 1 / max(1, $0) } ?? equality
  }
}

extension PlanEstimator {
  /// Of conditions that must all hold.
  func selectivity(_ conditions: [BoundExpression], over columns: [ColumnEstimate]) throws -> Double {
    var result = 1.0
    var bounds: [(of: BoundExpression, isUpper: Bool)] = []
    for condition in conditions.flatMap(\.conjuncts) {
      guard let bound = Self.bound(condition) else {
        result *= try selectivity(condition, over: columns)
        continue
      }
      // The second bound of what has another from the other side makes it a range.
      if let place = bounds.firstIndex(where: { $0.isUpper != bound.isUpper && $0.of.isSame(as: bound.of) }) {
        bounds.remove(at: place)
        result *= Selectivity.range / Selectivity.inequality
      } else {
        bounds.append(bound)
        result *= Selectivity.inequality
      }
    }
    return result
  }

  /// An inequality of something with columns and something without.
  private static func bound(_ condition: BoundExpression) -> (of: BoundExpression, isUpper: Bool)? {
    guard case .call(let function, let sides) = condition, sides.count == 2,
      ["<", "<=", ">", ">="].contains(function.name), sides[0].columns.isEmpty != sides[1].columns.isEmpty
    else { return nil }
    let isLeft = sides[1].columns.isEmpty
    return (isLeft ? sides[0] : sides[1], function.name.hasPrefix("<") == isLeft)
  }

  private func selectivity(_ condition: BoundExpression, over columns: [ColumnEstimate]) throws -> Double {
    switch condition {
    case .constant(let value, _): return value == .bool(true) ? 1 : 0
    case .and(let parts): return try selectivity(parts, over: columns)
    case .or(let parts): return try either(parts.map { try selectivity($0, over: columns) })
    case .not(let part): return try 1 - selectivity(part, over: columns)
    case .isNull(_, let isNegated): return isNegated ? 1 - Selectivity.null : Selectivity.null
    case .isDistinct(let left, let right, let isNegated):
      let equal = try equality([left, right], over: columns)
      return isNegated ? equal : 1 - equal
    case .inList(let operand, let items):
      return either(Array(repeating: try equality([operand], over: columns), count: items.count))
    case .quantified(let function, let operand, let array, let isAll):
      let one = try comparison(function.name, [operand], over: columns)
      let count = try elementCount(array)
      return isAll ? (0..<count).reduce(1) { share, _ in share * one } : either(Array(repeating: one, count: count))
    case .call(let function, let sides): return try comparison(function.name, sides, over: columns)
    case .subquery: return Selectivity.subquery
    default: return 0.5
    }
  }

  private func comparison(_ name: String, _ sides: [BoundExpression], over columns: [ColumnEstimate]) throws -> Double {
    switch name {
    case "=": try equality(sides, over: columns)
    case "<>": try 1 - equality(sides, over: columns)
    case "<", "<=", ">", ">=": Selectivity.inequality
    case "~~", "~~*", "~", "~*": Selectivity.pattern
    case "!~~", "!~~*", "!~", "!~*": 1 - Selectivity.pattern
    default: Selectivity.inequality
    }
  }

  private func equality(_ sides: [BoundExpression], over columns: [ColumnEstimate]) throws -> Double {
    Selectivity.equality(try self.columns(sides.filter { !$0.columns.isEmpty }, over: columns))
  }

  /// Of an array that is not known, as many as PostgreSQL takes it to have.
  func elementCount(_ array: BoundExpression) throws -> Int {
    if case .array(let items, _) = array { return items.count }
    if case .array(let items)? = try value(array) { return items.count }
    return 10
  }

  /// At least one of several that have nothing to do with each other.
  private func either(_ shares: [Double]) -> Double { 1 - shares.reduce(1) { $0 * (1 - $1) } }
}
