// Estimates of a plan's nodes, made for EXPLAIN alone, each once: a node's own is `PlanNode.estimate`, which stands in
// this folder beside those of its kind. Nothing of the query runs and no page is read; what depends on subqueries, or on
// rows of a query around, is taken at PostgreSQL's default selectivities.

import VarveCompute

final class PlanEstimator {
  let context: ExecutionContext
  private var known: [ObjectIdentifier: PlanEstimate] = [:]

  init(_ context: ExecutionContext) { self.context = context }

  func estimate(_ node: any PlanNode) throws -> PlanEstimate {
    if let estimate = known[ObjectIdentifier(node)] { return estimate }
    let estimate = try withSubqueries(of: node, try node.estimate(self))
    known[ObjectIdentifier(node)] = estimate
    return estimate
  }

  /// Subqueries that take nothing from around them run once and first, others for each row.
  private func withSubqueries(of node: any PlanNode, _ estimate: PlanEstimate) throws -> PlanEstimate {
    let subqueries = node.expressions.flatMap(\.subqueries)
    if subqueries.isEmpty { return estimate }
    var (once, perRow) = (0.0, 0.0)
    for subquery in subqueries {
      let cost = try self.estimate(subquery.plan.node).total
      if subquery.outerInputs.isEmpty { once += cost } else { perRow += cost }
    }
    let rows = try node.inputs.map { try self.estimate($0).rows }.max() ?? estimate.rows
    return estimate.adding(startup: once, total: once + perRow * rows)
  }

  /// The value of an expression that is known before anything runs; nil: it is not.
  func value(_ expression: BoundExpression?) throws -> Datum? {
    guard let expression, expression.columns.isEmpty, !expression.hasSubquery, !expression.hasOuter,
      !expression.isVolatile
    else { return nil }
    return try context.constant(expression)
  }

  /// What LIMIT or OFFSET says; nil: it is not there, or NULL. Where it is not known, a tenth of the rows.
  func count(_ expression: BoundExpression?, of rows: Double) throws -> Double? {
    guard let expression else { return nil }
    guard let value = try value(expression) else { return (rows / 10).rounded(.up) }
    guard case .int(let count) = value else { return nil }
    return max(0, Double(count))
  }

  /// The width of an interval in nanoseconds, with months of thirty days.
  static func nanoseconds(_ interval: Interval) -> Double {
    let days = Double(interval.months) * 30 + Double(interval.days)
    return (days * 86_400_000_000 + Double(interval.microseconds)) * 1000
  }
}

extension BoundExpression {
  /// Those that are within, but not within others.
  fileprivate var subqueries: [BoundSubquery] {
    if case .subquery(let subquery) = self { return [subquery] + children.flatMap(\.subqueries) }
    return children.flatMap(\.subqueries)
  }
}
