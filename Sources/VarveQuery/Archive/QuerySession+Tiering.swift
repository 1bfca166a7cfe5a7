// Which tables have chunks that go to the archive by themselves when they are old: what SQL and the scheduler ask.
//
// The wall clock alone says what is old: archiving destroys nothing, so a clock that is wrong costs requests and no rows.

import VarveCompute
import VarveCore
import VarveFormat
import VarveStorage

/// A table whose old chunks go to the archive by themselves.
package struct TieringJob: Sendable {
  /// From the beginning of one run to that of the next: partitions go whole, and are hours wide at the least.
  package static let scheduleNanoseconds: Int64 = 600_000_000_000

  package let table: TableID
  package let name: String
  /// As the catalog has it.
  package let policy: [UInt8]
  package var isPaused: Bool { PolicyFlags.isPaused(policy) }
}

extension QuerySession {
  /// False: it has one, which stays as it is.
  package func addTieringPolicy(_ table: String, moveAfter: Interval) throws -> Bool {
    try addPolicy(.tiering, of: table, moveAfter, "move_after")
  }

  /// False: there is none.
  package func removeTieringPolicy(_ table: String) throws -> Bool { try removePolicy(.tiering, of: table) }

  /// In order of creation.
  package func tieringJobs() throws -> [TieringJob] {
    let snapshot = try store.snapshot()
    return snapshot.tables().compactMap { table in
      snapshot.policies(of: table.id)[.tiering].map { TieringJob(table: table.id, name: table.name, policy: $0) }
    }
  }

  package var tieringRecords: RefreshRecords { state.monitor.tierings }

  /// Archives what the policy says is old; nil for one that is paused.
  package func archive(_ job: TieringJob, check: () throws -> Void = {}) throws -> ArchiveRunReport? {
    let policy = try AgePolicy(job.policy)
    guard !policy.isPaused else { return nil }
    let limit = try policy.limit(at: clock.wallNanoseconds())
    return try store.archiveBlocking([(name: job.name, before: limit)], deletingUnneeded: false, check: check)
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
