// The sessions of one database: who they are, what they run, and what statements came to since the database was opened.
//
// Belongs to the database, so that two of them in one process know nothing of each other. Any thread.

import Synchronization
import VarveCore
import VarveStorage

package final class SessionMonitor: Sendable {
  private struct Sessions {
    var open: [Int32: SessionActivity] = [:]
    var lastProcessID: Int32 = 0
  }

  /// What the database's rollups mean.
  let rollups = RollupCatalog()
  /// Who listens to which channel.
  package let notifications = NotificationHub()
  package let refreshes = RefreshRecords()
  /// What retention has come to, likewise.
  package let retentions = RefreshRecords()
  /// What tiering has come to, likewise.
  package let tierings = RefreshRecords()
  package let services = ServiceRecords()
  private let sessions = Mutex(Sessions())
  private let counts = Mutex(StatementCounts())
  private let wallNanoseconds: @Sendable () -> Int64
  /// When the database was opened, in nanoseconds since 1970.
  package let startTime: Int64
  /// Statements that run for so long are told of, unless their session has other wishes; nil: none is.
  package let slowStatementMilliseconds: Int?
  let onSlowStatement: @Sendable (SlowStatement) -> Void

  package init(
    wallNanoseconds: @escaping @Sendable () -> Int64, slowStatementMilliseconds: Int? = nil,
    onSlowStatement: @escaping @Sendable (SlowStatement) -> Void = { _ in }
  ) {
    self.wallNanoseconds = wallNanoseconds
    self.slowStatementMilliseconds = slowStatementMilliseconds
    self.onSlowStatement = onSlowStatement
    startTime = wallNanoseconds()
  }

  /// The time of day, in nanoseconds since 1970.
  var now: Int64 { wallNanoseconds() }

  // MARK: Sessions

  /// A session begins; it ends with `close`.
  package func open(user: String, database: String, protocol: SessionProtocol, clientAddress: String? = nil)
    -> SessionActivity
  {
    let now = wallNanoseconds()
    return sessions.withLock { sessions in
      repeat {
        sessions.lastProcessID = sessions.lastProcessID == .max ? 1 : sessions.lastProcessID + 1
      } while sessions.open[sessions.lastProcessID] != nil
      let activity = SessionActivity(
        processID: sessions.lastProcessID, user: user, database: database, protocol: `protocol`,
        clientAddress: clientAddress, since: now)
      sessions.open[activity.processID] = activity
      return activity
    }
  }

  /// Of a session that is no client's, and stands in no list.
  package func unlisted(user: String, database: String) -> SessionActivity {
    SessionActivity(
      processID: 0, user: user, database: database, protocol: .embedded, clientAddress: nil, since: wallNanoseconds())
  }

  package func close(_ activity: SessionActivity) {
    sessions.withLock { sessions in
      if sessions.open[activity.processID] === activity { sessions.open[activity.processID] = nil }
    }
  }

  /// In the order they began.
  package var reports: [SessionReport] {
    let open = sessions.withLock { Array($0.open.values) }
    return open.map(\.report).sorted { ($0.since, $0.processID) < ($1.since, $1.processID) }
  }

  /// False: there is no such session.
  func cancel(_ processID: Int32) -> Bool {
    // The owner is called without the lock: it has locks of its own.
    guard let activity = sessions.withLock({ $0.open[processID] }) else { return false }
    activity.cancel()
    return true
  }

  /// False: there is no such session.
  func terminate(_ processID: Int32) -> Bool {
    guard let activity = sessions.withLock({ $0.open[processID] }) else { return false }
    activity.terminate()
    return true
  }

  // MARK: Statements

  package var statementCounts: StatementCounts { counts.withLock { $0 } }

  func count(_ body: (inout StatementCounts) -> Void) { counts.withLock { body(&$0) } }
}
