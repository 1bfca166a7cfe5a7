// One line protocol connection: the session's actions carried out on a channel.
//
// The socket is read only when the session, the store and the client's own reading of answers allow it; there is
// never more than one chunk of text in memory. A batch that the store cannot take for now is offered again until it
// can: nothing is dropped, and the client is slowed down by not being read.

import Logging
import NIOCore
import VarveCore
import VarveStorage
import VarveWire

final class LineProtocolHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let options: LineProtocolServerOptions
  private let sink: any BatchSink
  private let connections: IngestConnections
  private let counters: IngestCounters
  private var logger: Logger
  private let now: @Sendable () -> Int64
  private let session: LineProtocolSession
  private let writer = IngestWriter(.lineProtocol)
  private let meter: IngestMeter
  private let receiveBuffers: ReceiveBuffers
  /// Held so that the channel takes later ones from `receiveBuffers`.
  private var firstBuffer: ByteBuffer?
  /// While the channel is active.
  private var account: LineProtocolAccount?

  private var context: ChannelHandlerContext?
  /// Set once; completions come after the connection is gone, too.
  private var eventLoop: (any EventLoop)?
  private var isReading = false
  private var isInputClosed = false
  /// The last answer is written, or the connection is gone: no more actions.
  private var isEnding = false
  private var unreadByteCount = 0
  private var stalled: Scheduled<Void>?
  private var linger: Scheduled<Void>?
  private var overfull: Scheduled<Void>?
  private var loggedCount = 0
  private var countedRows = 0
  private var countedRejections = 0
  /// Refused for now; offered again together.
  private var refused: [(id: Int, batches: [PointBatch])] = []
  private var retry: Scheduled<Void>?

  private static let logLimit = 100

  init(
    options: LineProtocolServerOptions, sink: any BatchSink, connections: IngestConnections,
    counters: IngestCounters, meter: IngestMeter, receiveBuffers: ReceiveBuffers, logger: Logger,
    now: @escaping @Sendable () -> Int64
  ) {
    self.options = options
    self.sink = sink
    self.connections = connections
    self.counters = counters
    self.meter = meter
    self.receiveBuffers = receiveBuffers
    self.logger = logger
    self.now = now
    session = LineProtocolSession(options: options.lines, inFlightByteLimit: options.inFlightByteLimit)
  }

  // MARK: the channel's events

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    eventLoop = context.eventLoop
  }

  func channelActive(context: ChannelHandlerContext) {
    let client = context.remoteAddress.map { ListenAddress(host: $0.ipAddress ?? "?", port: $0.port ?? 0).description }
    logger[metadataKey: "client"] = "\(client ?? "unknown")"
    account = LineProtocolAccount(meter: meter, client: client ?? "unknown", since: now())
    counters.withLockedValue { $0.connections += 1 }
    logger.debug("line protocol connection opened")
    if connections.isStopping {
      context.close(promise: nil)
    } else {
      readIfWanted()
    }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let buffer = Self.unwrapInboundIn(data)
    if firstBuffer == nil { firstBuffer = buffer }
    counters.withLockedValue { $0.bytesReceived += buffer.readableBytes }
    account?.received(buffer.readableBytes)
    let began = NIODeadline.now()
    if !isEnding { run(buffer.withUnsafeReadableBytes { session.receive($0, now: now()) }, began: began) }
    receiveBuffers.give(buffer)
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    isReading = false
    readIfWanted()
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    switch event {
    case ChannelEvent.inputClosed:
      isInputClosed = true
      if isEnding {
        if linger != nil { context.close(promise: nil) }
      } else {
        run(session.receiveEnd(now: now()))
      }
    case is ListenerStops:
      if !isEnding { run(session.receiveStop()) }
    default:
      context.fireUserInboundEventTriggered(event)
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    stalled?.cancel()
    linger?.cancel()
    overfull?.cancel()
    // Whole lines that have arrived are written even if nobody waits for the answer.
    if !isEnding { run(session.receiveStop()) }
    isEnding = true
    self.context = nil
    closeAccountIfDone()
    logger.debug("line protocol connection closed", metadata: ["rejected": "\(session.linesRejected)"])
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    logger.info("line protocol connection failed", metadata: ["error": "\(error)"])
    counters.withLockedValue { $0.connectionsAborted += 1 }
    context.close(promise: nil)
  }

  // MARK: the session's actions

  private func run(_ actions: [LineProtocolSession.Action], began: NIODeadline = .now()) {
    // First of all: the last answer may end the connection, and its account with it, within this call.
    for case .submit(_, let batches) in actions { account?.submitted(batches) }
    account?.note(session, began: began)
    for action in actions {
      switch action {
      case .submit(let id, let batches):
        connections.submissionBegins()
        submit(id, batches)
      case .reply(let bytes): reply(bytes)
      case .log(let rejections): log(rejections)
      case .close: end()
      }
    }
    count()
  }

  private func submit(_ id: Int, _ batches: [PointBatch]) {
    guard let eventLoop = eventLoop else { preconditionFailure("a handler that has been added knows its loop") }
    if !refused.isEmpty {
      // Behind what was refused, so that the newest write of a row stays the last.
      refused.append((id, batches))
      return
    }
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    sink.submit(batches, from: writer) { result in
      eventLoop.execute { bound.value.completed(id, batches, result) }
    }
  }

  private func completed(_ id: Int, _ batches: [PointBatch], _ result: Result<[WriteResult], VarveError>) {
    switch result {
    case .failure(let error) where isTemporary(error) && !connections.isStopping:
      if retry == nil { logger.warning("the store cannot take rows for now", metadata: ["error": "\(error)"]) }
      refused.append((id, batches))
      offerAgainLater()
      readIfWanted()
      return
    case .failure(let error):
      logger.error("rows were not written", metadata: ["error": "\(error)"])
      run(session.complete(id: id, .failure(error)))
    case .success(let results):
      account?.completed(results)
      run(
        session.complete(
          id: id,
          .success(
            results.map {
              LineProtocolCompletion(
                rowsWritten: $0.rowsWritten, sequence: $0.sequence.rawValue, rejections: $0.rejections)
            })))
    }
    connections.submissionEnds()
    readIfWanted()
    closeAccountIfDone()
  }

  private func closeAccountIfDone() {
    guard context == nil, !session.hasSubmissionsInFlight else { return }
    account?.close()
    account = nil
  }

  private func isTemporary(_ error: VarveError) -> Bool { error.code == .diskFull || error.code == .overloaded }

  private func offerAgainLater() {
    guard retry == nil, let eventLoop else { return }
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    retry = eventLoop.scheduleTask(in: .milliseconds(options.retryMilliseconds)) { bound.value.offerAgain() }
  }

  private func offerAgain() {
    retry = nil
    let waiting = refused
    refused = []
    for (id, batches) in waiting.sorted(by: { $0.id < $1.id }) { submit(id, batches) }
  }

  private func reply(_ bytes: [UInt8]) {
    guard let context, !isEnding else { return }
    unreadByteCount += bytes.count
    if unreadByteCount > options.unreadAnswerByteMaximum {
      abort("the client does not read its answers")
      return
    }
    let promise = context.eventLoop.makePromise(of: Void.self)
    let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
    let count = bytes.count
    promise.futureResult.whenComplete { _ in bound.value.answered(count) }
    context.writeAndFlush(Self.wrapOutboundOut(context.channel.allocator.buffer(bytes: bytes)), promise: promise)
    watchForStall()
  }

  private func answered(_ byteCount: Int) {
    unreadByteCount -= byteCount
    stalled?.cancel()
    stalled = nil
    watchForStall()
    readIfWanted()
  }

  private func watchForStall() {
    guard unreadByteCount > 0, stalled == nil, let context else { return }
    let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
    stalled = context.eventLoop.scheduleTask(in: .milliseconds(options.stalledClientMilliseconds)) {
      bound.value.abort("the client has not read its answers for \(bound.value.options.stalledClientMilliseconds) ms")
    }
  }

  private func abort(_ reason: String) {
    guard let context else { return }
    logger.warning("line protocol connection cut off", metadata: ["reason": "\(reason)"])
    counters.withLockedValue { $0.connectionsAborted += 1 }
    context.close(promise: nil)
  }

  /// Closes behind the last answer. A client that still sends is read for a while, for a reset would destroy the
  /// answer on its way.
  private func end() {
    guard let context, !isEnding else { return }
    isEnding = true
    let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
    let flushed = context.eventLoop.makePromise(of: Void.self)
    flushed.futureResult.whenComplete { _ in bound.value.closeAfterAnswer() }
    context.writeAndFlush(Self.wrapOutboundOut(ByteBuffer()), promise: flushed)
  }

  private func closeAfterAnswer() {
    guard let context else { return }
    if isInputClosed {
      context.close(promise: nil)
      return
    }
    let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
    linger = context.eventLoop.scheduleTask(in: .milliseconds(options.lingerMilliseconds)) {
      bound.value.context?.close(promise: nil)
    }
    context.close(mode: .output, promise: nil)
    readIfWanted()
  }

  // MARK: reading, counting, logging

  private func readIfWanted() {
    guard let context else { return }
    let state = self.state
    account?.note(state)
    if state == .reading, sink.isOverfull {
      // Nothing of ours is with the store, so no completion will come back here.
      lookAgainLater(context)
      return
    }
    guard !isReading, !isInputClosed, context.channel.isActive, state == .reading || (isEnding && linger != nil) else {
      return
    }
    isReading = true
    context.read()
  }

  private var state: ConnectionState {
    if isEnding { return .closing }
    if !refused.isEmpty { return .waitingForRoom }
    if unreadByteCount > options.unreadAnswerByteLimit { return .waitingForClient }
    let mayGoOn = session.wantsMoreInput && !(sink.isSaturated && session.hasSubmissionsInFlight)
    return mayGoOn ? .reading : .waitingForStore
  }

  private func lookAgainLater(_ context: ChannelHandlerContext) {
    guard overfull == nil else { return }
    let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
    overfull = context.eventLoop.scheduleTask(in: .milliseconds(10)) {
      bound.value.overfull = nil
      bound.value.readIfWanted()
    }
  }

  private func count() {
    let rows = session.rowsCompleted - countedRows
    let rejections = session.linesRejected - countedRejections
    guard rows > 0 || rejections > 0 else { return }
    countedRows += rows
    countedRejections += rejections
    counters.withLockedValue {
      $0.rowsWritten += rows
      $0.linesRejected += rejections
    }
  }

  private func log(_ rejections: [Rejection]) {
    for rejection in rejections.prefix(max(0, Self.logLimit - loggedCount)) {
      logger.notice(
        "line rejected",
        metadata: [
          "line": "\(rejection.line)", "column": "\(rejection.column)", "code": "\(rejection.code.rawValue)",
          "message": "\(rejection.message)",
        ])
    }
    if loggedCount < Self.logLimit, loggedCount + rejections.count >= Self.logLimit {
      logger.notice("more rejected lines of this connection are counted, not logged")
    }
    loggedCount += rejections.count
  }
}
