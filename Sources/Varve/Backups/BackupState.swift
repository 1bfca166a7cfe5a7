// What a database knows of its backups: where they go, how fast, and what became of them; `varve.jobs` shows it.

import VarveArchive
import VarveCore
import VarveIO
import VarveQuery
import VarveStorage

final class BackupState: Sendable {
  let settings: Database.Backups?
  /// 0: as fast as it goes.
  let bytesPerSecond: Int
  /// Whether a backup may go to another place than the one of the settings.
  private let isAnywhereAllowed: Bool
  private let schemes: ObjectStoreSchemes
  let records: ServiceRecords
  let clock: any Clock

  init(_ options: Database.Options, _ records: ServiceRecords, _ clock: any Clock) {
    settings = options.backups
    bytesPerSecond = max(0, options.backupBytesPerSecond)
    isAnywhereAllowed = options.backupsGoAnywhere
    schemes = options.objectStores
    self.records = records
    self.clock = clock
  }

  /// The place that is meant.
  func address(of place: String?) throws -> String {
    if let place {
      guard isAnywhereAllowed || place == settings?.place else {
        throw VarveError(
          .invalidArgument, "backups of this database go nowhere but where it was started to back up to",
          hint: settings == nil
            ? "start the server with --backup-to, or with --backup-anywhere on"
            : "leave the place out; or start the server with --backup-anywhere on", sqlState: "42501")
      }
      return place
    }
    guard let settings else {
      throw VarveError(
        .invalidArgument, "no place for backups is set",
        hint: "say where to, such as 'file:///path'; or start the server with --backup-to", sqlState: "22004")
    }
    return settings.place
  }

  func open(_ address: String, _ files: any FileSystem) throws -> BackupPlace {
    try BackupPlace.open(address, files: files, schemes: schemes)
  }

  /// Runs a backup, whoever asked for it.
  func recording<T>(_ body: () throws -> T) throws -> T { try records.recording(.backup, clock, body) }

  func isAt(_ progress: BackupProgress) {
    let (done, all) = (Self.megabytes(progress.doneByteCount), Self.megabytes(progress.byteCount))
    records.update(.backup) { $0.detail = "\(done) of \(all) MB" }
  }

  static func megabytes(_ byteCount: Int) -> String { "\(Double(byteCount / 100_000) / 10)" }
}

extension ServiceRecords {
  /// Runs a job, and notes what became of it.
  func recording<T>(_ job: ServiceJob, _ clock: any Clock, _ body: () throws -> T) throws -> T {
    let start = clock.monotonicNanoseconds()
    update(job) { $0.work.isRunning = true }
    let outcome = Result { try body() }
    let nanoseconds = clock.monotonicNanoseconds() - start
    let wall = clock.wallNanoseconds()
    update(job) { record in
      record.detail = nil
      switch outcome {
      case .success: record.ended(nil, nanoseconds, at: wall)
      case .failure(let error): record.ended(asVarveError(error), nanoseconds, at: wall)
      }
    }
    return try outcome.get()
  }
}
