// One client's conversation with the store: settings, the transaction, prepared plans. Used from one thread at a
// time; only `cancel` comes from others.
//
// What a transaction writes is kept until it commits (`PendingWrites`) and then written as one commit, so others never
// see a part of it; its own statements read it over their snapshot. Without BEGIN, what `endImplicitTransaction` closes is
// one transaction: a pipeline or a string of statements.

import VarveCompute
import VarveCore
import VarveStorage

package enum QueryTransactionStatus: Character, Sendable {
  case idle = "I"
  case inBlock = "T"
  case failed = "E"
}

package final class QuerySession {
  let store: any StoreAccess
  package let state: SessionState
  let clock: SessionClock
  let helpers: any QueryHelpers
  var control: ExecutionControl { state.activity.control }
  package internal(set) var transactionStatus = QueryTransactionStatus.idle {
    didSet { state.activity.transactionIs(transactionStatus, since: transactionStart) }
  }
  var transactionStart: Int64 = 0
  /// For REPEATABLE READ, once its first statement has run.
  var transactionSnapshot: (any ReadSnapshot)?
  var isRepeatableRead = false
  var isReadOnly = false
  /// What was written and is not committed yet.
  var pending = PendingWrites()
  /// What the latest statement read of it, so that the next need not put it together again.
  var overlay: (base: Sequence, version: Int, snapshot: any ReadSnapshot)?
  lazy var lockOwner = store.dimensionLocks.makeOwner()
  /// Dimension tables that no other session may write now.
  var lockedTables = Set<TableID>()
  /// Monotonic time since when a block waits for its next statement.
  var idleSince: Int64?
  var cache = PlanCache()
  /// The statement at hand, until it has ended.
  private var watch: StatementWatch?
  var namedStatements: [Name: PreparedStatement] = [:]
  /// Of the transaction.
  var cursors: [Name: SQLCursor] = [:]
  /// Of the transaction, too: those of the protocol that have names.
  var portals: [Name: KnownPortal] = [:]
  /// Where notifications come to; nil: there is no connection that could tell them.
  var mailbox: NotificationMailbox?
  /// In the order they were set.
  var savepoints: [Savepoint] = []

  /// `monitor` has the session in its list until `close`; `activity`: under an entry that it has there already.
  package init(
    store: any StoreAccess, clock: SessionClock, user: String = "varve", database: String = "varve",
    zones: TimeZoneDatabase = .builtIn, helpers: any QueryHelpers = NoHelpers(), monitor: SessionMonitor? = nil,
    activity: SessionActivity? = nil
  ) {
    self.store = store
    self.clock = clock
    self.helpers = helpers
    let monitor = monitor ?? SessionMonitor(wallNanoseconds: clock.wallNanoseconds)
    state = SessionState(
      monitor: monitor, activity: activity ?? monitor.open(user: user, database: database, protocol: .embedded),
      zones: zones, ingestReport: { store.ingestReport() },
      maintenanceStatistics: { store.maintenanceStatistics() }, maintenanceReport: { store.maintenanceReport() })
  }

  deinit {
    leaveChannels()
    unlockTables()
    state.monitor.close(state.activity)
  }

  // MARK: For the connection

  /// Any thread: the running statement throws 57014 soon.
  package func cancel() { control.cancel() }
  /// The control alone, to hold where the session itself must not go.
  package var cancellation: ExecutionControl { control }
  package func resetCancellation() { control.reset() }
  package func set(_ name: String, _ value: String) throws { try state.set(name, value, isLocal: false) }
  package var parameterStatus: [(name: String, value: String)] { state.reported }
  package func takeEffects() -> [SessionEffect] { state.takeEffects() }

  /// How values become text and text values, now.
  package var evaluationContext: EvaluationContext {
    do {
      return evaluation(CatalogView(snapshot: try snapshot(), session: state))
    } catch {
      // Without a store names of objects stay numbers; the statement that needs the store will say why.
      return EvaluationContext(
        now: now, timeZone: state.timeZone, intervalStyle: state.intervalStyle, zones: state.zones)
    }
  }

  /// Forgets what was not committed.
  package func close() {
    discardPending()
    transactionSnapshot = nil
    cursors = [:]
    portals = [:]
    savepoints = []
    idleSince = nil
    leaveChannels()
    state.setSnapshot(nil)
    endWatch()
    state.monitor.close(state.activity)
  }

  /// The end of what runs as one implicit transaction. See the file's head.
  package func endImplicitTransaction(failed: Bool) throws {
    do {
      switch transactionStatus {
      case .idle:
        if failed { discardPending() } else { try writePending() }
        settleNotifications(committed: !failed)
      case .inBlock, .failed:
        if failed { fail() }
      }
      endWatch()
    } catch {
      settleNotifications(committed: false)
      endWatch(error)
      throw error
    }
  }

  // MARK: Watching

  /// A statement begins; one before it whose commit is still to come ends for its watchers.
  func beginWatch(_ statement: PreparedStatement, _ parameters: [Datum]) -> StatementWatch {
    endWatch()
    let watch = StatementWatch(statement, parameters, state, clock)
    self.watch = watch
    return watch
  }

  func endWatch(_ error: (any Error)? = nil) {
    watch?.end(error)
    watch = nil
  }

  /// The statement at hand has done what it could: it has ended, unless rows are to come, or its commit is.
  func settleWatch(_ result: QueryResult) {
    guard let watch else { return }
    watch.gave(rows: result.affectedRows)
    if result.hasRows {
      result.watch = watch
      self.watch = nil
    } else if transactionStatus != .idle || pending.isEmpty {
      endWatch()
    }
  }

  /// What runs it, for those who watch.
  func watchPlan(_ node: any PlanNode, _ context: ExecutionContext) {
    if watch?.slowNanoseconds != nil { watch?.plan = { try ExplainPlan.lines(node, context) } }
  }

  /// A failure that was found around the session: of a parameter's value, say.
  package func noteFailure(_ error: any Error) { state.countFailure(.other, error) }

  // MARK: Statements

  /// The statements of a text. Errors count positions in the whole text.
  package func split(_ sql: String) throws -> [ParsedStatement] {
    if let known = cache.statements(sql) { return known }
    if let templated = templated(sql) { return [templated.parsed(sql)] }
    do {
      let statements = try SQLParser.parse(sql)
      cache.add(sql, statements)
      return statements
    } catch {
      fail()
      state.countFailure(.other, error)
      throw error
    }
  }

  private func templated(_ sql: String) -> TemplatedText? {
    if transactionStatus == .failed { return nil }
    switch cache.template(of: sql) {
    case .none: return nil
    case .found(let templated): return templated
    case .wanted(let shape):
      // What planning throws, the text itself throws when it is parsed or planned, with its own places.
      let template = try? StatementTemplate(sql, shape) { try plan($0, $1) }
      cache.add(template, shape)
      return template.map { TemplatedText(template: $0, shape: shape) }
    }
  }

  /// One statement, or none (an empty text). Types that are nil are inferred.
  package func prepare(_ sql: String, parameterTypes: [SQLType?] = []) throws -> PreparedStatement {
    let statements = try split(sql)
    guard statements.count <= 1 else {
      fail()
      throw SQLError.make("42601", "cannot insert multiple commands into a prepared statement")
    }
    let parsed = statements.first ?? ParsedStatement(syntax: .empty, source: SourceText(sql), text: sql)
    return try prepare(parsed, parameterTypes: parameterTypes)
  }

  /// A plan of before is used again while its tables are as they were.
  package func prepare(_ statement: ParsedStatement, parameterTypes: [SQLType?] = []) throws -> PreparedStatement {
    // Errors point into the whole text, so that is the key; one statement of several has none.
    let text = statement.source.text
    do {
      if statement.isAlone, transactionStatus != .failed, let known = cache.find(text, parameterTypes),
        known.isCurrent(try snapshot(), timeZone: state.timeZone)
      {
        state.monitor.count { $0.planCacheHits += 1 }
        return known
      }
      if parameterTypes.isEmpty, transactionStatus != .failed, let prepared = try templated(statement) {
        state.monitor.count { $0.planCacheHits += 1 }
        return prepared
      }
      state.monitor.count { $0.planCacheMisses += 1 }
      let prepared = try plan(statement, parameterTypes)
      if statement.isAlone, !prepared.isOnceOnly { cache.add(text, parameterTypes, prepared) }
      return prepared
    } catch {
      fail()
      state.countFailure(StatementKind(statement.syntax), error)
      throw error
    }
  }

  /// From its template, while the tables are as that was planned for.
  private func templated(_ statement: ParsedStatement) throws -> PreparedStatement? {
    guard let templated = statement.templated else { return nil }
    let catalog = CatalogView(snapshot: try snapshot(), session: state)
    guard templated.template.statement.isCurrent(catalog.snapshot, timeZone: state.timeZone) else {
      cache.forget(templated)
      return nil
    }
    return templated.statement(statement, evaluation(catalog))
  }

  /// Starts a statement. INSERT and commands have done their work when this returns; rows come as they are pulled.
  package func execute(_ prepared: PreparedStatement, parameters: [Datum] = []) throws -> QueryResult {
    if let error = expireIdleTransaction() { throw error }
    defer { noteIdle() }
    let watch = beginWatch(prepared, parameters)
    do {
      let result = try run(prepared, parameters)
      settleWatch(result)
      return result
    } catch {
      fail()
      watch.end(error)
      throw error
    }
  }

  // MARK: Transactions

  var now: Int64 { transactionStatus == .idle ? clock.wallNanoseconds() : transactionStart }

  func fail() {
    if transactionStatus == .inBlock { transactionStatus = .failed }
    guard transactionStatus == .failed else { return }
    // A savepoint keeps what was written before it, and so the tables must stay this session's.
    if savepoints.isEmpty { discardPending() } else { forgetPending() }
  }

  func snapshot() throws -> any ReadSnapshot {
    if let transactionSnapshot { return transactionSnapshot }
    let snapshot = try store.snapshot()
    if isRepeatableRead, transactionStatus != .idle { transactionSnapshot = snapshot }
    return snapshot
  }

  func begin(_ options: [OptionSyntax]) throws {
    if transactionStatus != .idle {
      state.add(.notice(severity: "WARNING", sqlState: "25001", message: "there is already a transaction in progress"))
      return
    }
    try writePending()
    settleNotifications(committed: true)
    transactionStart = clock.wallNanoseconds()
    state.beginTransaction()
    isRepeatableRead = state.setting("default_transaction_isolation") == "repeatable read"
    isReadOnly = state.setting("default_transaction_read_only") == "on"
    transactionStatus = .inBlock
    do {
      try setTransaction(options)
    } catch {
      end(committed: false)
      throw error
    }
  }

  func setTransaction(_ options: [OptionSyntax]) throws {
    for option in options {
      switch option.name {
      case "transaction_isolation":
        guard let level = option.value, level != "serializable" else {
          throw SQLError.make(
            "0A000", "isolation level SERIALIZABLE is not supported", hint: "REPEATABLE READ gives one snapshot.")
        }
        isRepeatableRead = level == "repeatable read"
        try state.set("transaction_isolation", level, isLocal: true)
      case "transaction_read_only":
        isReadOnly = option.value == "1" || option.value == "true"
        try state.set("transaction_read_only", isReadOnly ? "on" : "off", isLocal: true)
      default: break
      }
    }
  }

  func end(committed: Bool) {
    transactionStatus = .idle
    transactionSnapshot = nil
    idleSince = nil
    isRepeatableRead = false
    isReadOnly = false
    closeCursors()
    savepoints = []
    state.endTransaction(committed: committed)
    settleNotifications(committed: committed)
  }

  func commit() throws -> String {
    switch transactionStatus {
    case .idle:
      state.add(.notice(severity: "WARNING", sqlState: "25P01", message: "there is no transaction in progress"))
      try writePending()
      settleNotifications(committed: true)
      return "COMMIT"
    case .failed:
      discardPending()
      end(committed: false)
      return "ROLLBACK"
    case .inBlock:
      do {
        try checkPendingDeletes()
        try writePending(isBlock: true)
      } catch {
        discardPending()
        end(committed: false)
        throw error
      }
      end(committed: true)
      return "COMMIT"
    }
  }

  func rollback() {
    if transactionStatus == .idle {
      state.add(.notice(severity: "WARNING", sqlState: "25P01", message: "there is no transaction in progress"))
    }
    discardPending()
    end(committed: false)
  }

  func checkTransaction(_ statement: PreparedStatement) throws {
    guard transactionStatus == .failed, !statement.endsTransaction else { return }
    throw SQLError.make("25P02", "current transaction is aborted, commands ignored until end of transaction block")
  }
}
