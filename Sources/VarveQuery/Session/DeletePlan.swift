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

  /// What is deleted, and how many rows of the snapshot that covers; nil: nothing that the snapshot has.
  func resolve(_ context: ExecutionContext) throws -> (request: DeleteRequest, rowCount: Int)? {
    for gate in gates {
      guard case .bool(true) = try context.constant(gate) else { return nil }
    }
    guard let scanned = try scan.request(context) else { return nil }
    var rowCount = 0
    if isCounted {
      let cursor = try context.snapshot.scan(scanned)
      while let batch = try cursor.next() {
        try context.check()
        rowCount += batch.count
      }
      if rowCount == 0 { return nil }
    }
    return (DeleteRequest(table: scanned.table, series: scanned.series, time: scanned.time), rowCount)
  }
}
