// Refreshing by hand, and the policies by which rollups are refreshed by themselves.

import VarveCompute
import VarveCore
import VarveFormat
import VarveStorage

extension QuerySession {
  /// CALL refresh_continuous_aggregate('v', from, to): of what is new, all up to the last bucket that ends by `to`; of what
  /// is late, all that touches the range. NULL: without an end.
  func refreshRollup(_ arguments: ProcedureArguments, _ catalog: CatalogView) throws {
    try checkWritable("CALL")
    let rollup = try rollup(arguments, catalog)
    let range = TimeRange(
      lower: arguments.time(1) ?? .min,
      upper: arguments.time(2).map { $0 == .max || $0 == .min ? $0 : $0 - 1 } ?? .max)
    guard range.lower < range.upper else {
      throw arguments.error("22023", "the range ends before it begins", at: 2, hint: "Times are from, then to.")
    }
    let context = context(catalog, [])
    let report = try RollupRefresh(self, rollup.schema.name).run(within: range) { try context.check() }
    if report.windows == 0 {
      state.add(
        .notice(
          severity: "NOTICE", sqlState: "00000",
          message: "continuous aggregate \"\(rollup.schema.name)\" is already up-to-date"))
    }
  }

  /// Gives the job's number.
  func addRefreshPolicy(_ arguments: ProcedureArguments, _ catalog: CatalogView) throws -> Int64 {
    try checkWritable("add_continuous_aggregate_policy")
    let rollup = try rollup(arguments, catalog)
    let table = rollup.schema.id
    var policy = RefreshPolicy(startOffset: arguments.interval(1), endOffset: arguments.interval(2))
    if let schedule = arguments.interval(3) {
      guard schedule.months == 0, let nanoseconds = schedule.fixedNanoseconds, nanoseconds > 0 else {
        throw arguments.error("22023", "schedule_interval must be positive, in days or shorter units", at: 3)
      }
      policy.scheduleNanoseconds = nanoseconds
    }
    let range = try policy.range(at: clock.wallNanoseconds())
    guard range.lower < range.upper else {
      throw arguments.error(
        "22023", "the policy is about no time", at: 1,
        hint: "start_offset has to be longer ago than end_offset. NULL is without an end.")
    }
    let number = JobNumber.policy(table, .refresh).rawValue
    if let kept = try catalog.snapshot.policies(of: table)[.refresh].map({ try RefreshPolicy($0) }),
      kept != RefreshPolicy()
    {
      // All but the one that every rollup begins with was somebody's wish.
      guard arguments.isTrue(4) else {
        throw arguments.error(
          "42710", "continuous aggregate policy already exists for \"\(rollup.schema.name)\"", at: 0,
          hint: "remove_continuous_aggregate_policy removes it.")
      }
      state.add(
        .notice(
          severity: kept == policy ? "NOTICE" : "WARNING", sqlState: "42710",
          message: "continuous aggregate policy already exists for \"\(rollup.schema.name)\", skipping"))
      return number
    }
    try store.change(.policy(table, .refresh, policy.bytes))
    return number
  }

  func removeRefreshPolicy(_ arguments: ProcedureArguments, _ catalog: CatalogView) throws {
    try checkWritable("remove_continuous_aggregate_policy")
    let rollup = try rollup(arguments, catalog)
    guard catalog.snapshot.policies(of: rollup.schema.id)[.refresh] != nil else {
      guard arguments.isTrue(1) else {
        throw arguments.error(
          "42704", "continuous aggregate policy not found for \"\(rollup.schema.name)\"", at: 0,
          hint: "add_continuous_aggregate_policy adds one.")
      }
      return state.add(
        .notice(
          severity: "NOTICE", sqlState: "42704",
          message: "continuous aggregate policy not found for \"\(rollup.schema.name)\", skipping"))
    }
    try store.change(.policy(rollup.schema.id, .refresh, nil))
  }

  /// pause_job and resume_job: in the catalog, so that it stays so.
  func setPaused(_ isPaused: Bool, _ arguments: ProcedureArguments, _ catalog: CatalogView) throws -> Int64 {
    try checkWritable(isPaused ? "pause_job" : "resume_job")
    guard let number = arguments.int(0), let job = JobNumber(number) else {
      throw noJob(arguments)
    }
    switch job {
    case .database(let job):
      if isPaused, let reason = Self.whyNeverPaused(job) {
        throw arguments.source.unsupported("pausing the \(job) job", at: arguments.locations[0], hint: reason)
      }
      guard catalog.snapshot.pausedJobs.contains(job) != isPaused else { break }
      try store.change(.pauseJob(job, isPaused))
    case .service(let job):
      guard state.monitor.services[job] != nil else { throw noJob(arguments) }
      throw arguments.source.unsupported(
        "pausing the \(job.name) job", at: arguments.locations[0],
        hint: "When it runs is said at the start: --backup-every, --ship-every.")
    case .policy(let table, let kind):
      guard let bytes = catalog.snapshot.policies(of: table)[kind] else { throw noJob(arguments) }
      try store.change(.policy(table, kind, try PolicyFlags.paused(bytes, isPaused)))
    }
    return number
  }

  private static func whyNeverPaused(_ job: DatabaseJob) -> String? {
    switch job {
    case .seal:
      "Sealing bounds memory, the log and the time of the next start, and frees the room of what was dropped. How long "
        + "rows may stay in memory is said at the start: --seal-age, --seal-idle."
    case .checkpoint: "Checkpoints bound the manifest. There is one each time that its file is full."
    case .compaction: nil
    }
  }

  private func noJob(_ arguments: ProcedureArguments) -> VarveError {
    arguments.error(
      "42704", "job \(arguments.int(0).map { "\($0)" } ?? "NULL") not found", at: 0, hint: "varve.jobs lists them.")
  }

  /// The one that the first argument names.
  private func rollup(_ arguments: ProcedureArguments, _ catalog: CatalogView) throws -> BoundRollup {
    let text = arguments.text(0) ?? ""
    let parts = try Self.nameParts(text, arguments)
    let relation = catalog.relation(schema: parts.count > 1 ? parts[0] : nil, name: parts.last ?? "")
    switch relation?.source {
    case .rollup(let table):
      guard let rollup = try catalog.rollup(table.id) else { preconditionFailure("a rollup of this snapshot") }
      return rollup
    case nil: throw arguments.error("42P01", "relation \"\(text)\" does not exist", at: 0)
    case .series, .dimension, .virtual:
      throw arguments.error(
        "42809", "\"\(text)\" is not a continuous aggregate", at: 0,
        hint: "CREATE MATERIALIZED VIEW … WITH (continuous) makes one.")
    }
  }

  /// `name`, `public.name`, `"Name"`.
  private static func nameParts(_ text: String, _ arguments: ProcedureArguments) throws -> [String] {
    guard let parts = CatalogView.parts(text), (1...2).contains(parts.count) else {
      throw arguments.error("42602", "invalid name syntax: \"\(text)\"", at: 0)
    }
    return parts
  }
}
