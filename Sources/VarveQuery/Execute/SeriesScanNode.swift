// Reads a series table: conditions on tags become a set of series, conditions on time a range, ranges of fields
// zones to skip by; what those do not settle is filtered here. Bounds may hold parameters and now(): they are
// computed when the scan opens.

import VarveCompute
import VarveCore
import VarveStorage

/// A comparison of a column with an expression that has no columns.
struct ScanBound: Sendable {
  enum Relation: Sendable { case equal, less, lessOrEqual, greater, greaterOrEqual }
  var relation: Relation
  var value: BoundExpression
}

final class SeriesScanNode: PlanNode {
  let table: TableSchema
  let columns: [SeriesColumn]
  /// Condition on column 0, which is the tag.
  let tagConditions: [(column: ColumnID, condition: BoundExpression)]
  let timeBounds: [ScanBound]
  let zoneBounds: [(column: ColumnID, type: FieldType, bound: ScanBound)]
  /// Over `columns`.
  let residual: [BoundExpression]
  /// How many of `columns` are delivered; the rest are for `residual` only.
  let width: Int

  init(
    table: TableSchema, columns: [SeriesColumn], tagConditions: [(column: ColumnID, condition: BoundExpression)],
    timeBounds: [ScanBound], zoneBounds: [(column: ColumnID, type: FieldType, bound: ScanBound)],
    residual: [BoundExpression], width: Int
  ) {
    self.table = table
    self.columns = columns
    self.tagConditions = tagConditions
    self.timeBounds = timeBounds
    self.zoneBounds = zoneBounds
    self.residual = residual
    self.width = width
  }

  var types: [SQLType] { columns.prefix(width).map(\.type) }
  var inputs: [any PlanNode] { [] }
  var label: String { "Series Scan on \(table.name)" }

  func open(_ context: ExecutionContext) throws -> any Operator { try open(context, within: .all) }

  func open(_ context: ExecutionContext, within range: TimeRange) throws -> any Operator {
    guard let request = try request(context, within: range) else { return EmptyOperator() }
    if range == .all, !residual.contains(where: { $0.isVolatile || $0.hasSubquery }) {
      let parts = try ScanParts.parts(of: request, context)
      if parts.count > 1 { return try PartedScanOperator(self, request, parts, context) }
    }
    return SeriesScanOperator(
      self, try context.snapshot.scan(request), SeriesColumnReader(self, request, context), context)
  }

  /// nil: nothing can match.
  func request(_ context: ExecutionContext, within range: TimeRange = .all) throws -> ScanRequest? {
    guard let time = try timeRange(context)?.intersection(range), !time.isEmpty else { return nil }
    var predicates: [TagPredicate] = []
    for (column, condition) in tagConditions {
      predicates.append(try TagConditions.predicate(column, condition, table.id, context))
    }
    predicates += context.restrictions(of: self)
    let series = predicates.isEmpty ? .all : context.snapshot.series(of: table.id, where: predicates)
    if case .some(let ids) = series {
      if !context.restrictions(of: self).isEmpty { context.profile?.noteJoined(ids.count, of: self) }
      if ids.isEmpty { return nil }
    }
    var fields: [ColumnID] = []
    for case .field(let id, _) in columns { fields.append(id) }
    return ScanRequest(
      table: table.id, series: series, time: time, fields: fields, zones: try zones(context))
  }

  private func timeRange(_ context: ExecutionContext) throws -> TimeRange? {
    var range = TimeRange.all
    for bound in timeBounds {
      guard case .timestamp(let time) = try context.constant(bound.value) else { return nil }
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
      }
    }
    return range
  }

  private func zones(_ context: ExecutionContext) throws -> [ZonePredicate] {
    var result: [ZonePredicate] = []
    for (column, _, bound) in zoneBounds {
      let value: Double
      switch try context.constant(bound.value) {
      case .float(let number): value = number
      case .int(let number): value = Double(number)
      case .numeric(let number): value = number.double
      case .timestamp(let time): value = Double(time)
      default: continue
      }
      if value.isNaN { continue }
      // A step outwards: whole numbers beyond 2^53 are rounded, and strictness is the filter's business.
      let lower = value.nextDown
      let upper = value.nextUp
      switch bound.relation {
      case .equal: result.append(ZonePredicate(column: column, lower: lower, upper: upper))
      case .less, .lessOrEqual: result.append(ZonePredicate(column: column, lower: nil, upper: upper))
      case .greater, .greaterOrEqual: result.append(ZonePredicate(column: column, lower: lower, upper: nil))
      }
    }
    return result
  }

  /// Whether conditions hold subqueries, which of EXPLAIN's forms ANALYZE alone may run.
  var asksSubqueries: Bool {
    tagConditions.contains { $0.condition.hasSubquery } || timeBounds.contains { $0.value.hasSubquery }
  }

  /// Whether conditions take values of the query around, which a plan by itself has none of.
  var takesOuterValues: Bool {
    tagConditions.contains { $0.condition.hasOuter } || timeBounds.contains { $0.value.hasOuter }
      || zoneBounds.contains { $0.bound.value.hasOuter }
  }

  func details(_ context: ExecutionContext) throws -> [(name: String, text: String)] {
    var lines: [(name: String, text: String)] = []
    if asksSubqueries, context.profile == nil { return [("Conditions", "by subqueries")] }
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
    }
    guard let request else { return lines }
    let estimate = try context.snapshot.estimate(request)
    lines.append(("Partitions", "\(estimate.partitions - estimate.partitionsPruned) of \(estimate.partitions)"))
    lines.append(("Chunks", "\(estimate.chunks - estimate.chunksPruned) of \(estimate.chunks)"))
    lines.append(("Row Blocks", "\(estimate.rowBlocks - estimate.rowBlocksPruned) of \(estimate.rowBlocks)"))
    lines.append(("Head Rows", "\(estimate.headRows)"))
    lines.append(("Rows at Most", "\(estimate.rows)"))
    return lines
  }

  private func details(of request: ScanRequest, _ context: ExecutionContext) throws -> [(name: String, text: String)] {
    var lines: [(name: String, text: String)] = []
    if !tagConditions.isEmpty {
      let total = context.snapshot.statistics(of: table.id).series
      if case .some(let ids) = request.series { lines.append(("Series", "\(ids.count) of \(total)")) }
    }
    if let joined = context.profile?.joinedSeries(of: self) {
      lines.append(("Series by Join", "\(joined) of \(context.snapshot.statistics(of: table.id).series)"))
    }
    if request.time != .all {
      func text(_ time: Int64) throws -> String {
        try TypeText.string(.timestamp(time), type: .timestamptz, context: context.evaluation)
      }
      let lower = request.time.lower == .min ? "-infinity" : try text(request.time.lower)
      let upper = request.time.upper == .max ? "infinity" : try text(request.time.upper)
      lines.append(("Time", "\(lower) to \(upper)"))
    }
    return lines
  }
}

final class EmptyOperator: Operator {
  func next() throws -> QueryBatch? { nil }
}

final class SeriesScanOperator: Operator {
  private let node: SeriesScanNode
  private let context: ExecutionContext
  private let cursor: any ScanCursor
  private let reader: SeriesColumnReader
  private var progress = ScanProgress()

  init(
    _ node: SeriesScanNode, _ cursor: any ScanCursor, _ reader: SeriesColumnReader, _ context: ExecutionContext
  ) {
    self.node = node
    self.context = context
    self.cursor = cursor
    self.reader = reader
  }

  var statistics: ScanStatistics { cursor.statistics }

  func next() throws -> QueryBatch? {
    while let scanned = try cursor.next() {
      try context.check()
      progress.note(cursor.statistics, in: context)
      var batch = reader.columns(scanned)
      if !node.residual.isEmpty, let rows = try context.selection(node.residual, batch) {
        if rows.count == 0 { continue }
        let runs = SeriesScanOperator.runs(scanned.runs, rows)
        batch = batch.gather(rows.span)
        batch.runs = runs
      }
      if batch.columns.count > node.width { batch.columns.removeLast(batch.columns.count - node.width) }
      return batch
    }
    progress.tell(cursor.statistics, in: context)
    context.profile?.note(cursor.statistics, of: node)
    return nil
  }

  /// The runs of the chosen rows; `rows` ascends.
  static func runs(_ runs: [SeriesRun], _ rows: Buffer<UInt32>) -> [SeriesRun] {
    var result: [SeriesRun] = []
    var index = 0
    var end = 0
    for run in runs {
      end += run.count
      let start = index
      while index < rows.count, Int(rows[index]) < end { index += 1 }
      if index > start { result.append(SeriesRun(series: run.series, count: index - start)) }
    }
    return result
  }
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

  func columns(_ scanned: ScanBatch) -> QueryBatch {
    let count = scanned.count
    var field = 0
    var columns: [Column] = []
    columns.reserveCapacity(node.columns.count)
    for column in node.columns {
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
