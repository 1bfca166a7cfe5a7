// `varve.rollups`: how far each rollup is. `varve.jobs`: what the database does by itself, and how that goes. Counted since
// the database was opened.

import VarveCompute
import VarveCore
import VarveFormat
import VarveStorage

enum RollupViews {
  static let tables: [VirtualTable] = [
    VirtualTable(
      "varve", "rollups",
      """
      name text source text bucket text materialized_to timestamptz lag interval invalid_ranges int8 invalid interval \
      rows int8 \
      bytes int8 refreshes int8 rows_written int8 last_refresh timestamptz last_error text
      """
    ) { view in
      view.snapshot.tables().compactMap { table in view.snapshot.rollup(table.id).map { row($0, view) } }
    },
    VirtualTable(
      "varve", "jobs",
      """
      id int8 job text table_name text schedule interval start_offset interval end_offset interval last_run timestamptz \
      last_seconds float8 total_seconds float8 next_run timestamptz runs int8 failures int8 last_error text \
      paused bool running bool lag interval detail text
      """
    ) { view in
      let statistics = view.session.maintenanceStatistics()
      return [
        row(.seal, statistics.seals, view), row(.compaction, statistics.compaction, view),
        row(.checkpoint, statistics.checkpoints, view),
      ] + ServiceJob.allCases.compactMap { service($0, view) } + view.snapshot.tables().flatMap { policies($0, view) }
    },
  ]

  // MARK: Rollups

  private static func row(_ found: Rollup, _ view: CatalogView) -> [Datum] {
    let table = found.schema
    let statistics = view.snapshot.statistics(of: table.id)
    let record = view.session.monitor.refreshes[table.id]
    var error = record.lastError
    var (bucket, lag) = (Datum.null, Datum.null)
    do {
      if let rollup = try view.rollup(table.id) {
        bucket = .text(rollup.statement.bucketText)
        lag =
          try RollupRefresh.lag(rollup, view, now: view.session.monitor.now).map { .interval(interval($0)) } ?? .null
      }
    } catch let problem {
      // What it consists of cannot be told: that is what is wrong with it.
      error = asVarveError(problem)
    }
    let source = view.snapshot.table(id: found.definition.source)?.name
    return [
      .text(table.name), source.map { .text($0) } ?? .null, bucket, time(found.state.watermark), lag,
      Cell.int(found.state.invalid.count), .interval(interval(invalidNanoseconds(found.state))),
      Cell.int(statistics.rows), Cell.int(statistics.chunkBytes),
      Cell.int(record.runs), Cell.int(record.rowCount), record.lastRun.map { .timestamp($0) } ?? .null,
      text(error),
    ]
  }

  /// How much of time is to be made anew: what late rows and added columns touch above what is frozen.
  private static func invalidNanoseconds(_ state: RollupState) -> Int64 {
    state.invalid.reduce(0) { sum, range in
      let (lower, upper) = (max(range.lower, state.settled), min(range.upper, state.watermark))
      guard lower < upper else { return sum }
      let length = upper.subtractingReportingOverflow(lower)
      let total = sum.addingReportingOverflow(length.overflow ? .max : length.partialValue)
      return total.overflow ? .max : total.partialValue
    }
  }

  /// NULL: nothing is materialised.
  private static func time(_ watermark: Int64) -> Datum { watermark == .min ? .null : .timestamp(watermark) }

  // MARK: Jobs

  private static func row(_ job: DatabaseJob, _ work: MaintenanceWork, _ view: CatalogView) -> [Datum] {
    [
      .int(JobNumber.database(job).rawValue), .text("\(job)"), .null, .null, .null, .null,
      work.lastRun.map { .timestamp($0) } ?? .null, work.lastRun == nil ? .null : seconds(work.lastNanoseconds),
      seconds(work.nanoseconds), work.nextRun.map { .timestamp($0) } ?? .null, Cell.int(work.runs + work.failures),
      Cell.int(work.failures), text(work.lastError), .bool(view.snapshot.pausedJobs.contains(job)),
      .bool(work.isRunning), .null, .null,
    ]
  }

  /// nil: it is not set up, and nobody has asked for it.
  private static func service(_ job: ServiceJob, _ view: CatalogView) -> [Datum]? {
    guard let record = view.session.monitor.services[job] else { return nil }
    var row = row(JobNumber.service(job), job.name, nil)
    row[3] = record.scheduleNanoseconds.map { .interval(interval($0)) } ?? .null
    row[12] = text(record.work.lastError)
    row[13] = .bool(false)
    fill(&row, record.work, view)
    if let reached = record.reached {
      let isBehind = view.snapshot.sequence > reached.commit
      row[15] = .interval(interval(isBehind ? max(0, view.session.monitor.now - reached.wallNanoseconds) : 0))
    }
    row[16] = record.detail.map { .text($0) } ?? .null
    return row
  }

  private static func policies(_ table: TableSchema, _ view: CatalogView) -> [[Datum]] {
    let policies = view.snapshot.policies(of: table.id)
    return PolicyKind.allCases.compactMap { kind in
      policies[kind].map { policy in
        switch kind {
        case .refresh: refresh(table, policy, view)
        case .retention: aged(table, .retention, policy, view.session.monitor.retentions, view)
        case .tiering: aged(table, .tiering, policy, view.session.monitor.tierings, view)
        }
      }
    }
  }

  private static func refresh(_ table: TableSchema, _ bytes: [UInt8], _ view: CatalogView) -> [Datum] {
    let record = view.session.monitor.refreshes[table.id]
    var row = row(table, .refresh, "refresh", bytes)
    do {
      let policy = try RefreshPolicy(bytes)
      row[3] = policy.scheduleNanoseconds.map { .interval(interval($0)) } ?? .null
      row[4] = policy.startOffset.map { .interval($0) } ?? .null
      row[5] = policy.endOffset.map { .interval($0) } ?? .null
      row[12] = text(record.lastError)
    } catch {
      row[12] = text(asVarveError(error))
    }
    fill(&row, record, view)
    return row
  }

  private static func aged(
    _ table: TableSchema, _ kind: PolicyKind, _ bytes: [UInt8], _ records: RefreshRecords, _ view: CatalogView
  ) -> [Datum] {
    let record = records[table.id]
    var row = row(table, kind, "\(kind)", bytes)
    row[3] = .interval(interval(AgeJob.scheduleNanoseconds))
    do {
      row[5] = .interval(try AgePolicy(bytes).age)
      row[12] = text(record.lastError)
    } catch {
      row[12] = text(asVarveError(error))
    }
    fill(&row, record, view)
    return row
  }

  private static func fill(_ row: inout [Datum], _ record: RefreshRecord, _ view: CatalogView) {
    row[6] = record.lastRun.map { .timestamp($0) } ?? .null
    row[7] = record.lastRun == nil ? .null : seconds(record.nanoseconds)
    row[8] = seconds(record.totalNanoseconds)
    let next = record.nextRun.flatMap { $0 > view.session.monitor.now ? $0 : nil }
    if case .bool(false) = row[13] { row[9] = next.map { .timestamp($0) } ?? .null }
    row[10] = Cell.int(record.runs)
    row[11] = Cell.int(record.failures)
    row[14] = .bool(record.isRunning)
  }

  /// Of a job of which nothing is known but that it is there.
  private static func row(_ table: TableSchema, _ kind: PolicyKind, _ name: String, _ policy: [UInt8]) -> [Datum] {
    var row = row(JobNumber.policy(table.id, kind), name, table.name)
    row[13] = .bool(PolicyFlags.isPaused(policy))
    return row
  }

  private static func row(_ number: JobNumber, _ name: String, _ table: String?) -> [Datum] {
    var row = [Datum](repeating: .null, count: 17)
    row[0] = .int(number.rawValue)
    row[1] = .text(name)
    row[2] = table.map { .text($0) } ?? .null
    return row
  }

  private static func text(_ error: VarveError?) -> Datum { error.map { .text($0.description) } ?? .null }

  private static func seconds(_ nanoseconds: Int64) -> Datum { .float((Double(nanoseconds) / 1e6).rounded() / 1e3) }

  private static func interval(_ nanoseconds: Int64) -> Interval {
    let day: Int64 = 86_400_000_000_000
    return Interval(days: Int32(clamping: nanoseconds / day), microseconds: nanoseconds % day / 1000)
  }
}
