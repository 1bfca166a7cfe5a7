// Estimates of what groups rows. An aggregate that summaries can answer reads these where chunks have them, and the rows
// of its scan elsewhere: it may cost less than its input would as a whole.

import VarveCompute

extension AggregateNode {
  func estimate(_ estimator: PlanEstimator) throws -> PlanEstimate {
    let input = try estimator.estimate(input)
    let columns = try estimator.columns(input.columns, with: shared)
    let keyColumns = try estimator.columns(keys, over: columns)
    let groups = keys.isEmpty ? 1 : input.rows == 0 ? 0 : ColumnEstimate.groups(keyColumns, among: input.rows)
    let results = keyColumns + ColumnEstimate.unknown(calls.map(\.function.resultType))
    var perRow = calls.reduce(0) { $0 + $1.costPerRow(of: input.rows) }
    // A run's rows share their keys.
    if runKeys == nil, !keys.isEmpty { perRow += CostModel.lookup + CostModel.perRow(keys) }
    if let partial, let parts = try partial.parts(estimator) {
      let read = PlanEstimate(startup: parts.startup, total: parts.total, rows: input.rows, columns: [])
      return read.collected(cost: parts.rows * perRow, rows: groups, columns: results)
    }
    return input.collected(
      cost: input.rows * (perRow + CostModel.perRow(shared.computed)), rows: groups, columns: results)
  }
}

extension AggregateCall {
  fileprivate func costPerRow(of rows: Double) -> Double {
    var cost = CostModel.operation + CostModel.perRow(inputs) + (filter.map(CostModel.perRow) ?? 0)
    if isDistinct { cost += CostModel.lookup }
    if !orderBy.isEmpty { cost += CostModel.sort(rows, keys: orderBy.count, kept: rows) / max(1, rows) }
    return cost
  }
}

extension PartialPlan {
  /// Values that a summary has of a column: its count, sum, least, greatest, first and last.
  private static let valuesPerSummary = 6.0

  /// What it costs to read the parts that the aggregate is made of, and how many there are; nil: all rows are read.
  fileprivate func parts(_ estimator: PlanEstimator) throws -> (startup: Double, total: Double, rows: Double)? {
    let context = estimator.context
    let reach = try ScanReach(scan, estimator)
    guard let request = reach.request, isOn(context) else { return nil }
    let rows = Double(reach.read.rows)
    var (parts, values) = (rows, rows)
    if wantsLastValues {
      parts = min(rows, 2 * reach.series)
      values = parts
    } else {
      parts = min(rows, Double(try context.snapshot.estimatedCount(self.request(of: request, context))))
      let head = min(parts, Double(reach.read.headRows))
      values = min(rows, head + (parts - head) * Self.valuesPerSummary)
    }
    let cost = reach.cost(rows: values * reach.share, columns: scan.columns.count)
    return parts < rows ? (cost.startup, cost.total, parts * reach.share) : nil
  }
}

extension GroupingSetsNode {
  func estimate(_ estimator: PlanEstimator) throws -> PlanEstimate {
    let input = try estimator.estimate(input)
    let keys = try estimator.columns(grouping.keys, over: input.columns)
    let perRow = CostModel.lookup + calls.reduce(0) { $0 + $1.costPerRow(of: input.rows) }
    let groups = grouping.sets.reduce(0) { sum, set in
      sum + (set.isEmpty ? 1 : input.rows == 0 ? 0 : ColumnEstimate.groups(set.map { keys[$0] }, among: input.rows))
    }
    return input.collected(
      cost: input.rows * (perRow * Double(grouping.sets.count) + CostModel.perRow(grouping.keys)), rows: groups,
      columns: keys + ColumnEstimate.unknown(Array(types.dropFirst(keys.count))))
  }
}

extension SlicedAggregateNode {
  /// Groups of one slice after the other: the first come early.
  func estimate(_ estimator: PlanEstimator) throws -> PlanEstimate {
    let whole = try estimator.estimate(aggregate)
    let first = try estimator.estimate(aggregate.input).startup
    return PlanEstimate(
      startup: min(first, whole.startup), total: whole.total, rows: whole.rows, columns: whole.columns)
  }
}

extension RollupAggregateNode {
  func estimate(_ estimator: PlanEstimator) throws -> PlanEstimate {
    let plans = try expanded(estimator.context).map { [$0] } ?? inputs
    guard let plan = plans.first else { preconditionFailure("the aggregate itself is an input") }
    return try estimator.estimate(plan)
  }
}
