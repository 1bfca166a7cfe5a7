// What one session does, as others may see it, and how they end it.
//
// The session writes, on the thread that runs it at the time; everybody else reads. What changes with each batch of rows
// is in atomics of its own, so that watching costs a running statement next to nothing; the rest is behind a lock that
// is taken twice a statement.

import Synchronization
import VarveCore
import VarveStorage

/// The way a session came.
package enum SessionProtocol: String, Sendable, CaseIterable {
  case postgres, http, embedded
}

/// What a session waits for that is not its own work.
package enum SessionWait: String, Sendable {
  /// A thread to run on.
  case worker
  /// Its client, which reads more slowly than rows come, or sends the rows of a COPY.
  case client
  /// What others will commit: it is a subscription.
  case commits
}

package final class SessionActivity: Sendable {
  /// How the owner of a session ends what runs in it, or all of it. Called on any thread.
  package struct Interruption: Sendable {
    package let cancel: @Sendable () -> Void
    package let terminate: @Sendable () -> Void
    package init(cancel: @escaping @Sendable () -> Void, terminate: @escaping @Sendable () -> Void) {
      self.cancel = cancel
      self.terminate = terminate
    }
  }

  /// The query that a session follows, and how far it has come.
  package struct Following: Sendable {
    package let table: String
    package let hasBuckets: Bool
    package let offset: String
    package init(table: String, hasBuckets: Bool, offset: String) {
      self.table = table
      self.hasBuckets = hasBuckets
      self.offset = offset
    }
  }

  private struct Values {
    var applicationName = ""
    var transaction = QueryTransactionStatus.idle
    var transactionStart: Int64?
    var isActive = false
    var statement = ""
    var statementStart: Int64?
    var stateChange: Int64
    var wait: SessionWait?
    var interruption: Interruption?
    var following: Following?
  }

  package let processID: Int32
  package let user: String
  package let database: String
  package let `protocol`: SessionProtocol
  package let clientAddress: String?
  /// Nanoseconds since 1970, as all times here.
  package let since: Int64
  package let control = ExecutionControl()
  private let values: Mutex<Values>

  // Of the statement that runs, or ran last.
  private let rows = Atomic<Int>(0)
  private let memoryByteCount = Atomic<Int>(0)
  private let rowBlocksRead = Atomic<Int>(0)
  private let pagesRead = Atomic<Int>(0)
  private let bytesRead = Atomic<Int>(0)

  init(
    processID: Int32, user: String, database: String, protocol: SessionProtocol, clientAddress: String?, since: Int64
  ) {
    self.processID = processID
    self.user = user
    self.database = database
    self.protocol = `protocol`
    self.clientAddress = clientAddress
    self.since = since
    values = Mutex(Values(stateChange: since))
  }

  // MARK: The session

  func began(_ statement: String, at time: Int64) {
    rows.store(0, ordering: .relaxed)
    memoryByteCount.store(0, ordering: .relaxed)
    rowBlocksRead.store(0, ordering: .relaxed)
    pagesRead.store(0, ordering: .relaxed)
    bytesRead.store(0, ordering: .relaxed)
    values.withLock { values in
      values.isActive = true
      values.statement = statement
      values.statementStart = time
      values.stateChange = time
    }
  }

  func ended(at time: Int64) {
    memoryByteCount.store(0, ordering: .relaxed)
    values.withLock { values in
      guard values.isActive else { return }
      values.isActive = false
      values.stateChange = time
    }
  }

  func transactionIs(_ status: QueryTransactionStatus, since start: Int64) {
    values.withLock { values in
      values.transaction = status
      values.transactionStart = status == .idle ? nil : values.transactionStart ?? start
    }
  }

  func nameIs(_ applicationName: String) { values.withLock { $0.applicationName = applicationName } }

  func gave(rows count: Int) { rows.add(count, ordering: .relaxed) }
  func holds(memory byteCount: Int) { memoryByteCount.store(byteCount, ordering: .relaxed) }

  /// What a scan has read since it last said so.
  func read(rowBlocks: Int, pages: Int, bytes: Int) {
    rowBlocksRead.add(rowBlocks, ordering: .relaxed)
    pagesRead.add(pages, ordering: .relaxed)
    bytesRead.add(bytes, ordering: .relaxed)
  }

  // MARK: Its owner

  package func isInterrupted(by interruption: Interruption) { values.withLock { $0.interruption = interruption } }
  package func waits(for wait: SessionWait?) { values.withLock { $0.wait = wait } }

  package func follows(_ following: Following) { values.withLock { $0.following = following } }

  /// A statement that has no thread yet.
  package func isQueued(_ statement: String) {
    began(statement, at: since)
    waits(for: .worker)
  }

  // MARK: Others

  func cancel() {
    if let interruption = values.withLock({ $0.interruption }) { interruption.cancel() } else { control.cancel() }
  }

  func terminate() {
    if let interruption = values.withLock({ $0.interruption }) { interruption.terminate() } else { control.terminate() }
  }

  package var report: SessionReport {
    let values = values.withLock { $0 }
    // Who waits for a thread has a statement to run.
    let isActive = values.isActive || values.wait == .worker
    let state: SessionReport.State =
      switch values.transaction {
      case _ where isActive: .active
      case .idle: .idle
      case .inBlock: .idleInTransaction
      case .failed: .idleInFailedTransaction
      }
    return SessionReport(
      processID: processID, user: user, database: database, applicationName: values.applicationName,
      protocol: `protocol`, clientAddress: clientAddress, state: state, wait: values.wait, since: since,
      transactionStart: values.transactionStart ?? (isActive ? values.statementStart : nil),
      statementStart: values.statementStart, stateChange: values.stateChange, statement: values.statement,
      rows: rows.load(ordering: .relaxed), memoryByteCount: memoryByteCount.load(ordering: .relaxed),
      rowBlocksRead: rowBlocksRead.load(ordering: .relaxed), pagesRead: pagesRead.load(ordering: .relaxed),
      bytesRead: bytesRead.load(ordering: .relaxed), following: values.following)
  }
}

/// A session at one moment.
package struct SessionReport: Sendable {
  /// As pg_stat_activity calls them.
  package enum State: String, Sendable, CaseIterable {
    case active, idle
    case idleInTransaction = "idle in transaction"
    case idleInFailedTransaction = "idle in transaction (aborted)"
  }
  package let processID: Int32
  package let user: String
  package let database: String
  package let applicationName: String
  package let `protocol`: SessionProtocol
  package let clientAddress: String?
  package let state: State
  package let wait: SessionWait?
  package let since: Int64
  package let transactionStart: Int64?
  package let statementStart: Int64?
  package let stateChange: Int64
  /// The one that runs, or ran last.
  package let statement: String
  package let rows: Int
  package let memoryByteCount: Int
  package let rowBlocksRead: Int
  package let pagesRead: Int
  package let bytesRead: Int
  /// nil: it is no subscription.
  package let following: SessionActivity.Following?
}

/// What one scan has told of its reading, so that it tells only what is new.
struct ScanProgress {
  private var rowBlocks = 0
  private var pages = 0
  private var bytes = 0
  private var batches = 0

  /// At a batch: asks for the statistics, which are a sum over chunks, now and then only.
  mutating func note(_ statistics: @autoclosure () -> ScanStatistics, in context: ExecutionContext) {
    if batches % 8 == 0 { tell(statistics(), in: context) }
    batches += 1
  }

  /// At the end.
  mutating func tell(_ statistics: ScanStatistics, in context: ExecutionContext) {
    let read = statistics.rowBlocks - statistics.rowBlocksPruned
    context.catalog.session.activity.read(
      rowBlocks: read - rowBlocks, pages: statistics.pagesRead - pages, bytes: statistics.bytesRead - bytes)
    rowBlocks = read
    pages = statistics.pagesRead
    bytes = statistics.bytesRead
  }
}
