// Rows go when their table's policy says that they are old. While the clock is not believed nothing goes, and varve.jobs
// says so.

import VarveCore
import VarveQuery

extension JobScheduler {
  /// Throws only what ends the turn.
  func retain(_ session: QuerySession, _ database: Database) throws {
    let jobs = try session.retentionJobs()
    let now = clock.monotonicNanoseconds()
    for job in gate.update(waking: [], { $0.retention.take(jobs, now: now) }) {
      let news = try session.retentionRecords.note([job], clock) {
        if try session.retain(job, check: { try standBack(database) }) {
          log(.info, "dropped rows of \"\(job.name)\" that its policy says are old")
        }
      }
      if let news { log(.warning, "old rows of \"\(job.name)\" stay for now: \(news)") }
    }
  }
}
