// What comes before a session: SSLRequest, CancelRequest, StartupMessage. None of it blocks, so it is done on the event
// loop, at once: a request to cancel is heeded though all threads are busy with statements, and though its client is
// gone before anybody could have answered.

extension PostgresConnection {
  func greet() {
    guard takesJob() else { return }
    while true {
      if shared.withLock({ $0.isStopping }) { machine.terminate(Self.stopped) }
      switch machine.next() {
      case .wait:
        flush()
        guard takeInbox() else { return }
      case .flush: flush()
      case .cancel(let processID, let secretKey):
        server.cancel(CancelKey(processID: processID, secretKey: secretKey))
      case .startUp(let parameters):
        newcomer = parameters
        return submitJob()
      case .close:
        flush()
        return end(lingering: true)
      case .simpleQuery, .parse, .bind, .execute, .synchronize, .copyData, .copyDone, .copyFailed:
        preconditionFailure("a statement before there is a session")
      }
    }
  }
}
