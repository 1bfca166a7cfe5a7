// A query that is followed: its next piece whenever there is one, made when it is asked for.
//
//   ask ──▶ piece at hand? ──▶ give it
//             │ no
//             ▼
//           wait for a commit of the table, the end of a bucket, or as long as the caller likes
//
// Nothing is kept for one who does not ask: the log is read on from the offset, and where it does not reach back so far any
// more, that is an error and not a gap. Only durable commits are told. Used by one caller at a time, on any thread; `stop`
// comes from others.

import Synchronization
import VarveCompute
import VarveCore
import VarveIO
import VarveQuery
import VarveStorage

/// Unchecked: the session and the source belong to the step at hand, of which there is one at a time; the rest is constant or
/// behind locks.
package final class LiveQuery: @unchecked Sendable {
  package struct Options: Sendable {
    /// Where to go on; nil: from now on.
    package var offset: String?
    /// How long behind its end a bucket is finished.
    package var graceNanoseconds: Int64 = 1_000_000_000
    package init() {}
  }

  /// What is told at once.
  package struct Piece {
    package enum Kind: Sendable { case rows, bucket, corrected, changed }
    package let kind: Kind
    /// Of buckets: starts within [from, to). nil: open.
    package let time: (from: Int64?, to: Int64?)
    /// nil where rows are not told, but to be queried.
    package let batch: ColumnBatch?
    /// More of the same commit or of the same buckets is to come.
    package let isPart: Bool
    /// Everything up to here was told with it; nil: something before it is still to come.
    package let offset: String?
  }

  private let database: Database
  private let session: QuerySession
  private let control: ExecutionControl
  private let workers: BlockingWorkers
  private let signal = WakeSignal()
  private var source: any LiveSource
  /// As far as others may know.
  private let place: Mutex<String>
  private let follower: Int
  private let table: String
  private let hasBuckets: Bool
  private let ending = Mutex<VarveError?>(nil)
  /// As the schema was when it began.
  package let columns: [ResultColumn]
  package let first: String

  /// On a thread that may block. Takes the session over. Throws what is wrong with the query or its offset.
  package init(
    _ database: Database, _ session: QuerySession, _ sql: String, parameters: [String?] = [], _ options: Options
  ) throws {
    self.database = database
    self.session = session
    control = session.cancellation
    workers = database.liveWorkers
    do {
      try database.checkOpen()
      _ = try database.writer()
      guard database.liveMeter.counts.open < Limits.subscriptions else {
        throw VarveError(
          .limitExceeded, "too many subscriptions: the limit is \(Limits.subscriptions)",
          hint: "End some, or subscribe to less with each.", sqlState: "53300")
      }
      let query = try session.subscribe(sql, parameters: parameters)
      let signal = self.signal
      // Before the offset is taken, so that nothing falls between.
      follower = database.store.feed.follow([query.table]) { signal.raise() }
      do {
        source =
          try query.hasBuckets
          ? LiveBuckets(query, database.store, session, follower: follower, options)
          : LiveRows(query, database.store, session, follower: follower, options)
        columns = query.columns
        (table, hasBuckets) = (query.tableName, query.hasBuckets)
        first = source.offset
        place = Mutex(source.offset)
      } catch {
        database.store.feed.unfollow(follower)
        throw error
      }
    } catch {
      session.close()
      throw error
    }
    session.state.activity.isInterrupted(
      by: SessionActivity.Interruption(
        cancel: { [weak self] in
          self?.stop(VarveError(.cancelled, "canceling statement due to user request", sqlState: "57014"))
        },
        terminate: { [weak self] in
          self?.stop(
            VarveError(
              .cancelled, "terminating connection due to administrator command", sqlState: "57P01"))
        }))
    session.state.activity.waits(for: .commits)
    note(first)
    database.liveMeter.update { counts in
      counts.opened += 1
      counts.open += 1
    }
  }

  deinit {
    database.liveMeter.update { $0.open -= 1 }
    database.store.feed.unfollow(follower)
    session.close()
  }

  /// The next piece, made into what the caller wants on a thread of the database; nil: there was none for so long. Throws
  /// why it is over: `closed`, `cancelled`, `gone`, or what the query threw.
  package func next<T: Sendable>(
    within limit: Duration, _ body: @escaping @Sendable (Piece, QuerySession, [ResultColumn]) throws -> T
  ) async throws -> T? {
    let clock = ContinuousClock()
    let deadline = clock.now + limit
    while true {
      let made = try await workers.run { [self] in
        session.state.activity.waits(for: nil)
        defer { session.state.activity.waits(for: .commits) }
        return try step(body)
      }
      if let value = made.value { return value }
      let rest = min(deadline - clock.now, made.waitsAtMost ?? limit)
      if rest > .zero { await signal.wait(atMost: rest) }
      if clock.now >= deadline { return nil }
    }
  }

  private func note(_ offset: String) {
    place.withLock { $0 = offset }
    session.state.activity.follows(
      SessionActivity.Following(table: table, hasBuckets: hasBuckets, offset: offset))
  }

  /// Where it has come to: commits of others have come and gone meanwhile.
  package var offset: String { place.withLock { $0 } }

  /// Ends it with this error. Any thread.
  package func stop(_ error: VarveError) {
    ending.withLock { $0 = $0 ?? error }
    control.cancel()
    signal.raise()
  }

  private func step<T>(_ body: (Piece, QuerySession, [ResultColumn]) throws -> T) throws -> (
    value: T?, waitsAtMost: Duration?
  ) {
    try checkGoesOn()
    do {
      return try database.reading(stop: { [control] in control.cancel() }) {
        let piece = try source.next()
        let value = try piece.map { try body($0, session, source.columns) }
        if let piece { database.liveMeter.update { $0.told(piece) } }
        let wait = piece == nil ? source.waitNanoseconds.map { Duration.nanoseconds($0) } : nil
        note(source.offset)
        return (value, wait)
      }
    } catch {
      try checkGoesOn()
      if (error as? VarveError)?.code == .gone { database.liveMeter.update { $0.gone += 1 } }
      throw error
    }
  }

  private func checkGoesOn() throws {
    if let error = ending.withLock({ $0 }) { throw error }
    try database.checkOpen()
  }
}

/// What is told piece by piece. A class or a value with state: used by one thread at a time.
protocol LiveSource {
  /// nil: there is nothing yet.
  mutating func next() throws -> LiveQuery.Piece?
  /// As the schema is now.
  var columns: [ResultColumn] { get }
  /// Everything up to here was told.
  var offset: String { get }
  /// When to ask again though no commit came; nil: not before one comes.
  var waitNanoseconds: Int64? { get }
}
