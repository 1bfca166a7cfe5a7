// Estimates of joins. Rows of two sides that must be equal meet in as many groups as the side with more of them has.

import VarveCompute

extension JoinNode {
  /// The smaller side goes into memory where either may; scans of which the other side's rows choose series are counted
  /// whole.
  func estimate(_ estimator: PlanEstimator) throws -> PlanEstimate {
    let (left, right) = (try estimator.estimate(left), try estimator.estimate(right))
    let columns = left.columns + right.columns
    var share = try estimator.selectivity(residual, over: columns)
    for equality in equalities {
      let sides = [
        try estimator.column(equality.left, over: left.columns).distinct(among: left.rows),
        try estimator.column(equality.right, over: right.columns).distinct(among: right.rows),
      ]
      share /= max(sides[0], sides[1])
    }
    var rows = left.rows * right.rows * share
    if left.rows > 0, right.rows > 0 { rows = max(1, rows) }
    if kind != .inner { rows = max(rows, left.rows) }
    if kind == .full { rows = max(rows, right.rows) }
    let first = left.startup + right.total + right.rows * CostModel.lookup
    let pairs = equalities.isEmpty ? left.rows * right.rows : max(rows, left.rows)
    let meeting =
      equalities.isEmpty
      ? pairs * CostModel.operation
      : left.rows * CostModel.lookup + left.rows * CostModel.perRow(equalities.map(\.left))
    let total =
      first + (left.total - left.startup) + meeting + pairs * CostModel.perRow(residual) + rows * CostModel.row
    return PlanEstimate(startup: first, total: total, rows: rows, columns: columns)
  }
}

extension LateralNode {
  /// The right side is run for each row of the left.
  func estimate(_ estimator: PlanEstimator) throws -> PlanEstimate {
    let (left, right) = (try estimator.estimate(left), try estimator.estimate(self.right.node))
    let columns = left.columns + right.columns
    let share = try estimator.selectivity(residual, over: columns)
    let pairs = left.rows * right.rows
    var rows = pairs == 0 ? 0 : max(1, pairs * share)
    if kind == .left { rows = max(rows, left.rows) }
    return PlanEstimate(
      startup: left.startup + right.startup,
      total: left.total + max(1, left.rows) * right.total + pairs * CostModel.perRow(residual) + rows * CostModel.row,
      rows: rows, columns: columns)
  }
}

extension AsOfNode {
  /// The right side is read once, and put in order; each row of the left finds at most one of its rows.
  func estimate(_ estimator: PlanEstimator) throws -> PlanEstimate {
    let (left, right) = (try estimator.estimate(rowByRow.left), try estimator.estimate(asOf.right.node))
    let order = CostModel.sort(right.rows, keys: asOf.keys.count + 1, kept: right.rows)
    let first = left.startup + right.total + order
    let meeting = left.rows * (CostModel.lookup + CostModel.perRow(asOf.expressions))
    return PlanEstimate(
      startup: first, total: first + (left.total - left.startup) + meeting + left.rows * CostModel.row, rows: left.rows,
      columns: left.columns + ColumnEstimate.unknown(Array(types.dropFirst(left.columns.count))))
  }
}
