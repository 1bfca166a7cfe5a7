// Estimates of nodes with one input, or two of one form, that hand rows on: some of them, in another order, or with more
// columns.

import VarveCompute

extension FilterNode {
  func estimate(_ estimator: PlanEstimator) throws -> PlanEstimate {
    let input = try estimator.estimate(input)
    let columns = try estimator.columns(input.columns, with: conditions.shared)
    let share = try estimator.selectivity(conditions.conditions, over: columns)
    return input.passedOn(
      rows: input.rows == 0 ? 0 : max(1, input.rows * share), perRow: CostModel.perRow(conditions.conditions))
  }
}

extension ProjectNode {
  func estimate(_ estimator: PlanEstimator) throws -> PlanEstimate {
    let input = try estimator.estimate(input)
    return input.passedOn(
      perRow: CostModel.perRow(expressions), columns: try estimator.columns(expressions, over: input.columns))
  }
}

extension LimitNode {
  func estimate(_ estimator: PlanEstimator) throws -> PlanEstimate {
    let input = try estimator.estimate(input)
    return input.stopped(try estimator.window(limit, offset, of: input.rows))
  }
}

extension TiesNode {
  func estimate(_ estimator: PlanEstimator) throws -> PlanEstimate {
    let input = try estimator.estimate(input)
    return input.stopped(try estimator.window(limit, offset, of: input.rows))
  }
}

extension TopRowsNode {
  /// Where rows come in slices, the first slice holds about twice the rows that are wanted.
  func estimate(_ estimator: PlanEstimator) throws -> PlanEstimate {
    var input = try estimator.estimate(input)
    let window = try estimator.window(limit, offset, of: input.rows)
    if isSliced { input = input.stopped(0..<min(input.rows, 2 * window.upperBound)) }
    let sort = CostModel.sort(input.rows, keys: sorts.count, kept: window.upperBound)
    return input.collected(cost: sort, rows: input.rows, columns: input.columns).kept(window)
  }
}

extension SortNode {
  func estimate(_ estimator: PlanEstimator) throws -> PlanEstimate {
    let input = try estimator.estimate(input)
    return input.collected(
      cost: CostModel.sort(input.rows, keys: sorts.count, kept: input.rows), rows: input.rows, columns: input.columns)
  }
}

extension DistinctNode {
  func estimate(_ estimator: PlanEstimator) throws -> PlanEstimate {
    let input = try estimator.estimate(input)
    let keys = try keys.map { try estimator.columns($0, over: input.columns) } ?? input.columns
    return input.passedOn(
      rows: input.rows == 0 ? 0 : ColumnEstimate.groups(keys, among: input.rows), perRow: CostModel.lookup)
  }
}

extension FirstOfGroupNode {
  func estimate(_ estimator: PlanEstimator) throws -> PlanEstimate {
    let input = try estimator.estimate(input)
    let groups = ColumnEstimate.groups(try estimator.columns(keys, over: input.columns), among: input.rows)
    let perRow = CostModel.lookup + Double(sortsWithinGroup.count) * CostModel.comparison
    return input.collected(
      cost: input.rows * perRow, rows: input.rows == 0 ? 0 : groups, columns: input.columns)
  }
}

extension WindowNode {
  func estimate(_ estimator: PlanEstimator) throws -> PlanEstimate {
    let input = try estimator.estimate(input)
    let keys = order.partition.count + order.orderBy.count
    let sort = keys == 0 ? 0 : CostModel.sort(input.rows, keys: keys, kept: input.rows)
    let calls = input.rows * Double(calls.count) * CostModel.operation
    return input.collected(
      cost: sort + calls, rows: input.rows, columns: input.columns + ColumnEstimate.unknown(self.calls.map(\.type)))
  }
}

extension GapFillNode {
  /// Each combination of the other keys has all buckets, where both ends are known.
  func estimate(_ estimator: PlanEstimator) throws -> PlanEstimate {
    let input = try estimator.estimate(input)
    var (rows, columns) = (input.rows, input.columns)
    if let span = try span(estimator), case .interval(let width)? = try estimator.value(fill.arguments.first) {
      let groups = ColumnEstimate.groups(fill.keys.map { columns[$0] }, among: max(1, rows))
      let buckets = (span / max(1, PlanEstimator.nanoseconds(width))).rounded(.up)
      rows = max(rows, groups * buckets)
      columns[fill.time] = ColumnEstimate(distinct: buckets, span: span)
    }
    return input.collected(
      cost: CostModel.sort(input.rows, keys: fill.keys.count + 1, kept: input.rows)
        + rows * Double(calls.count) * CostModel.operation,
      rows: rows, columns: columns + ColumnEstimate.unknown(calls.map(\.type)))
  }

  /// Nanoseconds between the ends of what is filled.
  private func span(_ estimator: PlanEstimator) throws -> Double? {
    func times(_ bounds: [GapFill.Bound]) throws -> [Double] {
      try bounds.compactMap { bound in
        guard case .timestamp(let time)? = try estimator.value(bound.expression) else { return nil }
        return Double(time)
      }
    }
    guard let start = try times(fill.starts).max(), let finish = try times(fill.finishes).min() else { return nil }
    return max(0, finish - start)
  }
}

extension SetOperationNode {
  func estimate(_ estimator: PlanEstimator) throws -> PlanEstimate {
    let (left, right) = (try estimator.estimate(left), try estimator.estimate(right))
    let both = left.rows + right.rows
    if operation == .union {
      return PlanEstimate(
        startup: left.startup, total: left.total + right.total, rows: both,
        columns: zip(left.columns, right.columns).map { $0.united(with: $1) })
    }
    let most = operation == .intersect ? min(left.rows, right.rows) : left.rows
    let rows = isAll || most == 0 ? most : ColumnEstimate.groups(left.columns, among: most)
    return left.adding(startup: 0, total: right.total).collected(
      cost: both * CostModel.lookup, rows: rows, columns: left.columns)
  }
}

extension PlanEstimator {
  /// The rows that LIMIT and OFFSET leave, counted from the first.
  func window(_ limit: BoundExpression?, _ offset: BoundExpression?, of rows: Double) throws -> Range<Double> {
    let start = try count(offset, of: rows) ?? 0
    return try start..<(start + (count(limit, of: rows) ?? max(rows, start) - start))
  }
}
