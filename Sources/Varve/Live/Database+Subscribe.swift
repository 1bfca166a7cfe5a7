// Following a query in an app.

import VarveCompute
import VarveCore
import VarveQuery
import VarveStorage

/// What a subscription tells at once.
public struct SubscriptionEvent: Sendable {
  public enum Kind: Sendable {
    /// Rows that a commit brought; a large commit comes in several events.
    case rows
    /// Buckets that are finished: all their rows, or none. Many at once where the subscription was away, or when they are
    /// short.
    case bucket
    /// A bucket that was told before, as late rows or deletes have made it: its rows take the place of those of before.
    case corrected
    /// Very many buckets that were told before have changed: query them again.
    case changed
  }
  public let kind: Kind
  public let rows: QueryRows
  /// Where the buckets start, in nanoseconds since 1970: from `from` to before `to`. nil: there is no such bound.
  public let time: (from: Int64?, to: Int64?)
  /// More rows of the same commit, or of the same buckets, follow.
  public let isPart: Bool
  /// Where to go on after everything that was told up to here; nil: not behind this event.
  public let offset: String?
}

/// A query that is followed: an asynchronous sequence without an end. It throws ``VarveError`` when it cannot go on: `gone`
/// when it was too slow or away for too long, `closed` with the database, or what the query has come to.
public struct Subscription: Sendable, AsyncSequence {
  let query: LiveQuery
  public var columns: [String] { query.columns.map(\.name) }
  /// Where it begins.
  public var offset: String { query.first }

  public struct AsyncIterator: AsyncIteratorProtocol {
    let query: LiveQuery

    public mutating func next() async throws -> SubscriptionEvent? {
      while !Task.isCancelled {
        let event = try await query.next(within: .seconds(3600)) { piece, _, columns in
          SubscriptionEvent(
            kind: piece.publicKind, rows: QueryRows(columns: columns.map(\.name), batch: piece.batch), time: piece.time,
            isPart: piece.isPart, offset: piece.offset)
        }
        if let event { return event }
      }
      return nil
    }
  }

  public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(query: query) }
}

extension Database {
  /// Follows a query: new rows of a SELECT from one series table, as commits bring them, or buckets of time of a
  /// `time_bucket` query, as they finish. `offset` is what an event of this query gave before, also in another process:
  /// everything behind it is told, at least once. nil: from now on.
  ///
  /// Throws ``VarveError``: `unsupported` for a query that cannot be followed exactly, with the nearest one that can, and
  /// `gone` for an offset that the log does not reach back to.
  public func subscribe(
    _ sql: String, _ parameters: [SQLValue] = [], after offset: String? = nil, grace: Duration = .seconds(1)
  ) async throws -> Subscription {
    var options = LiveQuery.Options()
    options.offset = offset
    options.graceNanoseconds = grace.clampedNanoseconds
    let (texts, opened) = (try parameters.map { try $0.parameterText() }, options)
    let query = try await liveWorkers.run { [self] in
      let activity = monitor.open(user: "varve", database: "varve", protocol: .embedded)
      return try LiveQuery(self, makeSession(activity: activity), sql, parameters: texts, opened)
    }
    return Subscription(query: query)
  }
}

extension LiveQuery.Piece {
  fileprivate var publicKind: SubscriptionEvent.Kind {
    switch kind {
    case .rows: .rows
    case .bucket: .bucket
    case .corrected: .corrected
    case .changed: .changed
    }
  }
}

extension QueryRows {
  fileprivate init(columns: [String], batch: ColumnBatch?) {
    let values = batch.map { batch in
      (0..<batch.count).map { row in batch.columns.map { SQLValue($0.datum(at: row)) } }
    }
    self.init(columns: columns, commandTag: "", values: values ?? [])
  }
}
