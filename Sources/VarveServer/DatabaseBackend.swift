// The engine's sessions as the PostgreSQL listener asks for them.
//
// The two sides have their own words for the same things, since neither knows the other; here they meet.

import Varve
import VarveCompute
import VarveCore
import VarveQuery
import VarveWire

package final class DatabaseBackend: QueryBackend {
  private let database: Database
  private let copyMemory: ByteBudget?

  /// `copyMemory`: what COPYs remember of the series they bring comes from it.
  package init(_ database: Database, copyMemory: ByteBudget? = nil) {
    self.database = database
    self.copyMemory = copyMemory
  }

  /// Every database name is taken, as by HTTP: all lead to the one database there is.
  package func openSession(_ parameters: StartupParameters, from client: SessionClient) throws -> any QuerySession {
    try openSession(
      parameters,
      activity: database.monitor.open(
        user: parameters.user, database: parameters.database, protocol: client.protocol, clientAddress: client.address))
  }

  /// Under an entry among the sessions of the database that was made before.
  func openSession(_ parameters: StartupParameters, activity: SessionActivity) throws -> any QuerySession {
    let session = database.makeSession(activity: activity)
    do {
      for setting in parameters.settings { try session.set(setting.name, setting.value) }
    } catch {
      session.close()
      throw error
    }
    return DatabaseSession(session, copyMemory: copyMemory)
  }
}

private final class DatabaseSession: QuerySession {
  let session: VarveQuery.QuerySession
  let copyMemory: ByteBudget?

  init(_ session: VarveQuery.QuerySession, copyMemory: ByteBudget?) {
    self.session = session
    self.copyMemory = copyMemory
  }

  var processID: Int32 { session.state.activity.processID }
  func isInterrupted(by interruption: SessionActivity.Interruption) {
    session.state.activity.isInterrupted(by: interruption)
  }
  func waits(for wait: SessionWait?) { session.state.activity.waits(for: wait) }

  var idleLimit: IdleLimit? {
    let isInTransaction = session.transactionStatus != .idle
    guard let nanoseconds = session.state.idleLimitNanoseconds(isInTransaction: isInTransaction) else { return nil }
    return IdleLimit(
      nanoseconds: nanoseconds,
      error: isInTransaction
        ? PostgresError(
          .fatal, "25P03", "terminating connection due to idle-in-transaction timeout",
          hint: "SET idle_in_transaction_session_timeout changes the limit; 0 turns it off.")
        : PostgresError(
          .fatal, "57P05", "terminating connection due to idle-session timeout",
          hint: "SET idle_session_timeout changes the limit; 0 turns it off."))
  }

  var parameterStatus: [(name: String, value: String)] { session.parameterStatus }

  var transactionStatus: TransactionStatus {
    switch session.transactionStatus {
    case .idle: .idle
    case .inBlock: .inTransaction
    case .failed: .failed
    }
  }

  var evaluationContext: EvaluationContext { session.evaluationContext }

  func split(_ sql: String) throws -> [any QueryStatement] {
    try session.split(sql).map { DatabaseStatement(self, $0) }
  }

  func takeEffects() -> [SessionEffect] {
    session.takeEffects().map { effect in
      switch effect {
      case .parameterStatus(let name, let value): .parameterStatus(name: name, value: value)
      case .notice(let severity, let sqlState, let message):
        .notice(PostgresError(PostgresError.Severity(rawValue: severity) ?? .notice, sqlState, message))
      case .deallocate(let name): .deallocate(name)
      case .deallocateAll: .deallocateAll
      case .cursorOpened(let name, let columns): .cursorOpened(name, columns: columns.map(VarveWire.ResultColumn.init))
      case .cursorClosed(let name): .cursorClosed(name)
      }
    }
  }

  func endImplicitTransaction(failed: Bool) throws { try session.endImplicitTransaction(failed: failed) }
  func cancel() { session.cancel() }
  func resetCancellation() { session.resetCancellation() }
  func close() { session.close() }
  func isNotified(_ wake: @escaping @Sendable (_ isFull: Bool) -> Void) { session.isNotified(wake) }
  func takeNotifications() -> [SessionNotification] {
    session.takeNotifications().map {
      SessionNotification(processID: $0.processID, channel: $0.channel, payload: $0.payload)
    }
  }
}

private final class DatabaseStatement: QueryStatement {
  private let owner: DatabaseSession
  private let statement: ParsedStatement

  init(_ owner: DatabaseSession, _ statement: ParsedStatement) {
    self.owner = owner
    self.statement = statement
  }

  func prepare(parameterTypes: [UInt32]) throws -> any PreparedQuery {
    let types = try parameterTypes.map { oid -> SQLType? in
      if oid == 0 { return nil }
      guard let type = SQLType(oid: oid) else {
        throw SQLError.make("42704", "type with OID \(oid) does not exist")
      }
      return type == .unknown ? nil : type
    }
    return DatabaseQuery(owner, try owner.session.prepare(statement, parameterTypes: types))
  }
}

private final class DatabaseQuery: PreparedQuery {
  private let owner: DatabaseSession
  private let prepared: VarveQuery.PreparedStatement
  let columns: [VarveWire.ResultColumn]?

  init(_ owner: DatabaseSession, _ prepared: VarveQuery.PreparedStatement) {
    self.owner = owner
    self.prepared = prepared
    columns = prepared.columns?.map(VarveWire.ResultColumn.init)
  }

  var parameterTypes: [UInt32] { prepared.parameterTypes.map(\.oid) }

  func bind(_ values: [ParameterValue], name: String) throws -> any QueryPortal {
    guard values.count == prepared.parameterTypes.count else {
      throw SQLError.make(
        "08P01",
        "bind message supplies \(values.count) parameters, but the statement requires \(prepared.parameterTypes.count)")
    }
    guard !values.isEmpty else { return try portal([], name) }
    let context = owner.session.evaluationContext
    do {
      let parameters = try zip(values, prepared.parameterTypes).map { value, type -> Datum in
        guard let bytes = value.bytes else { return .null }
        return try bytes.withUnsafeBufferPointer { bytes in
          switch value.format {
          case .text: try TypeText.parse(bytes: bytes, as: type, context: context)
          case .binary: try TypeBinary.decode(bytes, as: type, context: context)
          }
        }
      }
      return try portal(parameters, name)
    } catch {
      owner.session.noteFailure(error)
      throw error
    }
  }

  private func portal(_ parameters: [Datum], _ name: String) throws -> any QueryPortal {
    if !name.isEmpty, let named = try owner.session.openPortal(name, prepared, parameters) {
      return DatabaseNamedPortal(named)
    }
    return DatabasePortal(owner, prepared, parameters)
  }
}

/// A query's portal that FETCH and MOVE know, too.
private final class DatabaseNamedPortal: QueryPortal {
  private let portal: NamedPortal
  init(_ portal: NamedPortal) { self.portal = portal }

  func nextBatch() throws -> ColumnBatch? { try nextBatch(atMost: .max) }
  func nextBatch(atMost limit: Int) throws -> ColumnBatch? { try portal.pull(limit) }
  func commandTag(rowCount: Int) -> String { "SELECT \(rowCount)" }
}

private final class DatabasePortal: QueryPortal {
  private let owner: DatabaseSession
  private let prepared: VarveQuery.PreparedStatement
  private let parameters: [Datum]
  private var result: QueryResult?

  init(_ owner: DatabaseSession, _ prepared: VarveQuery.PreparedStatement, _ parameters: [Datum]) {
    self.owner = owner
    self.prepared = prepared
    self.parameters = parameters
  }

  func nextBatch() throws -> ColumnBatch? {
    if let result { return try result.next() }
    let result = try owner.session.execute(prepared, parameters: parameters)
    self.result = result
    return try result.next()
  }

  func beginCopy() throws -> (any CopyReceiver)? {
    guard prepared.isCopy else { return nil }
    return DatabaseCopy(try owner.session.beginCopy(prepared), seriesMemory: owner.copyMemory)
  }

  func beginCopyOut() throws -> (any CopySender)? {
    guard prepared.isCopyOut else { return nil }
    let source = try owner.session.beginCopyOut(prepared)
    return source.isParquet ? try ParquetCopyOut(source) : DatabaseCopyOut(source)
  }

  func commandTag(rowCount: Int) -> String { result?.commandTag(rowCount: rowCount) ?? "" }
}

extension VarveWire.ResultColumn {
  init(_ column: VarveQuery.ResultColumn) {
    self.init(
      name: column.name, tableOID: column.tableOID, attributeNumber: column.attributeNumber, typeOID: column.type.oid,
      typeSize: column.type.typlen, typeModifier: column.type.typmod)
  }
}
