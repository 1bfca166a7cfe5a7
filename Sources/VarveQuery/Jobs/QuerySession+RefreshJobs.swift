// What the scheduler of the database asks of the session that it works in: which rollups are refreshed by themselves,
// whether there is something to do for one, and doing some of it.

import VarveCompute
import VarveCore
import VarveFormat
import VarveRollup
import VarveStorage

/// A rollup that has a refresh policy.
package struct RefreshJob: Sendable {
  package let table: TableID
  package let name: String
  /// Of the table or rollup that it is made from.
  package let source: String
  /// As the catalog has it.
  package let policy: [UInt8]
}

/// What a refresh takes on.
package struct RefreshScope: Sendable {
  package var within = TimeRange.all
  /// A bucket is over so long after its end.
  package var settleNanoseconds: Int64 = 0
  /// Whether the bucket of the source's newest row is left alone, though it has ended: rows are being written whose times
  /// lie in the past, in order, and the next ones may well belong to it.
  package var leavesNewest = false
  /// Whether buckets are made anew that rows came late for.
  package var takesLate = true

  package init() {}

  /// Rows that are no older are those of today, and come when they come.
  static let pastNanoseconds: Int64 = 60_000_000_000
}

/// What there is to do for a rollup.
package struct RefreshOutlook: Sendable, Equatable {
  /// Buckets have ended.
  package var hasNew = false
  /// Rows came late.
  package var hasLate = false
}

package enum RefreshProgress: Sendable {
  case done, more
  /// Another commit was faster; what there is to do has to be looked at again.
  case conflict
}

extension QuerySession {
  /// In order of creation, so that sources come before what is made from them. What is known of dropped ones is forgotten.
  package func refreshJobs() throws -> [RefreshJob] {
    let snapshot = try store.snapshot()
    let rollups = snapshot.tables().compactMap { snapshot.rollup($0.id) }
    refreshRecords.keep(Set(rollups.map(\.schema.id)))
    return rollups.compactMap { rollup in
      let table = rollup.schema
      guard let policy = snapshot.policies(of: table.id)[.refresh],
        let source = snapshot.table(id: rollup.definition.source)
      else { return nil }
      return RefreshJob(table: table.id, name: table.name, source: source.name, policy: policy)
    }
  }

  package func outlook(of job: RefreshJob, _ scope: RefreshScope) throws -> RefreshOutlook {
    try RefreshOutlook(RollupRefresh(self, job.name).outlook(scope))
  }

  /// Does pieces of the work, one after the other: at most `limit`. `pace` is called before each, and throws to end it.
  package func refresh(_ job: RefreshJob, _ scope: RefreshScope, limit: Int, pace: () throws -> Void) throws
    -> RefreshProgress
  {
    let refresh = RollupRefresh(self, job.name)
    return try refresh.recorded(for: job.table) { report in
      for _ in 0..<limit {
        try pace()
        do {
          guard let rows = try refresh.step(scope) else { return .done }
          report.windows += 1
          report.rows += rows
        } catch let error as VarveError where error.sqlState == "40001" {
          report.conflicts += 1
          return .conflict
        }
      }
      return .more
    }
  }

  package var refreshRecords: RefreshRecords { state.monitor.refreshes }
}

extension RefreshOutlook {
  fileprivate init(_ found: (hasNew: Bool, hasLate: Bool)) {
    hasNew = found.hasNew
    hasLate = found.hasLate
  }
}
