// The thread that archives by itself what tiering policies say is old: a run of all tables that are due.
//
// It has a thread of its own: a run may wait for an object store that is far, or not there, and no refresh should wait for
// that. It holds its database only while it works in it.

import Synchronization
import VarveCore
import VarveIO
import VarveQuery
import VarveStorage

final class TieringScheduler: Sendable {
  private struct State: Sendable {
    var isStopping = false
    var times = AgeJobTimes()
    /// Monotonic time of the last run that left nothing for later.
    var lastThoroughRun: Int64?
  }

  private static let turnMilliseconds = 1_000
  /// Bytes of objects that runs by policy write a second.
  private static let bytesPerSecond = 64 << 20

  private let gate = Gate(State())

  func start(_ database: Database) {
    _ = WorkerThread(name: "varve-tiering", priority: .patient(niceness: 10)) { [self, weak database] in
      while !(gate.wait(milliseconds: Self.turnMilliseconds) { $0.isStopping ? true : nil } ?? false) {
        guard let database else { return }
        turn(database)
      }
    }
  }

  /// Ends soon; a run that has begun is ended by the database, which waits for it.
  func stop() { gate.update { $0.isStopping = true } }

  /// Archives what is due.
  func turn(_ database: Database) {
    let session = database.makeJobSession()
    defer { session.close() }
    do {
      let jobs = try database.reading(stop: session.cancellation.cancel) { try session.tieringJobs() }
      let now = database.store.clock.monotonicNanoseconds()
      let due = gate.update(waking: []) { $0.times.take(jobs, now: now) }
      if !due.isEmpty { try run(due, session, database) }
    } catch {
      let error = asVarveError(error)
      if error.code != .closed { database.log(.warning, "what is to be archived is looked at again later: \(error)") }
    }
  }

  /// Requests and rewriting cost: once a day partitions are archived anew of which little has come or gone, and what is
  /// not needed any more is looked for.
  private func isThoroughRunDue(_ now: Int64) -> Bool {
    gate.read { state in state.lastThoroughRun.map { now - $0 >= 86_400_000_000_000 } ?? true }
  }

  private func run(_ jobs: [AgeJob], _ session: QuerySession, _ database: Database) throws {
    let clock = database.store.clock
    var limits: [(name: String, before: Int64)] = []
    var sound: [AgeJob] = []
    for job in jobs {
      do {
        limits.append((job.name, try session.limit(of: job)))
        sound.append(job)
      } catch {
        let news = try session.tieringRecords.note([job], clock) { throw error }
        if let news { database.log(.warning, "the tiering policy of \"\(job.name)\" cannot be followed: \(news)") }
      }
    }
    if sound.isEmpty { return }
    let news = try session.tieringRecords.note(sound, clock) { try archive(limits, database) }
    if let news { database.log(.warning, "nothing is archived for now: \(news)") }
  }

  private func archive(_ limits: [(name: String, before: Int64)], _ database: Database) throws {
    let start = database.store.clock.monotonicNanoseconds()
    let isThorough = isThoroughRunDue(start)
    guard isThorough || database.hasSomethingToArchive(limits) else { return }
    let report = try database.archiveBlocking(
      limits, ArchiveChoice(), bytesPerSecond: Self.bytesPerSecond, thorough: isThorough, check: {})
    if isThorough { gate.update(waking: []) { $0.lastThoroughRun = start } }
    for table in report.tables where table.rows > 0 {
      database.log(
        .info,
        "archived \(table.rows) rows of \"\(table.table)\": \(table.chunksAfter) objects of \(table.bytesAfter) bytes")
    }
    for failure in report.failures { database.log(.warning, failure) }
    if report.isClockDoubted { database.log(.warning, ArchiveRunReport.clockDoubt) }
  }
}
