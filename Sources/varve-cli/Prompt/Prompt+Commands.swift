// The backslash commands of the prompt.

import VarveCore
import VarveServer
import VarveWire

extension Prompt {
  static let commands = [
    "\\?", "\\chart", "\\d", "\\dt", "\\e", "\\format", "\\i", "\\o", "\\q", "\\spark", "\\timing", "\\watch", "\\x",
  ]

  /// False: leave.
  func command(_ line: String, at place: String) throws -> Bool {
    // A semicolon behind a command is a habit, and harmless.
    var text = line[...]
    while let last = text.last, last == " " || last == ";" || last == "\r" { text.removeLast() }
    let name = String(text.prefix { $0 != " " })
    let argument = String(text.dropFirst(name.count).drop { $0 == " " })
    var goesOn = true
    switch name {
    case "\\q": return false
    case "\\?": try StandardStreams.write(Self.help)
    case "\\timing":
      showsTiming = Self.toggled(showsTiming, argument)
      try StandardStreams.write("Timing is \(showsTiming ? "on" : "off").\n")
    case "\\x":
      format = Self.toggled(format == .line, argument) ? .line : .table
      try StandardStreams.write("Expanded display is \(format == .line ? "on" : "off").\n")
    case "\\format": try setFormat(argument)
    case "\\dt": try execute(Self.tables)
    case "\\d": try argument.isEmpty ? execute(Self.tables) : describe(argument)
    case "\\o": try attempt(nil, at: place) { try output.redirect(to: argument.isEmpty ? nil : argument) }
    case "\\i":
      if argument.isEmpty {
        try fail("\\i needs the name of a file", at: place)
      } else {
        goesOn = try run(file: argument, at: place)
      }
    case "\\e": try edit()
    case "\\watch": try watch(argument)
    case "\\chart", "\\spark": try draw(argument.isEmpty ? last : argument, asLines: name == "\\spark", at: place)
    default: try fail("there is no command \(name); \\? shows those there are", at: place)
    }
    return goesOn
  }

  /// `on`, `off`, or the other of the two.
  private static func toggled(_ value: Bool, _ argument: String) -> Bool {
    argument == "on" ? true : argument == "off" ? false : !value
  }

  private func fail(_ message: String, at place: String = "") throws {
    try attempt(nil, at: place) { throw VarveError(.invalidArgument, message) }
  }

  private func setFormat(_ name: String) throws {
    guard let format = RowFormat(rawValue: name) else {
      return try fail("\\format takes \(RowFormat.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    self.format = format
  }

  // MARK: Tables

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
    try attempt(columns) {
      guard try connection.rows(columns).isEmpty else { return try connection.run(columns, into: sink()) }
      StandardStreams.note("there is no table \"\(name)\"")
    }
  }

  // MARK: Files and programs

  /// The last statement in the editor, then run as it was left there.
  private func edit() throws {
    guard StandardStreams.isTerminal(.input), StandardStreams.isTerminal(.output) else {
      return try fail("\\e needs a terminal")
    }
    let variables = ProcessEnvironment.variables()
    let editor = variables["VISUAL"] ?? variables["EDITOR"] ?? "vi"
    let directory = try TemporaryDirectory(prefix: "varve-edit-")
    let text: String
    do {
      let path = directory.path + "/statement.sql"
      try PrivateFile(path).replace(Array((last + "\n").utf8))
      let command = try ShellCommand(
        "\(editor) \"$VARVE_EDITED_FILE\"", takesInput: false, variables: ["VARVE_EDITED_FILE": path])
      let code = command.wait()
      text = try InputFile(path).readText(limit: Limits.queryTextByteCount)
      try directory.remove()
      guard code == 0 else { return try fail("\(editor) failed") }
    } catch {
      try directory.remove()
      throw error
    }
    var statements = StatementText()
    var all = text.split(separator: "\n", omittingEmptySubsequences: false).flatMap { statements.add(String($0)) }
    if !statements.isEmpty { all.append(statements.text) }
    for statement in all {
      try StandardStreams.write(statement + "\n")
      try execute(statement)
    }
  }

  // MARK: Again and again

  private func watch(_ argument: String) throws {
    let seconds = argument.isEmpty ? 2 : Double(argument) ?? -1
    guard seconds >= 0.1, seconds <= 86_400 else { return try fail("\\watch takes seconds, from 0.1 on") }
    guard !last.isEmpty else { return try fail("there is no statement to run again") }
    let sql = last
    let canceller = connection.canceller
    try KeyboardInterrupt.during(end: { canceller() }) {
      while true {
        var hasFailed = true
        try attempt(sql) {
          try connection.run(sql, into: sink())
          hasFailed = false
        }
        if hasFailed || KeyboardInterrupt.wait(milliseconds: Int(seconds * 1000)) { return }
      }
    }
  }

  // MARK: Charts

  private func draw(_ sql: String, asLines: Bool, at place: String) throws {
    guard !sql.isEmpty else { return try fail("there is no query to draw", at: place) }
    let sink = ChartSink { StandardStreams.note(Failure.text($0, in: nil)) }
    let failedBefore = hasFailed
    try execute(sql, at: place, into: sink)
    // Without a series the statement gave no rows, or said why it failed.
    if sink.series.isEmpty, hasFailed != failedBefore { return }
    let width = output.isFile ? 100 : StandardStreams.width(.output) ?? 100
    try attempt(nil, at: place) {
      if asLines {
        let name = sink.series.map { DisplayWidth.of($0.name) }.max() ?? 0
        for series in sink.series {
          let line = SparkLine.draw(series.points, width: max(10, min(80, width - name - 40)))
          let values = series.points.map(\.y)
          try output.write(
            "\(DisplayWidth.padded(series.name, name))  \(line)  min \(TimeChart.number(values.min() ?? 0))"
              + "  max \(TimeChart.number(values.max() ?? 0))\n")
        }
      } else {
        let rows = output.isFile ? 16 : max(8, min(20, (StandardStreams.height(.output) ?? 24) - 8))
        let chart = TimeChart(width: width, height: rows, hasColours: output.hasColours, isTime: sink.isTime)
        try output.write(chart.draw(sink.series))
      }
    }
  }

  private static let help = """
    SQL              ends with a semicolon; may have several lines
    \\d [TABLE]       tables, or the columns of a table
    \\dt              tables
    \\timing          toggles the display of times
    \\format NAME     table, csv, json or line
    \\x               toggles a line a column
    \\o [FILE]        results into a file, or back to the screen
    \\i FILE          runs the statements of a file
    \\e               the last statement in $EDITOR, then runs it
    \\watch [SECONDS] runs the last statement again and again, until Ctrl-C
    \\chart [QUERY]   draws the last query, or this one, over time: a time, perhaps texts, numbers
    \\spark [QUERY]   the same as a line a series
    \\q               leaves

    Tab completes names, Up and Down go through the history, Ctrl-R searches it. Ctrl-C ends the query that runs, or
    gives up a line; Ctrl-D leaves. What is longer than the screen goes through $PAGER (less -S).

    """
}
