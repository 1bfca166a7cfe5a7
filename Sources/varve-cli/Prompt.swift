// The prompt of `varve sql`: statements up to their semicolon, and the few backslash commands that hands know.

import VarveCore
import VarveServer
import VarveWire

struct Prompt {
  private let connection: any SQLConnection
  private var format: RowFormat
  private(set) var sink: any ResultSink
  private var showsTiming = false
  private let isInteractive = StandardStreams.isTerminal(.input)

  init(connection: any SQLConnection, format: RowFormat) {
    self.connection = connection
    self.format = format
    sink = Self.sink(format)
  }

  private static func sink(_ format: RowFormat) -> any ResultSink {
    format.sink { StandardStreams.note(Failure.text($0, in: nil)) }
  }

  /// Until `\q` or the end of the input.
  mutating func run() throws {
    if isInteractive { try StandardStreams.write("varve — \\? for help, \\q to leave\n") }
    var pending = StatementText()
    while true {
      if isInteractive { try StandardStreams.write(pending.isEmpty ? "varve=> " : "varve-> ") }
      guard let line = readLine() else { break }
      if pending.isEmpty, line.hasPrefix("\\") {
        guard try command(line) else { return }
        continue
      }
      for statement in pending.add(line) { try execute(statement) }
    }
    if isInteractive { try StandardStreams.write("\n") }
    if !pending.isEmpty { try execute(pending.text) }
  }

  private func execute(_ sql: String) throws {
    let start = ProcessEnvironment.monotonicSeconds()
    do {
      try connection.run(sql, into: sink)
    } catch let error as PostgresError {
      StandardStreams.note(Failure.text(error, in: sql))
    }
    if showsTiming {
      let microseconds = Int((ProcessEnvironment.monotonicSeconds() - start) * 1e6)
      let fraction = String(1000 + microseconds % 1000).dropFirst()
      try StandardStreams.write("Time: \(microseconds / 1000).\(fraction) ms\n")
    }
  }

  /// False: leave.
  private mutating func command(_ line: String) throws -> Bool {
    let words = line.split(separator: " ").map(String.init)
    let argument = words.dropFirst().joined(separator: " ")
    switch words[0] {
    case "\\q": return false
    case "\\?": try StandardStreams.write(Self.help)
    case "\\timing":
      showsTiming.toggle()
      try StandardStreams.write("Timing is \(showsTiming ? "on" : "off").\n")
    case "\\dt": try execute(Self.tables)
    case "\\d": try execute(argument.isEmpty ? Self.tables : Self.columns(of: argument))
    case "\\format":
      guard let chosen = RowFormat(rawValue: argument) else {
        StandardStreams.note("\\format takes \(RowFormat.allCases.map(\.rawValue).joined(separator: ", "))")
        return true
      }
      format = chosen
      sink = Self.sink(chosen)
    default: StandardStreams.note("there is no command \(words[0]); \\? shows those there are")
    }
    return true
  }

  private static let tables = """
    SELECT table_name AS "Table" FROM information_schema.tables \
    WHERE table_schema = 'public' ORDER BY table_name
    """

  private static func columns(of table: String) -> String {
    // Quoted names are as written, others fold to lower case, as in SQL.
    let name =
      table.hasPrefix("\"") && table.hasSuffix("\"") && table.count > 1
      ? String(table.dropFirst().dropLast()) : table
    let literal = "'" + name.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''") + "'"
    return """
      SELECT column_name AS "Column", data_type AS "Type" FROM information_schema.columns \
      WHERE table_name = \(literal) ORDER BY ordinal_position
      """
  }

  private static let help = """
    SQL            ends with a semicolon; may have several lines
    \\d [TABLE]     tables, or the columns of a table
    \\dt            tables
    \\timing        toggles the display of times
    \\format NAME   table, csv, json or line
    \\q             leaves

    """
}

/// Lines gathered up to a semicolon that ends a statement: not in a string, a quoted name or a comment.
struct StatementText {
  private enum State: Equatable {
    case plain
    case quoted(Character)
    case dollar(String)
    case comment(depth: Int)
  }

  private(set) var text = ""
  private var state = State.plain

  var isEmpty: Bool { text.allSatisfy(\.isWhitespace) }

  /// The statements that this line completes.
  mutating func add(_ line: String) -> [String] {
    var complete: [String] = []
    var rest = Substring(line + "\n")
    while let character = rest.first {
      switch state {
      case .plain:
        if rest.hasPrefix("--") {
          take(&rest, (rest.firstIndex(of: "\n").map { rest.distance(from: rest.startIndex, to: $0) }) ?? rest.count)
          continue
        }
        if rest.hasPrefix("/*") {
          state = .comment(depth: 1)
          take(&rest, 2)
          continue
        }
        if character == "'" || character == "\"" { state = .quoted(character) }
        if character == "$", let tag = Self.dollarTag(rest) {
          state = .dollar(tag)
          take(&rest, tag.count)
          continue
        }
        take(&rest, 1)
        if character == ";" {
          complete.append(text)
          text = ""
        }
      case .quoted(let quote):
        // A doubled quote ends and begins again, which comes to the same.
        if character == quote { state = .plain }
        take(&rest, 1)
      case .dollar(let tag):
        if rest.hasPrefix(tag) {
          state = .plain
          take(&rest, tag.count)
        } else {
          take(&rest, 1)
        }
      case .comment(let depth):
        if rest.hasPrefix("/*") {
          state = .comment(depth: depth + 1)
          take(&rest, 2)
        } else if rest.hasPrefix("*/") {
          state = depth == 1 ? .plain : .comment(depth: depth - 1)
          take(&rest, 2)
        } else {
          take(&rest, 1)
        }
      }
    }
    if isEmpty { text = "" }
    return complete
  }

  private mutating func take(_ rest: inout Substring, _ count: Int) {
    text += rest.prefix(count)
    rest = rest.dropFirst(count)
  }

  /// `$$` or `$name$`.
  private static func dollarTag(_ rest: Substring) -> String? {
    let name = rest.dropFirst().prefix { $0.isLetter || $0.isNumber || $0 == "_" }
    guard rest.dropFirst(1 + name.count).first == "$", name.first?.isNumber != true else { return nil }
    return "$" + name + "$"
  }
}
