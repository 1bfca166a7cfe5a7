// Up to which time rows go when what is older than some time is to go: never more than was asked.

import VarveCore
import VarveFormat
import VarveStorage

enum RetentionCut {
  /// Where the partition begins that holds the time, so that partitions go whole and none in part. Beyond the last row
  /// there is nothing to drop.
  static func time(_ table: TableSchema, before time: Int64, _ catalog: CatalogView) throws -> Int64 {
    guard let data = catalog.snapshot.statistics(of: table.id).time else { return .min }
    let width = table.partitionNanoseconds
    let last = start(of: data.upper, width).addingReportingOverflow(width)
    let cut = start(of: last.overflow ? time : min(time, last.partialValue), width)
    guard let rollup = try catalog.rollup(table.id), let state = catalog.snapshot.rollup(table.id)?.state else {
      return cut
    }
    // Of a rollup whole buckets go, and of one that others are made from only what its source does not have either:
    // while that has its rows, what comes late changes buckets that the others would have taken for good.
    let isSource = !catalog.snapshot.rollups(of: table.id).isEmpty
    return try rollup.statement.grid.start(of: min(cut, isSource ? state.frozen : state.watermark))
  }

  /// The first time not before this one where a partition begins.
  static func start(_ table: TableSchema, notBefore time: Int64) -> Int64 {
    let start = start(of: time, table.partitionNanoseconds)
    guard start < time else { return time }
    let next = start.addingReportingOverflow(table.partitionNanoseconds)
    return next.overflow ? .max : next.partialValue
  }

  /// The first time of all where the partition would begin before it.
  static func start(of time: Int64, _ width: Int64) -> Int64 {
    let rest = time % width
    let start = time.subtractingReportingOverflow(rest < 0 ? rest + width : rest)
    return start.overflow ? .min : start.partialValue
  }
}
