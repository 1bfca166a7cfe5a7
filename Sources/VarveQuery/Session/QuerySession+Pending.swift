// What a session has written and not committed: how its statements read it, how it is committed or forgotten, and who
// may write a dimension table meanwhile.

import VarveCompute
import VarveCore
import VarveStorage

extension QuerySession {
  // MARK: Reading

  /// What a statement reads: its snapshot, and over it what the transaction has written.
  func statementSnapshot() throws -> any ReadSnapshot {
    let base = try snapshot()
    if pending.isEmpty { return base }
    if let overlay, overlay.base == base.sequence, overlay.version == pending.version { return overlay.snapshot }
    let made = try base.overlaid(with: pending.transaction)
    overlay = (base.sequence, pending.version, made)
    return made
  }

  // MARK: Committing

  func forgetPending() {
    pending = PendingWrites()
    overlay = nil
  }

  func discardPending() {
    forgetPending()
    unlockTables()
  }

  /// A delete in a block takes, when it commits, what it covers then: others must not have written there.
  func checkPendingDeletes() throws {
    if pending.deletes.isEmpty { return }
    let latest = try store.snapshot()
    let context = context(CatalogView(snapshot: latest, session: state), [])
    for delete in pending.deletes { try delete.checkUnchanged(latest) { try context.check() } }
  }

  /// Commits. A block is all or nothing; of a single INSERT into series tables rows that are not taken leave the others.
  func writePending(isBlock: Bool = false) throws {
    defer { discardPending() }
    if pending.isEmpty { return }
    let transaction = pending.transaction
    if isBlock || pending.changesDimensions { return try store.write(transaction) }
    let results =
      try transaction.deletions.isEmpty
      ? store.write(transaction.batches) : store.write(deleting: transaction.deletions, transaction.batches)
    for result in results {
      if let rejection = result.rejections.first {
        let more = result.rejections.count > 1 ? " (and \(result.rejections.count - 1) more)" : ""
        throw VarveError(
          rejection.code, "a row was not taken: \(rejection.message)\(more)", hint: "The other rows are stored.")
      }
    }
  }

  func checkPendingSize() throws {
    guard pending.byteCount > state.queryMemoryByteCount else { return }
    forgetPending()
    throw VarveError(
      .limitExceeded, "the transaction has written more than varve.query_memory_limit allows",
      hint: "Commit in smaller parts, or raise the limit.", sqlState: "53200")
  }

  // MARK: Dimension tables

  /// Waits until no other session writes the table.
  func lock(_ table: TableID) throws {
    if lockedTables.contains(table) { return }
    if !store.dimensionLocks.tryAcquire(table, for: lockOwner) {
      let context = context(CatalogView(snapshot: try snapshot(), session: state), [])
      let (began, limit) = (clock.monotonicNanoseconds(), state.lockTimeoutNanoseconds)
      try store.whileWaiting {
        try store.dimensionLocks.acquire(table, for: lockOwner) {
          try context.check()
          if limit > 0, clock.monotonicNanoseconds() &- began >= limit {
            throw VarveError(.cancelled, "canceling statement due to lock timeout", sqlState: "55P03")
          }
        }
      }
    }
    lockedTables.insert(table)
  }

  func unlockTables() {
    if lockedTables.isEmpty { return }
    store.dimensionLocks.release(lockedTables, of: lockOwner)
    lockedTables = []
  }

  /// Runs what changes rows of a dimension table on its newest version, which stays the newest until the transaction
  /// ends. In REPEATABLE READ the rows must be as the transaction's snapshot has them.
  func write(_ statement: PreparedStatement, _ parameters: [Datum]) throws -> QueryResult {
    var (statement, catalog) = (statement, try lockedCatalog(statement))
    (statement, catalog) = try current(statement)
    guard case .dimension(let plan) = statement.kind else {
      preconditionFailure("planned again, it is the same statement")
    }
    guard lockedTables.contains(plan.table.id) else { return try write(statement, parameters) }
    state.setSnapshot(catalog.snapshot)
    let context = context(catalog, parameters)
    let outcome = try plan.run(catalog.snapshot.rows(of: plan.table), context)
    try keep(outcome.changes, of: plan.table)
    guard let columns = statement.columns, let returning = plan.returning else {
      return QueryResult(columns: nil, rows: nil, verb: plan.verb, affected: outcome.count)
    }
    let batches = try outcome.returned.map { batch in
      QueryBatch(count: batch.count, columns: try returning.map { try context.evaluate($0, batch) })
    }
    return QueryResult(
      columns: columns, rows: RowsOperator(.concat(batches, types: columns.map(\.type))), verb: plan.verb,
      affected: outcome.count)
  }

  /// Changes of rows for the commit of the transaction.
  private func keep(_ changes: [[UInt8]: [UInt8]?], of table: DimensionSchema) throws {
    try checkUnchanged(table, keys: Array(changes.keys))
    pending.add(changes, to: table)
    try checkPendingSize()
  }

  /// All rows of a COPY: it has ended for its watchers if a later COMMIT makes them durable.
  func finishCopy(_ changes: [[UInt8]: [UInt8]?], of table: DimensionSchema) throws {
    try keep(changes, of: table)
    if transactionStatus != .idle || pending.isEmpty { endWatch() }
  }

  private func lockedCatalog(_ statement: PreparedStatement) throws -> CatalogView {
    guard case .dimension(let plan) = statement.kind else { preconditionFailure("a write to a dimension table") }
    try checkWritable(plan.verb)
    try lock(plan.table.id)
    return CatalogView(snapshot: try snapshot(), session: state)
  }

  /// TRUNCATE, of series and dimension tables.
  func truncate(_ plan: TruncatePlan, _ catalog: CatalogView, _ parameters: [Datum]) throws -> QueryResult {
    try checkWritable("TRUNCATE TABLE")
    for table in plan.dimensions {
      try lock(table.id)
      try checkUnchanged(table, keys: nil)
    }
    for table in plan.series { _ = try delete(table, catalog, parameters) }
    for table in plan.dimensions { pending.clear(table) }
    return QueryResult(columns: nil, rows: nil, verb: "TRUNCATE TABLE")
  }

  /// Throws 40001 where the newest version of the rows (nil: of any) is not what a repeatable snapshot has.
  private func checkUnchanged(_ table: DimensionSchema, keys: [[UInt8]]?) throws {
    guard isRepeatableRead, transactionStatus != .idle else { return }
    let latest = try store.snapshot()
    let (now, seen) = (latest.rows(of: table), try snapshot().rows(of: table))
    if now.isSame(as: seen) { return }
    if let keys, keys.allSatisfy({ now.find($0) == seen.find($0) }) { return }
    throw SQLError.make(
      "40001", "could not serialize access due to concurrent update", hint: "Try the transaction again.")
  }

  // MARK: Waiting blocks

  /// Nanoseconds until a block that waits for its next statement is ended; nil: it is not waiting, or there is no limit.
  package var remainingIdleNanoseconds: Int64? {
    let limit = state.idleTimeoutNanoseconds
    guard limit > 0, transactionStatus != .idle, let idleSince else { return nil }
    return max(0, limit &- (clock.monotonicNanoseconds() &- idleSince))
  }

  /// Ends a block that has waited too long: forgets what it wrote, and lets go of its snapshot and tables. Gives the
  /// error, which is fatal to the connection.
  package func expireIdleTransaction() -> VarveError? {
    guard remainingIdleNanoseconds == 0 else { return nil }
    discardPending()
    end(committed: false)
    return VarveError(
      .cancelled, "terminating connection due to idle-in-transaction timeout",
      hint: "SET idle_in_transaction_session_timeout changes the limit; 0 turns it off.", sqlState: "25P03")
  }

  /// In a block, rows whose every batch counts as a statement's end: a long result is no waiting.
  func watched(_ rows: any Operator) -> any Operator {
    transactionStatus == .idle ? rows : WatchedOperator(rows) { [weak self] in self?.noteIdle() }
  }

  func noteIdle() { idleSince = transactionStatus == .idle ? nil : clock.monotonicNanoseconds() }
}

private final class WatchedOperator: Operator {
  private let rows: any Operator
  private let delivered: () -> Void

  init(_ rows: any Operator, delivered: @escaping () -> Void) {
    self.rows = rows
    self.delivered = delivered
  }

  func next() throws -> QueryBatch? {
    defer { delivered() }
    return try rows.next()
  }
}
