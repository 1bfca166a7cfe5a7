// How many more series the store takes: a count a table, and a share of the memory budget for all indexes together. A
// row that would go beyond is rejected with the limit's name; the process never runs out of memory for it.

import VarveCore

package struct SeriesRoom: Sendable {
  package var seriesPerTable: Int
  /// Bytes that the indexes may still take. They grow by doubling, so the last growth may go beyond by a part of itself.
  package var byteCount: Int

  package init(seriesPerTable: Int, byteCount: Int) {
    self.seriesPerTable = seriesPerTable
    self.byteCount = byteCount
  }

  /// Why one more series of so many bytes is not taken; nil if it is.
  func refusal(table: String, seriesCount: Int, byteCount needed: Int) -> String? {
    if seriesCount >= seriesPerTable {
      return "table \"\(table)\" holds at most \(seriesPerTable) series; --max-series raises that"
    }
    if needed > byteCount {
      return "the series index has reached its share of the memory budget; --memory raises that"
    }
    return nil
  }
}
