// Bugs trap; the world throws. Whatever comes from disk, net or user and cannot be used ends in one of these.

/// A typed error: a code for programs, a message for people, a cause and a place.
public struct VarveError: Error, Sendable, CustomStringConvertible {
  /// Stable names: they leave on the wire (`code=type_conflict`), in JSON and in logs.
  public enum Code: String, Sendable, CaseIterable {
    // input
    case syntax = "syntax"
    case invalidUTF8 = "invalid_utf8"
    case invalidNumber = "invalid_number"
    case invalidTimestamp = "invalid_timestamp"
    case timestampInFuture = "timestamp_in_future"
    case nameTooLong = "name_too_long"
    case lineTooLong = "line_too_long"
    case valueTooLong = "value_too_long"
    case duplicateTag = "duplicate_tag"
    case reservedName = "reserved_name"
    case nameConflict = "name_conflict"
    case typeConflict = "type_conflict"
    case limitExceeded = "limit_exceeded"
    case invalidArgument = "invalid_argument"
    // store
    case notFound = "not_found"
    case alreadyExists = "already_exists"
    case notADataDirectory = "not_a_data_directory"
    case directoryLocked = "directory_locked"
    case readOnly = "read_only"
    case closed = "closed"
    case overloaded = "overloaded"
    case diskFull = "disk_full"
    case inputOutput = "io_error"
    case corruption = "corruption"
    case unsupportedVersion = "unsupported_version"
    case unsupported = "unsupported"
    /// It was there, and has been let go of.
    case gone = "gone"
    /// Something outside of the database is not there, or fails: it may be there later.
    case unavailable = "unavailable"
    /// Something outside of the database does not let us in.
    case accessDenied = "access_denied"
    // queries
    case cancelled = "cancelled"
    case query = "query"
  }

  public let code: Code
  public var message: String
  /// How to go on, where there is a way.
  public var hint: String?
  /// The file, or the offset within it, that the error is about.
  public var place: String?
  /// What was being done with which part of the input: `COPY t, line 3, column v: "abc"`.
  public var context: String?
  /// Five characters of SQLSTATE where SQL found the error; nil: derived from `code` at the wire.
  public var sqlState: String?
  /// 1-based character position in the SQL text.
  public var position: Int?

  public init(
    _ code: Code, _ message: String, hint: String? = nil, place: String? = nil, sqlState: String? = nil,
    position: Int? = nil
  ) {
    self.code = code
    self.message = message
    self.hint = hint
    self.place = place
    self.sqlState = sqlState
    self.position = position
  }

  public var description: String {
    var text = "\(code.rawValue): \(message)"
    if let place { text += " [\(place)]" }
    if let hint { text += " (\(hint))" }
    return text
  }
}

/// A line that was not taken: what, where and why. The rest of its batch goes on.
package struct Rejection: Sendable, Equatable {
  /// 1-based, as the source counts.
  package var line: Int
  /// 1-based, in bytes.
  package var column: Int
  package var code: VarveError.Code
  package var message: String
  package init(line: Int, column: Int, code: VarveError.Code, message: String) {
    self.line = line
    self.column = column
    self.code = code
    self.message = message
  }
}
