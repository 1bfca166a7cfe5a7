// `varve retention`: which old rows go by themselves, what would go, and dropping it at once.

import ArgumentParser
import VarveCore
import VarveServer
import VarveWire

struct Retention: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "retention",
    abstract: "Show what is dropped when it is old, or drop it.",
    discussion: """
      Policies are made by SELECT add_retention_policy('table', INTERVAL '30 days'), and followed by a server by itself. \
      What rollups have of rows stays when those go. Works on a directory that no server holds open, or through the \
      server with --connect.
      """,
    subcommands: [List.self, Show.self, Run.self], defaultSubcommand: List.self)

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show the policies, and how they go.")

    static let query = """
      SELECT table_name AS "table", end_offset AS "drop after", paused, last_run AS "last run", next_run AS "next run", \
      last_error AS "last error" FROM varve.jobs WHERE job = 'retention' ORDER BY 1
      """

    @OptionGroup var place: PlaceOption

    @Option(help: "How rows are printed: table, csv, json or line.")
    var format: RowFormat = .table

    func run() throws { try place.show(List.query, format, readOnly: true) }
  }

  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Show the chunks of a table that are old, with rows and bytes.",
      discussion: "Old is what the table's policy says, or --older-than. Rows in memory stand last, without a file.")

    @OptionGroup var place: PlaceOption
    @OptionGroup var age: AgeOption

    @Option(help: "The table or rollup.")
    var table: String

    @Option(help: "How rows are printed: table, csv, json or line.")
    var format: RowFormat = .table

    func run() throws {
      try place.show("SELECT retention_preview(\(quotedSQL(table))\(age.argument))", format, readOnly: true)
    }
  }

  struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Drop what is old at once.",
      discussion: """
        Old is what policies say, of all tables whose policy is not paused or of --table; or, of that, --older-than. \
        Partitions go whole, and never more than was asked. Every rollup has the rows before they go.
        """)

    @OptionGroup var place: PlaceOption
    @OptionGroup var age: AgeOption

    @Option(help: "Only this table or rollup.")
    var table: String?

    @Flag(help: "Only show what would go.")
    var dryRun = false

    @Option(help: "How rows are printed: table, csv, json or line.")
    var format: RowFormat = .table

    func validate() throws {
      if age.olderThan != nil && table == nil {
        throw ValidationError("--older-than is about one table: give --table, too.")
      }
    }

    func run() throws {
      let relation = table.map(quotedSQL) ?? "NULL"
      try place.show(
        "SELECT run_retention(\(relation)\(age.argument), dry_run => \(dryRun))", format, readOnly: dryRun)
    }
  }
}

/// From which time on rows are old.
struct AgeOption: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "An age such as '30 days', or a time such as 2026-01-31 or '2026-01-31 12:00+00'.", valueName: "age or time"))
  var olderThan: String?

  /// Of a procedure, behind others; none without the option.
  var argument: String { olderThan.map { ", older_than => \(Self.value($0))" } ?? "" }

  static func value(_ text: String) -> String {
    // A time begins with its year.
    let year = text.utf8.prefix { (0x30...0x39).contains($0) }
    let isTime = year.count >= 4 && text.utf8.dropFirst(year.count).first == UInt8(ascii: "-")
    return "\(isTime ? "TIMESTAMPTZ" : "INTERVAL") \(quotedSQL(text))"
  }
}

/// A literal.
func quotedSQL(_ text: String) -> String {
  "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''") + "'"
}

extension PlaceOption {
  func show(_ query: String, _ format: RowFormat, readOnly: Bool, running job: String? = nil) throws {
    try withConnection(readOnly: readOnly, running: job) {
      try $0.run(query, into: format.sink { StandardStreams.note(Failure.text($0, in: nil)) })
    }
  }
}
