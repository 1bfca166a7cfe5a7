// What a scan would read, for estimates: what the snapshot cannot rule out, and how many rows are likely among that.
// Conditions that only the run knows (of subqueries, of rows around) leave a default share of it.

import VarveCompute
import VarveCore
import VarveStorage

struct ScanReach {
  /// nil: nothing can match.
  let request: ScanRequest?
  let read: ScanStatistics
  /// Of `read`, what conditions leave whose values only the run knows.
  let share: Double
  /// Before conditions that are tested row by row.
  let rows: Double
  let series: Double
  /// One for each column of the scan.
  let columns: [ColumnEstimate]

  init(_ scan: SeriesScanNode, _ estimator: PlanEstimator) throws {
    let context = estimator.context
    let (known, unknown) = scan.conditions.knownBeforeRun
    let reading = SeriesScanNode(
      table: scan.table, columns: scan.columns, conditions: known, residual: scan.residual, width: scan.width)
    guard let request = try reading.request(context) else {
      self.request = nil
      read = ScanStatistics()
      (share, rows, series) = (0, 0, 0)
      columns = scan.columns.map { _ in .constant }
      return
    }
    let table = context.snapshot.statistics(of: scan.table.id)
    let all = Double(table.series)
    var series = all
    if case .some(let ids) = request.series { series = Double(ids.count) }
    var share = 1.0
    for tag in unknown.tags {
      let column = Self.tag(tag.column, of: scan, request.series, context)
      share *= try estimator.selectivity([tag.condition], over: [ColumnEstimate(distinct: column)])
    }
    series = max(1, series * share)
    share *= unknown.timeShare
    read = try reading.readAtMost(request, context)
    let even = try Self.evenRows(request, share: series / max(1, all), table, read, scan.table, context)
    let rows = max(1, min(Double(read.rows) * share, even * unknown.timeShare))
    let time = table.time.map { $0.intersection(request.time) }
    let span = time.map { $0.isEmpty ? 0 : Double($0.upper) - Double($0.lower) } ?? 0
    let estimate = SeriesEstimate(scan: ObjectIdentifier(scan), count: series)
    columns = scan.columns.map { column in
      switch column {
      // Series are taken to have rows at the same times.
      case .time: ColumnEstimate(distinct: max(1, (rows / series).rounded(.up)), span: span)
      case .tag(let id):
        ColumnEstimate(distinct: min(series, Self.tag(id, of: scan, request.series, context)), series: estimate)
      case .field(_, let type): ColumnEstimate(type.sqlType)
      }
    }
    (self.request, self.share, self.rows, self.series) = (request, share, rows, series)
  }

  /// What it costs to look into what is read, and to read of so many rows the columns of the scan.
  func cost(rows: Double, columns: Int) -> (startup: Double, total: Double) {
    let startup = Double(read.chunks - read.chunksPruned) * CostModel.chunk
    let blocks = Double(read.rowBlocks - read.rowBlocksPruned) * CostModel.rowBlock
    return (startup, startup + (blocks + rows * Double(max(1, columns)) * CostModel.value))
  }

  /// Different values of a tag among series.
  private static func tag(
    _ id: ColumnID, of scan: SeriesScanNode, _ series: SeriesSet, _ context: ExecutionContext
  ) -> Double {
    let column = context.snapshot.tagColumn(id, of: scan.table.id)
    guard case .some(let ids) = series else { return Double(max(1, column.codeCount - 1)) }
    return Double(max(1, Set(ids.map(column.code)).count))
  }

  /// Rows of the request where those of the partitions that it reaches lie evenly over all series, and over the times of
  /// these partitions. What is read is more: row blocks have rows of other series and times as well.
  private static func evenRows(
    _ request: ScanRequest, share: Double, _ statistics: TableStatistics, _ read: ScanStatistics, _ table: TableSchema,
    _ context: ExecutionContext
  ) throws -> Double {
    guard let data = statistics.time else { return Double(read.rows) }
    let wanted = data.intersection(request.time)
    if wanted.isEmpty { return Double(read.rows) }
    if wanted == data { return Double(statistics.rows) * share }
    var partitions = ScanRequest(table: request.table)
    partitions.time = table.partitions(over: wanted).intersection(data)
    func length(_ range: TimeRange) -> Double { Double(range.upper) - Double(range.lower) + 1 }
    let all = try context.snapshot.estimate(partitions).rows
    return Double(all) * share * length(wanted) / length(partitions.time)
  }
}

extension TableSchema {
  /// The times of all partitions that a range touches.
  fileprivate func partitions(over range: TimeRange) -> TimeRange {
    func start(_ time: Int64) -> Int64 {
      let rest = time % partitionNanoseconds
      let (start, overflow) = time.subtractingReportingOverflow(rest < 0 ? rest + partitionNanoseconds : rest)
      return overflow ? .min : start
    }
    let (end, overflow) = start(range.upper).addingReportingOverflow(partitionNanoseconds - 1)
    return TimeRange(lower: start(range.lower), upper: overflow ? .max : end)
  }
}

extension ScanConditions {
  /// Those that have their values before the run, and the others.
  fileprivate var knownBeforeRun: (known: ScanConditions, unknown: ScanConditions) {
    func isKnown(_ expression: BoundExpression) -> Bool { !expression.hasSubquery && !expression.hasOuter }
    func isKnown(_ alternatives: ScanAlternatives) -> Bool {
      alternatives.branches.allSatisfy { branch in
        branch.tags.allSatisfy { isKnown($0.condition) } && branch.times.allSatisfy { isKnown($0.value) }
      }
    }
    var (known, unknown) = (ScanConditions(), ScanConditions())
    for tag in tags {
      if isKnown(tag.condition) { known.tags.append(tag) } else { unknown.tags.append(tag) }
    }
    for time in times {
      if isKnown(time.value) { known.times.append(time) } else { unknown.times.append(time) }
    }
    for choice in alternatives {
      if isKnown(choice) { known.alternatives.append(choice) } else { unknown.alternatives.append(choice) }
    }
    known.zones = zones.filter { isKnown($0.bound.value) }
    return (known, unknown)
  }

  /// The share of rows that bounds of time leave, and alternatives, of which nobody knows more.
  fileprivate var timeShare: Double {
    var share = alternatives.reduce(1) { share, _ in share * Selectivity.inequality }
    let isCut = (
      below: times.contains { $0.relation == .less || $0.relation == .lessOrEqual },
      above: times.contains { $0.relation == .greater || $0.relation == .greaterOrEqual }
    )
    if isCut.below && isCut.above {
      share *= Selectivity.range
    } else if isCut.below || isCut.above {
      share *= Selectivity.inequality
    }
    return times.contains { $0.relation == .equal || $0.relation == .among } ? share * Selectivity.equality : share
  }
}
