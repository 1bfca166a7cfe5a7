// Who wants to know of commits. A slow listener loses the oldest notices, never holds up a commit, and can tell by the
// gap in the sequences.

import Synchronization
import VarveStorage

/// A commit, told after it became durable and visible.
public struct Commit: Sendable {
  /// The commit's number; grows by one with each commit.
  public let sequence: UInt64
  /// The tables that got rows, and how many.
  public let rows: [(table: String, count: Int)]
}

final class CommitSubscriptions: Sendable {
  private struct State: Sendable {
    var next = 0
    var listeners: [Int: AsyncStream<Commit>.Continuation] = [:]
    var finished = false
  }

  private let state = Mutex(State())

  func subscribe(bufferingNewest limit: Int) -> AsyncStream<Commit> {
    let (stream, continuation) = AsyncStream<Commit>.makeStream(bufferingPolicy: .bufferingNewest(limit))
    let key = state.withLock { state -> Int? in
      guard !state.finished else { return nil }
      state.next += 1
      state.listeners[state.next] = continuation
      return state.next
    }
    guard let key else {
      continuation.finish()
      return stream
    }
    continuation.onTermination = { [weak self] _ in self?.state.withLock { _ = $0.listeners.removeValue(forKey: key) } }
    return stream
  }

  func announce(_ notice: CommitNotice) {
    let listeners = state.withLock { Array($0.listeners.values) }
    guard !listeners.isEmpty else { return }
    let commit = Commit(sequence: notice.sequence.rawValue, rows: notice.rows)
    for listener in listeners { listener.yield(commit) }
  }

  func finish() {
    let listeners = state.withLock { state in
      state.finished = true
      defer { state.listeners.removeAll() }
      return Array(state.listeners.values)
    }
    for listener in listeners { listener.finish() }
  }
}

extension Database {
  /// Commits from now on, in order. At most `limit` wait to be read; beyond that the oldest are dropped, which shows
  /// as a gap in their sequences. Ends when the database closes.
  public func commits(bufferingNewest limit: Int = 1024) -> AsyncStream<Commit> {
    subscriptions.subscribe(bufferingNewest: limit)
  }
}
