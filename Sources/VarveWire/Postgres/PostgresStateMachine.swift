// The server side of one PostgreSQL connection (protocol 3.0) without its socket: bytes and results in, actions
// and bytes out.
//
//   startup ──startUp──▶ starting ──accepted──▶ ready ⇄ busy(work)
//                                                 │ ▲
//                               error in extended │ │ Sync
//                                                 ▼ │
//                                              skipping
//   busy(work) ──beginCopyIn──▶ copying ──CopyDone, CopyFail, failed──▶ busy(work)
//   any ──Terminate, FATAL, garbage──▶ closed
//
// The owner calls `receive` with what came, then asks `next` for actions until it says `.wait`. Each action that
// asks for work (from `startUp` to `synchronize`) is answered, before `next` is asked again, by the calls named at
// the action. So however many messages come in one segment, they are processed one at a time and in order.
//
// What the client is to get is in `writer.buffer`. The owner sends it when `next` says `.flush`, `.wait` or
// `.close`, or earlier, at any boundary of messages, and then empties the buffer.
//
// Names of statements and portals live here; what they name is the owner's, held as `Statement` and `Portal`, and
// is let go as soon as the protocol says that its name is gone.

import VarveCore

/// Speaks for the server on one connection. Used by one thread at a time.
package struct PostgresStateMachine<Statement, Portal> {
  package enum Action {
    /// Nothing to do until more bytes come. Only then call `receive`.
    case wait
    /// Send what has been written.
    case flush
    /// Open a session. Answer: `accepted` or `failed`.
    case startUp(StartupParameters)
    /// The whole purpose of this connection is to cancel what another one runs. No answer; `.close` follows.
    case cancel(processID: Int32, secretKey: Int32)
    /// Run all statements of the text. Answer: for each, rows between `beginRows` and `commandComplete`, or
    /// `emptyQuery`, or `failed` and no further one; in the end `finished`.
    case simpleQuery(String)
    /// Answer: `parsed` or `failed`.
    case parse(sql: String, parameterTypes: [UInt32])
    /// The number of parameters is right; `portal`: the name it gets. Answer: `bound` or `failed`.
    case bind(Statement, [ParameterValue], portal: String)
    /// At most `rowLimit` rows (nil: all), in `formats` (none, one for all, one a column). Answer: rows, then
    /// `commandComplete`, `emptyQuery`, `portalSuspended` or `failed`.
    case execute(Portal, formats: [FormatCode], rowLimit: Int?)
    /// Sync: the implicit transaction ends. `failed`: there was an error since the last one, which rolls the
    /// implicit transaction back and fails an explicit one. Answer: `finished`, perhaps after `failed`.
    case synchronize(failed: Bool)
    /// Data for the COPY that `beginCopyIn` announced: `withCopyData` has it, until `next` or `nextCopyData`. Answer:
    /// nothing, or `failed`, which ends the COPY.
    case copyData
    /// The client has sent all. Answer: `commandComplete` or `failed`.
    case copyDone
    /// The client gives up, or says what has no place in a COPY. Answer: `failed`, with this error or another.
    case copyFailed(PostgresError)
    /// Send what has been written, then close the connection. Every further `next` says so again.
    case close
  }

  enum Phase {
    case startup
    case starting
    case ready
    case busy(Work)
    /// The client sends the data of a COPY.
    case copying(Work)
    /// After an error in an extended query everything is ignored up to Sync.
    case skipping
    case closed
  }

  enum Work {
    case simpleQuery(failed: Bool)
    case parse(name: String)
    case bind(portal: String, columns: [ResultColumn]?, formats: [FormatCode])
    case execute
    case synchronize
  }

  struct PreparedEntry {
    let statement: Statement
    let parameterTypes: [UInt32]
    let columns: [ResultColumn]?
  }

  struct PortalEntry {
    let portal: Portal
    let columns: [ResultColumn]?
    let formats: [FormatCode]
  }

  /// May be replaced whenever its buffer is empty.
  package var writer: BackendWriter
  var phase: Phase = .startup
  var flushNext = false
  private(set) package var transaction: TransactionStatus = .idle

  /// Under their names; the unnamed ones under "".
  var statements: [Name: PreparedEntry] = [:]
  var portals: [Name: PortalEntry] = [:]
  /// Cursors of SQL, which Describe finds among the portals.
  var cursors: [Name: [ResultColumn]] = [:]

  var inbound: [UInt8] = []
  /// `inbound` up to here is done with.
  var consumed = 0
  /// Bytes of a CopyData message that have not come yet, and those that have and are `withCopyData`'s.
  var copyDataRemaining = 0
  var copyDataPiece = 0..<0
  var sawSSLRequest = false
  var sawGSSRequest = false

  package init(writer: BackendWriter = BackendWriter()) { self.writer = writer }

  package var isClosed: Bool {
    if case .closed = phase { true } else { false }
  }

  /// True once a session was asked for.
  package var isStarted: Bool {
    if case .startup = phase { false } else { true }
  }

  /// Bytes of a message that isn't complete yet.
  package var pendingByteCount: Int { inbound.count - consumed }

  // MARK: Bytes in

  package mutating func receive(_ bytes: UnsafeRawBufferPointer) {
    if isClosed { return }
    if consumed == inbound.count {
      // A COPY fills it again and again.
      let isCopying = if case .copying = phase { true } else { false }
      inbound.removeAll(keepingCapacity: isCopying || inbound.capacity <= PostgresLimits.smallMessageByteCount)
      consumed = 0
    } else if consumed > inbound.count / 2 {
      inbound.removeSubrange(..<consumed)
      consumed = 0
    }
    inbound.append(contentsOf: bytes)
  }

  // MARK: Actions out

  package mutating func next() -> Action {
    if flushNext {
      flushNext = false
      return .flush
    }
    while true {
      switch phase {
      case .closed: return .close
      case .startup:
        if let action = nextAtStartup() { return action }
      case .ready, .copying, .skipping:
        if let action = nextMessage() { return action }
      case .starting, .busy: preconditionFailure("next() before the last action was answered")
      }
    }
  }

  // MARK: Answers

  /// Opens the conversation: what PostgreSQL sends after a successful log-in.
  package mutating func accepted(
    parameterStatus: [(name: String, value: String)], processID: Int32, secretKey: Int32
  ) {
    guard case .starting = phase else { preconditionFailure("accepted() without startUp") }
    writer.authenticationOk()
    for (name, value) in parameterStatus { writer.parameterStatus(name, value) }
    writer.backendKeyData(processID: processID, secretKey: secretKey)
    writer.readyForQuery(.idle)
    phase = .ready
    flushNext = true
  }

  package mutating func parsed(_ statement: Statement, parameterTypes: [UInt32], columns: [ResultColumn]?) {
    guard case .busy(.parse(let name)) = phase else { preconditionFailure("parsed() without parse") }
    statements[Name(name)] = PreparedEntry(statement: statement, parameterTypes: parameterTypes, columns: columns)
    writer.parseComplete()
    phase = .ready
  }

  package mutating func bound(_ portal: Portal) {
    guard case .busy(.bind(let name, let columns, let formats)) = phase else {
      preconditionFailure("bound() without bind")
    }
    portals[Name(name)] = PortalEntry(portal: portal, columns: columns, formats: formats)
    writer.bindComplete()
    phase = .ready
  }

  /// Announces the rows of a statement of a simple query.
  package func beginRows(_ columns: [ResultColumn]) {
    guard case .busy(.simpleQuery(failed: false)) = phase else {
      preconditionFailure("beginRows() outside of a simple query")
    }
    writer.rowDescription(columns, formats: [])
  }

  package mutating func commandComplete(_ tag: String, transaction status: TransactionStatus) {
    endStatement()
    writer.commandComplete(tag)
    note(status)
  }

  package mutating func emptyQuery() {
    endStatement()
    writer.emptyQueryResponse()
  }

  /// The row limit of `execute` was reached, and there may be more rows.
  package mutating func portalSuspended() {
    guard case .busy(.execute) = phase else { preconditionFailure("portalSuspended() without execute") }
    writer.portalSuspended()
    phase = .ready
  }

  /// After `simpleQuery` and `synchronize`: the client may go on.
  package mutating func finished(_ status: TransactionStatus) {
    switch phase {
    case .busy(.simpleQuery), .busy(.synchronize): break
    case .closed: return
    default: preconditionFailure("finished() without simpleQuery or synchronize")
    }
    transaction = status
    if status != .inTransaction { portals.removeAll() }
    writer.readyForQuery(status)
    phase = .ready
    flushNext = true
  }

  /// The work asked for failed. A FATAL error also ends the connection.
  package mutating func failed(_ error: PostgresError) {
    writer.error(error)
    if error.severity == .fatal {
      close()
      return
    }
    if case .copying(let work) = phase { phase = .busy(work) }
    switch phase {
    case .starting: preconditionFailure("an error at startup is FATAL")
    case .busy(.simpleQuery): phase = .busy(.simpleQuery(failed: true))
    case .busy(.synchronize): break
    case .busy(.parse), .busy(.bind), .busy(.execute): phase = .skipping
    case .startup, .ready, .copying, .skipping, .closed: preconditionFailure("failed() without an action")
    }
  }

  // MARK: At any boundary of messages

  /// Ends the connection from the server's side, between two actions or instead of an answer.
  package mutating func terminate(_ error: PostgresError) {
    if isClosed { return }
    var error = error
    error.severity = .fatal
    writer.error(error)
    close()
  }

  package func notice(_ notice: PostgresError) { writer.notice(notice) }
  package func notification(processID: Int32, channel: String, payload: String) {
    writer.notification(processID: processID, channel: channel, payload: payload)
  }
  package func parameterStatus(_ name: String, _ value: String) { writer.parameterStatus(name, value) }

  /// SQL's DEALLOCATE, which shares its names with Parse. False: there is no such statement.
  package mutating func deallocate(_ name: String) -> Bool { statements.removeValue(forKey: Name(name)) != nil }
  package mutating func deallocateAll() { statements.removeAll() }

  package mutating func openCursor(_ name: String, _ columns: [ResultColumn]) { cursors[Name(name)] = columns }
  /// A cursor of SQL, or a portal that SQL closes as one.
  package mutating func closeCursor(_ name: String) {
    cursors[Name(name)] = nil
    portals[Name(name)] = nil
  }

  // MARK: Shared by the phases

  mutating func close() {
    phase = .closed
    flushNext = false
    inbound = []
    consumed = 0
    copyDataRemaining = 0
    copyDataPiece = 0..<0
    statements = [:]
    portals = [:]
    cursors = [:]
  }

  private mutating func endStatement() {
    switch phase {
    case .busy(.simpleQuery(failed: false)): break
    case .busy(.execute): phase = .ready
    default: preconditionFailure("a statement's end without simpleQuery or execute")
    }
  }

  /// COMMIT and ROLLBACK take the portals of their transaction with them.
  private mutating func note(_ status: TransactionStatus) {
    if transaction != .idle && status == .idle { portals.removeAll() }
    transaction = status
  }
}
