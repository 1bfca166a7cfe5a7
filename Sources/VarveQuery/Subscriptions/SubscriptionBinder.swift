// The plan of a SELECT → how it is followed. Refuses what could not be followed exactly, with the reason and what can.
//
// What a commit adds to a result must follow from the commit alone (rows), or from the buckets that its rows lie in. So one
// series table is read, once; dimension tables beside it are as they are when something is delivered; what looks at other
// rows than its own (ORDER BY over all, LIMIT, DISTINCT, windows, subqueries, other series) is refused.

import VarveCompute
import VarveCore
import VarveRollup
import VarveStorage

struct SubscriptionBinder {
  private let binder: Binder
  private let select: SelectSyntax

  init(_ binder: Binder, _ select: SelectSyntax) {
    self.binder = binder
    self.select = select
  }

  func bind(_ plan: LogicalPlan) throws -> (SubscribedQuery.Kind, TableSchema) {
    if binder.isOnceOnly {
      throw refused(
        "a literal of the moment ('now', 'today') in a subscription", hint: "Write now(), which goes on with time.")
    }
    if let found = Self.grouped(plan) { return try buckets(plan, found) }
    guard let source = try source(of: plan, allowing: .rows) else { throw noSource() }
    switch source {
    case .table(let table): return (.rows(try Planner.plan(plan)), table)
    case .rollup(let rollup):
      guard Self.timePlace(plan) != nil else {
        throw refused(
          "a subscription to a rollup without its bucket",
          hint: "Select the column \"\(rollup.statement.columns[rollup.statement.timeOutput].name)\", too.")
      }
      let (grids, table) = Self.chain(source)
      return (.buckets(SubscribedQuery.Buckets(grids: grids, plan: plan)), table)
    }
  }

  // MARK: Buckets

  private typealias Grouped = (input: LogicalPlan, keys: [BoundExpression], outputs: [BoundExpression])

  /// Keys and outputs of the one GROUP BY that a plan is, whatever stands between.
  private static func grouped(_ plan: LogicalPlan) -> Grouped? {
    switch plan {
    case .aggregate(let input, let keys, let calls):
      let types = keys.map(\.type) + calls.map(\.function.resultType)
      return (input, keys, types.enumerated().map { .place($0.offset, $0.element) })
    case .filter(let input, _), .sort(let input, _): return grouped(input)
    case .project(let input, let expressions):
      return grouped(input).map { inner in
        (
          inner.input, inner.keys,
          expressions.map { expression in
            // Columns that go through keep their place; anything else is not a key.
            if case .column(let reference) = expression {
              inner.outputs[reference.index]
            } else {
              expression.hidingColumns
            }
          }
        )
      }
    default: return nil
    }
  }

  private func buckets(_ plan: LogicalPlan, _ found: Grouped) throws -> (SubscribedQuery.Kind, TableSchema) {
    guard let source = try source(of: plan, allowing: .buckets) else { throw noSource() }
    guard let time = Self.timePlace(found.input) else { throw withoutBucket(source) }
    let places = found.keys.indices.filter { RollupBuckets.isBucket(found.keys[$0], time: time) }
    guard let place = places.first else { throw withoutBucket(source) }
    guard places.count == 1 else {
      throw refused("a subscription with two buckets of time", hint: "Subscribe to each in turn.")
    }
    let isShown = found.outputs.contains { if case .column(let key) = $0 { key.index == place } else { false } }
    guard isShown else {
      throw refused("a subscription whose bucket is not among its columns", hint: "Select the time_bucket as well.")
    }
    let (grids, table) = Self.chain(source)
    let own = try RollupBuckets.grid(found.keys[place], binder.evaluation)
    return (.buckets(SubscribedQuery.Buckets(grids: grids + [own], plan: plan)), table)
  }

  /// Buckets of the rollups from the table on, and the table.
  private static func chain(_ source: RollupSource) -> ([BucketGrid], TableSchema) {
    switch source {
    case .table(let table): return ([], table)
    case .rollup(let rollup):
      let (grids, table) = chain(rollup.statement.source)
      return (grids + [rollup.statement.grid], table)
    }
  }

  /// Which of a plan's columns is the time of its one series table or rollup.
  private static func timePlace(_ plan: LogicalPlan) -> Int? {
    switch plan {
    case .series(let scan): scan.columns.firstIndex(of: .time)
    case .rollup(let scan): scan.columns.firstIndex(of: scan.rollup.statement.timeOutput)
    case .filter(let input, _), .sort(let input, _): timePlace(input)
    case .join(_, let left, let right, _):
      timePlace(left) ?? timePlace(right).map { left.types.count + $0 }
    case .project(let input, let expressions):
      timePlace(input).flatMap { place in
        expressions.firstIndex { if case .column(let reference) = $0 { reference.index == place } else { false } }
      }
    default: nil
    }
  }

  /// The plan over rows of these buckets alone: the condition goes on the source's time, below what groups.
  static func restricted(_ plan: LogicalPlan, to range: TimeRange) -> LogicalPlan {
    switch plan {
    case .aggregate(let input, let keys, let calls):
      return .aggregate(within(range, input), keys: keys, calls)
    case .filter(let input, let conditions) where grouped(input) != nil:
      return .filter(restricted(input, to: range), conditions)
    case .sort(let input, let keys): return .sort(restricted(input, to: range), keys)
    case .project(let input, let expressions) where grouped(input) != nil:
      return .project(restricted(input, to: range), expressions)
    default: return within(range, plan)
    }
  }

  private static func within(_ range: TimeRange, _ input: LogicalPlan) -> LogicalPlan {
    guard let place = timePlace(input) else { preconditionFailure("checked when the subscription was bound") }
    return TimeRanges.within([range]) { bounds in .filter(input, bounds(.place(place, .timestamptz))) }
  }

  // MARK: What may stand in it

  private enum Result { case rows, buckets }

  /// The one series table or rollup that is read; nil: there is none.
  private func source(of plan: LogicalPlan, allowing result: Result) throws -> RollupSource? {
    switch plan {
    case .series(let scan):
      try check(scan.conditions)
      return .table(scan.table)
    case .rollup(let scan):
      try check(scan.conditions)
      return .rollup(scan.rollup)
    case .dimension(_, _, let key):
      try check(key ?? [])
      return nil
    case .filter(let input, let conditions):
      try check(conditions)
      return try source(of: input, allowing: result)
    case .project(let input, let expressions):
      try check(expressions)
      return try source(of: input, allowing: result)
    case .aggregate(let input, let keys, let calls):
      guard result == .buckets else { throw refused("a grouped query within another in a subscription") }
      try check(keys + calls.flatMap { $0.inputs + ($0.filter.map { [$0] } ?? []) })
      return try source(of: input, allowing: .rows)
    case .sort(let input, _) where result == .buckets: return try source(of: input, allowing: result)
    case .join(let kind, let left, let right, let conditions):
      try check(conditions)
      return try source(of: kind, left, right)
    case .oneRow, .values, .virtual, .function: throw noSource()
    case .sort:
      throw refused(
        "ORDER BY in a subscription to rows", hint: "Rows come in the order of their commits; leave ORDER BY out.")
    case .limit, .ties: throw refused("LIMIT in a subscription", hint: "End the subscription when you have enough.")
    case .distinct, .distinctOn: throw refused("DISTINCT in a subscription")
    case .window: throw refused("a window function in a subscription")
    case .gapFill:
      throw refused("gap filling in a subscription", hint: "Use time_bucket, and fill gaps where you show them.")
    case .groupingSets: throw refused("GROUPING SETS in a subscription", hint: "Subscribe to each grouping.")
    case .lateral: throw refused("LATERAL in a subscription")
    case .setOperation: throw refused("UNION, INTERSECT and EXCEPT in a subscription", hint: "Subscribe to each query.")
    }
  }

  private func source(of kind: JoinKind, _ left: LogicalPlan, _ right: LogicalPlan) throws -> RollupSource? {
    let (a, b) = (try source(of: left, allowing: .rows), try source(of: right, allowing: .rows))
    switch (a, b, kind) {
    case (_?, _?, _):
      throw refused(
        "a join of series in a subscription", hint: "Join dimension tables, or subscribe to each series table.")
    case (let only?, nil, .inner), (nil, let only?, .inner), (let only?, nil, .left): return only
    case (nil, nil, _): return nil
    default:
      throw refused(
        "an outer join with rows that no commit brings in a subscription",
        hint: "Put the series table on the left: FROM readings LEFT JOIN machines ….")
    }
  }

  private func check(_ expressions: [BoundExpression]) throws {
    if expressions.contains(where: \.hasSubquery) {
      throw refused("a subquery in a subscription", hint: "Join a dimension table, or give the values as a list.")
    }
  }

  private func noSource() -> VarveError {
    refused("a subscription to anything but a series table or a rollup", hint: "SELECT … FROM one series table.")
  }

  private func withoutBucket(_ source: RollupSource) -> VarveError {
    refused(
      "a subscription to aggregates without a bucket of time",
      hint: "Group by time_bucket('1 minute', \(source.columns[source.timePlace].name)), and select it.")
  }

  private func refused(_ what: String, hint: String? = nil) -> VarveError {
    binder.source.unsupported(what, at: select.targets.first?.location ?? -1, hint: hint)
  }
}

extension BoundExpression {
  /// Something that stands for no column.
  fileprivate var hidingColumns: BoundExpression { .constant(.null, type) }
}
