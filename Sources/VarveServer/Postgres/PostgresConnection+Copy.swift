// COPY … FROM STDIN of a connection: the client's data goes to the session as it comes. All of it runs in the
// connection's job, which ends while nothing comes; a cancel or the end of the statement's time begin another.

import NIOCore
import VarveCore
import VarveWire

/// A COPY that the client sends.
final class CopyRun {
  let receiver: any CopyReceiver
  /// Wakes the connection when the statement's time is over.
  let timeout: Scheduled<Void>?
  /// Since the job began.
  var receivedByteCount = 0

  init(_ receiver: any CopyReceiver, timeout: Scheduled<Void>?) {
    self.receiver = receiver
    self.timeout = timeout
  }
}

extension PostgresConnection {
  /// A job lets others have its thread after this much.
  private static let turnByteCount = 8 * 1024 * 1024

  func beginCopy(_ receiver: any CopyReceiver) {
    machine.beginCopyIn(format: receiver.format, columnCount: receiver.columnCount)
    let timeout = receiver.remainingNanoseconds.map { nanoseconds in
      // A little later: by then the session says so, too.
      channel.eventLoop.scheduleTask(in: .nanoseconds(nanoseconds) + .milliseconds(1)) { self.copyTimedOut() }
    }
    copy = CopyRun(receiver, timeout: timeout)
    shared.withLock { $0.isCopying = true }
    note(.reading)
  }

  func endCopy() {
    guard let copy else { return }
    copy.timeout?.cancel()
    self.copy = nil
    shared.withLock { $0.isCopying = false }
  }

  func checkCopy() {
    do {
      try copy?.receiver.check()
    } catch {
      failCopy(error)
    }
  }

  /// Takes all data that is at hand. False: that was much, and others should have their turn.
  func receiveCopy() -> Bool {
    guard let copy else { preconditionFailure("data of a COPY without one") }
    do {
      repeat {
        try machine.withCopyData { bytes in
          copy.receivedByteCount += bytes.count
          try copy.receiver.receive(bytes)
        }
      } while machine.nextCopyData()
    } catch {
      failCopy(error)
      return true
    }
    if copy.receivedByteCount < Self.turnByteCount { return true }
    copy.receivedByteCount = 0
    return false
  }

  func finishCopy() {
    guard let copy else { preconditionFailure("the end of a COPY without one") }
    do {
      let tag = try copy.receiver.finish()
      endCopy()
      noteRowsWritten(tag)
      try completeWork(tag)
    } catch {
      // Also an error of what follows the COPY is its statement's.
      if self.copy != nil { failCopy(error) } else { failWork(error) }
    }
  }

  func failCopy(_ error: any Error) {
    guard let copy else { preconditionFailure("a COPY that fails without one") }
    let failure = copy.receiver.abandon(Self.postgresError(error))
    endCopy()
    failWork(failure)
  }
}
