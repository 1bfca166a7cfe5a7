// Moves expressions of a grouped query from its input to its groups: keys and aggregates become columns of the
// aggregation; any other column is an error.

import VarveCompute
import VarveCore

struct Grouping {
  let binder: Binder
  let keys: [BoundExpression]
  private(set) var calls: [AggregateCall] = []

  init(binder: Binder, keys: [BoundExpression]) {
    self.binder = binder
    var distinct: [BoundExpression] = []
    for key in keys where !distinct.contains(where: { $0.isSame(as: key) }) { distinct.append(key) }
    self.keys = distinct
  }

  mutating func rewrite(_ expression: BoundExpression) throws -> BoundExpression {
    if let index = keys.firstIndex(where: { $0.isSame(as: expression) }) {
      return reference(index, expression.type)
    }
    switch expression {
    case .aggregate(let call):
      let known = calls.firstIndex { BoundExpression.aggregate($0).isSame(as: expression) }
      let index = known ?? calls.count
      if known == nil { calls.append(call) }
      return reference(keys.count + index, expression.type)
    case .column(let column):
      throw binder.error(
        "42803", "column \"\(column.name)\" must appear in the GROUP BY clause or be used in an aggregate function",
        at: column.location)
    default: return try expression.mapChildren { try rewrite($0) }
    }
  }

  private func reference(_ index: Int, _ type: SQLType) -> BoundExpression {
    .column(ColumnReference(index: index, type: type, name: "", location: -1))
  }
}
