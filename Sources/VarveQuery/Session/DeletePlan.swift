// DELETE from a series table: conditions on tags become a set of series, conditions on time a range. What those do not
// settle is refused when the statement is bound: a delete is a tombstone, not a walk over rows.

import VarveCompute
import VarveCore
import VarveStorage

struct DeletePlan: Sendable {
  let scan: SeriesScanNode
  /// Without columns; all must hold, or nothing is deleted.
  let gates: [BoundExpression]
  /// TRUNCATE tells nobody how many rows there were.
  let isCounted: Bool

  var table: TableSchema { scan.table }

  /// What is deleted; nil: nothing that the snapshot has. `isInBlock`: it is, later, when the transaction commits.
  func resolve(_ context: ExecutionContext, isInBlock: Bool) throws -> PendingDelete? {
    for gate in gates {
      guard case .bool(true) = try context.constant(gate) else { return nil }
    }
    guard let scanned = try scan.request(context) else { return nil }
    var delete = PendingDelete(table: table.name, scan: scanned, rowCount: 0)
    if isCounted || isInBlock {
      delete.rowCount = try delete.count(context.snapshot) { try context.check() }
      if delete.rowCount == 0 { return nil }
    }
    return delete
  }
}

/// TRUNCATE.
struct TruncatePlan: Sendable {
  var series: [DeletePlan] = []
  var dimensions: [DimensionSchema] = []
}

/// A delete on its way to its commit.
struct PendingDelete: Sendable {
  let table: String
  let scan: ScanRequest
  /// Rows that it covered when its statement ran.
  var rowCount: Int

  var request: DeleteRequest { DeleteRequest(table: scan.table, series: scan.series, time: scan.time) }

  /// Rows of the snapshot that it covers.
  func count(_ snapshot: any ReadSnapshot, check: () throws -> Void) throws -> Int {
    let cursor = try snapshot.scan(scan)
    var rowCount = 0
    while let batch = try cursor.next() {
      try check()
      rowCount += batch.count
    }
    return rowCount
  }

  /// A delete takes all that it covers when it commits. Where the number of rows is no longer what the statement told,
  /// others wrote meanwhile, and their rows must not go with the rest. Values that were replaced in place, and what
  /// commits between this look and the delete, do go: a delete follows what it runs beside.
  func checkUnchanged(_ snapshot: any ReadSnapshot, check: () throws -> Void) throws {
    guard try count(snapshot, check: check) != rowCount else { return }
    throw SQLError.make(
      "40001", "could not serialize access: rows of \"\(table)\" that the transaction deletes were written meanwhile",
      hint: "Try the transaction again, or DELETE outside of a transaction block.")
  }
}
