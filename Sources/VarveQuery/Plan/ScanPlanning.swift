// Sorts the conditions of a series scan: what selects series, what bounds time, what skips blocks, and what is
// left to test row by row.

import VarveCompute
import VarveCore

/// A condition on one tag. Its column is number 0.
struct TagCondition: Sendable {
  var column: ColumnID
  var condition: BoundExpression
}

enum ScanPlanning {
  static func plan(_ scan: SeriesScan) -> SeriesScanNode {
    var settled = ScanConditions()
    var residual: [BoundExpression] = []
    for condition in scan.conditions.flatMap(\.conjuncts) {
      if let tag = tagCondition(condition, scan.columns) {
        settled.tags.append(tag)
        continue
      }
      if let bound = timeBound(condition, scan.columns) {
        settled.times.append(bound)
        if bound.isExact { continue }
      }
      if case .or(let parts) = condition, let alternatives = ScanAlternatives(parts, scan.columns) {
        settled.alternatives.append(alternatives)
        if alternatives.isExact { continue }
      }
      if let zone = zoneBound(condition, scan.columns) { settled.zones.append(zone) }
      residual.append(condition)
    }
    // What only settled conditions needed is not delivered any more.
    var used = Set<Int>()
    for condition in residual { condition.collectColumns(into: &used) }
    return make(scan, settled, residual, used)
  }

  /// What says which series, and no more.
  static func tagCondition(_ condition: BoundExpression, _ columns: [SeriesColumn]) -> TagCondition? {
    let used = condition.columns
    guard used.count == 1, let index = used.first, case .tag(let id) = columns[index], !condition.isVolatile else {
      return nil
    }
    return TagCondition(column: id, condition: condition.renumbered([index: 0]))
  }

  /// What says a bound of time, and no more.
  static func timeBound(_ condition: BoundExpression, _ columns: [SeriesColumn]) -> ScanBound? {
    let used = condition.columns
    guard used.count == 1, let index = used.first, columns[index] == .time else { return nil }
    return bound(condition, type: .timestamptz)
  }

  private static func zoneBound(_ condition: BoundExpression, _ columns: [SeriesColumn]) -> ZoneBound? {
    let used = condition.columns
    guard used.count == 1, let index = used.first, case .field(let id, let type) = columns[index], type != .text,
      type != .bool
    else { return nil }
    return bound(condition, type: nil).map { ZoneBound(column: id, bound: $0) }
  }

  private static func make(
    _ scan: SeriesScan, _ settled: ScanConditions, _ residual: [BoundExpression], _ used: Set<Int>
  ) -> SeriesScanNode {
    let kept = scan.columns.indices.filter { $0 < scan.width || used.contains($0) }
    let places = Dictionary(uniqueKeysWithValues: kept.enumerated().map { ($1, $0) })
    return SeriesScanNode(
      table: scan.table, columns: kept.map { scan.columns[$0] }, conditions: settled,
      residual: residual.map { $0.renumbered(places) }, width: scan.width)
  }

  /// `column op expression` or the other way round, where the expression has no columns. With `type`, both sides
  /// must be of it, so that the bound is exact.
  static func bound(_ condition: BoundExpression, type: SQLType?) -> ScanBound? {
    func isColumn(_ side: BoundExpression) -> Bool {
      if case .column = side { return true }
      // A widening cast keeps the order. A double as numeric is rounded, as is what a precision is asked of.
      if type == nil, case .call(let cast, let arguments) = side, arguments.count == 1,
        case .column(let column) = arguments[0],
        cast.name == cast.resultType.name, column.type.category == "N", cast.resultType.category == "N",
        cast.resultType == .float8 || (cast.resultType == .numeric && !column.type.isFloat)
      {
        return true
      }
      return false
    }
    func isFixed(_ side: BoundExpression) -> Bool {
      // A bound on time is all that is made of its condition; of a field's, it is computed beside the condition itself.
      side.columns.isEmpty && !side.isVolatile && (type != nil || !side.hasSubquery)
    }
    if let (column, list) = listed(condition) {
      guard isColumn(column), isFixed(list), type == nil || column.type == type else { return nil }
      return ScanBound(relation: .among, value: list)
    }
    guard case .call(let function, let sides) = condition, sides.count == 2, let relation = relations[function.name]
    else { return nil }
    if let type, function.argumentTypes != [type, type] { return nil }
    if isColumn(sides[0]), isFixed(sides[1]) { return ScanBound(relation: relation, value: sides[1]) }
    if isColumn(sides[1]), isFixed(sides[0]) { return ScanBound(relation: flipped(relation), value: sides[0]) }
    return nil
  }

  /// `expression IN (…)` and `expression = ANY (array)`, with the list as an array.
  private static func listed(_ condition: BoundExpression) -> (expression: BoundExpression, list: BoundExpression)? {
    switch condition {
    case .inList(let operand, let items): (operand, .array(items, element: operand.type))
    case .quantified(let function, let operand, let array, isAll: false)
    where function.name == "=" && function.argumentTypes.allSatisfy { $0 == operand.type }:
      (operand, array)
    default: nil
    }
  }

  private static let relations: [String: ScanBound.Relation] = [
    "=": .equal, "<": .less, "<=": .lessOrEqual, ">": .greater, ">=": .greaterOrEqual,
  ]
  private static func flipped(_ relation: ScanBound.Relation) -> ScanBound.Relation {
    switch relation {
    case .equal: .equal
    case .less: .greater
    case .lessOrEqual: .greaterOrEqual
    case .greater: .less
    case .greaterOrEqual: .lessOrEqual
    case .among: .among
    }
  }
}
