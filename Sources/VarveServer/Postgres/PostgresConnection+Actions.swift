// What a connection does for each action, with its session. All of it runs in the connection's job.

import NIOCore
import VarveCore
import class VarveQuery.SessionActivity
import VarveWire

extension PostgresConnection {
  func startUp(_ parameters: StartupParameters) {
    guard server.takeSessionSlot() else {
      logger.warning("connection refused", metadata: ["reason": "too many connections"])
      return machine.failed(
        PostgresError(
          .fatal, "53300", "too many connections: the limit is \(server.options.maxConnections)",
          hint: "Close idle connections, use a pool, or raise the limit."))
    }
    holdsSessionSlot = true
    do {
      let client = SessionClient(.postgres, address: channel.remoteAddress.map(Self.address))
      let session = try server.backend.openSession(parameters, from: client)
      self.session = session
      session.isInterrupted(
        by: SessionActivity.Interruption(
          cancel: { [weak self] in self?.cancel() }, terminate: { [weak self] in self?.terminate() }))
      session.isNotified { [weak self] isFull in self?.notified(isFull: isFull) }
      let key = server.register(self, session.processID)
      self.key = key
      shared.withLock { $0.isStarted = true }
      machine.accepted(
        parameterStatus: ServerParameters.atStartup(of: parameters, overrides: session.parameterStatus),
        processID: key.processID, secretKey: key.secretKey)
      logger[metadataKey: "user"] = "\(parameters.user)"
      logger[metadataKey: "database"] = "\(parameters.database)"
      openMeter()
      logger.debug("session opened")
    } catch {
      var refusal = Self.postgresError(error)
      refusal.severity = .fatal
      logger.warning("session refused", metadata: ["reason": "\(refusal.message)"])
      machine.failed(refusal)
    }
  }

  func simpleQuery(_ sql: String) {
    do {
      work = .simpleQuery(SimpleQueryRun(try openSession.split(sql)))
    } catch {
      fail(error)
      finish(failed: true)
    }
  }

  func parse(_ sql: String, _ parameterTypes: [UInt32]) {
    do {
      let statements = try openSession.split(sql)
      guard statements.count <= 1 else {
        throw PostgresError("42601", "cannot insert multiple commands into a prepared statement")
      }
      let prepared = NamedStatement(try statements.first?.prepare(parameterTypes: parameterTypes))
      try prepared.check()
      try applyEffects()
      machine.parsed(prepared, parameterTypes: prepared.parameterTypes, columns: prepared.columns)
    } catch {
      fail(error)
    }
  }

  func bind(_ statement: NamedStatement, _ values: [ParameterValue], portal: String) {
    do {
      let run = try StatementRun(statement, values: values, name: portal)
      try applyEffects()
      machine.bound(run)
    } catch {
      fail(error)
    }
  }

  /// Goes on with a result until it is complete or its next piece is ready to be sent.
  func resume(_ work: Work) {
    do {
      switch work {
      case .execute(let run, let rowLimit): try resume(run, rowLimit: rowLimit)
      case .simpleQuery(let query): try resume(query)
      }
    } catch {
      failWork(error)
    }
  }

  private func resume(_ run: StatementRun, rowLimit: Int?) throws {
    switch try advance(run, rowLimit: rowLimit) {
    case .outputFull: return flush()
    case .copyIn(let receiver): return beginCopy(receiver)
    case .rowLimitReached:
      try applyEffects()
      machine.portalSuspended()
    case .empty:
      try applyEffects()
      machine.emptyQuery()
    case .complete(let tag): try complete(tag)
    }
    work = nil
    endStatement()
  }

  /// The end of a statement, for its client.
  private func complete(_ tag: String) throws {
    try applyEffects()
    if tag.hasPrefix("INSERT ") { noteRowsWritten(tag) }
    machine.commandComplete(tag, transaction: openSession.transactionStatus)
  }

  private func resume(_ query: SimpleQueryRun) throws {
    guard let run = query.current else {
      guard let statement = query.statements.popFirst() else { return try complete(query) }
      let prepared = NamedStatement(try statement.prepare(parameterTypes: []))
      try prepared.check()
      if !prepared.parameterTypes.isEmpty { throw PostgresError("42P02", "there is no parameter $1") }
      let run = try StatementRun(prepared, values: [])
      if let columns = run.columns { machine.beginRows(columns) }
      query.current = run
      return
    }
    switch try advance(run, rowLimit: nil) {
    case .outputFull, .rowLimitReached: flush()
    case .empty: preconditionFailure("a statement of a simple query is never empty")
    case .copyIn(let receiver): beginCopy(receiver)
    case .complete(let tag): try complete(tag, of: query)
    }
  }

  private func complete(_ tag: String, of query: SimpleQueryRun) throws {
    query.current = nil
    // The implicit transaction ends before its last answer: what is answered is done.
    if query.statements.isEmpty {
      query.isTransactionEnded = true
      try openSession.endImplicitTransaction(failed: false)
    }
    try complete(tag)
  }

  /// What `work` has come to is complete.
  func completeWork(_ tag: String) throws {
    switch work {
    case .execute:
      try complete(tag)
      work = nil
      endStatement()
    case .simpleQuery(let query): try complete(tag, of: query)
    case nil: preconditionFailure("a COPY is part of some work")
    }
  }

  /// `127.0.0.1:49152`
  private static func address(_ address: SocketAddress) -> String {
    ListenAddress(host: address.ipAddress ?? "?", port: address.port ?? 0).description
  }

  /// What `work` has come to has failed.
  func failWork(_ error: any Error) {
    let failed = work
    work = nil
    // The last word is why the connection ends, not what that ended.
    if let ending = shared.withLock({ $0.ending }) { return machine.terminate(ending) }
    fail(error)
    if case .simpleQuery = failed { finish(failed: true) } else { endStatement() }
  }

  private func complete(_ query: SimpleQueryRun) throws {
    work = nil
    if query.isTransactionEnded {
      endStatement()
      tellNotifications()
      machine.finished(openSession.transactionStatus)
      isMidPipeline = false
      noteAnswer()
    } else {
      machine.emptyQuery()
      finish(failed: false)
    }
  }

  private func advance(_ run: StatementRun, rowLimit: Int?) throws -> StatementRun.Outcome {
    try run.advance(
      rowLimit: rowLimit, byteLimit: Self.flushByteCount, into: machine.writer,
      context: openSession.evaluationContext)
  }

  /// The end of an implicit transaction, and ReadyForQuery.
  func finish(failed: Bool) {
    do {
      try openSession.endImplicitTransaction(failed: failed)
      try applyEffects()
    } catch {
      fail(error)
    }
    endStatement()
    tellNotifications()
    machine.finished(openSession.transactionStatus)
    isMidPipeline = false
    noteAnswer()
  }

  // MARK: Around statements

  private var openSession: any QuerySession {
    guard let session else { preconditionFailure("a statement without a session") }
    return session
  }

  func beginStatement() {
    if !isMidPipeline { noteQuestion() }
    isMidPipeline = true
    let target = CancelTarget(session: openSession)
    shared.withLock { shared in
      shared.running = target
      if shared.isCancelled || shared.ending != nil { target.session.cancel() }
      shared.isCancelled = false
    }
  }

  func endStatement() {
    // From here on a cancel finds nothing; one that came just before must not hit what comes next.
    shared.withLock { $0.running = nil }
    session?.resetCancellation()
  }

  private func fail(_ error: any Error) {
    let failure = Self.postgresError(error)
    logger.debug("statement failed", metadata: ["sqlstate": "\(failure.sqlState)", "message": "\(failure.message)"])
    for effect in openSession.takeEffects() { if case .notice(let notice) = effect { machine.notice(notice) } }
    machine.failed(failure)
  }

  private func applyEffects() throws {
    for effect in openSession.takeEffects() {
      switch effect {
      case .parameterStatus(let name, let value): machine.parameterStatus(name, value)
      case .notice(let notice): machine.notice(notice)
      case .deallocateAll: machine.deallocateAll()
      case .cursorOpened(let name, let columns): machine.openCursor(name, columns)
      case .cursorClosed(let name): machine.closeCursor(name)
      case .deallocate(let name):
        guard machine.deallocate(name) else {
          throw PostgresError("26000", "prepared statement \"\(name)\" does not exist")
        }
      }
    }
  }

  static func postgresError(_ error: any Error) -> PostgresError {
    switch error {
    case let error as PostgresError: error
    case let error as VarveError: PostgresError(error)
    default: PostgresError("XX000", "internal error: \(error)")
    }
  }
}
