// A query over HTTP whose rows are on their way, and what its failures are answered with.

import NIOHTTP1
import VarveCore
import VarveWire

/// Used on the event loop of its connection.
final class QueryAnswer {
  let run: any HTTPQueryRun
  let headers: [(String, String)]
  let contentType: String
  /// The head of the answer has been sent: it is no error.
  var hasBegun = false
  /// The client has not taken yet what was sent last.
  var isPieceOnItsWay = false

  init(_ run: any HTTPQueryRun, contentType: String, headers: [(String, String)]) {
    self.run = run
    self.contentType = contentType
    self.headers = headers
  }

  convenience init(_ run: any HTTPQueryRun, to request: HTTPQueryRequest) {
    self.init(
      run, contentType: request.format.contentType,
      headers: [("Vary", "Accept-Encoding")] + (request.isPacked ? [("Content-Encoding", "gzip")] : []))
  }
}

extension QueryAnswer {
  /// Of events without an end: no cache keeps them, and no proxy gathers them before it sends them on.
  static func subscription(_ run: any HTTPQueryRun) -> QueryAnswer {
    QueryAnswer(
      run, contentType: "text/event-stream; charset=utf-8",
      headers: [("Cache-Control", "no-cache, no-transform"), ("X-Accel-Buffering", "no")])
  }
}

/// Why a request is no query.
struct HTTPQueryRefusal: Error {
  let message: String
  init(_ message: String) { self.message = message }
}

extension HTTPAnswer {
  /// `code` is the SQLSTATE.
  static func queryFailure(_ error: any Error) -> HTTPAnswer {
    let failure: PostgresError =
      switch error {
      case let error as PostgresError: error
      case let error as VarveError: PostgresError(error)
      default: PostgresError("XX000", "internal error: \(error)")
      }
    var text = "{\"code\":\(JSONText.string(failure.sqlState)),\"message\":\(JSONText.string(failure.message))"
    if let detail = failure.detail { text += ",\"detail\":\(JSONText.string(detail))" }
    if let hint = failure.hint { text += ",\"hint\":\(JSONText.string(hint))" }
    if let position = failure.position { text += ",\"position\":\(position)" }
    return HTTPAnswer(
      status: (error as? VarveError)?.code == .gone ? .gone : status(of: failure.sqlState),
      contentType: "application/json", body: Array((text + "}\n").utf8))
  }

  /// What is wrong with the statement is the client's; the rest is the server's state, its limits, or ours.
  private static func status(of sqlState: String) -> HTTPResponseStatus {
    switch sqlState {
    case "42501": return .forbidden
    case "57014": return .gatewayTimeout
    // More than the memory of a query is the statement's doing.
    case "53200": return .badRequest
    default: break
    }
    switch sqlState.prefix(2) {
    case "53", "57": return .serviceUnavailable
    case "XX", "58": return .internalServerError
    default: return .badRequest
    }
  }
}
