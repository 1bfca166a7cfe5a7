// `varve restore`: a backup back into a directory.

import ArgumentParser
import VarveArchive
import VarveCore
import VarveIO
import VarveServer
import VarveStorage

struct Restore: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Restore a backup to a directory that is new or empty.",
    discussion: """
      The newest backup and all of the log that was shipped behind it; or the backup that --id names, at its own moment. \
      With --to-time or --to-sequence any moment that a backup reaches: back to what its log holds, and on as far as log \
      was shipped behind it, see `varve backup list`. The directory is there only once all is restored and checked; the \
      database in it is one of its own, and its first backup is whole.
      """)

  @OptionGroup var from: BackupsOption

  @Option(help: "Number of the backup. (default: the newest, or the one that best reaches the moment)")
  var id: Int?

  @Flag(help: "All there is, which is the default: the newest backup, and the log that was shipped behind it.")
  var latest = false

  @Option(help: "The last moment that is restored, such as '2026-01-31 12:00:00+00'.")
  var toTime: String?

  @Option(help: "The last commit that is restored.")
  var toSequence: UInt64?

  @Option(help: ArgumentHelp("Directory to restore to.", valueName: "dir"), completion: .directory)
  var data: String

  /// What is fetched and written at a time.
  static let threadCount = 4

  func validate() throws {
    if latest && (toTime != nil || toSequence != nil) {
      throw ValidationError("--latest restores all there is; --to-time and --to-sequence end before that.")
    }
    if id != nil && latest { throw ValidationError("--id names one backup, --latest another; give one of them.") }
    if toTime != nil && toSequence != nil {
      throw ValidationError("--to-time and --to-sequence both say where to end; give one of them.")
    }
  }

  func run() throws {
    let place = try from.place()
    let limit: LogLimit? =
      try toTime.map { .time(try Moment.parse($0)) } ?? toSequence.map { .sequence(Sequence(rawValue: $0)) }
    let choice = BackupChoice(place, store: from.store)
    let (manifest, target) = try choice.chosen(number: id, at: limit)
    var shown = Progress(byteCount: nil)
    let report: RestoreReport
    do {
      defer { shown.end() }
      report = try BackupRestore(
        manifest, from: place, files: PosixFileSystem(), clock: SystemClock(), threadCount: Self.threadCount,
        progress: { shown.reach($0) }
      ).run(to: data, target)
    }
    let seconds = (Double(report.nanoseconds) / 1e7).rounded() / 100
    try StandardStreams.write(
      "restored backup \(manifest.number) of store \(manifest.store) to \(data): commit \(report.sequence.rawValue), "
        + "\(report.files) files, \(report.byteCount) bytes in \(seconds) s\n")
  }
}
