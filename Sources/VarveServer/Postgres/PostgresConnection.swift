// One client: the state machine on one side, its session on the other.
//
// Bytes come in on the event loop and wait in the inbox. A job on the worker pool takes them, asks the state machine
// for actions and carries them out, one at a time, with calls that may block. Only what comes before there is a session
// is done on the event loop. There is at most one job per connection at any time:
//
//   idle ──bytes, stop, gone──▶ running ──nothing left to do──▶ idle
//                                 │ ▲
//           the client reads too  │ │ it has read
//           slowly                ▼ │
//                               parked ──gone──▶ running
//   running ──closed──▶ dead
//
// A parked connection holds its statement in the middle of the result and no thread. Memory is bounded both ways:
// at most `outboundByteLimit` and a row wait to be sent, at most `inboundByteLimit` and one read wait to be taken,
// beside the one message that the state machine puts together.

import Logging
import NIOCore
import NIOPosix
import Synchronization
import VarveCore
import VarveWire

/// Unchecked: what belongs to the job is touched by nobody else, and one job after another passes through the lock
/// of `shared`; everything else is behind that lock or constant.
final class PostgresConnection: @unchecked Sendable {
  enum Job { case idle, running, parked, dead }

  struct Shared {
    var job: Job = .idle
    /// In the order they came. Short ones are joined, long ones not copied.
    var inbox: [ByteBuffer] = []
    var inboxByteCount = 0
    /// A read was held back since the inbox was full.
    var isReadHeldBack = false
    /// Bytes handed to the channel and not yet taken by the socket.
    var outstandingBytes = 0
    var isStarted = false
    var isStopping = false
    /// The channel is closed, or has to be without waiting for the statement.
    var isGone = false
    /// What `cancel` reaches while a statement runs.
    var running: CancelTarget?
    /// It came while a statement was on its way to a thread: the one that begins next is cancelled.
    var isCancelled = false
    /// The statement that runs waits for data of the client, perhaps without a job.
    var isCopying = false
    /// It was cancelled, or its time is over, since the job last looked.
    var mustCheckCopy = false
    /// Notifications wait to be told, at the next moment that is outside of a transaction.
    var hasNotifications = false
    /// Somebody ends the connection, and tells its client why.
    var ending: PostgresError?
    var idleTimer = IdleTimer()
  }

  /// Unchecked: only `cancel` is called through it, which any thread may do.
  struct CancelTarget: @unchecked Sendable {
    let session: any QuerySession
  }

  /// A result is written to the channel in pieces of this size.
  static let flushByteCount = 64 * 1024
  /// Bytes that come in less than this are joined with those before.
  private static let joinedByteCount = 16 * 1024
  /// A writer whose buffer grew beyond this by a long row is replaced.
  private static let keptBufferByteCount = 1024 * 1024

  let channel: any Channel
  let server: PostgresServerContext
  let shared = Mutex(Shared())

  // MARK: Of the job

  var machine = PostgresStateMachine<NamedStatement, StatementRun>()
  /// Has asked for a session, and waits for a thread.
  var newcomer: StartupParameters?
  var session: (any QuerySession)?
  var work: Work?
  var key: CancelKey?
  var holdsSessionSlot = false
  /// Of the session while it is open.
  var meter: SessionMeter?
  var receivedByteCount = 0
  /// The COPY that `work` has come to; until it ends, the client's messages are for it.
  var copy: CopyRun?
  /// Since the last Sync something else came: an answer is owed before the connection may be stopped.
  var isMidPipeline = false
  var logger: Logger

  /// What was begun and has more output to give.
  enum Work {
    case simpleQuery(SimpleQueryRun)
    case execute(StatementRun, rowLimit: Int?)
  }

  init(channel: any Channel, server: PostgresServerContext) {
    self.channel = channel
    self.server = server
    logger = server.logger
    logger[metadataKey: "peer"] = "\(channel.remoteAddress?.description ?? "?")"
  }

  // MARK: From the event loop

  func received(_ bytes: ByteBuffer) {
    var bytes = bytes
    let (mustWake, isStarted) = shared.withLock { shared in
      if shared.job == .dead { return (false, false) }
      shared.inboxByteCount += bytes.readableBytes
      if shared.inbox.isEmpty || bytes.readableBytes >= Self.joinedByteCount {
        shared.inbox.append(bytes)
      } else {
        shared.inbox[shared.inbox.count - 1].writeBuffer(&bytes)
      }
      return (shared.job == .idle, shared.isStarted)
    }
    guard mustWake else { return }
    if isStarted { wake() } else { greet() }
  }

  /// False: leave the bytes in the socket; the channel is read again once there is room.
  func takesMore() -> Bool {
    shared.withLock { shared in
      if shared.job == .dead { return true }
      guard shared.inboxByteCount >= server.options.inboundByteLimit else { return true }
      shared.isReadHeldBack = true
      return false
    }
  }

  /// The channel is closed. What runs for it is cancelled.
  func gone() {
    shared.withLock { shared in
      shared.isGone = true
      shared.running?.session.cancel()
    }
    wake()
  }

  func startupTimedOut() {
    if shared.withLock({ !$0.isStarted }) { channel.close(promise: nil) }
  }

  // MARK: From anywhere

  /// What a CancelRequest with this connection's key asks for.
  func cancel() {
    // Under the lock: once `endStatement` has taken `running` away, no cancel is still on its way.
    let mustWake = shared.withLock { shared in
      shared.running?.session.cancel()
      // Others see it as active from the moment its bytes are here.
      if shared.running == nil, shared.job == .running, !shared.inbox.isEmpty { shared.isCancelled = true }
      shared.mustCheckCopy = shared.isCopying
      return shared.isCopying
    }
    if mustWake { wake() }
  }

  /// The time of a COPY is over.
  func copyTimedOut() {
    let mustWake = shared.withLock { shared in
      shared.mustCheckCopy = shared.isCopying
      return shared.isCopying
    }
    if mustWake { wake() }
  }

  /// Ends the connection when its running statement, if any, is done.
  func stop() {
    let mustWake = shared.withLock { shared in
      shared.isStopping = true
      return shared.job == .idle
    }
    if mustWake { wake() }
  }

  /// Ends the connection now: what runs is cancelled, and a client that does not read is not waited for.
  func terminate() {
    let mustWake = shared.withLock { shared in
      shared.ending = Self.stopped
      shared.running?.session.cancel()
      shared.mustCheckCopy = shared.isCopying
      if shared.job == .parked { shared.isGone = true }
      return shared.job == .idle || shared.job == .parked
    }
    if mustWake { wake() }
  }

  func wake() { if takesJob() { submitJob() } }

  /// True: whoever asked is to do what there is to do, and nobody else.
  func takesJob() -> Bool {
    shared.withLock { shared in
      guard shared.job == .idle || shared.job == .parked else { return false }
      shared.job = .running
      return true
    }
  }

  func submitJob() {
    session?.waits(for: .worker)
    // What goes on with a result or a COPY is no short question.
    server.threads.submit(goingFirst: work == nil && copy == nil) { self.run() }
  }

  private func sent(_ byteCount: Int) {
    let mustWake = shared.withLock { shared in
      shared.outstandingBytes -= byteCount
      return shared.job == .parked && shared.outstandingBytes <= server.options.outboundByteLimit / 4
    }
    if mustWake { wake() }
  }

  // MARK: The job

  private func run() {
    session?.waits(for: nil)
    if let parameters = newcomer.take(), !shared.withLock({ $0.isGone }) { startUp(parameters) }
    while true {
      if shared.withLock({ $0.isGone }) { return end(lingering: false) }
      if isParked() { return }
      if work != nil, copy == nil { note(.running) }
      if copy != nil {
        checkCopy()
      } else if let work {
        resume(work)
        continue
      }
      if let ending = shared.withLock({ $0.ending }) { machine.terminate(ending) }
      if !isMidPipeline && shared.withLock({ $0.isStopping }) { machine.terminate(Self.stopped) }
      switch machine.next() {
      case .wait:
        // A cancel between the messages that make up one statement is meant for it, as long as they come together.
        if work == nil, copy == nil { endStatement() }
        if !isMidPipeline, copy == nil { tellNotifications() }
        flush()
        guard takeInbox() else { return }
      case .flush: flush()
      case .close:
        flush()
        return end(lingering: true)
      case .startUp(let parameters): startUp(parameters)
      case .cancel(let processID, let secretKey):
        server.cancel(CancelKey(processID: processID, secretKey: secretKey))
      case .simpleQuery(let sql):
        beginStatement()
        simpleQuery(sql)
      case .parse(let sql, let types):
        beginStatement()
        parse(sql, types)
      case .bind(let statement, let values, let portal):
        beginStatement()
        bind(statement, values, portal: portal)
      case .execute(let portal, let formats, let rowLimit):
        beginStatement()
        portal.formats = formats
        work = .execute(portal, rowLimit: rowLimit)
      case .synchronize(let failed):
        beginStatement()
        finish(failed: failed)
      case .copyData:
        // Others wait for this thread, too.
        guard receiveCopy() else { return submitJob() }
      case .copyDone: finishCopy()
      case .copyFailed(let error): failCopy(error)
      }
    }
  }

  static let stopped = PostgresError("57P01", "terminating connection due to administrator command")

  /// True: the client has to read before anything goes on, and another job will.
  private func isParked() -> Bool {
    guard shared.withLock({ !$0.isGone && $0.outstandingBytes > server.options.outboundByteLimit }) else {
      return false
    }
    note(.waitingForClient)
    return shared.withLock { shared in
      // It may have read meanwhile, and nobody would wake the job.
      guard !shared.isGone, shared.outstandingBytes > server.options.outboundByteLimit else { return false }
      session?.waits(for: .client)
      // The client may never read what it is told.
      if shared.ending != nil {
        shared.isGone = true
        return false
      }
      shared.job = .parked
      return true
    }
  }

  /// False: there was nothing, and the job has ended.
  func takeInbox() -> Bool {
    let limit = isMidPipeline || copy != nil ? nil : session?.idleLimit
    if copy != nil { session?.waits(for: .client) }
    let mayTell = !isMidPipeline && copy == nil && session?.transactionStatus == .idle
    let (bytes, wasHeldBack, goesOn, isOver) = shared.withLock { shared -> ([ByteBuffer], Bool, Bool, Bool) in
      let bytes = shared.inbox
      shared.inbox = []
      shared.inboxByteCount = 0
      let wasHeldBack = shared.isReadHeldBack
      shared.isReadHeldBack = false
      // What came since the job last looked is seen here, under the lock that makes the next event wake a new one.
      // A COPY is a running statement, though its client may be slow: when the server stops, it may come to its end.
      let isOver = shared.isGone || shared.ending != nil || (shared.isStopping && !shared.isCopying)
      let goesOn = !bytes.isEmpty || isOver || shared.mustCheckCopy || (mayTell && shared.hasNotifications)
      shared.mustCheckCopy = false
      if !goesOn {
        shared.job = .idle
        setIdleTimer(limit, &shared.idleTimer)
      }
      return (bytes, wasHeldBack, goesOn, isOver)
    }
    if wasHeldBack { channel.eventLoop.execute { self.channel.read() } }
    if !bytes.isEmpty { noteReceived(bytes.reduce(0) { $0 + $1.readableBytes }) }
    for buffer in bytes { buffer.withUnsafeReadableBytes { machine.receive($0) } }
    if bytes.isEmpty, isOver {
      // Stopping, or gone: nothing more is awaited of a pipeline either.
      machine.terminate(shared.withLock { $0.ending } ?? Self.stopped)
    }
    return goesOn
  }

  func flush() {
    let output = machine.writer.buffer
    let byteCount = output.count
    if byteCount == 0 { return }
    let buffer = channel.allocator.buffer(bytes: output.span)
    output.count = 0
    if output.capacity > Self.keptBufferByteCount { machine.writer = BackendWriter() }
    shared.withLock { $0.outstandingBytes += byteCount }
    server.countSent(byteCount)
    let promise = channel.eventLoop.makePromise(of: Void.self)
    promise.futureResult.whenComplete { _ in self.sent(byteCount) }
    channel.writeAndFlush(buffer, promise: promise)
  }

  /// The last of this connection. `lingering`: what was sent last is to be read by the peer, so the socket is not
  /// closed on bytes that it still sends, which would make its system throw away our answer.
  func end(lingering: Bool) {
    shared.withLock { shared in
      shared.job = .dead
      shared.inbox = []
      shared.running = nil
    }
    work = nil
    endCopy()
    machine = PostgresStateMachine()
    session?.close()
    session = nil
    closeMeter()
    if let key { server.release(key) }
    if holdsSessionSlot { server.releaseSessionSlot() }
    close(lingering: lingering)
    server.remove(self)
  }

  private func close(lingering: Bool) {
    let channel = self.channel
    guard lingering else { return channel.close(promise: nil) }
    channel.eventLoop.execute {
      // Behind all writes, which were enqueued before.
      channel.writeAndFlush(channel.allocator.buffer(capacity: 0)).whenComplete { _ in
        channel.close(mode: .output, promise: nil)
        channel.read()
        channel.eventLoop.scheduleTask(in: .seconds(1)) { channel.close(promise: nil) }
      }
    }
  }
}
