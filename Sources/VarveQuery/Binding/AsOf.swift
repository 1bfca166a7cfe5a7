// The as-of join: for each row of the left, the row of the right with the same keys that is nearest in time on one side.
// It is written as LATERAL (SELECT … WHERE t.key = o.key AND t.time <= o.time ORDER BY t.time DESC LIMIT 1), or with
// >= and ascending order for the next row; < and > leave out the same time. What else the query asks of t's own columns
// is no matter. Any other form is run row by row.

import VarveCompute
import VarveCore

/// How a LATERAL query is answered for many rows from one run of its right side.
struct AsOf: Sendable {
  /// Delivers the keys, the time, then what the query selects.
  var right: SubqueryPlan
  /// Over the left's columns.
  var keys: [BoundExpression]
  var time: BoundExpression
  /// The first row behind, not the last before.
  var isForward: Bool
  /// Not at the very time.
  var isStrict: Bool

  func mapExpressions(_ map: (BoundExpression) throws -> BoundExpression) rethrows -> AsOf {
    var result = self
    result.keys = try keys.map(map)
    result.time = try map(time)
    return result
  }
  var expressions: [BoundExpression] { keys + [time] }

  /// nil: the query is of another form. `outerInputs` are the left's values behind the query's slots.
  static func recognize(_ plan: LogicalPlan, outerInputs: [BoundExpression]) throws -> AsOf? {
    guard let form = form(plan), let (relation, conditions) = source(form.input) else { return nil }
    var own: [BoundExpression] = []
    var pairs: [(inner: BoundExpression, outer: BoundExpression)] = []
    var time: (inner: BoundExpression, outer: BoundExpression, relation: String)?
    for condition in conditions {
      if !condition.hasOuter {
        own.append(condition)
        continue
      }
      guard let sides = sides(condition) else { return nil }
      if sides.relation == "=" {
        pairs.append((sides.inner, sides.outer))
      } else if time == nil {
        time = sides
      } else {
        return nil
      }
    }
    guard let time, time.inner.isSame(as: form.order), time.inner.type.isWord, !time.inner.type.isFloat,
      time.relation.first == (form.isDescending ? "<" : ">")
    else { return nil }
    func surrounding(_ expression: BoundExpression) -> BoundExpression {
      if case .outer(let slot, _) = expression { return outerInputs[slot] }
      return expression.mapChildren(surrounding)
    }
    let filtered = own.isEmpty ? relation : .filter(relation, own)
    let right = LogicalPlan.project(filtered, pairs.map(\.inner) + [time.inner] + form.results)
    return AsOf(
      right: SubqueryPlan(try Planner.plan(right)), keys: pairs.map { surrounding($0.outer) },
      time: surrounding(time.outer), isForward: !form.isDescending, isStrict: time.relation.count == 1)
  }

  private struct Form {
    var input: LogicalPlan
    var order: BoundExpression
    var isDescending: Bool
    var results: [BoundExpression]
  }

  /// One row of an order by one expression, none of it from around the query.
  private static func form(_ plan: LogicalPlan) -> Form? {
    var limited = plan
    var width: Int?
    if case .project(let input, let expressions) = plan, case .limit = input {
      guard expressions.count < input.types.count,
        expressions.enumerated().allSatisfy({
          if case .column(let reference) = $1 { return reference.index == $0 }
          return false
        })
      else { return nil }
      limited = input
      width = expressions.count
    }
    guard case .limit(.sort(.project(let input, let expressions), let sorts), let limit?, nil) = limited,
      limit.constantValue == .int(1), sorts.count == 1, case .column(let key) = sorts[0].expression,
      !expressions.contains(where: { $0.hasOuter || $0.isVolatile })
    else { return nil }
    return Form(
      input: input, order: expressions[key.index], isDescending: sorts[0].isDescending,
      results: Array(expressions.prefix(width ?? expressions.count)))
  }

  private static func source(_ plan: LogicalPlan) -> (LogicalPlan, [BoundExpression])? {
    guard case .filter(let relation, let conditions) = plan, relation.isOfItself,
      !conditions.contains(where: \.isVolatile)
    else { return nil }
    return (relation, conditions)
  }

  /// `inner op outer` or the other way round, read as the former.
  private static func sides(_ condition: BoundExpression) -> (
    inner: BoundExpression, outer: BoundExpression, relation: String
  )? {
    guard case .call(let function, let sides) = condition, sides.count == 2,
      function.argumentTypes[0] == function.argumentTypes[1],
      let flipped = ["=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="][function.name]
    else { return nil }
    func isInner(_ side: BoundExpression) -> Bool { !side.hasOuter && !side.columns.isEmpty && !side.hasSubquery }
    func isOuter(_ side: BoundExpression) -> Bool { side.hasOuter && side.columns.isEmpty && !side.hasSubquery }
    if isInner(sides[0]), isOuter(sides[1]) { return (sides[0], sides[1], function.name) }
    if isOuter(sides[0]), isInner(sides[1]) { return (sides[1], sides[0], flipped) }
    return nil
  }
}

extension LogicalPlan {
  /// Whether it is known to take nothing from a query around it.
  fileprivate var isOfItself: Bool {
    switch self {
    case .series(let scan): !scan.conditions.contains(where: \.hasOuter)
    case .virtual: true
    case .filter(let input, let expressions), .project(let input, let expressions):
      input.isOfItself && !expressions.contains(where: \.hasOuter)
    case .join(_, let left, let right, let on):
      left.isOfItself && right.isOfItself && !on.contains(where: \.hasOuter)
    default: false
    }
  }
}
