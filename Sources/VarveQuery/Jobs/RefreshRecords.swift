// What refreshes of rollups have come to since the database was opened, by themselves and by hand.

import Synchronization
import VarveCore

package struct RefreshRecord: Sendable {
  /// Runs that did something.
  package var runs = 0
  package var failures = 0
  /// Pieces of work that were done again, since another commit was faster.
  package var conflicts = 0
  /// Rows that were written.
  package var rowCount = 0
  /// When the last run ended; wall clock. nil: there was none.
  package var lastRun: Int64?
  /// How long it took, and all of them.
  package var nanoseconds: Int64 = 0
  package var totalNanoseconds: Int64 = 0
  package var lastError: VarveError?
  package var isRunning = false
  /// When the scheduler runs it next, if that is later than now; wall clock.
  package var nextRun: Int64?

  package init() {}

  /// A run has ended: at this time, after so long, with an error or without.
  package mutating func ended(at wall: Int64, after nanoseconds: Int64, nextRun: Int64?, _ error: VarveError?) {
    isRunning = false
    runs += 1
    lastRun = wall
    self.nanoseconds = nanoseconds
    totalNanoseconds += nanoseconds
    self.nextRun = nextRun
    lastError = error
    if error != nil { failures += 1 }
  }

  package mutating func failed(_ error: VarveError) {
    failures += 1
    lastError = error
  }
}

package final class RefreshRecords: Sendable {
  private let records = Mutex<[TableID: RefreshRecord]>([:])

  init() {}

  package subscript(table: TableID) -> RefreshRecord { records.withLock { $0[table] } ?? RefreshRecord() }

  package func update(_ table: TableID, _ body: (inout RefreshRecord) -> Void) {
    records.withLock { body(&$0[table, default: RefreshRecord()]) }
  }

  /// Those that are not there any more are forgotten.
  package func keep(_ tables: Set<TableID>) {
    records.withLock { records in
      if records.contains(where: { !tables.contains($0.key) }) { records = records.filter { tables.contains($0.key) } }
    }
  }
}
