// Rows go when their table's policy says that they are old. It is looked at every ten minutes, since partitions go whole,
// and what fails is tried again then. While the clock is not believed nothing goes, and varve.jobs says so.

import VarveCore
import VarveQuery
import VarveStorage

extension JobScheduler {
  private static let scheduleNanoseconds: Int64 = 600_000_000_000

  /// Of the tables with a policy, those whose time has come, and forgets the others.
  struct RetentionTimes: Sendable {
    private var entries: [TableID: (policy: [UInt8], next: Int64)] = [:]

    /// Whether it is time; then the next one is a while later. A policy that is new, or another one, is due at once.
    mutating func isDue(_ job: RetentionJob, now: Int64) -> Bool {
      if let known = entries[job.table], known.policy == job.policy, now < known.next { return false }
      entries[job.table] = (job.policy, now + scheduleNanoseconds)
      return true
    }

    mutating func keep(_ tables: Set<TableID>) {
      if entries.contains(where: { !tables.contains($0.key) }) { entries = entries.filter { tables.contains($0.key) } }
    }
  }

  /// Throws only what ends the turn.
  func retain(_ session: QuerySession, _ database: Database) throws {
    let jobs = try session.retentionJobs()
    let now = clock.monotonicNanoseconds()
    let due = gate.update(waking: []) { state in
      state.retention.keep(Set(jobs.map(\.table)))
      return jobs.filter { state.retention.isDue($0, now: now) }
    }
    for job in due where !job.isPaused { try retain(job, session, database) }
  }

  private func retain(_ job: RetentionJob, _ session: QuerySession, _ database: Database) throws {
    let records = session.retentionRecords
    let start = clock.monotonicNanoseconds()
    records.update(job.table) { $0.isRunning = true }
    func end(_ error: VarveError?) {
      let (now, wall) = (clock.monotonicNanoseconds(), clock.wallNanoseconds())
      records.update(job.table) {
        $0.ended(at: wall, after: now - start, nextRun: wall + Self.scheduleNanoseconds, error)
      }
    }
    do {
      if try session.retain(job, check: { try standBack(database) }) {
        log(.info, "dropped rows of \"\(job.name)\" that its policy says are old")
      }
      end(nil)
    } catch {
      let error = asVarveError(error)
      if error.code == .closed || error.code == .cancelled {
        records.update(job.table) { $0.isRunning = false }
        throw error
      }
      let isNews = records[job.table].lastError?.code != error.code
      end(error)
      if isNews { log(.warning, "old rows of \"\(job.name)\" stay for now: \(error)") }
    }
  }
}
