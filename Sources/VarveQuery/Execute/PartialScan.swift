// Aggregates over a series scan from what its rows come to: chunks summarise their rows by series and bucket of time,
// and a query whose groups hold whole buckets need not look at the rows behind.

import VarveCompute
import VarveCore
import VarveStorage

/// What of a plan can be answered so.
struct PartialPlan: Sendable {
  let scan: SeriesScanNode
  let keys: RunKeys
  /// Of each call, its argument's place among the fields of the scan; nil: it counts rows.
  let arguments: [Int?]
  /// What is needed of each field.
  let statistics: [SummaryStatistics]

  /// Nil if rows are needed: conditions that only rows can be tested for, keys that cut runs in ways that are not known,
  /// aggregates and arguments that summaries say nothing of.
  init?(_ input: any PlanNode, keys: [BoundExpression], calls: [AggregateCall], runKeys: RunKeys?) {
    guard let scan = input as? SeriesScanNode, scan.residual.isEmpty, !calls.isEmpty,
      let keys = keys.isEmpty ? RunKeys(parts: []) : runKeys, calls.allSatisfy(AggregateState.takesRuns)
    else { return nil }
    var fields: [(place: Int, type: FieldType)] = []
    for (place, column) in scan.columns.enumerated() {
      if case .field(_, let type) = column { fields.append((place, type)) }
    }
    var statistics: [SummaryStatistics] = fields.map { _ in [] }
    var arguments: [Int?] = []
    for call in calls {
      guard let needed = (call.function.makeStates() as? any PartialAggregate)?.neededStatistics else { return nil }
      if call.arguments.count == 2 {
        guard case .column(let order) = call.arguments[1], scan.columns[order.index] == .time else { return nil }
      }
      guard let argument = call.arguments.first else {
        arguments.append(nil)
        continue
      }
      guard case .column(let reference) = argument,
        let field = fields.firstIndex(where: { $0.place == reference.index }),
        needed.subtracting(SummaryStatistics(.nanCount)).isSubset(of: .kept(of: fields[field].type))
      else { return nil }
      statistics[field].formUnion(needed)
      arguments.append(field)
    }
    self.scan = scan
    self.keys = keys
    self.arguments = arguments
    self.statistics = statistics
  }

  func isOn(_ context: ExecutionContext) -> Bool { context.catalog.session.usesSummaries }

  /// Nil: nothing can match.
  func request(_ context: ExecutionContext) throws -> AggregateRequest? {
    guard let request = try scan.request(context) else { return nil }
    let groups = try BucketGroups(self, context)
    return AggregateRequest(scan: request, statistics: statistics) { try groups.isOneGroup($0) }
  }
}

/// Tells whether a range of time lies in one group.
private struct BucketGroups {
  private static let quietSeconds = 2 * 86_400

  private let plan: PartialPlan
  private let context: ExecutionContext
  /// Zones by whose clocks the key may go; nil: not all are known.
  private let zones: [TimeZone]?

  init(_ plan: PartialPlan, _ context: ExecutionContext) throws {
    self.plan = plan
    self.context = context
    zones = try plan.keys.time.flatMap { try Self.zones(in: $0, context) }
  }

  func isOneGroup(_ range: TimeRange) throws -> Bool {
    guard let time = plan.keys.time else { return true }
    // The key is the time, or a bucket of it by some clock: it does not go back unless that clock is set. A bucket's start
    // may lie in the hour that a clock leaves out, and clocks may be nested, so none is set some days around either.
    guard let zones else { return false }
    let first = Self.second(range.lower) - Self.quietSeconds
    let last = Self.second(range.upper) + Self.quietSeconds
    guard zones.allSatisfy({ $0.segment(at: first).until > last }) else { return false }
    let times = Buffer<UInt64>([UInt64(bitPattern: range.lower), UInt64(bitPattern: range.upper)])
    let columns = plan.scan.columns.map { column -> Column in
      column == .time
        ? Column(type: .timestamptz, count: 2, storage: .words(times)) : .null(column.type, count: 2)
    }
    // At the ends of time a bucket's key may be out of range where none of its rows is: then the rows tell.
    guard let keys = try? context.evaluate(time, QueryBatch(count: 2, columns: columns)) else { return false }
    return keys.isSame(0, keys, 1)
  }

  private static func second(_ time: Int64) -> Int { Int(time / 1_000_000_000) - (time % 1_000_000_000 < 0 ? 1 : 0) }

  private static func zones(in key: BoundExpression, _ context: ExecutionContext) throws -> [TimeZone]? {
    var zones = [try context.evaluation.zones.zone(named: context.evaluation.timeZone)]
    var pending = [key]
    while let expression = pending.popLast() {
      pending += expression.children
      switch expression {
      case .constant(.text(let text), _):
        // A unit of time, or a zone.
        if let zone = context.evaluation.zones.known(text) { zones.append(zone) }
      case .parameter(_, .text), .outer(_, .text): return nil
      default: break
      }
    }
    return zones
  }
}

extension AggregateOperator {
  /// The groups of a partial plan, by partial aggregates and rows as they come.
  static func partialGroups(
    _ plan: PartialPlan, types: [SQLType], _ states: [AggregateState], _ context: ExecutionContext
  ) throws -> RunGroups {
    var groups = RunGroups(plan.keys, types: types)
    guard let request = try plan.request(context) else { return groups }
    let cursor = try context.snapshot.aggregate(request)
    let reader = SeriesColumnReader(plan.scan, request.scan, context)
    let entry = context.profile?.entry(for: plan.scan)
    entry?.loops += 1
    func next() throws -> AggregateItem? {
      guard let entry else { return try cursor.next() }
      let started = context.clock.monotonicNanoseconds()
      defer { entry.nanoseconds += context.clock.monotonicNanoseconds() - started }
      return try cursor.next()
    }
    while let item = try next() {
      try context.check()
      switch item {
      case .rows(let rows): try groups.update(reader.columns(rows), rows.runs, states, context)
      case .partials(let partials):
        try groups.take(partials, reader.columns(partials), plan.arguments, states, context)
      }
    }
    entry?.rows += cursor.statistics.rows
    context.profile?.note(cursor.statistics, of: plan.scan)
    return groups
  }
}
