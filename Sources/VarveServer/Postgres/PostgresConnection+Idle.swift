// Connections that do nothing for too long are ended, with what their session says to that.
//
// A statement's end only writes down until when its client may be idle. One task of the event loop looks at that when
// the time may have come, and again later if the client did something meanwhile, so that a busy connection pays for no
// timer.

import NIOCore
import VarveWire

/// Behind the lock of the connection.
struct IdleTimer {
  /// While the connection is idle; nil: for as long as it likes.
  var deadline: NIODeadline?
  var error: PostgresError?
  /// When the event loop looks next.
  var looksAt: NIODeadline?
}

extension PostgresConnection {
  /// The job ends since nothing is left to do. Called under the lock.
  func setIdleTimer(_ limit: IdleLimit?, _ timer: inout IdleTimer) {
    guard let limit else {
      timer.deadline = nil
      return
    }
    let deadline = NIODeadline.now() + .nanoseconds(limit.nanoseconds)
    timer.deadline = deadline
    timer.error = limit.error
    if timer.looksAt.map({ $0 > deadline }) ?? true { lookAtIdle(at: deadline, &timer) }
  }

  private func lookAtIdle(at deadline: NIODeadline, _ timer: inout IdleTimer) {
    timer.looksAt = deadline
    channel.eventLoop.scheduleTask(deadline: deadline) { [weak self] in self?.lookAtIdle(plannedFor: deadline) }
  }

  private func lookAtIdle(plannedFor planned: NIODeadline) {
    let mustWake = shared.withLock { shared in
      // An earlier look has been planned meanwhile, and goes on.
      guard shared.idleTimer.looksAt == planned else { return false }
      shared.idleTimer.looksAt = nil
      guard shared.job == .idle, let deadline = shared.idleTimer.deadline else { return false }
      if deadline > NIODeadline.now() {
        lookAtIdle(at: deadline, &shared.idleTimer)
        return false
      }
      shared.ending = shared.idleTimer.error
      return true
    }
    if mustWake { wake() }
  }
}
