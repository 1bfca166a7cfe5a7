// An aggregate over a table or over a rollup, as rollups that are made from that are asked whether they can answer it:
// over all columns of the source, whichever of them the plan delivers.

import VarveCompute
import VarveCore
import VarveStorage

struct RollupQuestion {
  let source: RollupSource
  /// That are made from the source.
  let rollups: [BoundRollup]
  let keys: [BoundExpression]
  /// All must hold.
  let conditions: [BoundExpression]
  let calls: [AggregateCall]

  /// nil where nothing is made from what is read.
  init?(_ input: LogicalPlan, _ keys: [BoundExpression], _ calls: [AggregateCall]) {
    let places: [Int: Int]
    switch input {
    case .series(let scan) where !scan.rollups.isEmpty:
      let all = scan.table.sqlColumns.map(\.column)
      places = Dictionary(
        uniqueKeysWithValues: scan.columns.enumerated().compactMap { index, column in
          all.firstIndex(of: column).map { (index, $0) }
        })
      (source, rollups, conditions) = (.table(scan.table), scan.rollups, Self.renumbered(scan.conditions, places))
    case .rollup(let scan) where !scan.rollups.isEmpty:
      places = Dictionary(uniqueKeysWithValues: scan.columns.enumerated().map { ($0.offset, $0.element) })
      (source, rollups, conditions) = (.rollup(scan.rollup), scan.rollups, Self.renumbered(scan.conditions, places))
    default: return nil
    }
    self.keys = keys.map { $0.renumbered(places) }
    self.calls = calls.map { call in
      guard case .aggregate(let call) = BoundExpression.aggregate(call).renumbered(places) else {
        preconditionFailure("renumbering keeps the kind of an expression")
      }
      return call
    }
  }

  private static func renumbered(_ conditions: [BoundExpression], _ places: [Int: Int]) -> [BoundExpression] {
    conditions.flatMap(\.conjuncts).map { $0.renumbered(places) }
  }
}
