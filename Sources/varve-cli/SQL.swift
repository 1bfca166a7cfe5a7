// `varve sql`: one query, or a prompt.

import ArgumentParser
import Varve
import VarveCore
import VarveServer
import VarveWire

struct SQL: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sql",
    abstract: "Run SQL: one query, or a prompt when none is given.",
    discussion: """
      With --data the engine runs in this process, and no server may have the directory open (--read-only may always \
      look). With --connect the query goes to a server. COPY … FROM STDIN takes its data from standard input.
      """)

  @OptionGroup var location: DataOption

  @Option(help: ArgumentHelp("Server to ask, such as postgres://127.0.0.1:5433.", valueName: "url"))
  var connect: String?

  @OptionGroup var archive: ArchiveOptions

  @Flag(help: "Open the directory for reading only: what was durable at that moment, even while a server writes.")
  var readOnly = false

  @Option(help: "How rows are printed: table, csv, json or line.")
  var format: RowFormat = .table

  @Argument(help: ArgumentHelp("SQL text; `-` reads it from standard input.", valueName: "query"))
  var query: String?

  func validate() throws {
    if connect != nil && (location.data != nil || readOnly) {
      throw ValidationError("--connect goes to a server; --data and --read-only open a directory in this process.")
    }
    try archive.validate(connect: connect)
  }

  func run() throws {
    let text = try query.map { $0 == "-" ? try Self.readInput() : $0 }
    if let connect {
      let url = try ConnectionURL(postgres: connect)
      return try run(text, PostgresClient(url))
    }
    let database = try Database.openForCommand(location.directory, readOnly: readOnly, archive: archive)
    do {
      try run(text, EmbeddedSQLConnection(DatabaseBackend(database)))
    } catch {
      try database.closeBlocking()
      throw error
    }
    try database.closeBlocking()
  }

  private func run(_ text: String?, _ connection: any SQLConnection) throws {
    // What is not the query is data for its COPY.
    if let query, query != "-" { connection.copyInput = try InputFile("-") }
    let prompt = Prompt(connection: connection, format: format)
    guard let text else {
      guard try prompt.run() else { throw ExitCode.failure }
      return
    }
    do {
      try connection.run(text, into: format.sink { StandardStreams.note(Failure.text($0, in: nil)) })
    } catch let error as PostgresError {
      StandardStreams.note(Failure.text(error, in: text))
      throw ExitCode.failure
    }
  }

  private static func readInput() throws -> String {
    try InputFile("-").readText(limit: Limits.queryTextByteCount)
  }
}
