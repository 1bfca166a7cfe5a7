// Moves expressions of a grouped query from its input to its groups: keys, aggregates and GROUPING() become columns of
// the aggregation; any other column is an error.

import VarveCompute
import VarveCore

struct Grouping {
  let binder: Binder
  let keys: [BoundExpression]
  let sets: [[Int]]?
  private(set) var calls: [AggregateCall] = []
  /// The keys that each GROUPING() asks for.
  private(set) var masks: [[Int]] = []

  init(binder: Binder, _ grouping: GroupingKeys) {
    self.binder = binder
    keys = grouping.keys
    sets = grouping.sets
  }

  /// The aggregation that the rewritten expressions are over.
  func plan(_ input: LogicalPlan) -> LogicalPlan {
    // Under its own name it was found; the plan knows what time_bucket does.
    let keys = keys.map { key -> BoundExpression in
      guard case .call(let function, let arguments) = key, function.name == GapFillRequest.name else { return key }
      return .call(function.renamed("time_bucket"), arguments)
    }
    guard let sets else { return .aggregate(input, keys: keys, calls) }
    return .groupingSets(input, GroupingSets(keys: keys, sets: sets, masks: masks), calls)
  }

  /// Finds what all expressions ask for; their columns are numbered behind these.
  mutating func collect(_ expressions: [BoundExpression]) throws {
    for expression in expressions { try collect(expression) }
  }

  private mutating func collect(_ expression: BoundExpression) throws {
    if keys.contains(where: { $0.isSame(as: expression) }) { return }
    switch expression {
    case .aggregate(let call):
      if !calls.contains(where: { BoundExpression.aggregate($0).isSame(as: expression) }) { calls.append(call) }
    case .grouping(let arguments, let locations):
      let mask = try self.mask(arguments, locations)
      if sets != nil, !masks.contains(mask) { masks.append(mask) }
    case .column(let column):
      throw binder.error(
        "42803", "column \"\(column.name)\" must appear in the GROUP BY clause or be used in an aggregate function",
        at: column.location)
    default: for child in expression.children { try collect(child) }
    }
  }

  private func mask(_ arguments: [BoundExpression], _ locations: [Int]) throws -> [Int] {
    try zip(arguments, locations).map { argument, location in
      guard let key = keys.firstIndex(where: { $0.isSame(as: argument) }) else {
        throw binder.error(
          "42803", "arguments to GROUPING must be grouping expressions of the associated query level", at: location)
      }
      return key
    }
  }

  func rewrite(_ expression: BoundExpression) throws -> BoundExpression {
    if let index = keys.firstIndex(where: { $0.isSame(as: expression) }) {
      return reference(index, expression.type)
    }
    switch expression {
    case .aggregate:
      guard let index = calls.firstIndex(where: { BoundExpression.aggregate($0).isSame(as: expression) }) else {
        preconditionFailure("all aggregates of a query were collected")
      }
      return reference(keys.count + index, expression.type)
    case .grouping(let arguments, let locations):
      // Without sets no key is ever left out.
      guard sets != nil else { return .constant(.int(0), .int4) }
      let mask = try self.mask(arguments, locations)
      guard let index = masks.firstIndex(of: mask) else {
        preconditionFailure("all calls of GROUPING of a query were collected")
      }
      return reference(keys.count + calls.count + index, .int4)
    default: return try expression.mapChildren { try rewrite($0) }
    }
  }

  private func reference(_ index: Int, _ type: SQLType) -> BoundExpression {
    .column(ColumnReference(index: index, type: type, name: "", location: -1))
  }
}
