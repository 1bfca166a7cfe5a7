// One HTTP connection: requests in, one at a time, answers out. The handlers before it keep answers in order for
// clients that send several requests at once, and unpack bodies.

import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPCompression
import VarveCore
import VarveStorage
import VarveWire

final class HTTPHandler: ChannelDuplexHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundIn = HTTPServerResponsePart
  typealias OutboundOut = HTTPServerResponsePart

  enum State {
    case idle
    case write(WriteRequest)
    /// A query whose text comes in the body.
    case form(ByteBuffer)
    /// The body does not matter; the answer comes at its end.
    case ignoringBody(HTTPAnswer)
    /// The answer is being made, or is the store's to give; the request is complete.
    case answering
    /// A query's rows come piece by piece.
    case streaming(QueryAnswer)
    /// Answered before the body was over: the connection ends, what still comes is dropped.
    case closing
  }

  let options: HTTPServerOptions
  let services: HTTPServices
  private let sink: any BatchSink
  private let connections: IngestConnections
  private let counters: IngestCounters
  private let meter: IngestMeter
  let logger: Logger

  /// While the channel is active.
  private var connection: ConnectionMeter?
  private(set) var state = State.idle
  private(set) var head: HTTPRequestHead?
  private(set) var target: RequestTarget?
  private var writeRequest: WriteRequest?
  private(set) var context: ChannelHandlerContext?
  private var isInputClosed = false
  private var readIsHeld = false

  init(
    options: HTTPServerOptions, services: HTTPServices, sink: any BatchSink, connections: IngestConnections,
    counters: IngestCounters, meter: IngestMeter, logger: Logger
  ) {
    self.options = options
    self.services = services
    self.sink = sink
    self.connections = connections
    self.counters = counters
    self.meter = meter
    self.logger = logger
  }

  // MARK: the channel's events

  func handlerAdded(context: ChannelHandlerContext) { self.context = context }

  func channelActive(context: ChannelHandlerContext) {
    counters.withLockedValue { $0.connections += 1 }
    let client = context.remoteAddress.map { ListenAddress(host: $0.ipAddress ?? "?", port: $0.port ?? 0).description }
    connection = meter.open(listener: "http", client: client ?? "unknown", since: services.now())
    context.fireChannelActive()
  }

  func channelInactive(context: ChannelHandlerContext) {
    self.context = nil
    if case .streaming(let query) = state { query.run.cancel() }
    state = .closing
    writeRequest = nil
    if let connection { meter.close(connection) }
    connection = nil
    context.fireChannelInactive()
  }

  func read(context: ChannelHandlerContext) {
    if let writeRequest, !writeRequest.wantsMoreInput {
      readIsHeld = true
    } else {
      context.read()
    }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch Self.unwrapInboundIn(data) {
    case .head(let head): begin(head)
    case .body(let buffer): receive(buffer)
    case .end: finish()
    }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    switch event {
    case ChannelEvent.inputClosed:
      isInputClosed = true
      // Who asked for rows and has nothing more to say has most likely gone: they may be many, and long in coming.
      if case .answering = state { return }
      context.close(promise: nil)
    case is IdleStateHandler.IdleStateEvent:
      switch state {
      case .answering: return
      // A client that takes nothing for so long has gone; a query may well run for longer.
      case .streaming(let query) where !query.isPieceOnItsWay: return
      default: context.close(promise: nil)
      }
    default:
      context.fireUserInboundEventTriggered(event)
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    switch error {
    case is HTTPParserError:
      guard case .idle = state else {
        context.close(promise: nil)
        return
      }
      head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/")
      answerAndClose(
        .error(
          .badRequest, "invalid",
          "this port takes HTTP/1.1, and this is not (\(error)); line protocol over TCP "
            + "is on the --line-protocol port (9009 unless set otherwise), SQL on the --postgres port (5433)"))
    case NIOHTTPDecompression.DecompressionError.limit:
      if case .closing = state { return }
      answerAndClose(tooLarge())
    case is NIOHTTPDecompression.DecompressionError, is NIOHTTPDecompression.ExtraDecompressionError:
      if case .closing = state { return }
      answerAndClose(.error(.badRequest, "invalid", "the body is not what Content-Encoding says: \(error)"))
    default:
      logger.info("HTTP connection failed", metadata: ["error": "\(error)"])
      counters.withLockedValue { $0.connectionsAborted += 1 }
      context.close(promise: nil)
    }
  }

  // MARK: requests

  private func begin(_ head: HTTPRequestHead) {
    guard case .idle = state else { return }
    self.head = head
    guard let target = RequestTarget(uri: head.uri) else {
      refuse(.error(.badRequest, "invalid", "the request's address is malformed"))
      return
    }
    self.target = target
    switch (target.path, head.method) {
    case ("/write", .POST), ("/api/v2/write", .POST): beginWrite(head, target)
    case ("/query", .POST), ("/subscribe", .POST):
      expectBody(head)
      state = .form(ByteBuffer())
    case ("/ping", .GET), ("/ping", .HEAD):
      state = .ignoringBody(
        .noContent([("X-Influxdb-Version", options.influxVersion), ("X-Influxdb-Build", "OSS")]))
    case ("/query", .GET), ("/subscribe", .GET), ("/health", .GET), ("/health", .HEAD), ("/metrics", .GET),
      ("/metrics", .HEAD):
      state = .form(ByteBuffer())
    case ("/write", _), ("/api/v2/write", _): refuse(methodNotAllowed("POST"))
    case ("/query", _), ("/subscribe", _): refuse(methodNotAllowed("GET, POST"))
    case ("/ping", _), ("/health", _), ("/metrics", _): refuse(methodNotAllowed("GET, HEAD"))
    default:
      refuse(
        .error(
          .notFound, "not found",
          "there is no '\(target.path)' here; /write, /api/v2/write, /query, /subscribe, /ping, "
            + "/health and /metrics are"))
    }
  }

  private func beginWrite(_ head: HTTPRequestHead, _ target: RequestTarget) {
    var precision = TimestampPrecision.nanoseconds
    if let name = target["precision"], !name.isEmpty {
      guard let known = TimestampPrecision(name: name) else {
        refuse(
          .error(.badRequest, "invalid", "precision '\(name)' is none of \(TimestampPrecision.names)"))
        return
      }
      precision = known
    }
    let encodings = head.headers[canonicalForm: "Content-Encoding"].map { $0.lowercased() }
    guard encodings.count <= 1, encodings.allSatisfy({ ["gzip", "deflate", "identity", ""].contains($0) }) else {
      refuse(.error(.unsupportedMediaType, "unsupported media type", "Content-Encoding is gzip, deflate or identity"))
      return
    }
    if let length = head.headers.first(name: "Content-Length").flatMap({ Int($0) }), length > options.bodyByteLimit {
      refuse(tooLarge())
      return
    }
    if sink.isSaturated {
      refuse(
        .unavailable("overloaded: more is queued than the store can take", retryAfterSeconds: options.retryAfterSeconds)
      )
      return
    }
    if options.gatheringMemory?.isExhausted == true {
      refuse(
        .unavailable(
          "overloaded: requests that are under way have used up the memory for their bodies",
          retryAfterSeconds: options.retryAfterSeconds))
      return
    }
    guard let context else { return }
    expectBody(head)
    let request = WriteRequest(
      precision: precision, options: options, sink: sink, connections: connections, counters: counters,
      meter: meter, eventLoop: context.eventLoop, now: services.now,
      progress: { [weak self] in self?.writeProgressed() })
    writeRequest = request
    connection?.update { $0.unansweredSyncs = 1 }
    state = .write(request)
  }

  private func expectBody(_ head: HTTPRequestHead) {
    guard head.version == .http1_1,
      head.headers[canonicalForm: "Expect"].contains(where: { $0.lowercased() == "100-continue" })
    else { return }
    context?.writeAndFlush(
      Self.wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .continue))), promise: nil)
  }

  private func receive(_ buffer: ByteBuffer) {
    counters.withLockedValue { $0.bytesReceived += buffer.readableBytes }
    connection?.update { $0.receivedByteCount += buffer.readableBytes }
    switch state {
    case .write(let request):
      if !request.receive(buffer) {
        answerAndClose(tooLarge())
      } else {
        noteState(of: request)
      }
    case .form(var text):
      guard text.readableBytes + buffer.readableBytes <= options.queryByteLimit else {
        answerAndClose(
          .error(.payloadTooLarge, "request too large", "a query has at most \(options.queryByteLimit) bytes"))
        return
      }
      state = .idle
      text.writeImmutableBuffer(buffer)
      state = .form(text)
    case .idle, .ignoringBody, .answering, .streaming, .closing: break
    }
  }

  private func finish() {
    switch state {
    case .write(let request):
      state = .answering
      request.finish()
      writeProgressed()
    case .form(let text):
      state = .answering
      route(text)
    case .ignoringBody(let answer): self.answer(answer)
    case .idle, .answering, .streaming, .closing: break
    }
  }

  private func writeProgressed() {
    guard let request = writeRequest else { return }
    noteState(of: request)
    if readIsHeld, request.wantsMoreInput {
      readIsHeld = false
      context?.read()
    }
    if case .answering = state, let answer = request.answer() {
      writeRequest = nil
      noteAnswer(to: request)
      self.answer(answer)
    }
  }

  // MARK: for the meters

  private func noteState(of request: WriteRequest) {
    let isWaiting = if case .answering = state { true } else { !request.wantsMoreInput }
    connection?.update { counts in
      counts.state = isWaiting ? .waitingForStore : .reading
      counts.inFlightByteCount = request.inFlightByteCount
    }
  }

  private func noteAnswer(to request: WriteRequest) {
    let nanoseconds = request.answered()
    connection?.update { counts in
      counts.state = .reading
      counts.inFlightByteCount = request.inFlightByteCount
      counts.rows += request.rowsWritten
      counts.rejected += request.rejectedCount
      counts.unansweredSyncs = 0
      counts.answered(nanoseconds)
    }
  }

  // MARK: answers

  private func tooLarge() -> HTTPAnswer {
    .error(
      .payloadTooLarge, "request too large",
      "a write has at most \(options.bodyByteLimit) bytes; lines before that may have been written")
  }

  private func methodNotAllowed(_ allowed: String) -> HTTPAnswer {
    .error(.methodNotAllowed, "method not allowed", "only \(allowed) is allowed here", headers: [("Allow", allowed)])
  }

  /// An answer to a request whose body does not matter. A client that waits for 100-continue has not sent it and
  /// must not; a short one is read, a long one ends the connection.
  private func refuse(_ answer: HTTPAnswer) {
    guard let head else { return }
    let length = head.headers.first(name: "Content-Length").flatMap { Int($0) } ?? 0
    let isShort = length <= 64 * 1024 && !head.headers.contains(name: "Transfer-Encoding")
    if isShort, !head.headers.contains(name: "Expect") {
      state = .ignoringBody(answer)
    } else {
      answerAndClose(answer)
    }
  }

  func answer(_ answer: HTTPAnswer) {
    guard let context, let head else { return }
    let keepsAlive = endRequest(head)
    send(answer, to: head, keepsAlive: keepsAlive, context: context)
  }

  func countSent(_ byteCount: Int) { counters.withLockedValue { $0.bytesSent += byteCount } }

  func stream(_ query: QueryAnswer) { state = .streaming(query) }

  /// Before the end of the answer leaves: with it the next request may already come in, from within the write.
  /// True: the connection stays open for it.
  func endRequest(_ head: HTTPRequestHead) -> Bool {
    let keepsAlive = head.isKeepAlive && !isInputClosed && !connections.isStopping
    self.head = nil
    target = nil
    state = keepsAlive ? .idle : .closing
    return keepsAlive
  }

  /// Before the request is over: what is left of it is read for a while and dropped.
  private func answerAndClose(_ answer: HTTPAnswer) {
    guard let context, let head else { return }
    state = .closing
    if let writeRequest { noteAnswer(to: writeRequest) }
    writeRequest = nil
    if readIsHeld {
      readIsHeld = false
      context.read()
    }
    send(answer, to: head, keepsAlive: false, context: context)
  }

  private func send(_ answer: HTTPAnswer, to head: HTTPRequestHead, keepsAlive: Bool, context: ChannelHandlerContext) {
    var headers = HTTPHeaders()
    for (name, value) in answer.headers { headers.add(name: name, value: value) }
    if let contentType = answer.contentType { headers.add(name: "Content-Type", value: contentType) }
    if answer.status != .noContent { headers.add(name: "Content-Length", value: "\(answer.body.count)") }
    if !keepsAlive {
      headers.add(name: "Connection", value: "close")
    } else if head.version == .http1_0 {
      headers.add(name: "Connection", value: "keep-alive")
    }
    context.write(
      Self.wrapOutboundOut(.head(HTTPResponseHead(version: head.version, status: answer.status, headers: headers))),
      promise: nil)
    if !answer.body.isEmpty, head.method != .HEAD {
      countSent(answer.body.count)
      context.write(Self.wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: answer.body)))), promise: nil)
    }
    sendEnd(keepsAlive: keepsAlive, context: context)
  }

  func sendEnd(keepsAlive: Bool, context: ChannelHandlerContext) {
    let sent = context.eventLoop.makePromise(of: Void.self)
    if !keepsAlive {
      let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
      sent.futureResult.whenComplete { _ in bound.value.linger() }
    }
    context.writeAndFlush(Self.wrapOutboundOut(.end(nil)), promise: sent)
  }

  private func linger() {
    guard let context else { return }
    if isInputClosed {
      context.close(promise: nil)
      return
    }
    let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
    context.eventLoop.scheduleTask(in: .milliseconds(options.lingerMilliseconds)) {
      bound.value.context?.close(promise: nil)
    }
    context.close(mode: .output, promise: nil)
  }
}
