// Runs a partial plan: its groups and their states, by partial aggregates and rows as they come. A large scan is cut into
// parts of its series, which are run at the same time where somebody helps, and merged in their order: sums of doubles
// depend on how a scan is cut, so that goes by what there is to read alone.

import VarveCompute
import VarveCore
import VarveStorage

struct PartialRun {
  private(set) var groups: RunGroups
  let states: [AggregateState]
  private(set) var statistics = ScanStatistics()

  private init(_ plan: PartialPlan, _ node: AggregateNode) {
    groups = RunGroups(plan.keys, types: node.keys.map(\.type))
    states = node.calls.map { AggregateState($0) }
  }

  static func run(
    _ plan: PartialPlan, _ node: AggregateNode, _ context: ExecutionContext, within range: TimeRange?
  ) throws -> PartialRun {
    guard let request = try plan.scan.request(context, within: range ?? .all) else { return PartialRun(plan, node) }
    let entry = context.profile?.entry(for: plan.scan)
    let started = entry.map { _ in context.clock.monotonicNanoseconds() }
    // One for all parts: they share its dictionaries.
    let reader = SeriesColumnReader(plan.scan, request, context)
    let parts =
      plan.wantsLastValues
      ? [request.series] : try ScanParts.parts(of: request, context, partials: plan.request(of: request, context))
    var runs = [PartialRun(plan, node)]
    if parts.count == 1 {
      try runs[0].read(request, plan, reader, context)
    } else {
      runs = try context.concurrently(parts.count) { number, context in
        var run = PartialRun(plan, node)
        var part = request
        part.series = parts[number]
        try run.read(part, plan, reader, context)
        return run
      }
    }
    var result = runs[0]
    for run in runs.dropFirst() { try result.merge(run, context) }
    if let entry, let started {
      entry.loops += 1
      entry.nanoseconds += context.clock.monotonicNanoseconds() - started
      entry.rows += result.statistics.rows
      context.profile?.note(result.statistics, of: plan.scan)
    }
    return result
  }

  private mutating func read(
    _ scan: ScanRequest, _ plan: PartialPlan, _ reader: SeriesColumnReader, _ context: ExecutionContext
  ) throws {
    guard !plan.wantsLastValues else { return try readLast(scan, reader, context) }
    let cursor = try context.snapshot.aggregate(try plan.request(of: scan, context))
    var progress = ScanProgress()
    while let item = try cursor.next() {
      try context.check()
      progress.note(cursor.statistics, in: context)
      switch item {
      case .rows(let rows): try groups.update(reader.columns(rows), rows.runs, states, context)
      case .partials(let partials):
        try groups.take(partials, reader.columns(partials), plan.arguments, states, context)
      }
    }
    statistics = cursor.statistics
    progress.tell(statistics, in: context)
  }

  private mutating func readLast(_ scan: ScanRequest, _ reader: SeriesColumnReader, _ context: ExecutionContext) throws
  {
    let cursor = try context.snapshot.lastRows(
      LastRowsRequest(
        table: scan.table, series: scan.series, time: scan.time, fields: scan.fields, wanted: .values))
    while let rows = try cursor.next() {
      try context.check()
      try groups.update(reader.columns(rows), rows.runs, states, context)
    }
    statistics = cursor.statistics
  }

  /// Takes in what a later part came to.
  private mutating func merge(_ other: PartialRun, _ context: ExecutionContext) throws {
    let places = try groups.merge(other.groups, context)
    for (state, theirs) in zip(states, other.states) {
      try state.merge(theirs, places, groupCount: groups.count, context)
    }
    statistics.addPart(other.statistics)
    context.memory.release(other.groups.count * (RunGroupTable.byteCountPerGroup + 32 * other.states.count))
  }
}
