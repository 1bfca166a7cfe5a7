// The thread that archives by itself what tiering policies say is old: a run of all tables that are due, every ten minutes,
// since partitions go whole. What fails is tried again then, and told once.
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
    /// Of each table the policy that ran last, and the monotonic time when it is due again.
    var entries: [TableID: (policy: [UInt8], next: Int64)] = [:]
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
      let due = take(jobs.filter { !$0.isPaused }, database.store.clock.monotonicNanoseconds())
      if !due.isEmpty { try run(due, session, database) }
    } catch {
      let error = asVarveError(error)
      if error.code != .closed { database.log(.warning, "what is to be archived is looked at again later: \(error)") }
    }
  }

  /// Those whose time has come; a policy that is new, or another one, is due at once.
  private func take(_ jobs: [TieringJob], _ now: Int64) -> [TieringJob] {
    gate.update(waking: []) { state in
      let tables = Set(jobs.map(\.table))
      state.entries = state.entries.filter { tables.contains($0.key) }
      let due = jobs.filter { job in
        state.entries[job.table].map { $0.policy != job.policy || now >= $0.next } ?? true
      }
      for job in due { state.entries[job.table] = (job.policy, now + TieringJob.scheduleNanoseconds) }
      return due
    }
  }

  /// Requests and rewriting cost: once a day partitions are archived anew of which little has come or gone, and what is
  /// not needed any more is looked for.
  private func isThoroughRunDue(_ now: Int64) -> Bool {
    gate.read { state in state.lastThoroughRun.map { now - $0 >= 86_400_000_000_000 } ?? true }
  }

  private func run(_ jobs: [TieringJob], _ session: QuerySession, _ database: Database) throws {
    let (clock, records) = (database.store.clock, session.tieringRecords)
    let start = clock.monotonicNanoseconds()
    for job in jobs { records.update(job.table) { $0.isRunning = true } }
    func end(_ error: VarveError?) {
      let (now, wall) = (clock.monotonicNanoseconds(), clock.wallNanoseconds())
      for job in jobs {
        records.update(job.table) {
          $0.ended(at: wall, after: now - start, nextRun: wall + TieringJob.scheduleNanoseconds, error)
        }
      }
    }
    do {
      let limits = try jobs.map { (name: $0.name, before: try session.limit(of: $0)) }
      var report = ArchiveRunReport()
      let isThorough = isThoroughRunDue(start)
      if isThorough || database.hasSomethingToArchive(limits) {
        report = try database.archiveBlocking(
          limits, deletingUnneeded: false, bytesPerSecond: Self.bytesPerSecond, thorough: isThorough, check: {})
        if isThorough { gate.update(waking: []) { $0.lastThoroughRun = start } }
      }
      end(nil)
      for table in report.tables where table.rows > 0 {
        database.log(
          .info,
          "archived \(table.rows) rows of \"\(table.table)\": \(table.chunksAfter) objects of \(table.bytesAfter) bytes"
        )
      }
      for failure in report.failures { database.log(.warning, failure) }
    } catch {
      let error = asVarveError(error)
      if error.code == .closed || error.code == .cancelled {
        for job in jobs { records.update(job.table) { $0.isRunning = false } }
        throw error
      }
      let isNews = jobs.contains { records[$0.table].lastError?.code != error.code }
      end(error)
      if isNews { database.log(.warning, "nothing is archived for now: \(error)") }
    }
  }
}
