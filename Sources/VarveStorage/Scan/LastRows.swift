// The newest row of each series, for queries that want no other: the latest state of all devices.
//
// What makes it fast is made of parts that never change (`Tail`), so the answer is that of the snapshot, whatever was
// committed, sealed, compacted or deleted since.

import VarveCore

package struct LastRowsRequest: Sendable {
  package enum Wanted: Sendable {
    /// Of each series the newest row.
    case rows
    /// Of each series and field the newest row in which the field has a value; and one row at least of each series.
    case values
  }

  package var table: TableID
  package var series: SeriesSet
  package var time: TimeRange
  /// The fields to deliver, in this order.
  package var fields: [ColumnID]
  package var wanted: Wanted

  package init(
    table: TableID, series: SeriesSet = .all, time: TimeRange = .all, fields: [ColumnID] = [], wanted: Wanted = .rows
  ) {
    self.table = table
    self.series = series
    self.time = time
    self.fields = fields
    self.wanted = wanted
  }
}

extension ReadSnapshot {
  /// A store that keeps no tails gives all rows.
  package func lastRows(_ request: LastRowsRequest) throws -> any ScanCursor {
    try scan(
      ScanRequest(
        table: request.table, series: request.series, time: request.time, fields: request.fields,
        newestPartitionFirst: true))
  }
}
