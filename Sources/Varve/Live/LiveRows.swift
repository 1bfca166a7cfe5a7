// The rows that commits bring, commit by commit: the query is run over what one commit brought and nothing else.

import VarveCompute
import VarveCore
import VarveQuery
import VarveStorage

struct LiveRows: LiveSource {
  private var query: SubscribedQuery
  private let store: Store
  private let session: QuerySession
  private let follower: Int
  private var log = LogFollower()
  /// Read, and not told yet.
  private var commits: ArraySlice<CommitContents> = []
  /// Everything up to here was told.
  private var told: VarveCore.Sequence
  /// Whose rows `result` has.
  private var current = VarveCore.Sequence.zero
  private var isBehind = false
  /// Others have their turn after so many of which nothing is told.
  private static let turnCommits = 256
  /// Of the commit behind `told`, while its rows are told, and the batch that comes next.
  private var result: (rows: QueryResult, next: ColumnBatch)?

  init(_ query: SubscribedQuery, _ store: Store, _ session: QuerySession, follower: Int, _ options: LiveQuery.Options)
    throws
  {
    self.follower = follower
    self.query = query
    self.store = store
    self.session = session
    guard let text = options.offset else {
      told = store.feed.delivered
      return
    }
    told = try SubscriptionOffset(text, hasBuckets: false).sequence
    // Whether it can be gone on from is said at once.
    commits = try store.commits(after: told, &log)[...]
  }

  var offset: String { SubscriptionOffset(sequence: told, bucket: nil).text }
  var columns: [ResultColumn] { query.columns }
  var waitNanoseconds: Int64? { isBehind ? 0 : nil }

  mutating func next() throws -> LiveQuery.Piece? {
    isBehind = false
    for _ in 0..<Self.turnCommits {
      if let piece = try nextOfResult() { return piece }
      if commits.isEmpty {
        told = store.feed.skipped(follower, from: told)
        commits = try store.commits(after: told, &log)[...]
      }
      guard let commit = commits.popFirst() else { return nil }
      if commit.rowCount(of: query.table) > 0 { try open(commit) }
      // A commit of which nothing is wanted is told with that.
      if result == nil { told = commit.sequence } else { current = commit.sequence }
    }
    if let piece = try nextOfResult() { return piece }
    isBehind = true
    return nil
  }

  private mutating func open(_ commit: CommitContents) throws {
    let snapshot = store.snapshot()
    query = try session.renewed(query, snapshot)
    let rows = try session.rows(of: query, in: snapshot.holding(only: [commit]))
    result = try rows.next().map { (rows, $0) }
  }

  /// One batch ahead, so that the last is known as such.
  private mutating func nextOfResult() throws -> LiveQuery.Piece? {
    guard let (rows, batch) = result else { return nil }
    result = try rows.next().map { (rows, $0) }
    if result == nil { told = current }
    return LiveQuery.Piece(
      kind: .rows, time: (nil, nil), batch: batch, isPart: result != nil, offset: result == nil ? offset : nil)
  }
}
