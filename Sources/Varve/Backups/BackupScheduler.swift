// The threads by which a database backs itself up: one that ships the log, all the time, and one that takes backups when
// they are due: where there is none, so long after the last one, and when the log has a gap. Then it removes old ones.
//
// What fails is tried again, later each time; the log that waits is kept within its bound, and nobody who writes or reads
// notices. The threads hold their database only while they work in it.

import VarveArchive
import VarveCore
import VarveIO
import VarveQuery
import VarveStorage

final class BackupScheduler: Sendable {
  struct State: Sendable {
    var isStopping = false
    /// Whether the log says that a backup is wanted now.
    var isBackupWanted = false
  }

  private struct Times: Sendable {
    /// Known of the newest backup.
    var newest: (number: Int, wall: Int64)?
    /// Monotonic: after a failure.
    var notBefore = Int64.min
    var pauseNanoseconds: Int64 = 0
    var failure: VarveError.Code?
  }

  private static let lookNanoseconds: Int64 = 200_000_000
  private static let firstPauseNanoseconds: Int64 = 10_000_000_000
  private static let longestPauseNanoseconds: Int64 = 900_000_000_000
  /// What closing gives the last commits to get to the place.
  private static let lastRoundNanoseconds: Int64 = 10_000_000_000

  let settings: Database.Backups
  let state: BackupState
  let log: @Sendable (Database.LogLevel, String) -> Void
  let gate = Gate(State())
  /// Touched by the thread that ships, while it keeps the database from closing; then by who closes.
  private let shipping = Gate<LogShipping?>(nil)
  private let times = Gate(Times())

  var clock: any Clock { state.clock }
  var records: ServiceRecords { state.records }

  init?(_ state: BackupState, log: @escaping @Sendable (Database.LogLevel, String) -> Void) {
    guard let settings = state.settings else { return nil }
    self.settings = settings
    self.state = state
    self.log = log
    if let every = settings.every { records.update(.backup) { $0.scheduleNanoseconds = every.clampedNanoseconds } }
    if let every = settings.shipEvery {
      records.update(.logShipping) { $0.scheduleNanoseconds = every.clampedNanoseconds }
    }
  }

  func start(_ database: Database) {
    if settings.shipEvery != nil { run("varve-ship", niceness: 5, database) { $0.ship($1) } }
    if settings.every != nil { run("varve-backups", niceness: 10, database) { $0.backUpIfDue($1) } }
  }

  /// Ends soon; a round that has begun is ended by the database, which waits for it.
  func stop() { gate.update { $0.isStopping = true } }

  /// Calls `turn` as often as its last call says, in nanoseconds.
  private func run(
    _ name: String, niceness: Int32, _ database: Database,
    _ turn: @escaping @Sendable (BackupScheduler, Database) -> Int64
  ) {
    _ = WorkerThread(name: name, priority: .patient(niceness: niceness)) { [self, weak database] in
      var pause: Int64 = 0
      while !isStopping(within: pause) {
        guard let database else { return }
        pause = turn(self, database)
      }
    }
  }

  private func isStopping(within nanoseconds: Int64) -> Bool {
    if nanoseconds <= 0 { return gate.read { $0.isStopping } }
    return gate.wait(milliseconds: Int(max(1, nanoseconds / 1_000_000))) { $0.isStopping ? true : nil } ?? false
  }

  private func checkStopping() throws {
    if gate.read({ $0.isStopping }) { throw VarveError(.closed, "the database is closing") }
  }

  // MARK: - The log

  /// One look: a round, if it is time or a segment has ended. Gives how long to wait until the next.
  private func ship(_ database: Database) -> Int64 {
    let shipping = shipping.update(waking: []) { known -> LogShipping in
      let shipping = known ?? LogShipping(settings, state, log: log)
      known = shipping
      return shipping
    }
    do {
      try database.reading(stop: { [self] in stop() }) {
        guard shipping.isDue(database.store) else { return }
        let pipeline = try database.writer()
        let wantsBackup = try shipping.round(database.store, check: checkStopping) {
          try pipeline.betweenCommits { try $0.viewLog() }
        }
        gate.update(waking: []) { $0.isBackupWanted = wantsBackup }
      }
    } catch { tell("the log is shipped no more", error) }
    return Self.lookNanoseconds
  }

  /// The last commits, once nobody commits any more. On the thread that closes.
  func finish(_ store: Store) {
    guard let shipping = shipping.read({ $0 }) else { return }
    let end = clock.monotonicNanoseconds() + Self.lastRoundNanoseconds
    do {
      _ = try shipping.round(store) { [clock] in
        if clock.monotonicNanoseconds() > end { throw VarveError(.cancelled, "closing waits no longer") }
      } view: {
        try store.syncLog()
        return try store.viewLog()
      }
    } catch { tell("the last commits are not at the place of the backups", error) }
    shipping.stop()
  }

  private func tell(_ what: String, _ error: any Error) {
    let error = asVarveError(error)
    if error.code != .closed { log(.warning, "\(what): \(error)") }
  }

  // MARK: - Backups

  /// One look: a backup, if one is due. Gives how long to wait until the next.
  private func backUpIfDue(_ database: Database) -> Int64 {
    do {
      let next = try nextBackup(database)
      let now = clock.wallNanoseconds()
      records.update(.backup) { $0.work.nextRun = max(next, now) }
      guard next <= now else { return min(Self.lookNanoseconds, next - now) }
      let report = try database.backupBlocking(BackupRequest(place: settings.place), check: checkStopping)
      for warning in report.warnings { log(.warning, "backup \(report.number): \(warning)") }
      log(
        .info,
        "backup \(report.number) was taken: commit \(report.sequence.rawValue), \(report.sentByteCount) bytes sent")
      times.update { times in
        times.newest = (report.number, now)
        times.pauseNanoseconds = 0
        times.notBefore = .min
      }
      gate.update(waking: []) { $0.isBackupWanted = false }
      try prune(database)
    } catch { failed(asVarveError(error)) }
    return Self.lookNanoseconds
  }

  /// Wall time.
  private func nextBackup(_ database: Database) throws -> Int64 {
    let monotonic = clock.monotonicNanoseconds()
    let (newest, notBefore) = times.read { ($0.newest, $0.notBefore) }
    let now = clock.wallNanoseconds()
    if monotonic < notBefore { return now + notBefore - monotonic }
    let last = try newest?.wall ?? newestThere(database)
    guard let last, let every = settings.every, !gate.read({ $0.isBackupWanted }) else { return now }
    times.update { $0.newest = $0.newest ?? (0, last) }
    // A clock that was set back makes none wait for longer than one interval.
    let next = min(last, now).addingReportingOverflow(every.clampedNanoseconds)
    return next.overflow ? .max : next.partialValue
  }

  /// When the newest backup that can be read was taken; nil: there is none.
  private func newestThere(_ database: Database) throws -> Int64? {
    let place = try state.open(settings.place, database.store.files)
    let identity = try StoreIdentity(of: database.store)
    for (_, manifest) in try place.backups(of: identity).reversed() {
      if case .success(let manifest) = manifest { return manifest.wallNanoseconds }
    }
    return nil
  }

  private func prune(_ database: Database) throws {
    let retention: BackupRetention
    switch settings.keep {
    case .all: return
    case .newest(let count): retention = .count(max(1, count))
    case .age(let age):
      let since = clock.wallNanoseconds().subtractingReportingOverflow(age.clampedNanoseconds)
      retention = .since(since.overflow ? .min : since.partialValue)
    }
    let place = try state.open(settings.place, database.store.files)
    let report = try BackupPruner.prune(StoreIdentity(of: database.store), in: place, keeping: retention)
    if !report.removed.isEmpty {
      log(.info, "removed \(report.removed.count) backups that are old, and \(report.objects) objects")
    }
  }

  private func failed(_ error: VarveError) {
    if error.code == .closed || error.code == .cancelled { return }
    let now = clock.monotonicNanoseconds()
    let isNews = times.update { times in
      defer { times.failure = error.code }
      times.pauseNanoseconds = min(
        times.pauseNanoseconds == 0 ? Self.firstPauseNanoseconds : times.pauseNanoseconds * 2,
        Self.longestPauseNanoseconds)
      times.notBefore = now + times.pauseNanoseconds
      return times.failure != error.code
    }
    records.update(.backup) { $0.work.lastError = error }
    if isNews { log(.warning, "a backup failed; it is tried again later: \(error)") }
  }
}
