// `varve rollup`: what rollups there are and how far they are; and one made up to date.

import ArgumentParser
import Varve
import VarveCore
import VarveServer
import VarveWire

struct Rollup: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rollup",
    abstract: "Show rollups and how far they are, or refresh one.",
    discussion: """
      A rollup is made by CREATE MATERIALIZED VIEW … WITH (continuous), and refreshed by itself. Works on a directory \
      that no server holds open, or through the server with --connect.
      """,
    subcommands: [List.self, Refresh.self], defaultSubcommand: List.self)

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show rollups and how far they are.")

    static let query = """
      SELECT name AS "rollup", source, bucket, materialized_to AS "materialized to", lag, \
      invalid_ranges AS "invalid ranges", invalid, rows, bytes, refreshes, rows_written AS "rows written", \
      last_refresh AS "last refresh", last_error AS "last error" FROM varve.rollups ORDER BY name
      """

    @OptionGroup var place: PlaceOption

    @Option(help: "How rows are printed: table, csv, json or line.")
    var format: RowFormat = .table

    func run() throws {
      try place.withConnection(readOnly: true) { try $0.run(Self.query, into: format.sink { _ in }) }
    }
  }

  struct Refresh: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Make a rollup up to date: all buckets that have ended, and those that rows came late for.",
      discussion:
        "With --from and --to only what touches that range of time, as CALL refresh_continuous_aggregate does.")

    @OptionGroup var place: PlaceOption

    @Argument(help: "The rollup.")
    var name: String

    @Option(help: "A time, such as 2026-01-31 or '2026-01-31 12:00+00'.")
    var from: String?

    @Option(help: "A time behind the last.")
    var to: String?

    func run() throws {
      func quoted(_ text: String?) -> String { text.map(quotedSQL) ?? "NULL" }
      let call = "CALL refresh_continuous_aggregate(\(quoted(name)), \(quoted(from)), \(quoted(to)))"
      try place.withConnection {
        try $0.run(call, into: RowFormat.table.sink { StandardStreams.note(Failure.text($0, in: nil)) })
      }
    }
  }
}

extension PlaceOption {
  /// SQL on the directory, in this process, or through the server.
  /// `job`: which of `varve.jobs` it has run, so that its progress is shown.
  func withConnection(
    readOnly: Bool = false, running job: String? = nil, _ body: (any SQLConnection) throws -> Void
  ) throws {
    func run(_ connect: @escaping @Sendable () throws -> any SQLConnection) throws {
      let connection = try connect()
      guard let job else { return try body(connection) }
      try JobProgress.showing(job, connect) { try body(connection) }
    }
    if let address = connect { return try run { try PostgresClient(ConnectionURL(postgres: address)) } }
    let database = try open(readOnly: readOnly)
    do {
      try run { try EmbeddedSQLConnection(DatabaseBackend(database)) }
    } catch {
      try database.closeBlocking()
      throw error
    }
    try database.closeBlocking()
  }
}
