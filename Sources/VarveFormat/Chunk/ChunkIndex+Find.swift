// Which row blocks may hold rows of some series in some time.

import VarveCore

extension ChunkIndex {
  /// Series that have rows.
  package var seriesCount: Int {
    var count = 0
    var last: SeriesID?
    for block in rowBlocks {
      // Neighbours may share one.
      count += block.runCount - (block.firstSeries == last ? 1 : 0)
      last = block.lastSeries
    }
    return count
  }

  /// Indices into `rowBlocks`, ascending, of the blocks whose series range holds one of `series` (ascending, without
  /// duplicates; nil: all) and whose times overlap `time`. Blocks may turn out to have no such row.
  package func rowBlocks(of series: [SeriesID]?, in time: TimeRange) -> [Int] {
    guard let series else { return rowBlocks.indices.filter { rowBlocks[$0].time.overlaps(time) } }
    var result: [Int] = []
    var block = 0
    var wanted = 0
    while wanted < series.count {
      block = Self.partitionPoint(block, rowBlocks.count) { rowBlocks[$0].lastSeries < series[wanted] }
      guard block < rowBlocks.count else { break }
      let first = rowBlocks[block].firstSeries
      if series[wanted] < first {
        wanted = Self.partitionPoint(wanted, series.count) { series[$0] < first }
        guard wanted < series.count else { break }
        // The next series may lie in this block or behind it.
        if rowBlocks[block].lastSeries < series[wanted] { continue }
      }
      if rowBlocks[block].time.overlaps(time) { result.append(block) }
      block += 1
      // The block after may begin with the series this one ended with: `wanted` goes on from the last that can.
      guard block < rowBlocks.count else { break }
      let next = rowBlocks[block].firstSeries
      wanted = Self.partitionPoint(wanted, series.count) { series[$0] < next }
    }
    return result
  }

  /// The first index in `low ..< high` for which `isBefore` is false; it is true up to there.
  private static func partitionPoint(_ low: Int, _ high: Int, _ isBefore: (Int) -> Bool) -> Int {
    var low = low
    var high = high
    while low < high {
      let middle = (low + high) / 2
      if isBefore(middle) { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
