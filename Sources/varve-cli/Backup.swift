// `varve backup`: taken, listed, proven and pruned. `varve restore` stands in a file of its own.

import ArgumentParser
import Varve
import VarveArchive
import VarveCompute
import VarveCore
import VarveIO
import VarveServer
import VarveStorage

struct Backup: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Take a backup, list those there are, prove one, or remove old ones.",
    discussion: """
      A backup is all of the database at one moment. It goes to a directory (file:///path), such as a mounted disk of \
      another machine, or to a bucket (s3://bucket/prefix). What is there from the backup before is not sent again. `varve restore` brings one back.
      """,
    subcommands: [Take.self, List.self, Verify.self, Prune.self], defaultSubcommand: Take.self)

  struct Take: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Take a backup.",
      discussion: """
        Works on a directory that no server holds open; or through the server with --connect, which goes on writing and \
        serving meanwhile, and to whose machine --to then belongs.
        """)

    @OptionGroup var place: PlaceOption

    @Option(
      help: ArgumentHelp(
        "Where to: file:///path of a directory that is there, or s3://bucket/prefix. (default: where the server backs up to)",
        valueName: "url"))
    var to: String?

    @Option(
      help: ArgumentHelp(
        "Bytes a second that are read at most, such as 32MB; 0 is without a limit. (default: the server's; none on a "
          + "directory that is not in use)", valueName: "bytes"),
      transform: { text in
        // As people write it: '32 MB/s'.
        let bare = text.hasSuffix("/s") ? String(text.dropLast(2)) : text
        guard case .success(.byteCount(let count)) = SettingKind.byteCount(minimum: 0).value(of: bare) else {
          throw ValidationError("--limit takes bytes a second, such as 33554432 or 32MB, not '\(text)'.")
        }
        return count
      })
    var limit: Int?

    func validate() throws {
      if to == nil, place.connect == nil { throw ValidationError("--to says where the backup goes.") }
    }

    func run() throws {
      if let address = place.connect, let server = try place.server() {
        let call = "CALL backup(\(to.map(quotedSQL) ?? "NULL"), \(limit.map(String.init) ?? "NULL"))"
        let rows = try JobProgress.showing("backup", { try PostgresClient(ConnectionURL(postgres: address)) }) {
          try server.rows(call)
        }
        guard let row = rows.first, row.count == 8 else {
          throw VarveError(.unsupported, "the server does not answer CALL backup() with a row of 8 columns")
        }
        let values = row.map { $0 ?? "" }
        return try show(
          store: values[0], number: values[1], commit: values[2], files: values[3], bytes: Int(values[4]) ?? 0,
          sent: Int(values[5]) ?? 0, shared: Int(values[6]) ?? 0, seconds: Double(values[7]) ?? 0)
      }
      let database = try place.open()
      var shown = Progress(byteCount: nil)
      let report: BackupReport
      do {
        let request = BackupRequest(place: to, bytesPerSecond: limit ?? 0)
        report = try database.backupBlocking(request, check: {}) { shown.reach($0) }
        shown.end()
      } catch {
        shown.end()
        try database.closeBlocking()
        throw error
      }
      try database.closeBlocking()
      for warning in report.warnings { StandardStreams.note("varve: \(warning)") }
      try show(
        store: report.store, number: "\(report.number)", commit: "\(report.sequence.rawValue)",
        files: "\(report.files)", bytes: report.byteCount, sent: report.sentByteCount, shared: report.sharedByteCount,
        seconds: Double(report.nanoseconds) / 1e9)
    }

    private func show(
      store: String, number: String, commit: String, files: String, bytes: Int, sent: Int, shared: Int, seconds: Double
    ) throws {
      try StandardStreams.write(
        "backup \(number) of store \(store): commit \(commit), \(files) files, \(bytes) bytes, \(sent) sent and "
          + "\(shared) shared, in \(Self.rounded(seconds)) s\n")
    }

    private static func rounded(_ seconds: Double) -> String { String((seconds * 100).rounded() / 100) }
  }

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "List the backups of a place, oldest first.",
      discussion: """
        Each can be restored to commits between "restores from" and "to", the last one "of" that moment: what its log \
        holds, and what was shipped behind it.
        """)

    @OptionGroup var from: BackupsOption

    func run() throws {
      let place = try from.place()
      var rows = [["store", "backup", "taken", "commit", "restores from", "to", "of", "files", "bytes"]]
      let stores = try from.store.map { [$0] } ?? place.stores()
      for store in stores {
        let log = try PlacedLog(of: store, in: place)
        for (number, result) in try place.backups(of: store) {
          switch result {
          case .success(let manifest):
            let reach = try BackupReach(of: manifest, in: place, log)
            rows.append([
              "\(store)", "\(number)", try Moment.text(manifest.wallNanoseconds), "\(manifest.sequence.rawValue)",
              "\(manifest.leastSequence.rawValue)", "\(reach.last.rawValue)", try Moment.text(reach.wallNanoseconds),
              "\(manifest.files.count)", "\(manifest.byteCount)",
            ])
          case .failure(let error): rows.append(["\(store)", "\(number)", error.message])
          }
        }
      }
      try StandardStreams.write(Columns.text(rows))
    }
  }

  struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Prove a backup by restoring it.",
      discussion: """
        Reads every object, restores to a scratch directory, verifies every byte there, counts the rows of each table, \
        and removes the directory. Names what is damaged, and exits with 1 if anything is.
        """)

    @OptionGroup var from: BackupsOption

    @Option(help: "Number of the backup. (default: the newest)")
    var id: Int?

    @Option(
      help: ArgumentHelp("Directory to restore to, new or empty. (default: one in /tmp)", valueName: "dir"),
      completion: .directory)
    var scratch: String?

    @Option(
      help: ArgumentHelp(
        "Where archived chunks of the database are: rows that lie over them are counted, too.", valueName: "URL"))
    var archive: String?

    func run() throws {
      let place = try from.place()
      let manifest = try BackupChoice(place, store: from.store).manifest(number: id, at: nil)
      let scratch = scratch ?? "/tmp/varve-verify-\(manifest.store)-\(ProcessEnvironment.processIdentifier)"
      let tier = try archive.map {
        // It is only read: nothing is kept of it in a directory.
        ParquetTier(
          try ObjectStoreURL.open($0, files: PosixFileSystem(), schemes: try from.stores.schemes()),
          files: PosixFileSystem(), directory: scratch, cacheByteLimit: 0)
      }
      var shown = Progress(byteCount: nil)
      let found: BackupVerification
      do {
        defer { shown.end() }
        found = try BackupVerifier.verify(
          manifest, from: place, scratch: scratch, files: PosixFileSystem(), clock: SystemClock(), archive: tier,
          progress: { shown.reach($0) })
      }
      try StandardStreams.write(found.lines(of: manifest).joined(separator: "\n") + "\n")
      if !found.isSound { throw ExitCode.failure }
    }
  }

  struct Prune: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Remove old backups, and the objects that no other needs.",
      discussion: "Takes turns with backups that are being taken: one of them is refused while the other runs.")

    @OptionGroup var from: BackupsOption

    @Option(
      help: ArgumentHelp(
        "What stays: so many of the newest backups, or those that it takes to restore any moment of the last '30 days'.",
        valueName: "count|duration"))
    var keep: String

    func validate() throws { _ = try retention() }

    private func retention() throws -> BackupRetention {
      switch SettingKind.countOrDurationOrAll.value(of: keep) {
      case .success(.count(let count)): return .count(count)
      case .success(.duration(let milliseconds)):
        let age = Int64(milliseconds).multipliedReportingOverflow(by: 1_000_000)
        return .since(SystemClock().wallNanoseconds() - (age.overflow ? .max : age.partialValue))
      default:
        throw ValidationError(
          "--keep takes a count of 1 or more, since a place without backups is of no use, or a duration such as 30d.")
      }
    }

    func run() throws {
      let place = try from.place()
      let report = try BackupPruner.prune(try place.store(from.store), in: place, keeping: retention())
      try StandardStreams.write(
        "removed \(report.removed.count) backups and \(report.objects) objects of \(report.byteCount) bytes; "
          + "kept \(report.kept.map(String.init).joined(separator: ", "))\n")
    }
  }
}

/// Where backups are read from.
struct BackupsOption: ParsableArguments {
  @Option(help: ArgumentHelp("Where the backups are: file:///path, or s3://bucket/prefix.", valueName: "url"))
  var from: String

  @OptionGroup var stores: ObjectStoreOptions

  @Option(
    help: "The store, where there are backups of several.",
    transform: { text in
      guard let store = StoreIdentity(text) else {
        throw ValidationError("A store is named by 16 digits, as `varve backup list` does.")
      }
      return store
    })
  var store: StoreIdentity?

  func place() throws -> BackupPlace { try BackupPlace.open(from, files: PosixFileSystem(), schemes: stores.schemes()) }
}

/// Times as users read and write them, in UTC.
enum Moment {
  static func text(_ wallNanoseconds: Int64) throws -> String {
    try TypeText.string(.timestamp(wallNanoseconds), type: .timestamptz, context: EvaluationContext(now: 0))
  }

  static func parse(_ text: String) throws -> Int64 {
    let now = SystemClock().wallNanoseconds()
    guard case .timestamp(let time) = try TypeText.parse(text, as: .timestamptz, context: EvaluationContext(now: now))
    else { throw ValidationError("\(text) is no time.") }
    return time
  }
}

/// Rows of text with columns below each other.
enum Columns {
  static func text(_ rows: [[String]]) -> String {
    var widths: [Int] = []
    for row in rows where row.count == rows[0].count {
      for (column, cell) in row.enumerated() {
        if column == widths.count { widths.append(0) }
        widths[column] = max(widths[column], cell.count)
      }
    }
    return rows.map { row in
      row.enumerated().map { column, cell in
        column == row.count - 1 ? cell : cell + String(repeating: " ", count: max(0, widths[column] - cell.count))
      }.joined(separator: "  ") + "\n"
    }.joined()
  }
}
