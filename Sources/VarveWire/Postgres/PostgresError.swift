// What an ErrorResponse or a NoticeResponse says ("Error and Notice Message Fields" of PostgreSQL's protocol).

/// An error or notice in the words of the wire.
@usableFromInline package struct PostgresError: Error, Equatable, Sendable {
  package enum Severity: String, Sendable {
    case error = "ERROR"
    case fatal = "FATAL"
    case warning = "WARNING"
    case notice = "NOTICE"
    case info = "INFO"
    case log = "LOG"
    case debug = "DEBUG"
  }

  package var severity: Severity
  /// Five characters.
  package var sqlState: String
  package var message: String
  package var detail: String?
  package var hint: String?
  /// 1-based, in characters, within the query text as the client sent it.
  package var position: Int?
  /// The field "Where": the context in which it happened.
  package var context: String?

  package init(
    _ severity: Severity, _ sqlState: String, _ message: String, detail: String? = nil, hint: String? = nil,
    position: Int? = nil, context: String? = nil
  ) {
    self.severity = severity
    self.sqlState = sqlState
    self.message = message
    self.detail = detail
    self.hint = hint
    self.position = position
    self.context = context
  }

  package init(
    _ sqlState: String, _ message: String, detail: String? = nil, hint: String? = nil, position: Int? = nil,
    context: String? = nil
  ) {
    self.init(.error, sqlState, message, detail: detail, hint: hint, position: position, context: context)
  }

  /// The message breaks the protocol in a way that leaves the stream of messages intact.
  static func protocolViolation(_ message: String) -> PostgresError { PostgresError("08P01", message) }
}
