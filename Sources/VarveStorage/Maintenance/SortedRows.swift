// What chunks are written from, be it the sealing head or older chunks: rows of one partition by (series, time), each
// identity once, cut into row blocks whose columns come one after the other.

import VarveCore
import VarveFormat

protocol SortedRows {
  /// By id, ascending.
  var fields: [(id: ColumnID, type: FieldType)] { get }
  /// The bucket width of the chunks' summaries; nil if they get none.
  var summaryStep: SummaryStep? { get }

  func forEachRowBlock(_ body: (SortedBlock) throws -> Void) throws
}

struct SortedBlock {
  let runs: [SeriesRun]
  let times: Buffer<Int64>
  /// The column of the field at a place in `fields`; nil if it is absent in all rows. Each is asked for once, within
  /// the call that the block is handed to.
  let field: (Int) throws -> FieldColumn?
}
