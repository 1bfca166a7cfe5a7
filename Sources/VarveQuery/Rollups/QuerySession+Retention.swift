// Dropping what is old, by hand and by policy: what procedures and the scheduler call. Outside of transactions.

import VarveCompute
import VarveCore
import VarveFormat
import VarveStorage

extension QuerySession {
  /// What `dropChunks` would take.
  package func showChunks(of table: String, olderThan time: Int64, newerThan start: Int64 = .min) throws
    -> RetentionPreview
  {
    let catalog = CatalogView(snapshot: try store.snapshot(), session: state)
    return try RetentionPreview(try aged(table, .retention, catalog).table, before: time, from: start, catalog)
  }

  /// Drops what is wholly older than the time; every rollup has it before. Gives what went. What is newer than `start` goes
  /// before what is older only from a table without rollups: those keep what goes of a table in order of time.
  @discardableResult
  package func dropChunks(
    of table: String, olderThan time: Int64, newerThan start: Int64 = .min, check: () throws -> Void = {}
  ) throws -> RetentionPreview {
    try checkWritable("drop_chunks")
    let preview = try showChunks(of: table, olderThan: time, newerThan: start)
    guard preview.from < preview.before else { return preview }
    guard preview.leavesOlder else {
      _ = try RetentionRun(self, table).run(exactlyBefore: preview.before, check: check)
      return preview
    }
    let snapshot = try store.snapshot()
    guard let schema = snapshot.table(named: table), snapshot.rollup(schema.id) == nil,
      snapshot.rollups(of: schema.id).isEmpty
    else {
      throw VarveError(
        .unsupported,
        "dropping chunks that are newer than others is not supported for \"\(table)\", which has rollups or is one",
        hint: "older_than alone keeps what the rollups have; DELETE takes rows of any time, out of the rollups, too.",
        sqlState: "0A000")
    }
    let times = TimeRange(lower: preview.from, upper: preview.before - 1)
    _ = try store.write(deleting: [DeleteRequest(table: schema.id, series: .all, time: times)], [])
    return preview
  }

  /// Drops what policies say is old: of one table, or of all whose policies are not paused. With `dryRun` nothing goes.
  package func retainNow(_ name: String?, dryRun: Bool, check: () throws -> Void = {}) throws
    -> [(table: String, preview: RetentionPreview)]
  {
    if !dryRun { try checkWritable("run_retention") }
    if let name { _ = try policyLimit(of: name) }
    let jobs = try retentionJobs().filter { name?.isSameName(as: $0.name) ?? !$0.isPaused }
    return try jobs.map { job in
      let limit = try policyLimit(of: job.name)
      if dryRun { return (job.name, try showChunks(of: job.name, olderThan: limit)) }
      if let objection = RetentionClock.objection(
        wall: clock.wallNanoseconds(), trusted: try store.snapshot().trustedClock)
      {
        throw objection
      }
      return (job.name, try dropChunks(of: job.name, olderThan: limit, check: check))
    }
  }

  /// What is older goes at this time of day. Throws 42704 for a table without a policy.
  func policyLimit(of name: String) throws -> Int64 {
    let catalog = CatalogView(snapshot: try store.snapshot(), session: state)
    guard let policy = try aged(name, .retention, catalog).policy else {
      throw SQLError.make(
        "42704", "retention policy not found for \"\(name)\"",
        hint: "Say older_than, or add one: add_retention_policy('\(name)', INTERVAL '30 days').")
    }
    return try AgePolicy(policy).limit(at: clock.wallNanoseconds())
  }

  // MARK: Policies

  /// False: it has one, which stays as it is.
  package func addRetentionPolicy(_ table: String, dropAfter: Interval) throws -> Bool {
    try addPolicy(.retention, of: table, dropAfter, "drop_after")
  }

  /// False: there is none.
  package func removeRetentionPolicy(_ table: String) throws -> Bool { try removePolicy(.retention, of: table) }

  /// Says that the clock is right, however far it is past the last commit's.
  package func trustClock() throws {
    try checkWritable("trust_clock")
    try store.change(.trustClock(clock.wallNanoseconds()))
  }

  package var retentionRecords: RefreshRecords { state.monitor.retentions }

  /// In order of creation.
  package func retentionJobs() throws -> [AgeJob] { AgeJob.all(.retention, try store.snapshot()) }

  /// Drops what the policy says is old; true if something was. Throws SQLSTATE 55000 while the clock is not believed.
  package func retain(_ job: AgeJob, check: () throws -> Void = {}) throws -> Bool {
    let policy = try AgePolicy(job.policy)
    guard !policy.isPaused else { return false }
    let now = clock.wallNanoseconds()
    if let objection = RetentionClock.objection(wall: now, trusted: try store.snapshot().trustedClock) {
      throw objection
    }
    return try RetentionRun(self, job.name).run(before: try policy.limit(at: now), check: check).before != nil
  }

  /// Tells whoever deletes what stays.
  func noteFrozen(_ table: TableSchema, _ snapshot: any ReadSnapshot) {
    for rollup in snapshot.rollups(of: table.id) where rollup.state.frozen > .min {
      state.add(
        .notice(
          severity: "NOTICE", sqlState: "00000",
          message:
            "rollup \"\(rollup.schema.name)\" keeps what it has of rows of \"\(table.name)\" that retention has dropped"
        ))
    }
  }
}
