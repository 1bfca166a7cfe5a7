// Conditions on rows that a scan's source tests with the columns they need, before it decodes the others: of those it
// then reads no more than what has chosen rows. Where sources are merged, newer cells may come from elsewhere, and
// whoever asked tests for himself; each batch says whether it was tested.

import VarveCore

/// Used by the thread that its cursor is used by.
package protocol RowFilter: AnyObject {
  /// What it needs: places among the fields of the request, ascending.
  var places: [Int] { get }
  /// The rows that are wanted, ascending; nil: all. `batch` has the fields of `places` alone.
  func rows(of batch: ScanBatch) throws -> Buffer<UInt32>?
}

extension [SeriesRun] {
  /// The runs of chosen rows, which ascend.
  package func chosen(_ rows: Buffer<UInt32>) -> [SeriesRun] {
    var result: [SeriesRun] = []
    var index = 0
    var end = 0
    for run in self {
      end += run.count
      let start = index
      while index < rows.count, Int(rows[index]) < end { index += 1 }
      if index > start { result.append(SeriesRun(series: run.series, count: index - start)) }
    }
    return result
  }
}
