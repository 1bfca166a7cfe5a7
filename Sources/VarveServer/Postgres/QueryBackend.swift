// What a PostgreSQL connection asks of the engine behind it. The query layer's session satisfies this with a thin
// adapter; tests satisfy it with a fake.
//
// A connection calls its session, and what came from it, from one thread at a time, though not always from the
// same one; only `cancel` comes from elsewhere. Calls may block: none is made on an event loop. They throw
// VarveError, or PostgresError where the words of the wire matter; anything else becomes XX000.
//
// A statement goes split → prepare → bind → nextBatch until nil → commandTag. Simple queries go the same way,
// without parameters.

import VarveCompute
import VarveCore
import enum VarveQuery.SessionProtocol
import enum VarveQuery.SessionWait
import class VarveQuery.SessionActivity
import VarveWire

/// Opens sessions. Any thread.
package protocol QueryBackend: AnyObject, Sendable {
  /// `parameters.settings` are to be applied in order. What is thrown refuses the connection (unknown database:
  /// 3D000; invalid setting: 22023).
  func openSession(_ parameters: StartupParameters, from client: SessionClient) throws -> any QuerySession
}

/// Where a session comes from.
package struct SessionClient: Sendable {
  package var `protocol`: SessionProtocol
  /// `127.0.0.1:49152`; nil: this process.
  package var address: String?
  package init(_ protocol: SessionProtocol, address: String? = nil) {
    self.protocol = `protocol`
    self.address = address
  }
}

/// One client's session.
package protocol QuerySession: AnyObject {
  /// What others know the session by; no two that are open have the same.
  var processID: Int32 { get }
  /// From now on, who asks for the end of this session or of what runs in it calls these, on any thread.
  func isInterrupted(by interruption: SessionActivity.Interruption)
  /// For those who look at sessions. Any thread.
  func waits(for wait: SessionWait?)
  /// How long the client may do nothing, as things stand, and what it is told then; nil: for ever.
  var idleLimit: IdleLimit? { get }

  /// Settings that ParameterStatus reports and whose value isn't the default, at the session's start.
  var parameterStatus: [(name: String, value: String)] { get }
  var transactionStatus: TransactionStatus { get }
  /// How values become text: the session's time zone, the names of objects.
  var evaluationContext: EvaluationContext { get }

  /// Parses a text; an error in any statement is thrown before one is run, its position counted in the whole text.
  /// An empty text (or one of comments) has no statements.
  func split(_ sql: String) throws -> [any QueryStatement]

  /// What has come up since the last call, in order; asked for before each answer to the client.
  func takeEffects() -> [SessionEffect]

  /// The end of what PostgreSQL runs as one implicit transaction: before the answer to the last statement of a
  /// simple query, and at Sync. Without BEGIN, it commits, or rolls back if `failed`. Within a transaction block
  /// it changes nothing, but `failed` fails the block (25P02 until ROLLBACK). Called without a statement, too.
  func endImplicitTransaction(failed: Bool) throws

  /// Makes the statement that runs throw 57014 soon: sets a flag and returns at once. Any thread; called only
  /// between the beginning of a statement's work and the `resetCancellation` behind it.
  func cancel()
  /// No statement runs any more: a `cancel` that came too late must not hit the next one.
  func resetCancellation()

  /// The client is gone: roll back and let go.
  func close()

  /// Notifications may come from now on: `wake` is called on any thread when there are some, or so many wait that the
  /// session has to end.
  func isNotified(_ wake: @escaping @Sendable (_ isFull: Bool) -> Void)
  /// Those that wait, in order.
  func takeNotifications() -> [SessionNotification]
}

extension QuerySession {
  package func isNotified(_ wake: @escaping @Sendable (_ isFull: Bool) -> Void) {}
  package func takeNotifications() -> [SessionNotification] { [] }
}

/// What another session, or this one, has said by NOTIFY.
package struct SessionNotification: Sendable {
  package let processID: Int32
  package let channel: String
  package let payload: String
  package init(processID: Int32, channel: String, payload: String) {
    self.processID = processID
    self.channel = channel
    self.payload = payload
  }
}

/// How long a connection may be idle.
package struct IdleLimit: Sendable {
  package var nanoseconds: Int64
  package var error: PostgresError
  package init(nanoseconds: Int64, error: PostgresError) {
    self.nanoseconds = nanoseconds
    self.error = error
  }
}

/// One statement of a text, parsed.
package protocol QueryStatement: AnyObject {
  /// `parameterTypes`: object ids as Parse gives them, perhaps fewer than there are parameters, 0 for those to be
  /// inferred.
  func prepare(parameterTypes: [UInt32]) throws -> any PreparedQuery
}

package protocol PreparedQuery: AnyObject {
  /// Of all parameters, inferred ones too.
  var parameterTypes: [UInt32] { get }
  /// nil: the statement gives no rows.
  var columns: [ResultColumn]? { get }
  /// As many values as parameters, in text or binary form. May run ahead of nothing: the work is `nextBatch`'s.
  /// A portal with a name can be moved on by other statements of its transaction.
  func bind(_ values: [ParameterValue], name: String) throws -> any QueryPortal
}

extension PreparedQuery {
  package func bind(_ values: [ParameterValue]) throws -> any QueryPortal { try bind(values, name: "") }
}

/// A statement ready to run. Let go when its portal ends, whether it ran to its end or not.
package protocol QueryPortal: AnyObject {
  /// Runs on to the next rows. nil: complete; not called again then. A statement without rows does its work in
  /// the first call and returns nil. The columns are those of `PreparedQuery.columns`.
  func nextBatch() throws -> ColumnBatch?
  /// The same; a portal that others can move on gives no more than it is asked for.
  func nextBatch(atMost limit: Int) throws -> ColumnBatch?
  /// `SELECT 5`, `INSERT 0 3`, `CREATE TABLE`: asked for once `nextBatch` has said nil. `rowCount`: the rows that
  /// were sent since the last tag.
  func commandTag(rowCount: Int) -> String
  /// Asked once, instead of `nextBatch`, of a statement without rows. nil: it is no COPY … FROM STDIN.
  func beginCopy() throws -> (any CopyReceiver)?
  /// Asked once, instead of `nextBatch`, of a statement without rows. nil: it is no COPY … TO STDOUT.
  func beginCopyOut() throws -> (any CopySender)?
}

extension QueryPortal {
  package func nextBatch(atMost limit: Int) throws -> ColumnBatch? { try nextBatch() }
  package func beginCopy() throws -> (any CopyReceiver)? { nil }
  package func beginCopyOut() throws -> (any CopySender)? { nil }
}

/// A COPY … TO STDOUT that has begun. Let go at its end, or when it fails.
package protocol CopySender: AnyObject {
  var format: FormatCode { get }
  var columnCount: Int { get }
  /// Rows given so far.
  var rowCount: Int { get }
  /// Appends the body of the next message: a row, or what stands around them. False: there is no more.
  func appendNext(to out: Buffer<UInt8>) throws -> Bool
}

/// A COPY … FROM STDIN that has begun: takes the client's data, then ends with `finish` or, on any error, with `abandon`.
/// Let go without either, when the client is gone, it has not been.
package protocol CopyReceiver: AnyObject {
  /// What the client is told to send.
  var format: FormatCode { get }
  var columnCount: Int { get }
  /// Until the statement has run too long; nil: it may run on.
  var remainingNanoseconds: Int64? { get }
  /// Throws when the statement was cancelled or has run too long.
  func check() throws
  /// The next bytes, cut anywhere. Blocks while the store is behind.
  func receive(_ bytes: UnsafeRawBufferPointer) throws
  /// All was sent. Gives the command's tag when all rows are durable.
  func finish() throws -> String
  /// Gives the error with what became of the rows before it.
  func abandon(_ error: PostgresError) -> PostgresError
}

/// What a statement did to its connection beside its result.
package enum SessionEffect: Sendable {
  /// A setting that ParameterStatus reports has a new value.
  case parameterStatus(name: String, value: String)
  case notice(PostgresError)
  /// DEALLOCATE name; an unknown one is an error.
  case deallocate(String)
  case deallocateAll
  /// A cursor of SQL, which Describe finds among the portals.
  case cursorOpened(String, columns: [ResultColumn])
  case cursorClosed(String)
}
