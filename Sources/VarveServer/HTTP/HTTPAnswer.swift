// An answer to a request, as a value.

import NIOHTTP1
import VarveCore
import VarveWire

struct HTTPAnswer {
  var status: HTTPResponseStatus
  var headers: [(String, String)] = []
  var contentType: String?
  var body: [UInt8] = []

  static func noContent(_ headers: [(String, String)] = []) -> HTTPAnswer {
    HTTPAnswer(status: .noContent, headers: headers)
  }

  static func json(_ status: HTTPResponseStatus, _ body: [UInt8], headers: [(String, String)] = []) -> HTTPAnswer {
    HTTPAnswer(status: status, headers: headers, contentType: "application/json; charset=utf-8", body: body)
  }

  /// `code` is one of InfluxDB v2's names.
  static func error(
    _ status: HTTPResponseStatus, _ code: String, _ message: String, headers: [(String, String)] = []
  ) -> HTTPAnswer {
    .json(status, LineProtocolBody.json(code: code, message: message), headers: headers)
  }

  static func unavailable(_ message: String, retryAfterSeconds: Int) -> HTTPAnswer {
    .error(.serviceUnavailable, "unavailable", message, headers: [("Retry-After", "\(retryAfterSeconds)")])
  }

  /// As it stands on the wire at the end of a connection, for one that has no pipeline yet.
  var lastBytes: [UInt8] {
    var text = "HTTP/1.1 \(status.code) \(status.reasonPhrase)\r\n"
    for (name, value) in headers { text += "\(name): \(value)\r\n" }
    if let contentType { text += "Content-Type: \(contentType)\r\n" }
    return Array((text + "Content-Length: \(body.count)\r\nConnection: close\r\n\r\n").utf8) + body
  }

  /// What the store said when it could not write.
  static func failure(_ error: VarveError, retryAfterSeconds: Int) -> HTTPAnswer {
    var message = "\(error.code.rawValue): \(error.message)"
    if let hint = error.hint { message += " (\(hint))" }
    switch error.code {
    case .diskFull, .overloaded, .readOnly, .closed:
      return .unavailable(message, retryAfterSeconds: retryAfterSeconds)
    default:
      return .error(.internalServerError, "internal error", message)
    }
  }
}
