// Commits for those who follow them. A commit's sequence is its place in the feed: who has seen all up to one goes on
// behind it, after any pause, as long as the log still has what came since.
//
//   commit ──▶ published (and durable, in the sync modes that promise it) ──▶ followers are woken, each asks for what is new
//
// While somebody follows, the contents of the latest commits stay in memory, within a bound; who is further behind reads
// the log (`LogFollower`). Nothing is queued for a follower, so that a slow one costs nothing. Without followers a commit
// pays for a lock that nobody contends for.

import Synchronization
import VarveCore

package final class CommitFeed: Sendable {
  private struct Follower: Sendable {
    /// nil: of any table.
    var tables: Set<TableID>?
    let wake: @Sendable () -> Void
    /// The last commit that may matter to it.
    var last: Sequence
  }

  private struct State: Sendable {
    var published: Sequence
    /// The last commit that may be told of.
    var delivered: Sequence
    /// Without gaps, up to `published`.
    var recent: [CommitContents] = []
    var recentByteCount = 0
    var nextFollower = 0
    var followers: [Int: Follower] = [:]
    var segments: [WriteAheadLog.Used] = []
    var isClosed = false
  }

  private let state: Mutex<State>
  private let byteLimit: Int

  init(_ sequence: Sequence, byteLimit: Int) {
    state = Mutex(State(published: sequence, delivered: sequence))
    self.byteLimit = byteLimit
  }

  // MARK: The committing thread

  /// In order, without gaps.
  func publish(_ sequence: Sequence, isDurable: Bool, _ contents: () -> CommitContents) {
    let isWanted = state.withLock { state -> Bool in
      guard state.followers.isEmpty else { return true }
      state.published = sequence
      if isDurable { state.delivered = sequence }
      state.recent = []
      state.recentByteCount = 0
      return false
    }
    guard isWanted else { return }
    let contents = contents()
    // All at once: who sees the commit as told must see whether it matters to him.
    let woken = state.withLock { state in
      state.published = sequence
      if isDurable { state.delivered = sequence }
      state.recent.append(contents)
      state.recentByteCount += contents.byteCount
      var excess = 0
      while state.recentByteCount > byteLimit, excess < state.recent.count {
        state.recentByteCount -= state.recent[excess].byteCount
        excess += 1
      }
      state.recent.removeFirst(excess)
      let interested = state.followers.filter { _, follower in
        follower.tables.map { $0.contains { contents.touches($0) } } ?? true
      }
      for number in interested.keys { state.followers[number]?.last = sequence }
      return isDurable ? interested.values.map(\.wake) : []
    }
    for wake in woken { wake() }
  }

  /// All that was published is durable.
  func madeDurable() {
    let woken = state.withLock { state -> [@Sendable () -> Void] in
      guard state.delivered < state.published else { return [] }
      state.delivered = state.published
      return state.followers.values.map(\.wake)
    }
    for wake in woken { wake() }
  }

  /// Which segments there are; said again whenever that changes.
  func logHolds(_ log: WriteAheadLog) {
    let segments = (log.kept + log.segments).filter { $0.first != nil }
    state.withLock { $0.segments = segments }
  }

  /// The segment that the log was in last.
  var lastSegment: FileID? { state.withLock { $0.segments.last?.id } }

  /// Whether the log has gone on in a segment that was not told of.
  func knows(_ log: WriteAheadLog) -> Bool {
    guard let last = log.segments.last, last.first != nil else { return true }
    return state.withLock { $0.segments.last?.id == last.id }
  }

  /// Nothing more comes.
  package func close() {
    let woken = state.withLock { state in
      state.isClosed = true
      return state.followers.values.map(\.wake)
    }
    for wake in woken { wake() }
  }

  // MARK: Followers

  /// From now on `wake` is called when there is something new of these tables (nil: of any), and at the end: on the
  /// committing thread, so it must return at once.
  package func follow(_ tables: Set<TableID>?, wake: @escaping @Sendable () -> Void) -> Int {
    state.withLock { state in
      state.nextFollower += 1
      state.followers[state.nextFollower] = Follower(tables: tables, wake: wake, last: state.published)
      return state.nextFollower
    }
  }

  /// Where a follower that has seen all up to `offset` stands: further on, if nothing that came since matters to it.
  package func skipped(_ number: Int, from offset: Sequence) -> Sequence {
    state.withLock { state in
      guard let last = state.followers[number]?.last, offset >= last else { return offset }
      return max(offset, state.delivered)
    }
  }

  package func unfollow(_ number: Int) { state.withLock { _ = $0.followers.removeValue(forKey: number) } }

  /// Whether anybody has followed since the store was opened.
  var wasFollowed: Bool { state.withLock { $0.nextFollower > 0 } }

  package var followerCount: Int { state.withLock { $0.followers.count } }
  package var isClosed: Bool { state.withLock { $0.isClosed } }

  /// The last commit that may be told of.
  package var delivered: Sequence { state.withLock { $0.delivered } }

  /// The oldest offset that can be gone on from: all behind it is still there.
  package var oldest: Sequence { state.withLock { Self.oldest($0) } }

  private static func oldest(_ state: State) -> Sequence {
    let log = state.segments.lazy.compactMap(\.first).first
    let first = [log, state.recent.first?.sequence].compactMap { $0 }.min() ?? state.published.next
    return Sequence(rawValue: first.rawValue - 1)
  }

  /// What came behind `offset`, oldest first.
  enum Source {
    case memory([CommitContents])
    /// Up to `last`.
    case log([WriteAheadLog.Used], last: Sequence)
    case nothing
  }

  /// Throws `.gone` where commits behind `offset` are not kept any more, and `.invalidArgument` for one that is yet to come.
  func source(after offset: Sequence) throws -> Source {
    let (source, oldest) = try state.withLock { state -> (Source?, Sequence) in
      guard offset <= state.delivered else { throw Self.ahead(offset, state.delivered) }
      if offset == state.delivered { return (.nothing, offset) }
      if let first = state.recent.first, first.sequence <= offset.next {
        let start = Int(offset.rawValue + 1 - first.sequence.rawValue)
        return (.memory(state.recent[start...].filter { $0.sequence <= state.delivered }), offset)
      }
      let oldest = Self.oldest(state)
      if offset < oldest { return (nil, oldest) }
      let last = state.segments.lastIndex { ($0.first ?? .zero) <= offset.next } ?? 0
      return (.log(Array(state.segments[last...]), last: state.delivered), oldest)
    }
    guard let source else { throw Self.gone(offset, oldest: oldest) }
    return source
  }

  static func gone(_ offset: Sequence, oldest: Sequence) -> VarveError {
    VarveError(
      .gone,
      "commits behind \(offset.rawValue) are not kept any more: the oldest offset to go on from is \(oldest.rawValue)",
      hint: "Query what is stored, and subscribe from the last commit, without an offset.", sqlState: "55000")
  }

  private static func ahead(_ offset: Sequence, _ last: Sequence) -> VarveError {
    VarveError(
      .invalidArgument, "offset \(offset.rawValue) lies ahead of the last commit, \(last.rawValue)",
      hint: "An offset is what a subscription of this database gave.", sqlState: "22023")
  }
}
