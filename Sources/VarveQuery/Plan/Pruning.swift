// Drops columns that nobody reads.

import VarveCompute
import VarveCore

enum Pruning {
  typealias Result = (plan: LogicalPlan, places: [Int: Int])

  /// The columns a scan reads, and their places: those for conditions stand behind those that are delivered.
  private static func scanOrder(
    _ needed: Set<Int>, _ conditions: [BoundExpression]
  ) -> (order: [Int], places: [Int: Int]) {
    var all = needed
    for condition in conditions { condition.collectColumns(into: &all) }
    let order = needed.sorted() + all.subtracting(needed).sorted()
    return (order, numbered(order))
  }

  /// A plan that delivers at least the needed columns, and where each of them went.
  static func prune(_ plan: LogicalPlan, needed: Set<Int>) -> Result {
    switch plan {
    case .series(var scan):
      let (order, places) = scanOrder(needed, scan.conditions)
      scan.columns = order.map { scan.columns[$0] }
      scan.conditions = scan.conditions.map { $0.renumbered(places) }
      scan.width = needed.count
      return (.series(scan), places.filter { needed.contains($0.key) })
    case .rollup(var scan):
      let (order, places) = scanOrder(needed, scan.conditions)
      scan.columns = order.map { scan.columns[$0] }
      scan.conditions = scan.conditions.map { $0.renumbered(places) }
      scan.width = needed.count
      return (.rollup(scan), places.filter { needed.contains($0.key) })
    case .virtual(let table, let columns):
      let order = needed.sorted()
      return (.virtual(table, columns: order.map { columns[$0] }), numbered(order))
    case .dimension(let table, let columns, let key):
      let order = needed.sorted()
      return (.dimension(table, columns: order.map { columns[$0] }, key: key), numbered(order))
    case .oneRow, .function: return (plan, identity(plan.types.count))
    case .values(let rows, let types):
      let order = needed.sorted()
      return (.values(rows.map { row in order.map { row[$0] } }, order.map { types[$0] }), numbered(order))
    case .filter(let input, let conditions):
      var below = needed
      for condition in conditions { condition.collectColumns(into: &below) }
      let (inner, places) = prune(input, needed: below)
      return (.filter(inner, conditions.map { $0.renumbered(places) }), places)
    case .project(let input, let expressions):
      let order = needed.sorted()
      var below: Set<Int> = []
      for index in order { expressions[index].collectColumns(into: &below) }
      let (inner, places) = prune(input, needed: below)
      return (.project(inner, order.map { expressions[$0].renumbered(places) }), numbered(order))
    case .aggregate(let input, let keys, let calls): return pruneAggregate(input, keys, calls, needed)
    case .gapFill(let input, let fill, let calls): return pruneGapFill(input, fill, calls, needed)
    case .groupingSets(let input, let grouping, let calls): return pruneSets(input, grouping, calls, needed)
    case .window(let input, let order, let calls): return pruneWindow(input, order, calls, needed)
    case .join(let kind, let left, let right, let on):
      var below = needed
      for condition in on { condition.collectColumns(into: &below) }
      let width = left.types.count
      let a = prune(left, needed: below.filter { $0 < width })
      let b = prune(right, needed: Set(below.filter { $0 >= width }.map { $0 - width }))
      let newWidth = a.plan.types.count
      var places = a.places
      for (old, new) in b.places { places[old + width] = new + newWidth }
      return (.join(kind, a.plan, b.plan, on: on.map { $0.renumbered(places) }), places)
    case .lateral(let kind, let left, let right, let outerInputs, let types, let on, let asOf):
      let width = left.types.count
      var below = needed
      for expression in on + outerInputs + (asOf?.expressions ?? []) { expression.collectColumns(into: &below) }
      let a = prune(left, needed: below.filter { $0 < width })
      let newWidth = a.plan.types.count
      var places = a.places
      for index in types.indices { places[width + index] = newWidth + index }
      return (
        .lateral(
          kind, a.plan, right, outerInputs: outerInputs.map { $0.renumbered(places) }, types: types,
          on: on.map { $0.renumbered(places) }, asOf: asOf?.mapExpressions { $0.renumbered(places) }), places
      )
    case .sort(let input, let sorts):
      let (inner, newSorts, places) = pruneSorted(input, sorts, needed)
      return (.sort(inner, newSorts), places)
    case .distinct(let input):
      let width = input.types.count
      let inner = prune(input, needed: Set(0..<width))
      return (.distinct(Planner.restored(inner, width: width)), identity(width))
    case .distinctOn(let input, let keys):
      var below = needed
      for key in keys { key.collectColumns(into: &below) }
      let (inner, places) = prune(input, needed: below)
      return (.distinctOn(inner, keys.map { $0.renumbered(places) }), places)
    case .limit(let input, let limit, let offset):
      let (inner, places) = prune(input, needed: needed)
      return (.limit(inner, limit: limit, offset: offset), places)
    case .ties(let input, let sorts, let limit, let offset):
      let (inner, newSorts, places) = pruneSorted(input, sorts, needed)
      return (.ties(inner, newSorts, limit: limit, offset: offset), places)
    case .setOperation(let operation, let isAll, let left, let right):
      let width = left.types.count
      let a = Planner.restored(prune(left, needed: Set(0..<width)), width: width)
      let b = Planner.restored(prune(right, needed: Set(0..<width)), width: width)
      return (.setOperation(operation, isAll: isAll, a, b), identity(width))
    }
  }

  private static func pruneAggregate(
    _ input: LogicalPlan, _ keys: [BoundExpression], _ calls: [AggregateCall], _ needed: Set<Int>
  ) -> Result {
    // Keys all stay: they decide the groups.
    let kept = calls.indices.filter { needed.contains(keys.count + $0) }
    var below: Set<Int> = []
    for key in keys { key.collectColumns(into: &below) }
    for index in kept { BoundExpression.aggregate(calls[index]).collectColumns(into: &below) }
    let (inner, places) = prune(input, needed: below)
    let newCalls = kept.map { index -> AggregateCall in
      guard case .aggregate(let call) = BoundExpression.aggregate(calls[index]).renumbered(places) else {
        preconditionFailure("renumbering keeps the kind of an expression")
      }
      return call
    }
    var result = identity(keys.count)
    for (new, old) in kept.enumerated() { result[keys.count + old] = keys.count + new }
    return (.aggregate(inner, keys: keys.map { $0.renumbered(places) }, newCalls), result)
  }

  private static func pruneSorted(_ input: LogicalPlan, _ sorts: [BoundSort], _ needed: Set<Int>) -> (
    plan: LogicalPlan, sorts: [BoundSort], places: [Int: Int]
  ) {
    var below = needed
    for sort in sorts { sort.expression.collectColumns(into: &below) }
    let (inner, places) = prune(input, needed: below)
    let newSorts = sorts.map {
      BoundSort(expression: $0.expression.renumbered(places), isDescending: $0.isDescending, nullsFirst: $0.nullsFirst)
    }
    return (inner, newSorts, places)
  }

  private static func pruneGapFill(
    _ input: LogicalPlan, _ fill: GapFill, _ calls: [FillCall], _ needed: Set<Int>
  ) -> Result {
    let width = input.types.count
    let kept = calls.indices.filter { needed.contains(width + $0) }
    var below = needed.filter { $0 < width }.union(fill.keys)
    below.insert(fill.time)
    for index in kept { BoundExpression.fill(calls[index]).collectColumns(into: &below) }
    let (inner, places) = prune(input, needed: below)
    func place(_ column: Int) -> Int {
      guard let place = places[column] else { preconditionFailure("pruning keeps what is needed") }
      return place
    }
    var fill = fill
    fill.keys = fill.keys.map(place)
    fill.time = place(fill.time)
    var result = places
    for (new, old) in kept.enumerated() { result[width + old] = inner.types.count + new }
    return (.gapFill(inner, fill, kept.map { calls[$0].mapChildren { $0.renumbered(places) } }), result)
  }

  private static func pruneSets(
    _ input: LogicalPlan, _ grouping: GroupingSets, _ calls: [AggregateCall], _ needed: Set<Int>
  ) -> Result {
    let width = grouping.keys.count
    guard
      case (.aggregate(let inner, let keys, let kept), var places) = pruneAggregate(
        input, grouping.keys, calls, needed.filter { $0 < width + calls.count })
    else { preconditionFailure("a pruned aggregation is one") }
    for index in grouping.masks.indices { places[width + calls.count + index] = width + kept.count + index }
    var grouping = grouping
    grouping.keys = keys
    return (.groupingSets(inner, grouping, kept), places)
  }

  private static func pruneWindow(
    _ input: LogicalPlan, _ order: WindowOrder, _ calls: [WindowCall], _ needed: Set<Int>
  ) -> Result {
    let width = input.types.count
    let kept = calls.indices.filter { needed.contains(width + $0) }
    var below = needed.filter { $0 < width }
    if kept.isEmpty { return prune(input, needed: below) }
    for index in kept { BoundExpression.window(calls[index]).collectColumns(into: &below) }
    let (inner, places) = prune(input, needed: below)
    let newCalls = kept.map { calls[$0].mapChildren { $0.renumbered(places) } }
    var result = places
    for (new, old) in kept.enumerated() { result[width + old] = inner.types.count + new }
    return (.window(inner, newCalls[0].order, newCalls), result)
  }

  private static func numbered(_ order: [Int]) -> [Int: Int] {
    Dictionary(uniqueKeysWithValues: order.enumerated().map { ($1, $0) })
  }
  private static func identity(_ count: Int) -> [Int: Int] {
    Dictionary(uniqueKeysWithValues: (0..<count).map { ($0, $0) })
  }
}
