// Logical plan → physical plan. Three rewrites, then the choice of operators:
//   1. conditions move down: through projections and groupings, to the sides of joins, into scans (`Pushdown`);
//   2. columns nobody reads are dropped, so that a scan decodes only what is used (`Pruning`);
//   3. conditions on tags, time and ranges become what a scan can skip by (`ScanPlanning`).

import VarveCompute
import VarveCore

enum Planner {
  static func plan(_ logical: LogicalPlan) throws -> any PlanNode {
    let pushed = Pushdown.push(logical, [])
    let pruned = Pruning.prune(pushed, needed: Set(pushed.types.indices))
    return physical(restored(pruned, width: pushed.types.count))
  }

  /// All columns again, in order: pruning may have moved them.
  static func restored(_ pruned: (plan: LogicalPlan, places: [Int: Int]), width: Int) -> LogicalPlan {
    if (0..<width).allSatisfy({ pruned.places[$0] == $0 }), pruned.plan.types.count == width { return pruned.plan }
    let types = pruned.plan.types
    return .project(
      pruned.plan,
      (0..<width).map { index in
        guard let place = pruned.places[index] else { preconditionFailure("pruning keeps what is needed") }
        return .column(ColumnReference(index: place, type: types[place], name: "", location: -1))
      })
  }

  private static func physical(_ logical: LogicalPlan) -> any PlanNode {
    switch logical {
    case .series(let scan): return ScanPlanning.plan(scan)
    case .rollup(let scan): return RollupScanNode(scan)
    case .virtual(let table, let columns): return VirtualScanNode(table, columns)
    case .dimension(let table, let columns, let key): return DimensionScanNode(table, columns, key: key)
    case .oneRow: return ValuesNode([[]], [])
    case .values(let rows, let types): return ValuesNode(rows, types)
    case .function(let function, let arguments): return FunctionNode(function, arguments)
    case .filter(let input, let conditions): return FilterNode(physical(input), conditions)
    case .project(let input, let expressions):
      if isIdentity(expressions, input.types.count) { return physical(input) }
      return ProjectNode(physical(input), expressions)
    case .aggregate(let input, let keys, let calls):
      let node = aggregate(input, keys, calls)
      return RollupAggregateNode.over(node, input, keys, calls) ?? node
    case .gapFill(let input, let fill, let calls): return GapFillNode(physical(input), fill, calls)
    case .groupingSets(let input, let grouping, let calls):
      return GroupingSetsNode(physical(input), grouping, calls)
    case .window(let input, let order, let calls): return WindowNode(physical(input), order, calls)
    case .join(let kind, let left, let right, let conditions): return join(kind, left, right, conditions)
    case .lateral(let kind, let left, let right, let outerInputs, _, let conditions, let asOf):
      let node = LateralNode(kind, physical(left), right, outerInputs: outerInputs, residual: conditions)
      return asOf.map { AsOfNode($0, rowByRow: node) } ?? node
    case .sort(let input, let sorts): return SortNode(physical(input), sorts)
    case .distinct(let input): return DistinctNode(physical(input))
    case .distinctOn(.sort(let input, let sorts), let keys):
      let (node, end) = (physical(input), runEnd(input, keys, sorts))
      return FirstOfGroupNode(
        end == .last ? LastRowsNode.over(node) ?? node : node, keys: keys, sorts: sorts, runEnd: end)
    case .distinctOn(let input, let keys): return DistinctNode(physical(input), keys: keys)
    case .limit(.sort(let input, let sorts), let limit?, let offset):
      return topRows(input, sorts, limit, offset)
    case .limit(.project(.sort(let input, let sorts), let expressions), let limit?, let offset):
      return ProjectNode(topRows(input, sorts, limit, offset), expressions)
    case .limit(let input, let limit, let offset): return LimitNode(physical(input), limit, offset)
    case .ties(let input, let sorts, let limit, let offset):
      return TiesNode(physical(input), sorts, limit: limit, offset: offset)
    case .setOperation(.union, isAll: false, let left, let right):
      return DistinctNode(SetOperationNode(.union, isAll: true, physical(left), physical(right)))
    case .setOperation(let operation, let isAll, let left, let right):
      return SetOperationNode(operation, isAll: isAll, physical(left), physical(right))
    }
  }

  static func isIdentity(_ expressions: [BoundExpression], _ width: Int) -> Bool {
    expressions.count == width
      && expressions.enumerated().allSatisfy { index, expression in
        if case .column(let reference) = expression { return reference.index == index }
        return false
      }
  }

  private static func join(
    _ kind: JoinKind, _ left: LogicalPlan, _ right: LogicalPlan, _ conditions: [BoundExpression]
  ) -> any PlanNode {
    let leftWidth = left.types.count
    var equalities: [(left: BoundExpression, right: BoundExpression)] = []
    var residual: [BoundExpression] = []
    for condition in conditions {
      if case .call(let function, let sides) = condition, function.name == "=", sides.count == 2,
        function.argumentTypes[0] == function.argumentTypes[1]
      {
        let columns = sides.map(\.columns)
        func isLeft(_ set: Set<Int>) -> Bool { !set.isEmpty && set.allSatisfy { $0 < leftWidth } }
        func isRight(_ set: Set<Int>) -> Bool { !set.isEmpty && set.allSatisfy { $0 >= leftWidth } }
        func moved(_ expression: BoundExpression) -> BoundExpression {
          expression.replacingColumns { reference in
            var reference = reference
            reference.index -= leftWidth
            return .column(reference)
          }
        }
        if isLeft(columns[0]), isRight(columns[1]) {
          equalities.append((sides[0], moved(sides[1])))
          continue
        }
        if isLeft(columns[1]), isRight(columns[0]) {
          equalities.append((sides[1], moved(sides[0])))
          continue
        }
      }
      residual.append(condition)
    }
    let (left, right) = (physical(left), physical(right))
    guard kind == .inner, !equalities.isEmpty else {
      return JoinNode(kind, left, right, equalities: equalities, residual: residual)
    }
    let other = JoinNode(
      kind, right, left, equalities: equalities.map { ($0.right, $0.left) },
      residual: residual.map { condition in
        condition.replacingColumns { reference in
          var reference = reference
          reference.index += reference.index < leftWidth ? right.types.count : -leftWidth
          return .column(reference)
        }
      })
    let places = Array(right.types.count..<other.types.count) + Array(0..<right.types.count)
    let types = other.types
    let swapped = ProjectNode(
      other, places.map { .column(ColumnReference(index: $0, type: types[$0], name: "", location: -1)) })
    return JoinNode(kind, left, right, equalities: equalities, residual: residual, swapped: swapped)
  }

  private static func topRows(
    _ input: LogicalPlan, _ sorts: [BoundSort], _ limit: BoundExpression, _ offset: BoundExpression?
  ) -> any PlanNode {
    if let first = sorts.first, case .column(let reference) = first.expression {
      let order = SliceOrder(isNewestFirst: first.isDescending, limit: limit, offset: offset)
      if let sliced = sliced(input, by: reference.index, order) {
        return TopRowsNode(sliced.node, sorts, limit: limit, offset: offset, isSliced: sliced.isSliced)
      }
    }
    return TopRowsNode(physical(input), sorts, limit: limit, offset: offset, isSliced: false)
  }

  /// The plan in slices of time, of which its column `index` tells: a scan's time, or buckets of it that are a key of an
  /// aggregate. Nil if it is none of these. What a rollup answers for needs no slices.
  private static func sliced(_ plan: LogicalPlan, by index: Int, _ order: SliceOrder) -> (
    node: any PlanNode, isSliced: Bool
  )? {
    switch plan {
    case .series(let scan):
      return scan.columns[index] == .time ? (SlicedScanNode(ScanPlanning.plan(scan), order), true) : nil
    case .filter(let input, let conditions):
      return sliced(input, by: index, order).map { (FilterNode($0.node, conditions), $0.isSliced) }
    case .project(let input, let expressions):
      guard case .column(let reference) = expressions[index] else { return nil }
      return sliced(input, by: reference.index, order).map { (ProjectNode($0.node, expressions), $0.isSliced) }
    case .aggregate(.series(let scan), let keys, let calls):
      guard index < keys.count, let width = bucketWidth(keys[index], scan) else { return nil }
      let node = aggregate(.series(scan), keys, calls)
      if let choice = RollupAggregateNode.over(node, .series(scan), keys, calls), choice.hasMatches {
        return (choice, false)
      }
      return SlicedAggregateNode(node, key: keys[index], width: width, order).map { ($0, true) }
    default: return nil
    }
  }

  private static func bucketWidth(_ key: BoundExpression, _ scan: SeriesScan) -> Int64? {
    guard let column = key.columns.first, key.columns.count == 1, scan.columns[column] == .time else { return nil }
    if case .column = key { return 1 }
    return fixedWidth(key)
  }

  private static func aggregate(
    _ input: LogicalPlan, _ keys: [BoundExpression], _ calls: [AggregateCall]
  ) -> AggregateNode {
    AggregateNode(physical(input), keys: keys, calls: calls, runKeys: runKeys(input, keys, calls))
  }

  // MARK: Grouping by runs

  /// The row of a run that is first in the order, where the keys are made from tags, so that a run is of one group,
  /// and time decides within the group.
  private static func runEnd(_ input: LogicalPlan, _ keys: [BoundExpression], _ sorts: [BoundSort]) -> RunEnd? {
    let isOfTags = keys.allSatisfy { key in
      guard !key.isVolatile, !key.hasSubquery, let (scan, source) = overScan(input, key) else { return false }
      return !source.isVolatile && !source.hasSubquery
        && source.columns.allSatisfy { if case .tag = scan.columns[$0] { true } else { false } }
    }
    guard isOfTags else { return nil }
    guard let next = sorts.first(where: { sort in !keys.contains { $0.isSame(as: sort.expression) } }) else {
      return .first
    }
    guard let (scan, source) = overScan(input, next.expression), case .column(let reference) = source,
      scan.columns[reference.index] == .time
    else { return nil }
    return next.isDescending ? .last : .first
  }

  /// An expression over a plan as one over the series scan below it.
  private static func overScan(_ plan: LogicalPlan, _ expression: BoundExpression) -> (
    scan: SeriesScan, expression: BoundExpression
  )? {
    switch plan {
    case .series(let scan): (scan, expression)
    case .filter(let input, _): overScan(input, expression)
    case .project(let input, let expressions):
      overScan(input, expression.replacingColumns { expressions[$0.index] })
    default: nil
    }
  }

  private static func runKeys(_ input: LogicalPlan, _ keys: [BoundExpression], _ calls: [AggregateCall]) -> RunKeys? {
    guard !keys.isEmpty, calls.allSatisfy(AggregateState.takesRuns), let scan = scan(input) else { return nil }
    var result = RunKeys(parts: [])
    for key in keys {
      if case .column(let reference) = key, case .tag = scan.columns[reference.index] {
        result.parts.append(.tag(reference.index))
        continue
      }
      // Neighbours in time share the value of any expression of time alone; a segment ends where it changes.
      let columns = key.columns
      guard result.time == nil, let column = columns.first, columns.count == 1, scan.columns[column] == .time,
        key.type.isWord, !key.hasSubquery, !key.isVolatile, isNeverNull(key)
      else { return nil }
      result.parts.append(.time)
      result.time = key
      if let width = fixedWidth(key) { result.fixedWidth = (width, column) }
    }
    return result
  }

  private static func scan(_ plan: LogicalPlan) -> SeriesScan? {
    switch plan {
    case .series(let scan): scan
    case .filter(let input, _): scan(input)
    default: nil
    }
  }

  private static func isNeverNull(_ key: BoundExpression) -> Bool {
    switch key {
    case .column: true
    case .constant(let value, _): !value.isNull
    case .call(let function, let arguments):
      ["time_bucket", "date_trunc", "timezone"].contains(function.name) && arguments.allSatisfy(isNeverNull)
    default: false
    }
  }

  /// The width of `time_bucket(width, time)` where all buckets have the same.
  static func fixedWidth(_ key: BoundExpression) -> Int64? {
    guard case .call(let function, let arguments) = key, function.name == "time_bucket", arguments.count == 2,
      function.argumentTypes == [.interval, .timestamptz], case .constant(.interval(let interval), _) = arguments[0],
      interval.months == 0, case .column = arguments[1]
    else { return nil }
    let (days, over) = Int64(interval.days).multipliedReportingOverflow(by: 86_400_000_000)
    let (total, over2) = days.addingReportingOverflow(interval.microseconds)
    let (width, over3) = total.multipliedReportingOverflow(by: 1000)
    return over || over2 || over3 || width <= 0 ? nil : width
  }
}
