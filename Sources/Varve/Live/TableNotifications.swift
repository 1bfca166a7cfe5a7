// Commits of tables for those who LISTEN to them: channel `varve.table:readings`, a payload for each commit that wrote or
// deleted rows of the table.
//
//   {"table":"readings","offset":"17","rows":250,"deletes":false,"from":"2026-11-27 08:00:00+00","to":"2026-11-27 08:00:09.9+00"}
//
// Follows the feed only while somebody listens, and tells on a thread of its own kind, so that the committing thread only
// takes note.

import Synchronization
import VarveCompute
import VarveCore
import VarveQuery
import VarveStorage

final class TableNotifications: Sendable {
  private struct State: Sendable {
    var follower: Int?
    var told = VarveCore.Sequence.zero
    var isRunning = false
    var isWanted = false
  }

  private let state = Mutex(State())
  private let store: Store
  private let hub: NotificationHub
  private let workers: BlockingWorkers
  private let log: @Sendable (String) -> Void

  init(
    _ store: Store, _ hub: NotificationHub, _ workers: BlockingWorkers, log: @escaping @Sendable (String) -> Void
  ) {
    self.store = store
    self.hub = hub
    self.workers = workers
    self.log = log
  }

  /// Somebody listens, or nobody any more.
  func follow(_ isListening: Bool) {
    guard isListening else {
      if let follower = state.withLock({ $0.follower.take() }) { store.feed.unfollow(follower) }
      return
    }
    let follower = store.feed.follow(nil) { [weak self] in self?.wake() }
    let before = state.withLock { state in
      defer { state.follower = follower }
      state.told = store.feed.delivered
      return state.follower
    }
    if let before { store.feed.unfollow(before) }
  }

  /// Any thread; returns at once.
  private func wake() {
    let mustRun = state.withLock { state in
      state.isWanted = true
      defer { state.isRunning = true }
      return !state.isRunning
    }
    guard mustRun else { return }
    workers.begin { [self] in
      while state.withLock({ state in
        state.isRunning = state.isWanted && state.follower != nil
        state.isWanted = false
        return state.isRunning
      }) { tell() }
    }
  }

  private func tell() {
    var follower = LogFollower()
    defer { follower.close() }
    do {
      while true {
        let commits = try store.commits(after: state.withLock { $0.told }, &follower)
        guard let last = commits.last else { return }
        let snapshot = store.snapshot()
        let tables = hub.listenedTables.compactMap { snapshot.table(named: $0) }
        hub.post(commits.flatMap { commit in tables.compactMap { notification(of: commit, $0) } })
        state.withLock { $0.told = last.sequence }
      }
    } catch {
      // Those who listen are told of what comes next; how much was left out they see by the offsets.
      log("commits of tables are told with a gap: \(error)")
      state.withLock { $0.told = store.feed.delivered }
    }
  }

  private func notification(of commit: CommitContents, _ table: TableSchema) -> Notification? {
    guard let time = commit.time(of: table.id) else { return nil }
    func text(_ time: Int64) -> String {
      // A time always has a text.
      (try? TypeText.string(.timestamp(time), type: .timestamptz, context: EvaluationContext(now: 0))).map {
        "\"\($0)\""
      } ?? "null"
    }
    let hasDeletes = commit.deletions.contains { $0.table == table.id }
    return Notification(
      channel: Notification.tablePrefix + table.name,
      payload: "{\"table\":\(JSONWriter.quoted(table.name)),\"offset\":\"\(commit.sequence.rawValue)\","
        + "\"rows\":\(commit.rowCount(of: table.id)),\"deletes\":\(hasDeletes),"
        + "\"from\":\(time.lower == .min ? "null" : text(time.lower)),"
        + "\"to\":\(time.upper == .max ? "null" : text(time.upper))}",
      processID: 0)
  }
}
