// Estimates of nodes without inputs, and of those that read a scan in their own way.

import VarveCompute
import VarveCore
import VarveStorage

extension SeriesScanNode {
  func estimate(_ estimator: PlanEstimator) throws -> PlanEstimate {
    let reach = try ScanReach(self, estimator)
    let delivered = Array(reach.columns.prefix(width))
    if reach.request == nil { return PlanEstimate(startup: 0, total: 0, rows: 0, columns: delivered) }
    let read = Double(reach.read.rows) * reach.share
    let cost = reach.cost(rows: read, columns: columns.count)
    let rows = max(1, reach.rows * (try estimator.selectivity(residual, over: reach.columns)))
    return PlanEstimate(
      startup: cost.startup, total: cost.total + read * CostModel.perRow(residual) + rows * CostModel.row, rows: rows,
      columns: delivered)
  }
}

extension LastRowsNode {
  /// The newest rows are the tails of chunks and blocks: two rows are read for each that is wanted.
  func estimate(_ estimator: PlanEstimator) throws -> PlanEstimate {
    let reach = try ScanReach(scan, estimator)
    let delivered = Array(reach.columns.prefix(scan.width))
    let rows = reach.request == nil ? 0 : min(reach.rows, reach.series)
    let cost = reach.cost(rows: min(Double(reach.read.rows), 2 * rows), columns: scan.columns.count)
    return PlanEstimate(
      startup: cost.startup, total: cost.total + rows * CostModel.row, rows: rows, columns: delivered)
  }
}

extension SlicedScanNode {
  func estimate(_ estimator: PlanEstimator) throws -> PlanEstimate { try estimator.estimate(scan) }
}

extension RollupScanNode {
  func estimate(_ estimator: PlanEstimator) throws -> PlanEstimate {
    guard let plan = try expanded(estimator.context) else {
      return PlanEstimate(startup: 0, total: 0, rows: 0, columns: ColumnEstimate.unknown(types))
    }
    return try estimator.estimate(plan)
  }
}

extension DimensionScanNode {
  func estimate(_ estimator: PlanEstimator) throws -> PlanEstimate {
    let all = Double(estimator.context.snapshot.rows(of: table).rowCount)
    let rows = key == nil ? max(1, all) : 1
    let work = key == nil ? rows * (CostModel.row + Double(table.columns.count) * CostModel.value) : CostModel.lookup
    let onlyKey = table.key.count == 1 ? table.key.first : nil
    return PlanEstimate(
      startup: 0, total: work, rows: rows,
      columns: columns.map { place in
        table.columns[place].id == onlyKey
          ? ColumnEstimate(distinct: rows) : ColumnEstimate(table.columns[place].type.sqlType)
      })
  }
}

extension ValuesNode {
  func estimate(_ estimator: PlanEstimator) throws -> PlanEstimate {
    let count = Double(rows.count)
    return PlanEstimate(
      startup: 0, total: count * CostModel.row + rows.reduce(0) { $0 + CostModel.perRow($1) }, rows: count,
      columns: types.map { _ in ColumnEstimate(distinct: count) })
  }
}

extension LiteralRowsNode {
  func estimate(_ estimator: PlanEstimator) throws -> PlanEstimate {
    let count = Double(rows.count)
    return PlanEstimate(
      startup: 0, total: count * CostModel.row, rows: count, columns: types.map { _ in ColumnEstimate(distinct: count) }
    )
  }
}

extension VirtualScanNode {
  func estimate(_ estimator: PlanEstimator) throws -> PlanEstimate { .ofFunction(types: types) }
}

extension FunctionNode {
  func estimate(_ estimator: PlanEstimator) throws -> PlanEstimate {
    switch function.name {
    case "generate_series":
      guard let steps = try Self.steps(arguments.map { try estimator.value($0) }) else {
        return .ofFunction(types: types)
      }
      let rows = max(1, steps.count)
      return .ofFunction(
        rows: rows,
        columns: [ColumnEstimate(distinct: rows, span: steps.span)] + ColumnEstimate.unknown(Array(types.dropFirst())))
    case "unnest":
      let counts = try arguments.map { try estimator.elementCount($0) }
      return .ofFunction(rows: Double(max(1, counts.max() ?? 1)), columns: ColumnEstimate.unknown(types))
    default: return .ofFunction(types: types)
    }
  }

  /// Of generate_series: how many values it gives, and how far times reach; nil: not all of its arguments are known.
  private static func steps(_ arguments: [Datum?]) -> (count: Double, span: Double?)? {
    func number(_ value: Datum?) -> Double? {
      switch value {
      case .int(let number): Double(number)
      case .numeric(let number): number.double
      case .timestamp(let time): Double(time)
      case .interval(let interval): PlanEstimator.nanoseconds(interval)
      default: nil
      }
    }
    guard arguments.count >= 2, let first = number(arguments[0]), let last = number(arguments[1]),
      let step = arguments.count == 2 ? 1 : number(arguments[2]), step != 0
    else { return nil }
    let steps = (last - first) / step
    guard steps.isFinite else { return nil }
    guard case .timestamp? = arguments[0] else { return (steps.rounded(.down) + 1, nil) }
    return (steps.rounded(.down) + 1, abs(last - first))
  }
}

extension PlanEstimate {
  /// As PostgreSQL takes a function to have where it knows nothing.
  private static let functionRowCount = 1000.0

  fileprivate static func ofFunction(types: [SQLType]) -> PlanEstimate {
    ofFunction(rows: functionRowCount, columns: ColumnEstimate.unknown(types))
  }

  fileprivate static func ofFunction(rows: Double, columns: [ColumnEstimate]) -> PlanEstimate {
    PlanEstimate(
      startup: 0, total: rows * (CostModel.row + Double(columns.count) * CostModel.value), rows: rows, columns: columns)
  }
}
