// The first packet of a connection: a length that counts itself, a code, and by the code a request for
// encryption, a request to cancel, or the parameters of a session.

/// What the client asks of its session.
package struct StartupParameters: Equatable, Sendable {
  package var user: String
  package var database: String
  /// `application_name`, `client_encoding`, `TimeZone`, … and what `options` sets with `-c` or `--`, in the order
  /// in which they are to be applied. A later one wins.
  package var settings: [Setting]

  package struct Setting: Equatable, Sendable {
    package var name: String
    package var value: String
    package init(name: String, value: String) {
      self.name = name
      self.value = value
    }
  }

  package init(user: String = "varve", database: String = "varve", settings: [Setting] = []) {
    self.user = user
    self.database = database
    self.settings = settings
  }

  /// The value that holds in the end; names of settings don't differ by case.
  package func setting(_ name: String) -> String? {
    settings.last { $0.name.lowercased() == name.lowercased() }?.value
  }
}

enum StartupPacket: Equatable {
  case sslRequest
  case gssEncryptionRequest
  case cancelRequest(processID: Int32, secretKey: Int32)
  /// `unknownOptions`: `_pq_.` parameters, which name protocol extensions that we have none of.
  case startup(StartupParameters, minorVersion: UInt16, unknownOptions: [String])

  /// `body` is what follows the length.
  init(body: ArraySlice<UInt8>) throws(PostgresError) {
    do throws(PostgresError) {
      var reader = WireReader(body)
      let code = try reader.uint32()
      switch code {
      case 80_877_103:
        self = .sslRequest
        try reader.finish()
      case 80_877_104:
        self = .gssEncryptionRequest
        try reader.finish()
      case 80_877_102:
        self = .cancelRequest(processID: try reader.int32(), secretKey: try reader.int32())
        try reader.finish()
      case _ where code >> 16 == 3:
        self = try Self.startup(&reader, minorVersion: UInt16(truncatingIfNeeded: code))
      default:
        throw PostgresError(
          "0A000", "unsupported frontend protocol \(code >> 16).\(code & 0xFFFF): server supports 3.0 to 3.0")
      }
    } catch {
      // There is no session to go on with: what's wrong here ends the connection.
      var error = error
      error.severity = .fatal
      throw error
    }
  }

  private static func startup(_ reader: inout WireReader, minorVersion: UInt16) throws(PostgresError) -> StartupPacket {
    var parameters = StartupParameters()
    var fromOptions: [StartupParameters.Setting] = []
    var unknownOptions: [String] = []
    while true {
      let name = try reader.string()
      if name.isEmpty { break }
      let value = try reader.string()
      switch name {
      case "user": if !value.isEmpty { parameters.user = value }
      case "database": if !value.isEmpty { parameters.database = value }
      case "options": fromOptions = try settings(fromOptions: value)
      case "replication":
        if !["false", "off", "no", "0"].contains(value.lowercased()) {
          throw PostgresError("0A000", "replication connections are not supported")
        }
      case _ where name.hasPrefix("_pq_."): unknownOptions.append(name)
      default: parameters.settings.append(.init(name: name, value: value))
      }
    }
    guard reader.remaining == 0 else {
      throw .protocolViolation("invalid startup packet layout: expected terminator as last byte")
    }
    parameters.settings = fromOptions + parameters.settings
    if let encoding = parameters.setting("client_encoding") { try checkClientEncoding(encoding) }
    return .startup(parameters, minorVersion: minorVersion, unknownOptions: unknownOptions)
  }

  /// Splits as PostgreSQL's pg_split_opts does: at white space, a backslash takes the next character as it is.
  private static func settings(fromOptions options: String) throws(PostgresError) -> [StartupParameters.Setting] {
    var words: [String] = []
    var word: String?
    var escaped = false
    for character in options.unicodeScalars {
      if escaped {
        word = (word ?? "") + String(character)
        escaped = false
      } else if character == "\\" {
        escaped = true
        word = word ?? ""
      } else if character.properties.isWhitespace {
        if let complete = word { words.append(complete) }
        word = nil
      } else {
        word = (word ?? "") + String(character)
      }
    }
    if let complete = word { words.append(complete) }

    var settings: [StartupParameters.Setting] = []
    var rest = words[...]
    while let first = rest.popFirst() {
      let assignment: Substring
      if first == "-c" {
        guard let next = rest.popFirst() else {
          throw PostgresError("42601", "invalid command-line argument for server process: -c")
        }
        assignment = next[...]
      } else if first.hasPrefix("-c") || first.hasPrefix("--") {
        assignment = first.dropFirst(2)
      } else {
        throw PostgresError("42601", "invalid command-line argument for server process: \(first)")
      }
      guard let equals = assignment.firstIndex(of: "=") else {
        throw PostgresError("42601", "-c \(assignment) requires a value")
      }
      // On a command line a dash stands for an underscore.
      let name = String(assignment[..<equals].map { $0 == "-" ? "_" : $0 })
      settings.append(.init(name: name, value: String(assignment[assignment.index(after: equals)...])))
    }
    return settings
  }

  /// Text is UTF-8 here; PostgreSQL compares names of encodings by their letters and digits alone.
  private static func checkClientEncoding(_ name: String) throws(PostgresError) {
    let canonical = name.lowercased().filter { $0.isLetter || $0.isNumber }
    guard ["utf8", "unicode", "sqlascii"].contains(canonical) else {
      throw PostgresError(
        "22023", "invalid value for parameter \"client_encoding\": \"\(name)\"",
        hint: "Varve speaks UTF8 only; set client_encoding to UTF8.")
    }
  }
}
