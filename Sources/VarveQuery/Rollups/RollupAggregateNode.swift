// An aggregate over a table, or over a rollup, of which rollups made from that can answer a part: their stored rows in the
// middle, rows of the source at the edges and wherever else those are not valid. The coarsest rollup whose buckets fit goes
// first, finer ones answer what it leaves. What retention has dropped from the source is not read: the answer is the
// source's.

import VarveCompute
import VarveCore
import VarveFormat
import VarveRollup
import VarveStorage

final class RollupAggregateNode: PlanNode {
  private let direct: AggregateNode
  private let matches: [RollupMatch]
  private let reasons: [(name: String, text: String)]

  /// nil where nothing is made from what is read.
  static func over(
    _ direct: AggregateNode, _ input: LogicalPlan, _ keys: [BoundExpression], _ calls: [AggregateCall]
  ) -> RollupAggregateNode? {
    guard let question = RollupQuestion(input, keys, calls) else { return nil }
    let found = RollupMatch.all(question)
    return RollupAggregateNode(direct, found.matches, found.reasons)
  }

  private init(_ direct: AggregateNode, _ matches: [RollupMatch], _ reasons: [(name: String, text: String)]) {
    self.direct = direct
    self.matches = matches
    self.reasons = reasons
  }

  /// Whether a rollup has all that is asked for; whether it has it of these times is seen by each execution.
  var hasMatches: Bool { !matches.isEmpty }
  var types: [SQLType] { direct.types }
  var inputs: [any PlanNode] { [direct] }
  var label: String { "Rollup Choice" }

  func open(_ context: ExecutionContext) throws -> any Operator {
    try context.open(try expanded(context) ?? direct)
  }

  func expanded(_ context: ExecutionContext) throws -> (any PlanNode)? {
    if let known = context.expansion(of: self) { return known }
    guard let choice = try choice(context), let first = choice.answers.first?.match else { return nil }
    let node = try Planner.plan(RollupReader.finished(first.query, Self.merged(first.query, choice)))
    context.note(expansion: node, of: self)
    return node
  }

  /// Where many stored rows of a series are neighbours in a group, they are merged as they come, before anything joins
  /// them; else all are looked up by group at once.
  private static func merged(_ query: PartsQuery, _ choice: RollupChoice) -> LogicalPlan {
    if choice.raw.isEmpty, choice.answers.count == 1, let only = choice.answers.first, only.ranges.count == 1,
      only.hasLongRuns
    {
      return StoredRollup(only.match.rollup).scan(only.ranges, only.match.conditions) { merged(query, $0, only.match) }
    }
    var rows: LogicalPlan?
    for answer in choice.answers {
      let match = answer.match
      let stored = StoredRollup(match.rollup)
      // What one scan reads of many ranges is not one stretch of time: other rows lie between.
      let isApart = query.kept.needsDisjointTimes && TimeRanges.isHull(answer.ranges)
      let parts =
        answer.hasLongRuns && !isApart
        ? stored.scan(answer.ranges, match.conditions) { RollupReader.restored(query, merged(query, $0, match)) }
        : .project(stored.scan(answer.ranges, match.conditions), match.keys + match.fields)
      rows = RollupReader.union(rows, parts)
    }
    let raw = choice.raw.isEmpty ? nil : RollupReader.rawParts(query, choice.raw, hidesDropped: true)
    guard let rows = RollupReader.union(rows, raw) else { preconditionFailure("a choice has an answer") }
    return RollupReader.merged(query, rows)
  }

  private static func merged(_ query: PartsQuery, _ scan: LogicalPlan, _ match: RollupMatch) -> LogicalPlan {
    RollupReader.mergedStored(query, scan, keys: match.keys, fields: match.fields)
  }

  /// nil if nothing can match, or no rollup answers for anything.
  private func choice(_ context: ExecutionContext) throws -> RollupChoice? {
    guard let choice = try compared(context), !choice.answers.isEmpty else { return nil }
    return choice
  }

  /// Once in an execution: EXPLAIN asks more than once.
  private func compared(_ context: ExecutionContext) throws -> RollupChoice? {
    if let known = context.rollupChoices[ObjectIdentifier(self)] { return known }
    let choice = try compare(context)
    context.rollupChoices[ObjectIdentifier(self)] = .some(choice)
    return choice
  }

  private func compare(_ context: ExecutionContext) throws -> RollupChoice? {
    guard context.catalog.session.usesRollups, let first = matches.first,
      let range = try context.timeRange(first.bounds), !range.isEmpty
    else { return nil }
    var choice = RollupChoice(raw: [range])
    let inOrder = try matches.sorted { try Self.width($0) > Self.width($1) }
    for match in inOrder {
      let name = match.rollup.schema.name
      // Dropped since the plan was made, or made anew: another plan would know of it.
      guard let state = context.snapshot.rollup(match.rollup.schema.id),
        state.definition == match.rollup.definition
      else { continue }
      guard try fits(match, range, context) else {
        choice.reasons.append((name, "its buckets do not make up the query's"))
        continue
      }
      var (stored, raw): ([TimeRange], [TimeRange]) = ([], [])
      for range in choice.raw {
        let regions = try RollupReader.regions(match.rollup, within: range, includesFrozen: false, context.catalog)
        stored += regions.stored
        raw += regions.raw
      }
      guard !stored.isEmpty else {
        choice.reasons.append((name, "it has no whole bucket of these times"))
        continue
      }
      choice.answers.append(
        RollupChoice.Answer(match: match, ranges: stored, hasLongRuns: try Self.hasLongRuns(match, context)))
      choice.raw = raw
    }
    return choice
  }

  private static func width(_ match: RollupMatch) throws -> Int64 { try width(match.rollup.statement.grid) }

  /// Of a bucket, about.
  private static func width(_ grid: BucketGrid) throws -> Int64 {
    try grid.fixed?.width ?? grid.end(of: 0) &- grid.start(of: 0)
  }

  /// Whether a bucket of the query's holds many of the rollup's.
  private static func hasLongRuns(_ match: RollupMatch, _ context: ExecutionContext) throws -> Bool {
    guard let bucketKey = match.bucketKey else { return true }
    let grid = try RollupBuckets.grid(match.query.keys[bucketKey], context.evaluation)
    return try width(grid) / max(1, width(match)) >= longRunRowCount
  }

  private static let longRunRowCount: Int64 = 8

  private func fits(_ match: RollupMatch, _ range: TimeRange, _ context: ExecutionContext) throws -> Bool {
    guard let bucketKey = match.bucketKey else { return true }
    let grid = match.rollup.statement.grid
    // Whole buckets that lie in what is asked for need to fit, no others: those of all time are too many to look at.
    guard let data = context.snapshot.statistics(of: match.query.source.id).time?.intersection(range), !data.isEmpty
    else { return false }
    return try RollupBuckets.grid(match.query.keys[bucketKey], context.evaluation).isMadeOf(grid, within: data)
  }

  func details(_ context: ExecutionContext) throws -> [(name: String, text: String)] {
    guard context.catalog.session.usesRollups else { return [("Rollups", "off (varve.use_rollups)")] }
    let choice = try compared(context)
    let used = (choice?.answers ?? []).map { answer in
      let (rollup, count) = (answer.match.rollup, answer.ranges.count)
      return (
        "Rollup", "\(rollup.schema.name) (\(rollup.statement.bucketText)), \(count) range" + (count == 1 ? "" : "s")
      )
    }
    return used + (reasons + (choice?.reasons ?? [])).map { ("Not \($0.name)", $0.text) }
  }
}

/// Which rollups answer in one snapshot.
struct RollupChoice {
  struct Answer {
    let match: RollupMatch
    /// What it answers for.
    let ranges: [TimeRange]
    /// Whether many of its rows make one group of a series.
    let hasLongRuns: Bool
  }
  var answers: [Answer] = []
  /// What is left.
  var raw: [TimeRange]
  var reasons: [(name: String, text: String)] = []
}
