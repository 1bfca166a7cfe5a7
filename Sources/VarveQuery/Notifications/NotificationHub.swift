// Who listens to which channel. One transaction's notifications reach everybody together and in order, also its own session.
//
// Each session that listens has a mailbox, of a bounded size: whoever does not take its notifications for so long that it
// is full is told so by its connection's end, never by a gap.

import Synchronization
import VarveCore

/// Notifications on their way to one session.
package final class NotificationMailbox: Sendable {
  private struct State: Sendable {
    var waiting: [Notification] = []
    var byteCount = 0
    var isFull = false
  }

  private let state = Mutex(State())
  /// Something came, or nothing fits any more. Any thread; returns at once.
  private let wake: @Sendable (_ isFull: Bool) -> Void

  package init(wake: @escaping @Sendable (_ isFull: Bool) -> Void) { self.wake = wake }

  func put(_ notifications: [Notification]) {
    let isFull = state.withLock { state in
      guard !state.isFull else { return true }
      state.waiting += notifications
      state.byteCount += notifications.reduce(0) { $0 + $1.byteCount }
      guard state.byteCount > Limits.waitingNotificationByteCount else { return false }
      state = State(isFull: true)
      return true
    }
    wake(isFull)
  }

  package func take() -> [Notification] {
    state.withLock { state in
      defer {
        state.waiting = []
        state.byteCount = 0
      }
      return state.waiting
    }
  }
}

package final class NotificationHub: Sendable {
  private struct State: Sendable {
    /// By session.
    var mailboxes: [Int32: NotificationMailbox] = [:]
    var channels: [Name: Set<Int32>] = [:]
    /// How many sessions listen to commits of tables.
    var tableListeners = 0
    var posted = 0
    var onTables: (@Sendable (Bool) -> Void)?
  }

  private let state = Mutex(State())

  package init() {}

  /// `body` is called when the first session begins to listen to commits of tables, and when the last one ends.
  package func onTableListeners(_ body: @escaping @Sendable (Bool) -> Void) { state.withLock { $0.onTables = body } }

  /// A session's committed changes, then its notifications.
  func apply(
    _ session: Int32, _ mailbox: NotificationMailbox?, unlisten: [Name], listen: [Name],
    post notifications: [Notification]
  ) {
    change { state in
      for name in unlisten { Self.remove(session, from: name, &state) }
      if let mailbox, !listen.isEmpty {
        state.mailboxes[session] = mailbox
        for name in listen where state.channels[name, default: []].insert(session).inserted {
          if Notification.table(ofChannel: name.text) != nil { state.tableListeners += 1 }
        }
      }
    }
    post(notifications)
  }

  /// The session is over.
  func leave(_ session: Int32, _ channels: [Name]) {
    change { state in
      for name in channels { Self.remove(session, from: name, &state) }
      state.mailboxes[session] = nil
    }
  }

  private func change(_ body: (inout State) -> Void) {
    let told = state.withLock { state -> (@Sendable (Bool) -> Void, Bool)? in
      let before = state.tableListeners > 0
      body(&state)
      let after = state.tableListeners > 0
      return before == after ? nil : state.onTables.map { ($0, after) }
    }
    if let (body, isListening) = told { body(isListening) }
  }

  private static func remove(_ session: Int32, from name: Name, _ state: inout State) {
    guard state.channels[name]?.remove(session) != nil else { return }
    if state.channels[name]?.isEmpty ?? false { state.channels[name] = nil }
    if Notification.table(ofChannel: name.text) != nil { state.tableListeners -= 1 }
  }

  /// In order, to everybody who listens.
  package func post(_ notifications: [Notification]) {
    guard !notifications.isEmpty else { return }
    // Under the lock, so that two transactions reach all in one order; mailboxes only take note.
    state.withLock { state in
      state.posted += notifications.count
      var bySession: [Int32: [Notification]] = [:]
      for notification in notifications {
        for session in state.channels[Name(notification.channel)] ?? [] {
          bySession[session, default: []].append(notification)
        }
      }
      for (session, notifications) in bySession { state.mailboxes[session]?.put(notifications) }
    }
  }

  /// Tables whose commits somebody listens to.
  package var listenedTables: [String] {
    state.withLock { $0.channels.keys.compactMap { Notification.table(ofChannel: $0.text) } }
  }

  package var counts: (listeners: Int, channels: Int, posted: Int) {
    state.withLock { ($0.mailboxes.count, $0.channels.count, $0.posted) }
  }
}
