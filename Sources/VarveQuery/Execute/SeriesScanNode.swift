// Reads a series table: conditions on tags become a set of series, conditions on time a range, ranges of fields
// zones to skip by; what those do not settle is filtered here. Bounds may hold parameters and now(): they are
// computed when the scan opens.

import VarveCompute
import VarveCore
import VarveStorage

/// A comparison of a column with an expression that has no columns.
struct ScanBound: Sendable {
  enum Relation: Sendable {
    case equal, less, lessOrEqual, greater, greaterOrEqual
    /// The value is an array, and the column equal to one of its elements.
    case among
  }
  var relation: Relation
  var value: BoundExpression

  /// Whether a range says all that the comparison does.
  var isExact: Bool { relation != .among }
}

struct ZoneBound: Sendable {
  var column: ColumnID
  var bound: ScanBound
}

/// What a scan can skip by.
struct ScanConditions: Sendable {
  var tags: [TagCondition] = []
  var times: [ScanBound] = []
  var alternatives: [ScanAlternatives] = []
  /// Rows are tested for these as well.
  var zones: [ZoneBound] = []

  fileprivate var expressions: [BoundExpression] {
    let branches = alternatives.flatMap(\.branches)
    return (tags + branches.flatMap(\.tags)).map(\.condition) + (times + branches.flatMap(\.times)).map(\.value)
  }
  /// Whether there are subqueries, which of EXPLAIN's forms ANALYZE alone may run.
  var asksSubqueries: Bool { expressions.contains(where: \.hasSubquery) }
  /// Whether values of the query around are taken, which a plan by itself has none of.
  var takesOuterValues: Bool { (expressions + zones.map(\.bound.value)).contains(where: \.hasOuter) }
}

final class SeriesScanNode: PlanNode {
  let table: TableSchema
  let columns: [SeriesColumn]
  let conditions: ScanConditions
  /// Over `columns`.
  let residual: [BoundExpression]
  /// How many of `columns` are delivered; the rest are for `residual` only.
  let width: Int

  init(
    table: TableSchema, columns: [SeriesColumn], conditions: ScanConditions, residual: [BoundExpression], width: Int
  ) {
    self.table = table
    self.columns = columns
    self.conditions = conditions
    self.residual = residual
    self.width = width
  }

  var types: [SQLType] { columns.prefix(width).map(\.type) }
  var inputs: [any PlanNode] { [] }
  var label: String { "Series Scan on \(table.name)" }
  var expressions: [BoundExpression] { conditions.expressions + residual }

  func open(_ context: ExecutionContext) throws -> any Operator {
    let ranges = try ranges(context)
    if ranges.isEmpty { return try open(context, within: .all) }
    return ChainOperator(try ranges.map { try open(context, within: $0) })
  }

  /// The times of the scan where they are more than one range, which are read one after the other; none if they are one,
  /// or too many.
  private func ranges(_ context: ExecutionContext) throws -> [TimeRange] {
    guard conditions.alternatives.contains(where: \.hasTimes), let times = try reach(context, within: .all)?.times
    else { return [] }
    return 2...Self.rangeLimit ~= times.count ? times : []
  }

  private static let rangeLimit = 16

  func open(_ context: ExecutionContext, within range: TimeRange) throws -> any Operator {
    guard let request = try request(context, within: range) else { return EmptyOperator() }
    if range == .all, !residual.contains(where: { $0.isVolatile || $0.hasSubquery }) {
      let parts = try ScanParts.parts(of: request, context)
      if parts.count > 1 { return try PartedScanOperator(self, request, parts, context) }
    }
    return try SeriesScanOperator(self, request, SeriesColumnReader(self, request, context), context)
  }

  /// nil: nothing can match.
  func request(_ context: ExecutionContext, within range: TimeRange = .all) throws -> ScanRequest? {
    guard let (series, times) = try reach(context, within: range), let first = times.first, let last = times.last else {
      return nil
    }
    var fields: [ColumnID] = []
    for case .field(let id, _) in columns { fields.append(id) }
    return ScanRequest(
      table: table.id, series: series, time: TimeRange(lower: first.lower, upper: last.upper), fields: fields,
      zones: try zones(context))
  }

  /// Series and times that rows can be of, times in ranges that ascend and stand apart; nil: there are none.
  private func reach(_ context: ExecutionContext, within range: TimeRange) throws -> (
    series: SeriesSet, times: [TimeRange]
  )? {
    guard let time = try context.timeRange(conditions.times)?.intersection(range), !time.isEmpty else { return nil }
    var predicates = try conditions.tags.map {
      try TagConditions.predicate($0.column, $0.condition, table.id, context)
    }
    let restrictions = context.restrictions(of: self)
    predicates += restrictions
    var series = predicates.isEmpty ? .all : context.snapshot.series(of: table.id, where: predicates)
    if !restrictions.isEmpty, case .some(let ids) = series { context.profile?.noteJoined(ids.count, of: self) }
    var times = [time]
    for alternatives in conditions.alternatives {
      let reach = try alternatives.reach(table.id, within: time, context)
      series = series.intersection(reach.series)
      times = times.intersection(reach.times.merged)
    }
    return series.isEmpty || times.isEmpty ? nil : (series, times)
  }

  private func zones(_ context: ExecutionContext) throws -> [ZonePredicate] {
    var result: [ZonePredicate] = []
    for zone in conditions.zones {
      var values = [try context.constant(zone.bound.value)]
      if case .array(let items) = values[0] { values = items }
      let numbers = values.compactMap(Self.number)
      guard let least = numbers.min(), let greatest = numbers.max(), !numbers.contains(where: \.isNaN) else { continue }
      // A step outwards: whole numbers beyond 2^53 are rounded, and strictness is the filter's business.
      let lower = least.nextDown
      let upper = greatest.nextUp
      switch zone.bound.relation {
      case .equal, .among: result.append(ZonePredicate(column: zone.column, lower: lower, upper: upper))
      case .less, .lessOrEqual: result.append(ZonePredicate(column: zone.column, lower: nil, upper: upper))
      case .greater, .greaterOrEqual: result.append(ZonePredicate(column: zone.column, lower: lower, upper: nil))
      }
    }
    return result
  }

  private static func number(_ value: Datum) -> Double? {
    switch value {
    case .float(let number): number
    case .int(let number): Double(number)
    case .numeric(let number): number.double
    case .timestamp(let time): Double(time)
    default: nil
    }
  }

  func details(_ context: ExecutionContext) throws -> [(name: String, text: String)] {
    var lines: [(name: String, text: String)] = []
    let takesOuterValues = conditions.takesOuterValues
    if conditions.asksSubqueries, context.profile == nil { return [("Conditions", "by subqueries")] }
    let request = takesOuterValues ? nil : try request(context)
    if let request {
      lines = try details(of: request, context)
    } else if takesOuterValues {
      lines.append(("Conditions", "by the rows around"))
    } else {
      return [("Result", "none: the conditions exclude each other")]
    }
    if !residual.isEmpty {
      lines.append(("Filter", "\(residual.count) condition\(residual.count == 1 ? "" : "s")"))
    }
    if let actual = context.profile?.statistics(of: self) {
      lines.append(("Row Blocks Read", "\(actual.rowBlocks - actual.rowBlocksPruned) of \(actual.rowBlocks)"))
      lines.append(("Rows Read", "\(actual.rows)"))
      if actual.pagesRead > 0 {
        lines.append(("Pages Read", "\(actual.pagesRead), \(actual.pagesFromCache) of them cached"))
      }
      if actual.rowsAggregatedOnPages > 0 {
        lines.append(("Rows Aggregated on Pages", "\(actual.rowsAggregatedOnPages)"))
      }
      if actual.summaryBuckets > 0 { lines.append(("Summary Buckets", "\(actual.summaryBuckets)")) }
      if actual.archive.objects > 0 { lines.append(("Archive", Self.text(actual.archive))) }
    }
    guard let request else { return lines }
    let estimate = try readAtMost(request, context)
    lines.append(("Partitions", "\(estimate.partitions - estimate.partitionsPruned) of \(estimate.partitions)"))
    lines.append(("Chunks", "\(estimate.chunks - estimate.chunksPruned) of \(estimate.chunks)"))
    lines.append(("Row Blocks", "\(estimate.rowBlocks - estimate.rowBlocksPruned) of \(estimate.rowBlocks)"))
    lines.append(("Head Rows", "\(estimate.headRows)"))
    lines.append(("Rows at Most", "\(estimate.rows)"))
    return lines
  }

  private static func text(_ reads: ArchiveReads) -> String {
    func counted(_ count: Int, _ word: String) -> String { "\(count) \(word)\(count == 1 ? "" : "s")" }
    return
      "\(counted(reads.objects, "object")), \(counted(reads.requests, "request")), \(reads.byteCount) bytes fetched "
      + "(\(reads.cachedByteCount) bytes from the disk cache)"
  }

  /// What a scan would look at, each range of its times by itself.
  func readAtMost(_ request: ScanRequest, _ context: ExecutionContext) throws -> ScanStatistics {
    let whole = try context.snapshot.estimate(request)
    let ranges = try ranges(context)
    if ranges.isEmpty { return whole }
    var read = ScanStatistics()
    for time in ranges {
      var request = request
      request.time = time
      read.add(try context.snapshot.estimate(request))
    }
    // Ranges may share what they look at, and are at most all that lies between their ends.
    func pruned(_ total: KeyPath<ScanStatistics, Int>, _ pruned: KeyPath<ScanStatistics, Int>) -> Int {
      max(whole[keyPath: pruned], whole[keyPath: total] - (read[keyPath: total] - read[keyPath: pruned]))
    }
    var result = whole
    result.partitionsPruned = pruned(\.partitions, \.partitionsPruned)
    result.chunksPruned = pruned(\.chunks, \.chunksPruned)
    result.rowBlocksPruned = pruned(\.rowBlocks, \.rowBlocksPruned)
    result.headRows = min(whole.headRows, read.headRows)
    result.rows = min(whole.rows, read.rows)
    return result
  }

  private func details(of request: ScanRequest, _ context: ExecutionContext) throws -> [(name: String, text: String)] {
    var lines: [(name: String, text: String)] = []
    if case .some(let ids) = request.series {
      lines.append(("Series", "\(ids.count) of \(context.snapshot.statistics(of: table.id).series)"))
    }
    if let joined = context.profile?.joinedSeries(of: self) {
      lines.append(("Series by Join", "\(joined) of \(context.snapshot.statistics(of: table.id).series)"))
    }
    func text(_ time: Int64) throws -> String {
      if time == .min { return "-infinity" }
      if time == .max { return "infinity" }
      return try TypeText.string(.timestamp(time), type: .timestamptz, context: context.evaluation)
    }
    if request.time != .all {
      let ranges = try ranges(context)
      let times = ranges.isEmpty ? [request.time] : ranges
      lines.append(("Time", try times.map { "\(try text($0.lower)) to \(try text($0.upper))" }.joined(separator: ", ")))
    }
    return lines
  }
}

extension ExecutionContext {
  /// The times within all bounds; nil: one of them is NULL, or beyond all times.
  func timeRange(_ bounds: [ScanBound]) throws -> TimeRange? {
    var range = TimeRange.all
    for bound in bounds {
      let value = try constant(bound.value)
      if case .array(let items) = value {
        let times = items.compactMap { if case .timestamp(let time) = $0 { time } else { nil } }
        guard let first = times.min(), let last = times.max() else { return nil }
        range = range.intersection(TimeRange(lower: first, upper: last))
        continue
      }
      guard case .timestamp(let time) = value else { return nil }
      switch bound.relation {
      case .equal: range = range.intersection(TimeRange(lower: time, upper: time))
      case .lessOrEqual: range.upper = min(range.upper, time)
      case .greaterOrEqual: range.lower = max(range.lower, time)
      case .less:
        if time == .min { return nil }
        range.upper = min(range.upper, time - 1)
      case .greater:
        if time == .max { return nil }
        range.lower = max(range.lower, time + 1)
      case .among: preconditionFailure("a list is an array or NULL")
      }
    }
    return range
  }
}

final class EmptyOperator: Operator {
  func next() throws -> QueryBatch? { nil }
}

/// The rows of one input after those of another.
final class ChainOperator: Operator {
  private var inputs: ArraySlice<any Operator>
  init(_ inputs: [any Operator]) { self.inputs = inputs[...] }

  func next() throws -> QueryBatch? {
    while let input = inputs.first {
      if let batch = try input.next() { return batch }
      inputs.removeFirst()
    }
    return nil
  }
}

final class SeriesScanOperator: Operator {
  private let node: SeriesScanNode
  private let context: ExecutionContext
  private let cursor: any ScanCursor
  private let reader: SeriesColumnReader
  private var progress = ScanProgress()
  private var isAtEnd = false

  init(
    _ node: SeriesScanNode, _ cursor: any ScanCursor, _ reader: SeriesColumnReader, _ context: ExecutionContext
  ) {
    self.node = node
    self.context = context
    self.cursor = cursor
    self.reader = reader
  }

  /// The rows of a scan, whose cursor tests what it can of the node's conditions.
  convenience init(
    _ node: SeriesScanNode, _ request: ScanRequest, _ reader: SeriesColumnReader, _ context: ExecutionContext
  ) throws {
    let cursor = try context.snapshot.scan(request, filter: ScanFilter(node, reader, context))
    self.init(node, cursor, reader, context)
  }

  var statistics: ScanStatistics { cursor.statistics }

  func next() throws -> QueryBatch? {
    while let scanned = try cursor.next() {
      try context.check()
      progress.note(cursor.statistics, in: context)
      var batch = reader.columns(scanned)
      if !scanned.isFiltered, !node.residual.isEmpty, let rows = try context.selection(node.residual, batch) {
        if rows.count == 0 { continue }
        let runs = scanned.runs.chosen(rows)
        batch = batch.gather(rows.span)
        batch.runs = runs
      }
      if batch.columns.count > node.width { batch.columns.removeLast(batch.columns.count - node.width) }
      return batch
    }
    end()
    return nil
  }

  private func end() {
    guard !isAtEnd else { return }
    isAtEnd = true
    progress.tell(cursor.statistics, in: context)
    context.profile?.note(cursor.statistics, of: node)
  }

  /// Whoever has rows enough asks for no more.
  deinit { end() }
}

/// The columns of a scan from what it delivers.
struct SeriesColumnReader {
  private let node: SeriesScanNode
  private let tags: [ColumnID: TagReader]

  init(_ node: SeriesScanNode, _ request: ScanRequest, _ context: ExecutionContext) {
    self.node = node
    var tags: [ColumnID: TagReader] = [:]
    for case .tag(let id) in node.columns where tags[id] == nil {
      tags[id] = TagReader(context.snapshot.tagColumn(id, of: node.table.id), request.series)
    }
    self.tags = tags
  }

  /// `used`: whether a column is, and if it is a field, stands in the batch; the others are NULL. nil: all are.
  func columns(_ scanned: ScanBatch, used: [Bool]? = nil) -> QueryBatch {
    let count = scanned.count
    var field = 0
    var columns: [Column] = []
    columns.reserveCapacity(node.columns.count)
    for (place, column) in node.columns.enumerated() {
      if let used, !used[place] {
        columns.append(.null(column.type, count: count))
        continue
      }
      switch column {
      case .time:
        let words = Buffer<UInt64>(capacity: count)
        scanned.times.span.withMemoryRebound(to: UInt64.self) { words.append($0) }
        columns.append(Column(type: .timestamptz, count: count, storage: .words(words)))
      case .tag(let id):
        guard let reader = tags[id] else { preconditionFailure("each tag of a scan has its reader") }
        columns.append(reader.column(scanned.runs, count))
      case .field(_, let type):
        columns.append(FieldReader.column(scanned.fields[field], type))
        field += 1
      }
    }
    return QueryBatch(count: count, columns: columns, runs: scanned.runs)
  }

  /// Tags, and first times; fields are NULL.
  func columns(_ partials: PartialBatch) -> QueryBatch {
    let count = partials.count
    let columns = node.columns.map { column -> Column in
      switch column {
      case .time:
        let words = Buffer<UInt64>(capacity: count)
        partials.firstTimes.span.withMemoryRebound(to: UInt64.self) { words.append($0) }
        return Column(type: .timestamptz, count: count, storage: .words(words))
      case .tag(let id):
        guard let reader = tags[id] else { preconditionFailure("each tag of a scan has its reader") }
        return reader.column(partials.runs, count)
      case .field(_, let type): return .null(type.sqlType, count: count)
      }
    }
    return QueryBatch(count: count, columns: columns, runs: partials.runs)
  }
}
