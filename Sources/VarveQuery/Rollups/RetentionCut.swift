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
    return start(of: last.overflow ? time : min(time, last.partialValue), width)
  }

  /// The first time of all where the partition would begin before it.
  private static func start(of time: Int64, _ width: Int64) -> Int64 {
    let rest = time % width
    let start = time.subtractingReportingOverflow(rest < 0 ? rest + width : rest)
    return start.overflow ? .min : start.partialValue
  }
}
