// Reading a rollup under its name: stored rows where they are valid, the source's everywhere else, so that what is read is
// never stale. Which is which is decided by the snapshot of each execution.

import VarveCompute
import VarveCore
import VarveFormat
import VarveRollup
import VarveStorage

struct RollupScan: Sendable {
  var rollup: BoundRollup
  /// Which of the rollup's columns are delivered, in this order.
  var columns: [Int]
  /// Over `columns`; all must hold.
  var conditions: [BoundExpression] = []
  /// How many of `columns` are delivered; the rest are for `conditions` only.
  var width: Int
  /// What is made from the rollup, and may answer for it.
  var rollups: [BoundRollup] = []
  /// What came late for rows that are gone is only read by rollups made from it.
  var hidesDropped = true

  init(_ rollup: BoundRollup) {
    self.rollup = rollup
    columns = Array(rollup.statement.columns.indices)
    width = columns.count
  }

  var types: [SQLType] { columns.prefix(width).map { rollup.statement.columns[$0].type } }
}

final class RollupScanNode: PlanNode {
  let scan: RollupScan
  /// What conditions say of the bucket.
  private let bounds: [ScanBound]

  init(_ scan: RollupScan) {
    self.scan = scan
    let bucket = scan.columns.firstIndex(of: scan.rollup.statement.timeOutput)
    bounds = scan.conditions.flatMap(\.conjuncts).compactMap { condition in
      // What another query gives is a condition only: EXPLAIN must not run that.
      guard let bucket, condition.columns == [bucket], !condition.hasSubquery else { return nil }
      return ScanPlanning.bound(condition, type: .timestamptz)
    }
  }

  var types: [SQLType] { scan.types }
  var inputs: [any PlanNode] { [] }
  var label: String { "Rollup Scan on \(scan.rollup.schema.name)" }

  func open(_ context: ExecutionContext) throws -> any Operator {
    guard let plan = try expanded(context) else { return EmptyOperator() }
    return try context.open(plan)
  }

  /// As plain scans and aggregates; nil if nothing can match.
  func expanded(_ context: ExecutionContext) throws -> (any PlanNode)? {
    if let known = context.expansion(of: self) { return known }
    let statement = scan.rollup.statement
    // A plan that is only shown has no values of the query around.
    let known = context.outerValues.isEmpty ? bounds.filter { !$0.value.hasOuter } : bounds
    guard let buckets = try context.timeRange(known), !buckets.isEmpty else { return nil }
    // Buckets that start within the range have their rows from its first start to the end of its last.
    let upper = buckets.upper == .max ? .max : try statement.grid.end(of: buckets.upper)
    let lower = try statement.grid.boundary(notBefore: buckets.lower)
    let rows = TimeRange(lower: lower, upper: upper == .max ? .max : upper - 1)
    guard !rows.isEmpty else { return nil }
    let regions = try RollupReader.regions(
      scan.rollup, within: rows, includesFrozen: true, hidesDropped: scan.hidesDropped, context.catalog)
    var plan = RollupReader.plan(scan.rollup, regions)
    plan = .project(plan, scan.columns.map { statement.outputs[$0] })
    if !scan.conditions.isEmpty { plan = .filter(plan, scan.conditions) }
    if scan.width < scan.columns.count {
      plan = .project(plan, scan.types.enumerated().map { .place($0.offset, $0.element) })
    }
    let node = try Planner.plan(plan)
    context.note(expansion: node, of: self)
    return node
  }

  func details(_ context: ExecutionContext) throws -> [(name: String, text: String)] {
    guard let state = context.snapshot.rollup(scan.rollup.schema.id)?.state else { return [] }
    let statement = scan.rollup.statement
    let watermark =
      state.watermark == .min
      ? "nothing yet"
      : try TypeText.string(.timestamp(state.watermark), type: .timestamptz, context: context.evaluation)
    return [
      ("Bucket", statement.bucketText), ("Materialised up to", watermark),
      ("Invalid Ranges", "\(state.invalid.count)"),
    ]
  }
}

extension BoundExpression {
  /// A column of the input by its place.
  static func place(_ index: Int, _ type: SQLType) -> BoundExpression {
    .column(ColumnReference(index: index, type: type, name: "", location: -1))
  }
}
