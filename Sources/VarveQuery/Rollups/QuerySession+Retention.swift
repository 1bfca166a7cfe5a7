// Dropping what is old, by hand and by policy: what procedures and the scheduler call. Outside of transactions.

import VarveCompute
import VarveCore
import VarveFormat
import VarveStorage

/// A table whose old rows go by themselves.
package struct RetentionJob: Sendable {
  package let table: TableID
  package let name: String
  /// As the catalog has it.
  package let policy: [UInt8]
  package var isPaused: Bool { PolicyFlags.isPaused(policy) }
}

extension QuerySession {
  /// What `dropChunks` would take.
  package func showChunks(of table: String, olderThan time: Int64) throws -> RetentionPreview {
    let catalog = CatalogView(snapshot: try store.snapshot(), session: state)
    return try RetentionPreview(try retained(table, catalog).table, before: time, catalog)
  }

  /// Drops what is wholly older than the time; every rollup has it before. Gives what went.
  @discardableResult
  package func dropChunks(of table: String, olderThan time: Int64, check: () throws -> Void = {}) throws
    -> RetentionPreview
  {
    try checkWritable("drop_chunks")
    let preview = try showChunks(of: table, olderThan: time)
    if preview.before > .min { _ = try RetentionRun(self, table).run(exactlyBefore: preview.before, check: check) }
    return preview
  }

  // MARK: Policies

  /// False: it has one, which stays as it is.
  package func addRetentionPolicy(_ table: String, dropAfter: Interval) throws -> Bool {
    try checkWritable("add_retention_policy")
    let catalog = CatalogView(snapshot: try store.snapshot(), session: state)
    let (schema, known) = try retained(table, catalog)
    let policy = RetentionPolicy(dropAfter: dropAfter)
    let now = clock.wallNanoseconds()
    guard try policy.limit(at: now) < now else {
      throw SQLError.make("22023", "drop_after must be a positive interval")
    }
    guard known == nil else { return false }
    try store.change(.policy(schema.id, .retention, policy.bytes))
    return true
  }

  /// False: there is none.
  package func removeRetentionPolicy(_ table: String) throws -> Bool {
    try checkWritable("remove_retention_policy")
    let catalog = CatalogView(snapshot: try store.snapshot(), session: state)
    let (schema, known) = try retained(table, catalog)
    guard known != nil else { return false }
    try store.change(.policy(schema.id, .retention, nil))
    return true
  }

  /// Says that the clock is right, however far it is past the last commit's.
  package func trustClock() throws {
    try checkWritable("trust_clock")
    try store.change(.trustClock(clock.wallNanoseconds()))
  }

  package var retentionRecords: RefreshRecords { state.monitor.retentions }

  /// In order of creation.
  package func retentionJobs() throws -> [RetentionJob] {
    let snapshot = try store.snapshot()
    return snapshot.tables().compactMap { table in
      snapshot.policies(of: table.id)[.retention].map { RetentionJob(table: table.id, name: table.name, policy: $0) }
    }
  }

  /// Drops what the policy says is old; true if something was. Throws SQLSTATE 55000 while the clock is not believed.
  package func retain(_ job: RetentionJob, check: () throws -> Void = {}) throws -> Bool {
    let policy = try RetentionPolicy(job.policy)
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

  private func retained(_ name: String, _ catalog: CatalogView) throws -> (table: TableSchema, policy: [UInt8]?) {
    guard let table = catalog.snapshot.table(named: name) else {
      guard catalog.snapshot.dimension(named: name) == nil else {
        throw SQLError.make(
          "42809", "\"\(name)\" is a dimension table: its rows have no age", hint: "DELETE takes any condition there.")
      }
      throw SQLError.make("42P01", "relation \"\(name)\" does not exist")
    }
    return (table, catalog.snapshot.policies(of: table.id)[.retention])
  }

  // MARK: Procedures

  func callRetention(_ procedure: Procedure, _ arguments: ProcedureArguments, _ context: ExecutionContext) throws
    -> [[Datum]]
  {
    let table = arguments.text(0) ?? ""
    switch procedure {
    case .dropChunks, .showChunks:
      guard let time = arguments.time(1) else {
        throw arguments.error("22023", "older_than must be a time", at: 1)
      }
      let found =
        procedure == .showChunks
        ? try showChunks(of: table, olderThan: time)
        : try dropChunks(of: table, olderThan: time) { try context.check() }
      return found.chunks.map { [.text($0.file)] }
    case .addRetentionPolicy:
      guard let age = arguments.interval(1) else {
        throw arguments.error("22023", "drop_after must be an interval", at: 1)
      }
      if try !addRetentionPolicy(table, dropAfter: age) {
        try skip("retention policy already exists for \"\(table)\"", "42710", arguments.isTrue(2), arguments)
      }
      guard let id = try store.snapshot().table(named: table)?.id else { return [[.null]] }
      return [[.int(JobNumber.policy(id, .retention).rawValue)]]
    case .removeRetentionPolicy:
      if try !removeRetentionPolicy(table) {
        try skip("retention policy not found for \"\(table)\"", "42704", arguments.isTrue(1), arguments)
      }
      return [[.text("")]]
    default: preconditionFailure("\(procedure.rawValue) is not about the age of rows")
    }
  }

  private func skip(_ message: String, _ sqlState: String, _ isAllowed: Bool, _ arguments: ProcedureArguments) throws {
    guard isAllowed else { throw arguments.error(sqlState, message, at: 0) }
    state.add(.notice(severity: "NOTICE", sqlState: sqlState, message: message + ", skipping"))
  }
}
