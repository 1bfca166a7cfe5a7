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
    var form: [String: String] = [:]
    var raw: String?
    if body.readableBytes > 0 {
      guard let text = String(validating: body.readableBytesView, as: UTF8.self) else {
        answer(.error(.badRequest, "invalid", "the query is not UTF-8"))
        return
      }
      let type = head.headers.first(name: "Content-Type")?.lowercased() ?? ""
      if type.hasPrefix("application/x-www-form-urlencoded") {
        guard let parameters = RequestTarget.parameters(text) else {
          answer(.error(.badRequest, "invalid", "the form in the body is malformed"))
          return
        }
        form = parameters
      } else {
        raw = text
      }
    }
    guard let sql = target["q"] ?? form["q"] ?? raw, !sql.isEmpty else {
      answer(.error(.badRequest, "invalid", "parameter q with the SQL is missing"))
      return
    }
    if HTTPHandler.createsDatabase(sql) {
      answer(.json(.ok, Array("{\"results\":[{\"statement_id\":0}]}\n".utf8)))
      return
    }
    guard let format = HTTPQueryFormat(rawValue: target["format"] ?? form["format"] ?? "json") else {
      answer(.error(.badRequest, "invalid", "format is json or csv"))
      return
    }
    guard let query = services.query else {
      answer(.error(.notImplemented, "unsupported", "this server answers no SQL over HTTP"))
      return
    }
    let database = target["db"] ?? form["db"] ?? options.defaultDatabase
    later {
      let response = await query(sql, format, database)
      return HTTPAnswer(
        status: HTTPResponseStatus(statusCode: response.status), contentType: response.contentType, body: response.body)
    }
  }

  /// InfluxDB's clients do this before they write. Names are quoted or plain; what may follow is retention.
  private static func createsDatabase(_ sql: String) -> Bool {
    let words = sql.split(whereSeparator: \.isWhitespace)
    return words.count >= 3 && words[0].lowercased() == "create" && words[1].lowercased() == "database"
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
