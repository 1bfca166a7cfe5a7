// Backups of an open database, taken while it is written and read: on a thread of their own, which keeps to a rate and
// stands back behind all others. Whoever asks for one waits for it.

import VarveArchive
import VarveCore
import VarveIO
import VarveStorage

/// What a backup came to.
public struct BackupSummary: Sendable, Equatable {
  /// Which store it is of, and which of that store's backups.
  public let store: String
  public let number: Int
  /// The last commit that it holds.
  public let commit: UInt64
  public let fileCount: Int
  /// Bytes of all its files, and of what was not in the place already.
  public let byteCount: Int
  public let sentByteCount: Int
  /// What it went on in spite of.
  public let warnings: [String]
}

extension Database {
  /// Takes a backup to the place at `url` (`file:///path`; nil: the one of `Options.backups`), while writes and reads go
  /// on. What is there of earlier backups is not sent again.
  ///
  /// Throws ``VarveError``: `not_found` where there is no such place, `overloaded` while another backup runs, `disk_full`
  /// where the database's own disk gets short, and what the place answers.
  public func backUp(to url: String? = nil) async throws -> BackupSummary {
    let report = try await workers.run { [self] in
      try backupBlocking(BackupRequest(place: url), check: { try checkOpen() })
    }
    return BackupSummary(
      store: report.store, number: report.number, commit: report.sequence.rawValue, fileCount: report.files,
      byteCount: report.byteCount, sentByteCount: report.sentByteCount, warnings: report.warnings)
  }

  /// Restores the newest backup in the place at `url`, with all of the log that was shipped behind it, to `directory`,
  /// which must be new or empty. `time`, nanoseconds since 1970: no further than that. Gives the commit it comes to.
  ///
  /// Throws ``VarveError``: `already_exists`, `not_found`, `invalid_argument` for a moment that is not reached, and
  /// `corruption` naming the object.
  public static func restore(_ directory: String, from url: String, atNanoseconds time: Int64? = nil) async throws
    -> UInt64
  {
    let workers = BlockingWorkers(count: 1, priority: .normal)
    defer { workers.stop() }
    return try await workers.run {
      let files = PosixFileSystem()
      let place = try BackupPlace.open(url, files: files, schemes: .none)
      let (manifest, target) = try BackupChoice(place, store: nil).chosen(number: nil, at: time.map { .time($0) })
      return try BackupRestore(manifest, from: place, files: files, clock: SystemClock(), threadCount: 4)
        .run(to: directory, target).sequence.rawValue
    }
  }

  package func backupBlocking(_ request: BackupRequest, check: () throws -> Void) throws -> BackupReport {
    try backupBlocking(request, check: check) { _ in }
  }

  /// `check` and `progress` are called now and then, on the calling thread.
  package func backupBlocking(
    _ request: BackupRequest, check: () throws -> Void, progress: (BackupProgress) -> Void
  ) throws -> BackupReport {
    let pipeline = try writer()
    let place = try backups.open(try backups.address(of: request.place), store.files)
    let run = LongRun<BackupReport, BackupProgress>()
    let rate = request.bytesPerSecond ?? backups.bytesPerSecond
    return try workers.standingIn {
      // Closing waits for it: the files it kept are removed by the process that has the directory.
      try reading(stop: { run.stop() }) {
        try backups.recording {
          // Without a limit somebody wants it done, and takes what it costs.
          run.start("varve-backup", bytesPerSecond: rate, standsBack: rate > 0) { [store] turn in
            try BackupWriter.run(
              store, to: place, begin: { try pipeline.betweenCommits { try $0.beginBackup() } }, check: turn.check,
              pace: turn.pace, progress: turn.isAt)
          }
          return try run.wait(check: check) { done in
            backups.isAt(done)
            progress(done)
          }
        }
      }
    }
  }
}
