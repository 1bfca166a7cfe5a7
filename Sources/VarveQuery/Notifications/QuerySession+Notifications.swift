// LISTEN, UNLISTEN and NOTIFY of a session. All take effect when the transaction commits, and not when it rolls back.

import VarveCompute
import VarveCore
import VarveStorage

extension QuerySession {
  /// For the connection: where notifications come to. Without it the session cannot listen.
  package func isNotified(_ wake: @escaping @Sendable (_ isFull: Bool) -> Void) {
    mailbox = NotificationMailbox(wake: wake)
  }

  package func takeNotifications() -> [Notification] { mailbox?.take() ?? [] }

  func listen(to channel: String, _ source: SourceText, at location: Int) throws {
    guard mailbox != nil else {
      throw source.unsupported(
        "LISTEN without the PostgreSQL protocol", at: location,
        hint: "Connect to the PostgreSQL port, or follow a query: /subscribe over HTTP, Database.subscribe in an app.")
    }
    try Notification.checkChannel(channel)
    let open = state.listening.count + state.pendingNotifications.changes.count
    guard open < Limits.channelsPerSession else {
      throw SQLError.make(
        "54000", "a session listens to at most \(Limits.channelsPerSession) channels", hint: "UNLISTEN some.")
    }
    if let table = Notification.table(ofChannel: channel) { try noteTable(table) }
    state.changePending { $0.add(.listen(channel)) }
  }

  /// A table of line protocol comes with its first row, so it need not be there.
  private func noteTable(_ name: String) throws {
    guard try snapshot().table(named: name) == nil else { return }
    state.add(
      .notice(
        severity: "NOTICE", sqlState: "00000",
        message: "there is no series table \"\(name)\"; the channel tells its commits once there is"))
  }

  func unlisten(_ channel: String?) { state.changePending { $0.add(.unlisten(channel)) } }

  func notify(_ channel: String, _ payload: String) throws { try state.notify(channel, payload) }

  /// The end of a transaction.
  func settleNotifications(committed: Bool) {
    let pending = state.takePendingNotifications()
    guard committed, !pending.isEmpty else { return }
    let before = state.listening
    var after = before
    for change in pending.changes {
      switch change {
      case .listen(let channel):
        let name = Name(channel)
        if !after.contains(name) { after.append(name) }
      case .unlisten(nil): after = []
      case .unlisten(let channel?): after.removeAll { $0 == Name(channel) }
      }
    }
    state.listens(to: after)
    state.monitor.notifications.apply(
      state.activity.processID, mailbox, unlisten: before.filter { !after.contains($0) },
      listen: after.filter { !before.contains($0) }, post: pending.notifications)
  }

  /// The session is over, or begins anew.
  func leaveChannels() {
    _ = state.takePendingNotifications()
    let channels = state.listening
    guard !channels.isEmpty else { return }
    state.listens(to: [])
    state.monitor.notifications.leave(state.activity.processID, channels)
  }
}

extension SessionState {
  func notify(_ channel: String, _ payload: String) throws {
    try Notification.check(channel, payload)
    let notification = Notification(channel: channel, payload: payload, processID: activity.processID)
    try changePending { try $0.add(notification) }
  }
}
