// Where rows come from: a chunk or a block of the head. A source delivers its rows of one partition in order of
// (series, time), each identity once, cut to what the scan asked for.

import VarveCore

protocol RowSource: AnyObject {
  /// The next rows, never empty; nil at the end. Cells may be `.absent`: an older source may have them.
  func next() throws -> ScanBatch?
}

/// What all sources of a scan are asked for.
struct RowSelection {
  let series: SeriesSet
  let time: TimeRange
  let fields: [(id: ColumnID, type: FieldType)]
}

enum ScanLimits {
  /// Rows a source or a merge delivers at once.
  static let batchRowCount = Limits.rowBlockRowCount
}
