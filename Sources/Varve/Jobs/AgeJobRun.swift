// What retention and tiering have in common, which do something with what is old, each on its thread: whose time has come,
// and what the records say of a run. Policies are looked at every ten minutes, since partitions go whole; what fails is
// tried again then, and told once.

import VarveCore
import VarveIO
import VarveQuery
import VarveStorage

/// When the jobs of one kind run next. Times are monotonic nanoseconds.
struct AgeJobTimes: Sendable {
  private var entries: [TableID: (policy: [UInt8], next: Int64)] = [:]

  /// Of all jobs that are not paused, those whose time has come; the next one is a while later. A policy that is new, or
  /// another one, is due at once.
  mutating func take(_ jobs: [AgeJob], now: Int64) -> [AgeJob] {
    let jobs = jobs.filter { !$0.isPaused }
    let tables = Set(jobs.map(\.table))
    entries = entries.filter { tables.contains($0.key) }
    let due = jobs.filter { job in entries[job.table].map { $0.policy != job.policy || now >= $0.next } ?? true }
    for job in due { entries[job.table] = (job.policy, now + AgeJob.scheduleNanoseconds) }
    return due
  }
}

extension RefreshRecords {
  /// Notes a run of jobs, and what it came to. Gives its error if that is news; throws only what ends the turn.
  func note(_ jobs: [AgeJob], _ clock: any Clock, _ run: () throws -> Void) throws -> VarveError? {
    let start = clock.monotonicNanoseconds()
    for job in jobs { update(job.table) { $0.isRunning = true } }
    var failure: VarveError?
    do { try run() } catch {
      let error = asVarveError(error)
      if error.code == .closed || error.code == .cancelled {
        for job in jobs { update(job.table) { $0.isRunning = false } }
        throw error
      }
      failure = error
    }
    let isNews = jobs.contains { self[$0.table].lastError?.code != failure?.code }
    let (now, wall) = (clock.monotonicNanoseconds(), clock.wallNanoseconds())
    for job in jobs {
      update(job.table) {
        $0.ended(at: wall, after: now - start, nextRun: wall + AgeJob.scheduleNanoseconds, failure)
      }
    }
    return isNews ? failure : nil
  }
}
