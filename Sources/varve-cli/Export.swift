// `varve export`: rows of a query or a table into a file of Parquet or CSV.

import ArgumentParser
import Varve
import VarveCore
import VarveServer
import VarveWire

struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write rows to a Parquet or CSV file.",
    discussion: """
      The file appears when it is complete, and not before. With --data the directory is only read, also while a server \
      has it open: then what was durable when it began is exported.
      """)

  enum Format: String, ExpressibleByArgument, CaseIterable {
    case parquet, csv
  }

  @OptionGroup var location: DataOption

  @Option(help: ArgumentHelp("Server to ask, such as postgres://127.0.0.1:5433.", valueName: "url"))
  var connect: String?

  @OptionGroup var archive: ArchiveOptions

  @Option(help: "parquet or csv. (default: csv for files named .csv, parquet for others)")
  var format: Format?

  @Option(help: ArgumentHelp("Rows to write, as a SELECT.", valueName: "sql"))
  var query: String?

  @Option(help: ArgumentHelp("Table to write, whole or between --from and --to.", valueName: "name"))
  var table: String?

  @Option(help: ArgumentHelp("First time of the table's rows to write.", valueName: "time"))
  var from: String?

  @Option(help: ArgumentHelp("Time before which they end.", valueName: "time"))
  var to: String?

  @Option(
    name: .shortAndLong, help: ArgumentHelp("File to write; `-` is standard output.", valueName: "file"),
    completion: .file())
  var output: String

  @Flag(help: "Replace the file if it is there.")
  var force = false

  func validate() throws {
    if connect != nil && location.data != nil {
      throw ValidationError("--connect goes to a server, --data to a directory; give one of them.")
    }
    try archive.validate(connect: connect)
    if (query == nil) == (table == nil) { throw ValidationError("Give --query or --table, one of them.") }
    if table == nil, from != nil || to != nil {
      throw ValidationError("--from and --to are for --table; a query says WHERE by itself.")
    }
  }

  func run() throws {
    let writer = try ExportWriter(output, replaces: force)
    let sql = copyStatement
    do {
      if let connect {
        try writer.run(sql, PostgresClient(ConnectionURL(postgres: connect)))
      } else {
        let database = try Database.openForCommand(location.directory, readOnly: true, archive: archive)
        do {
          try writer.run(sql, EmbeddedSQLConnection(DatabaseBackend(database)))
        } catch {
          try database.closeBlocking()
          throw error
        }
        try database.closeBlocking()
      }
    } catch let error as PostgresError {
      StandardStreams.note(Failure.text(error, in: nil))
      throw ExitCode.failure
    }
    StandardStreams.note("rows: \(writer.rowCount), bytes: \(writer.byteCount)")
  }

  private var copyStatement: String {
    let options = format ?? (output.lowercased().hasSuffix(".csv") ? .csv : .parquet)
    return "COPY (\(selection)\n) TO STDOUT WITH (FORMAT \(options == .csv ? "csv, HEADER" : "parquet"))"
  }

  private var selection: String {
    guard let table else {
      // What ends a statement elsewhere has no place within one.
      var text = Substring(query ?? "")
      while let last = text.last, last == ";" || last.isWhitespace { text = text.dropLast() }
      return String(text)
    }
    let bounds = [(from, ">="), (to, "<")].compactMap { time, comparison in
      time.map { "time \(comparison) TIMESTAMPTZ \(Self.quoted($0, "'"))" }
    }
    let condition = bounds.isEmpty ? "" : " WHERE " + bounds.joined(separator: " AND ")
    return "SELECT * FROM \(Self.quoted(table, "\""))\(condition)"
  }

  private static func quoted(_ text: String, _ quote: Character) -> String {
    var out = String(quote)
    for character in text {
      if character == quote { out.append(quote) }
      out.append(character)
    }
    return out + String(quote)
  }
}
