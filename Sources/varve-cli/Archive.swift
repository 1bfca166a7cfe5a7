// `varve archive`: old chunks to object storage, what is there, whether it is sound, and back.

import ArgumentParser
import VarveCore
import VarveServer
import VarveWire

struct Archive: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "archive",
    abstract: "Move old chunks to object storage, list, check or take them back.",
    discussion: """
      What is archived is Parquet in the object store that --archive names (file:///path or s3://bucket/prefix), and is \
      queried as before. Policies are made by SELECT add_tiering_policy('table', INTERVAL '90 days'), and followed by a \
      server by itself. Works on a directory that no server holds open, or with --connect through the server, which has \
      an archive of its own.

        varve archive run --archive file:///mnt/archive --older-than '90 days'
        varve archive list --archive s3://bucket/prefix --table cpu
        varve archive verify --connect postgres://127.0.0.1:5433
        varve archive restore --archive file:///mnt/archive --table cpu
      """,
    subcommands: [Run.self, List.self, Verify.self, Restore.self], defaultSubcommand: List.self)

  struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Archive what is old at once.",
      discussion: """
        Old is what policies say, of all tables whose policy is not paused or of --table; or, of that, --older-than. \
        Partitions go whole, and only those that are wholly older. Rows that came late for what is archived are merged \
        into it. What cannot be archived stays as it is and is told of; then the exit code is 1.

          varve archive run --archive file:///mnt/archive --older-than '90 days'
          varve archive run --connect postgres://127.0.0.1:5433 --dry-run
          varve archive run --archive s3://b/p --table cpu --older-than 2026-01-01

        A directory that was restored, or copied, reads objects in the folder of the one that archived them, which \
        deletes what it needs no more. --adopt archives such objects anew into this directory's own folder, of all \
        tables or --table, however old they are.
        """)

    @OptionGroup var place: PlaceOption
    @OptionGroup var age: AgeOption

    @Option(help: "Only this table or rollup.")
    var table: String?

    @Flag(help: "Only show what would go.")
    var dryRun = false

    @Flag(help: "Delete objects that nothing needs any more at once, rather than after they were kept for a while.")
    var deleteUnneeded = false

    @Flag(help: "Also archive anew, into this directory's folder, what is in that of another.")
    var adopt = false

    @Option(help: "How rows are printed: table, csv, json or line.")
    var format: RowFormat = .table

    func validate() throws {
      if dryRun && deleteUnneeded {
        throw ValidationError("--dry-run changes nothing; --delete-unneeded deletes objects. Give one of them.")
      }
    }

    func run() throws {
      let call = """
        SELECT archive_run(\(table.map(quotedSQL) ?? "NULL")\(age.argument), dry_run => \(dryRun), \
        delete_unneeded => \(deleteUnneeded), adopt => \(adopt))
        """
      var hasFailures = false
      try place.withConnection(readOnly: dryRun, running: dryRun ? nil : "archive") { connection in
        try connection.run(
          call,
          into: format.sink { notice in
            if notice.severity == .warning { hasFailures = true }
            StandardStreams.note(Failure.text(notice, in: nil))
          })
      }
      if hasFailures { throw ExitCode.failure }
    }
  }

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "List what is archived: a line an object, with its rows, bytes and times.",
      discussion: """
        The object's key stands behind the archive's address. Bytes are those of the stub that stays here. Objects that \
        are not this directory's own are in the folder of another, which may delete them: `varve archive run --adopt` \
        archives them anew.
        """)

    @OptionGroup var place: PlaceOption

    @Option(help: "Only this table or rollup.")
    var table: String?

    @Option(help: "How rows are printed: table, csv, json or line.")
    var format: RowFormat = .table

    func run() throws {
      try place.show("SELECT archive_list(\(table.map(quotedSQL) ?? "NULL"))", format, readOnly: true)
    }
  }

  struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Read every object of the archive and check it against what its stub says.",
      discussion: """
        Fetches all of the archive. Names what is damaged or gone, and exits with 1 if anything is. What is here is \
        checked by `varve verify`.
        """)

    @OptionGroup var place: PlaceOption

    @Option(help: "Only this table or rollup.")
    var table: String?

    func run() throws {
      var isSound = true
      try place.withConnection(readOnly: true, running: "archive") { connection in
        // A row a problem, and one that sums up: kind, object, bytes, message.
        for row in try connection.rows("SELECT archive_verify(\(table.map(quotedSQL) ?? "NULL"))") where row.count == 4
        {
          let (object, message) = (row[1] ?? "", row[3] ?? "")
          let isSummary = row[0] == "summary"
          isSound = isSound && isSummary
          try StandardStreams.write(isSummary ? "\(message)\n" : "DAMAGED \(object): \(message)\n")
        }
      }
      if !isSound { throw ExitCode.failure }
    }
  }

  struct Restore: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Take what is archived of a table back: it is in local chunks again.",
      discussion: """
        All of the table, or the partitions with times between --newer-than and --older-than. A tiering policy archives \
        it again, unless it is paused or removed. The objects stay for a while, and go with a later run.

          varve archive restore --archive file:///m --table cpu --newer-than '1 year'
        """)

    @OptionGroup var place: PlaceOption
    @OptionGroup var age: AgeOption

    @Option(
      help: ArgumentHelp("An age or a time likewise: only what is newer.", valueName: "age or time"))
    var newerThan: String?

    @Option(help: "The table or rollup.")
    var table: String

    @Option(help: "How rows are printed: table, csv, json or line.")
    var format: RowFormat = .table

    func run() throws {
      let newer = newerThan.map { ", newer_than => \(AgeOption.value($0))" } ?? ""
      let query = "SELECT archive_restore(\(quotedSQL(table))\(age.argument)\(newer))"
      try place.show(query, format, readOnly: false, running: "archive")
    }
  }
}
