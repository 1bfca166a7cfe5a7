// The SELECT of a rollup → its meaning. Refuses what could not be kept exactly, with the reason and what can.

import VarveCompute
import VarveCore
import VarveFormat
import VarveRollup
import VarveStorage

struct RollupBinder {
  private let binder: Binder
  private let source: SourceText

  /// The binder's names are those of the statement's source; with a fixed source FROM means that, whatever its name.
  init(_ binder: Binder) {
    self.binder = binder
    source = binder.source
  }

  func bind(_ select: SelectSyntax, _ additions: [RollupDefinition.Addition] = []) throws -> RollupStatement {
    try checkClauses(select)
    let bound = try binder.bindSelect(select, QueryLevel(parent: nil))
    guard let found = binder.rollupSource else { throw refused("a rollup without a table", select) }
    guard case .project(.aggregate(let input, var keys, let calls), let outputs) = Pushdown.push(bound.plan, []) else {
      throw refused(
        "a rollup without GROUP BY", select,
        hint: "Group by time_bucket('1 hour', time) and by tags: GROUP BY 1, host.")
    }
    let conditions = try conditions(of: input, select)
    for call in calls { try check(call) }
    keys = try checkKeys(keys, found, select)
    guard let bucketKey = keys.firstIndex(where: { isBucket($0, found) }) else {
      throw refused(
        "a rollup without a bucket of time", select,
        hint: "Group by time_bucket('1 hour', \(found.columns[found.timePlace].name)).")
    }
    for expression in keys + conditions + outputs { try checkFixed(expression, select) }
    guard outputs.contains(where: { if case .column(let key) = $0 { key.index == bucketKey } else { false } }) else {
      throw refused("a rollup whose bucket is not among its columns", select, hint: "Select the time_bucket as well.")
    }
    let grid = try RollupBuckets.grid(keys[bucketKey], binder.evaluation)
    if case .rollup(let source) = found, try !grid.isMadeOf(source.statement.grid, within: Self.comparedTimes) {
      throw refused(
        "a rollup whose buckets cut those of the rollup it is made from", select,
        hint: "Take a width that holds whole buckets of \"\(source.schema.name)\" (\(source.statement.bucketText)).")
    }
    let names = keys.map { key -> String in
      if case .column(let reference) = key { return found.columns[reference.index].name }
      return "time"
    }
    let query = PartsQuery(source: found, keys: keys, conditions: conditions, kept: try KeptAggregates(calls))
    return RollupStatement(
      query, keyNames: names, bucketKey: bucketKey, outputs: outputs, columns: bound.columns,
      grid: grid, bucketText: try bucketText(keys[bucketKey]),
      usedColumns: used(keys + conditions + calls.map { .aggregate($0) }, found), additions: additions)
  }

  /// 2024, with a leap day and both changes of the clock.
  private static let comparedTimes = TimeRange(lower: 1_704_067_200_000_000_000, upper: 1_735_689_599_999_999_999)

  private func refused(_ what: String, _ select: SelectSyntax, at location: Int? = nil, hint: String? = nil)
    -> VarveError
  {
    source.unsupported(what, at: location ?? select.targets.first?.location ?? -1, hint: hint)
  }

  private func checkClauses(_ select: SelectSyntax) throws {
    guard case .select = select.body, select.from.count == 1, case .table = select.from[0] else {
      throw refused(
        "a rollup of anything but one table", select,
        hint: "SELECT time_bucket(…), tags, aggregates FROM one table GROUP BY …; join the rollup when you read it.")
    }
    let clauses: [(Bool, String)] = [
      (!select.commonTables.isEmpty, "WITH"), (select.isDistinct || !select.distinctOn.isEmpty, "DISTINCT"),
      (select.having != nil, "HAVING"), (!select.windows.isEmpty, "WINDOW"), (!select.orderBy.isEmpty, "ORDER BY"),
      (select.limit != nil || select.offset != nil, "LIMIT"),
    ]
    if let clause = clauses.first(where: \.0)?.1 {
      throw refused("\(clause) in a rollup", select, hint: "Say it when you read the rollup.")
    }
  }

  /// Conditions of the scan of a series table, or those over a rollup.
  private func conditions(of input: LogicalPlan, _ select: SelectSyntax) throws -> [BoundExpression] {
    switch input {
    case .series(let scan): scan.conditions.flatMap(\.conjuncts)
    case .rollup(let scan): scan.conditions.flatMap(\.conjuncts)
    default: throw refused("this FROM in a rollup", select)
    }
  }

  private func check(_ call: AggregateCall) throws {
    guard call.orderBy.isEmpty else { throw source.unsupported("an ordered aggregate in a rollup", at: call.location) }
    do {
      let kept = try AggregateParts.of(call.function, isDistinct: call.isDistinct)
      for place in kept.constants where call.arguments[place].constantValue == nil {
        throw source.unsupported(
          "\(call.function.name) with arguments that change from row to row in a rollup", at: call.location)
      }
    } catch var error as VarveError {
      if error.position == nil { error.position = source.position(call.location) }
      throw error
    }
  }

  private func checkKeys(_ keys: [BoundExpression], _ found: RollupSource, _ select: SelectSyntax) throws
    -> [BoundExpression]
  {
    var buckets = 0
    for key in keys {
      if isBucket(key, found) {
        buckets += 1
        continue
      }
      guard case .column(let reference) = key, isTag(reference.index, found) else {
        throw refused(
          "a rollup grouped by anything but one bucket of time and tags", select,
          hint: "Tags and time_bucket or date_trunc can stand in GROUP BY; expressions of them in the query that reads."
        )
      }
    }
    guard buckets <= 1 else {
      throw refused("a rollup with two buckets of time", select, hint: "Make two rollups, one of them from the other.")
    }
    return keys
  }

  private func isTag(_ column: Int, _ found: RollupSource) -> Bool {
    switch found {
    case .table(let table): if case .tag = table.sqlColumns[column].column { true } else { false }
    case .rollup(let rollup):
      if case .column(let key) = rollup.statement.outputs[column] {
        key.index < rollup.statement.keys.count && key.index != rollup.statement.bucketKey
      } else {
        false
      }
    }
  }

  private func isBucket(_ key: BoundExpression, _ found: RollupSource) -> Bool {
    RollupBuckets.isBucket(key, time: found.timePlace)
  }

  /// Nothing may depend on when and by whom it is computed.
  private func checkFixed(_ expression: BoundExpression, _ select: SelectSyntax) throws {
    let changing = expression.contains {
      switch $0 {
      case .call(let function, _): function.volatility != .immutable
      case .subquery, .parameter, .outer: true
      default: false
      }
    }
    guard changing || binder.isOnceOnly else { return }
    throw refused(
      "a rollup whose rows would depend on when or in which session they are made", select,
      hint: "Name time zones: time_bucket('1 day', time, 'Europe/Berlin'), date_trunc('day', time, 'UTC').")
  }

  private func used(_ expressions: [BoundExpression], _ found: RollupSource) -> [ColumnID] {
    guard case .table(let table) = found else { return [] }
    var places: Set<Int> = []
    for expression in expressions { expression.collectColumns(into: &places) }
    return places.compactMap { place -> ColumnID? in
      switch table.sqlColumns[place].column {
      case .time: nil
      case .tag(let id), .field(let id, _): id
      }
    }.sorted()
  }

  // MARK: Buckets

  private func bucketText(_ key: BoundExpression) throws -> String {
    guard case .call(_, let arguments) = key else { preconditionFailure("a bucket is a call") }
    let context = EvaluationContext(now: 0)
    return try arguments.compactMap { argument -> String? in
      guard case .constant(let value, let type) = argument, !value.isNull else { return nil }
      return try TypeText.string(value, type: type, context: context)
    }.joined(separator: ", ")
  }
}
