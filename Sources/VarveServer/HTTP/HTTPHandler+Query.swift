// The requests that read: SQL, health and metrics. Their answers are made elsewhere and come when they come.

import NIOCore
import NIOHTTP1
import VarveCore
import VarveWire

extension HTTPHandler {
  func route(_ body: ByteBuffer) {
    guard let target, let head else { preconditionFailure("a request that is answered has a head") }
    let services = services
    switch target.path {
    case "/query": query(target, head, body)
    case "/subscribe": subscribe(target, head, body)
    case "/health":
      let version = options.version
      later { HTTPHandler.healthAnswer(await services.health(), version: version) }
    default:
      guard let metrics = services.metrics else {
        answer(.error(.notFound, "not found", "this server has no metrics"))
        return
      }
      later {
        HTTPAnswer(
          status: .ok, contentType: "text/plain; version=0.0.4; charset=utf-8", body: Array(await metrics().utf8))
      }
    }
  }

  private static func healthAnswer(_ health: HealthReport, version: String) -> HTTPAnswer {
    var json = Array("{\"name\":\"varve\",\"message\":".utf8)
    JSONText.append(health.message, to: &json)
    json += Array(",\"status\":\"\(health.isHealthy ? "pass" : "fail")\",\"checks\":[],\"version\":".utf8)
    JSONText.append(version, to: &json)
    json += Array("}\n".utf8)
    return .json(health.isHealthy ? .ok : .serviceUnavailable, json)
  }

  private func query(_ target: RequestTarget, _ head: HTTPRequestHead, _ body: ByteBuffer) {
    let request: HTTPQueryRequest
    do throws(HTTPQueryRefusal) {
      request = try queryRequest(target, head, body).query
    } catch {
      return answer(.error(.badRequest, "invalid", error.message))
    }
    if HTTPHandler.createsDatabase(request.sql) {
      return answer(.json(.ok, Array("{\"results\":[{\"statement_id\":0}]}\n".utf8)))
    }
    guard let query = services.query, let context else {
      return answer(.error(.notImplemented, "unsupported", "this server answers no SQL over HTTP"))
    }
    let running = QueryAnswer(query(request), to: request)
    stream(running)
    pull(running, context.eventLoop)
  }

  /// Where to go on stands in the header that browsers send when they come again, or in the address.
  private func subscribe(_ target: RequestTarget, _ head: HTTPRequestHead, _ body: ByteBuffer) {
    let subscription: HTTPSubscription
    do throws(HTTPQueryRefusal) {
      let (query, parameter) = try queryRequest(target, head, body)
      guard query.format == .json else { throw HTTPQueryRefusal("a subscription is told as JSON: leave format out") }
      let offset = head.headers.first(name: "Last-Event-ID").flatMap { $0.isEmpty ? nil : $0 } ?? parameter("offset")
      subscription = HTTPSubscription(
        query: query, offset: offset, grace: parameter("grace"), heartbeatSeconds: options.heartbeatSeconds)
    } catch {
      return answer(.error(.badRequest, "invalid", error.message))
    }
    guard let subscribe = services.subscribe, let context else {
      return answer(.error(.notImplemented, "unsupported", "this server has no subscriptions"))
    }
    let running = QueryAnswer.subscription(subscribe(subscription))
    stream(running)
    pull(running, context.eventLoop)
  }

  /// Parameters stand in the address or in a form; without a form the body is the SQL text.
  private func queryRequest(_ target: RequestTarget, _ head: HTTPRequestHead, _ body: ByteBuffer)
    throws(HTTPQueryRefusal) -> (query: HTTPQueryRequest, parameter: (String) -> String?)
  {
    var form = RequestTarget.Parameters()
    var raw: String?
    if body.readableBytes > 0 {
      guard let text = String(validating: body.readableBytesView, as: UTF8.self) else {
        throw HTTPQueryRefusal("the query is not UTF-8")
      }
      let type = head.headers.first(name: "Content-Type")?.lowercased() ?? ""
      if type.hasPrefix("application/x-www-form-urlencoded") {
        guard let parameters = RequestTarget.parameters(text) else {
          throw HTTPQueryRefusal("the form in the body is malformed")
        }
        form = parameters
      } else {
        raw = text
      }
    }
    func parameter(_ name: String) -> String? { target[name] ?? form[name] }
    guard let sql = parameter("q") ?? raw, !sql.isEmpty else {
      throw HTTPQueryRefusal("parameter q with the SQL is missing")
    }
    guard let format = HTTPQueryFormat(rawValue: parameter("format") ?? "json") else {
      throw HTTPQueryRefusal("format is json or csv")
    }
    var request = HTTPQueryRequest(
      sql: sql, format: format, database: parameter("db") ?? options.defaultDatabase)
    if let text = parameter("params") {
      guard let values = JSONScalars.array(text) else {
        throw HTTPQueryRefusal("params is a JSON array of texts, numbers, booleans and nulls, for $1, $2, …")
      }
      request.parameters = values
    }
    request.timeout = parameter("timeout")
    request.isPacked = GzipStream.isAccepted(head.headers[canonicalForm: "Accept-Encoding"])
    request.clientAddress = context?.remoteAddress.map {
      ListenAddress(host: $0.ipAddress ?? "?", port: $0.port ?? 0).description
    }
    request.clientName = head.headers.first(name: "User-Agent").map { String($0.prefix(64)) }
    return (request, { target[$0] ?? form[$0] })
  }

  /// InfluxDB's clients do this before they write. Names are quoted or plain; what may follow is retention.
  private static func createsDatabase(_ sql: String) -> Bool {
    let words = sql.split(whereSeparator: \.isWhitespace)
    return words.count >= 3 && words[0].lowercased() == "create" && words[1].lowercased() == "database"
  }

  // MARK: Rows

  /// Asks for the next piece; the one before has left.
  private func pull(_ query: QueryAnswer, _ eventLoop: any EventLoop) {
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    let boundQuery = NIOLoopBound(query, eventLoop: eventLoop)
    let run = query.run
    eventLoop.makeFutureWithTask { try await run.next() }.whenComplete { result in
      bound.value.received(result, of: boundQuery.value)
    }
  }

  private func received(_ result: Result<(bytes: [UInt8], isLast: Bool), any Error>, of query: QueryAnswer) {
    // The client may be gone by now.
    guard let context, let head, case .streaming(let current) = state, current === query else { return }
    switch result {
    case .failure(let error):
      if !query.hasBegun { return answer(HTTPAnswer.queryFailure(error)) }
      // An answer that has begun cannot become an error any more: it breaks off, which clients can tell from an end.
      logger.info("query failed behind its first rows", metadata: ["error": "\(error)"])
      context.close(promise: nil)
    case .success(let piece) where piece.isLast && !query.hasBegun:
      answer(HTTPAnswer(status: .ok, headers: query.headers, contentType: query.contentType, body: piece.bytes))
    case .success(let piece): send(piece.bytes, isLast: piece.isLast, of: query, to: head, context)
    }
  }

  private func send(
    _ bytes: [UInt8], isLast: Bool, of query: QueryAnswer, to head: HTTPRequestHead, _ context: ChannelHandlerContext
  ) {
    if !query.hasBegun {
      query.hasBegun = true
      var headers = HTTPHeaders(query.headers + [("Content-Type", query.contentType)])
      // Before version 1.1 only the connection's end can say where such an answer ends.
      if head.version != .http1_1 || !head.isKeepAlive { headers.add(name: "Connection", value: "close") }
      context.write(
        Self.wrapOutboundOut(.head(HTTPResponseHead(version: head.version, status: .ok, headers: headers))),
        promise: nil)
    }
    countSent(bytes.count)
    let body = Self.wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: bytes))))
    if isLast {
      context.write(body, promise: nil)
      let keepsAlive = endRequest(head) && head.version == .http1_1
      return sendEnd(keepsAlive: keepsAlive, context: context)
    }
    query.isPieceOnItsWay = true
    let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
    let boundQuery = NIOLoopBound(query, eventLoop: context.eventLoop)
    let sent = context.eventLoop.makePromise(of: Void.self)
    sent.futureResult.whenComplete { result in
      boundQuery.value.isPieceOnItsWay = false
      // A failure closes the channel, which ends the query.
      guard case .success = result, let context = bound.value.context else { return }
      bound.value.pull(boundQuery.value, context.eventLoop)
    }
    context.writeAndFlush(body, promise: sent)
  }

  /// Answers with what `make` gives, on whatever thread it gives it.
  private func later(_ make: @escaping @Sendable () async -> HTTPAnswer) {
    guard let context else { return }
    let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
    context.eventLoop.makeFutureWithTask { UncheckedAnswer(value: await make()) }.whenComplete { result in
      switch result {
      case .success(let answer): bound.value.answer(answer.value)
      case .failure(let error): bound.value.answer(.error(.internalServerError, "internal error", "\(error)"))
      }
    }
  }

  private struct UncheckedAnswer: Sendable { let value: HTTPAnswer }
}
