// Buckets of time, each once it is finished, and again when rows come late.
//
//                 told                       │ finished, told next │ not finished
//   ──────────────────────────────────────▶ start ──────────────▶ now − grace
//         ▲ a commit with older times: the bucket is told again, as corrected
//
// What a commit changes follows from the times it wrote and deleted; the bucket is then computed anew from what is stored.
// Corrections are gathered for a second at most, so that a device that sends all its rows late costs one query a second.
// One that concerns very many buckets (a backfill, a DELETE, retention) is told as a range that has changed, without rows.

import VarveCompute
import VarveCore
import VarveQuery
import VarveStorage

struct LiveBuckets: LiveSource {
  /// More than this many buckets that have changed are told as ranges.
  static let correctedBuckets = 1_000
  private static let correctionNanoseconds: Int64 = 1_000_000_000
  /// Buckets of less than this are told together.
  private static let pauseNanoseconds: Int64 = 100_000_000

  private var query: SubscribedQuery
  private let store: Store
  private let session: QuerySession
  private let grace: Int64
  private let follower: Int
  private var log = LogFollower()

  /// Late rows of commits up to here are told, but for those of `late` and `changed`.
  private var read: VarveCore.Sequence
  /// Start of the first bucket that is not told.
  private var start: Int64
  /// Buckets told before `start` that have changed since.
  private var late: Set<Int64> = []
  private var changed: TimeRange?
  /// Monotonic.
  private var correctedAt: Int64?
  /// The buckets told last, and the commit that they were computed with: its rows are no late rows of theirs.
  private var latest: (from: Int64, sequence: VarveCore.Sequence)?
  /// Buckets that are being told.
  private var current: Current?
  /// Where nothing was left to be told.
  private var settled = SubscriptionOffset(sequence: .zero, bucket: nil)
  private var isBehind = false

  private struct Current {
    let kind: LiveQuery.Piece.Kind
    let from: Int64
    let to: Int64
    let rows: QueryResult
    var next: ColumnBatch?
    var hasBegun = false
  }

  init(_ query: SubscribedQuery, _ store: Store, _ session: QuerySession, follower: Int, _ options: LiveQuery.Options)
    throws
  {
    self.follower = follower
    self.query = query
    self.store = store
    self.session = session
    grace = max(0, options.graceNanoseconds)
    if let text = options.offset {
      let offset = try SubscriptionOffset(text, hasBuckets: true)
      (read, start) = (offset.sequence, try query.bucket(of: offset.bucket ?? 0))
      guard start == offset.bucket else {
        throw VarveError(
          .invalidArgument, "no bucket of this query starts where offset '\(text)' says",
          hint: "An offset is good for the subscription that gave it.", sqlState: "22023")
      }
      // Whether it can be gone on from is said at once.
      _ = try store.commits(after: read, &log, byteLimit: 1)
    } else {
      read = store.feed.delivered
      start = .min
      start = try finished
    }
    settle()
  }

  var offset: String { settled.text }
  var columns: [ResultColumn] { query.columns }

  private var isAllTold: Bool { current == nil && late.isEmpty && changed == nil }

  private mutating func settle() {
    if isAllTold { settled = SubscriptionOffset(sequence: read, bucket: start) }
  }

  /// Start of the first bucket that is not finished.
  private var finished: Int64 {
    get throws {
      let now = store.clock.wallNanoseconds().subtractingReportingOverflow(grace)
      return max(start, try query.bucket(of: now.overflow ? .min + 1 : now.partialValue))
    }
  }

  var waitNanoseconds: Int64? {
    if isBehind { return 0 }
    // A bucket whose end cannot be told has none.
    guard let end = try? query.finish(ofBucket: start) else { return nil }
    let due = end.addingReportingOverflow(grace)
    var wait = due.overflow ? Int64.max : max(Self.pauseNanoseconds, due.partialValue - store.clock.wallNanoseconds())
    if !late.isEmpty || changed != nil { wait = min(wait, max(1_000_000, correctionWait)) }
    return wait
  }

  private var correctionWait: Int64 {
    correctedAt.map { max(0, $0 + Self.correctionNanoseconds - store.clock.monotonicNanoseconds()) } ?? 0
  }

  mutating func next() throws -> LiveQuery.Piece? {
    if let piece = try nextOfCurrent() { return piece }
    try readCommits()
    // Others have their turn between two parts of a long log.
    if isBehind { return nil }
    settle()
    if correctionWait == 0 {
      if let range = changed {
        changed = nil
        correctedAt = store.clock.monotonicNanoseconds()
        settle()
        return LiveQuery.Piece(
          kind: .changed, time: (range.lower == .min ? nil : range.lower, range.upper), batch: nil, isPart: false,
          offset: isAllTold ? offset : nil)
      }
      if let bucket = late.min() {
        late.remove(bucket)
        if late.isEmpty { correctedAt = store.clock.monotonicNanoseconds() }
        _ = try open(.corrected, bucket, try query.end(ofBucket: bucket))
        return try nextOfCurrent()
      }
    }
    let finished = try finished
    guard finished > start else { return nil }
    let from = start
    latest = (from, try open(.bucket, from, finished))
    return try nextOfCurrent()
  }

  // MARK: Telling

  /// Gives the commit that the rows were computed with.
  private mutating func open(_ kind: LiveQuery.Piece.Kind, _ from: Int64, _ to: Int64) throws -> VarveCore.Sequence {
    let snapshot = store.snapshot()
    query = try session.renewed(query, snapshot)
    let rows = try session.buckets(of: query, from: from, before: to, in: snapshot)
    current = Current(kind: kind, from: from, to: to, rows: rows, next: try rows.next())
    return snapshot.sequence
  }

  /// One batch ahead, so that the last is known as such. A bucket without rows is told, too.
  private mutating func nextOfCurrent() throws -> LiveQuery.Piece? {
    guard var told = current else { return nil }
    let batch = told.next ?? ColumnBatch(count: 0, columns: [])
    told.next = told.next == nil ? nil : try told.rows.next()
    let isLast = told.next == nil
    current = isLast ? nil : told
    if isLast, told.kind == .bucket { start = told.to }
    settle()
    return LiveQuery.Piece(
      kind: told.kind, time: (told.from, told.to), batch: batch, isPart: !isLast, offset: isAllTold ? offset : nil)
  }

  // MARK: What came late

  private mutating func readCommits() throws {
    read = store.feed.skipped(follower, from: read)
    let commits = try store.commits(after: read, &log)
    for commit in commits { try note(commit) }
    read = commits.last?.sequence ?? read
    isBehind = read < store.feed.delivered
  }

  private mutating func note(_ commit: CommitContents) throws {
    for (partition, block) in commit.rows where partition.table == query.table {
      guard block.timeRange.lower < start else { continue }
      try note(block, commit.sequence)
    }
    for deletion in commit.deletions where deletion.table == query.table {
      guard deletion.time.lower < start else { continue }
      try note(deletion.time, commit.sequence)
    }
  }

  private mutating func note(_ block: HeadBlock, _ sequence: VarveCore.Sequence) throws {
    var known: (start: Int64, end: Int64)?
    for time in block.times.span where time < start {
      if let known, time >= known.start, time < known.end { continue }
      let bucket = try query.bucket(of: time)
      known = (bucket, try query.end(ofBucket: bucket))
      note(bucket: bucket, sequence)
    }
  }

  private mutating func note(_ time: TimeRange, _ sequence: VarveCore.Sequence) throws {
    let upper = min(time.upper, start - 1)
    var bucket = time.lower == .min ? Int64.min : try query.bucket(of: time.lower)
    var count = 0
    while bucket <= upper, bucket != .min, count <= Self.correctedBuckets {
      note(bucket: bucket, sequence)
      bucket = try query.end(ofBucket: bucket)
      count += 1
    }
    if bucket <= upper { change(TimeRange(lower: bucket, upper: try query.end(ofBucket: try query.bucket(of: upper)))) }
  }

  private mutating func note(bucket: Int64, _ sequence: VarveCore.Sequence) {
    guard bucket < start else { return }
    if let latest, bucket >= latest.from, sequence <= latest.sequence { return }
    late.insert(bucket)
    guard late.count > Self.correctedBuckets, let first = late.min(), let last = late.max() else { return }
    late = []
    // The end of the last is where the next begins; that it starts before is all that a reader needs.
    change(TimeRange(lower: first, upper: last + 1))
  }

  private mutating func change(_ range: TimeRange) {
    changed = changed.map { TimeRange(lower: min($0.lower, range.lower), upper: max($0.upper, range.upper)) } ?? range
  }
}
