// The prompt of `varve sql`: statements up to their semicolon, and the few backslash commands that hands know.

import VarveCore
import VarveServer
import VarveWire

struct Prompt {
  private let connection: any SQLConnection
  private(set) var sink: any ResultSink
  private var showsTiming = false

  init(connection: any SQLConnection, format: RowFormat) {
    self.connection = connection
    sink = Self.sink(format)
  }

  private static func sink(_ format: RowFormat) -> any ResultSink {
    format.sink { StandardStreams.note(Failure.text($0, in: nil)) }
  }

  /// Until `\q` or the end of the input.
  mutating func run() throws {
    let input = PromptInput()
    var pending = StatementText()
    // The lines of the statement as they were typed, for the history.
    var typed: [String] = []
    while true {
      switch try input.read(prompt: pending.isEmpty ? "varve=> " : "varve-> ") {
      case .interrupted:
        pending = StatementText()
        typed = []
      case .end:
        if !pending.isEmpty, !input.endGivesUp { try execute(pending.text) }
        return
      case .line(let line):
        if pending.isEmpty, line.hasPrefix("\\") {
          input.remember(line)
          guard try command(line) else { return }
          continue
        }
        let statements = pending.add(line)
        typed.append(line)
        if pending.isEmpty {
          input.remember(typed.joined(separator: "\n"))
          typed = []
        }
        for statement in statements { try execute(statement) }
      }
    }
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
    // A semicolon behind a command is a habit, and harmless.
    let words = line.split(whereSeparator: { $0 == " " || $0 == ";" }).map(String.init)
    let argument = words.dropFirst().joined(separator: " ")
    switch words[0] {
    case "\\q": return false
    case "\\?": try StandardStreams.write(Self.help)
    case "\\timing":
      showsTiming.toggle()
      try StandardStreams.write("Timing is \(showsTiming ? "on" : "off").\n")
    case "\\dt": try execute(Self.tables)
    case "\\d": try argument.isEmpty ? execute(Self.tables) : describe(argument)
    case "\\format":
      guard let format = RowFormat(rawValue: argument) else {
        StandardStreams.note("\\format takes \(RowFormat.allCases.map(\.rawValue).joined(separator: ", "))")
        return true
      }
      sink = Self.sink(format)
    default: StandardStreams.note("there is no command \(words[0]); \\? shows those there are")
    }
    return true
  }

  private static let tables = """
    SELECT table_name AS "Table" FROM information_schema.tables \
    WHERE table_schema = 'public' ORDER BY table_name
    """

  private func describe(_ table: String) throws {
    // Quoted names are as written, others fold to lower case, as in SQL.
    let isQuoted = table.hasPrefix("\"") && table.hasSuffix("\"") && table.count > 1
    let name = isQuoted ? String(table.dropFirst().dropLast()) : table.lowercased()
    let literal = "'" + name.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''") + "'"
    let columns = """
      SELECT column_name AS "Column", data_type AS "Type" FROM information_schema.columns \
      WHERE table_name = \(literal) ORDER BY table_schema, ordinal_position
      """
    do {
      guard try connection.rows(columns).isEmpty else { return try execute(columns) }
      StandardStreams.note("there is no table \"\(name)\"")
    } catch let error as PostgresError {
      StandardStreams.note(Failure.text(error, in: nil))
    }
  }

  private static let help = """
    SQL            ends with a semicolon; may have several lines
    \\d [TABLE]     tables, or the columns of a table
    \\dt            tables
    \\timing        toggles the display of times
    \\format NAME   table, csv, json or line
    \\q             leaves

    Up and Down go through the history, Ctrl-R searches it; Ctrl-C gives up a line, Ctrl-D leaves.

    """
}
