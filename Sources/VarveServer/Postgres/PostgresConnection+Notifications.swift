// LISTEN's answers: what others have said by NOTIFY, told when the client is between statements and in no transaction.
//
// They come from anywhere, at any time, and wait in the session's mailbox. A connection that does nothing is woken for
// them; one that is at work tells them before it says that it is ready.

import VarveWire

extension PostgresConnection {
  /// Any thread.
  func notified(isFull: Bool) {
    let mustWake = shared.withLock { shared in
      shared.hasNotifications = true
      if isFull {
        shared.ending = shared.ending ?? Self.notificationsPiledUp
        shared.running?.session.cancel()
        if shared.job == .parked { shared.isGone = true }
      }
      return shared.job == .idle || (isFull && shared.job == .parked)
    }
    if mustWake { wake() }
  }

  private static let notificationsPiledUp = PostgresError(
    .fatal, "53200", "terminating connection: too many notifications wait for it",
    hint: "A client that listens has to read, and a transaction must not stay open for long.")

  /// Of the job: outside of a transaction, else they wait.
  func tellNotifications() {
    guard let session, session.transactionStatus == .idle else { return }
    let hadSome = shared.withLock { shared in
      defer { shared.hasNotifications = false }
      return shared.hasNotifications
    }
    guard hadSome else { return }
    for each in session.takeNotifications() {
      machine.notification(processID: each.processID, channel: each.channel, payload: each.payload)
    }
  }
}
