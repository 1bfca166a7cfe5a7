// Which tables have chunks that go to the archive by themselves when they are old: what SQL and the scheduler ask.
//
// The wall clock alone says what is old: archiving destroys nothing, so a clock that is wrong costs requests and no rows.

import VarveCompute
import VarveCore
import VarveFormat
import VarveStorage

extension QuerySession {
  /// False: it has one, which stays as it is.
  package func addTieringPolicy(_ table: String, moveAfter: Interval) throws -> Bool {
    try addPolicy(.tiering, of: table, moveAfter, "move_after")
  }

  /// False: there is none.
  package func removeTieringPolicy(_ table: String) throws -> Bool { try removePolicy(.tiering, of: table) }

  /// In order of creation.
  package func tieringJobs() throws -> [AgeJob] { AgeJob.all(.tiering, try store.snapshot()) }

  package var tieringRecords: RefreshRecords { state.monitor.tierings }

  /// What is older goes at this time of day.
  package func limit(of job: AgeJob) throws -> Int64 {
    try AgePolicy(job.policy).limit(at: clock.wallNanoseconds())
  }

  /// What is older goes at this time of day. Throws 42704 for a table without a policy.
  func tieringLimit(of name: String) throws -> Int64 {
    let catalog = CatalogView(snapshot: try store.snapshot(), session: state)
    guard let policy = try aged(name, .tiering, catalog).policy else {
      throw SQLError.make(
        "42704", "tiering policy not found for \"\(name)\"",
        hint: "Say older_than, or add one: add_tiering_policy('\(name)', INTERVAL '90 days').")
    }
    return try AgePolicy(policy).limit(at: clock.wallNanoseconds())
  }
}
