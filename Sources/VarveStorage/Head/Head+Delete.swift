// Deleting rows in memory. Blocks are shared with snapshots and never change: one that loses rows is replaced by a copy
// without them, made once for all that a commit deletes.

import VarveCore
import VarveFormat

extension Head {
  /// Takes out the rows that any of the deletions covers.
  mutating func remove(_ deletions: [Deletion]) {
    let byTable = Dictionary(grouping: deletions, by: \.table)
    for key in partitions.keys {
      guard let own = byTable[key.table] else { continue }
      replaceBlocks(of: key) { $0.without(own) }
    }
  }
}

extension HeadBlock {
  /// The block itself if nothing in it is covered; nil if everything is.
  func without(_ deletions: [Deletion]) -> HeadBlock? {
    let covered = Exclusions(
      deletions.filter { $0.time.overlaps(timeRange) && $0.series.overlaps(seriesRange) })
    if covered.isEmpty { return self }
    if covered.cover(timeRange, series: seriesRange) { return nil }
    let kept = Buffer<UInt32>(capacity: rowCount)
    var ofSeries: [UInt32: [TimeRange]] = [:]
    // Rows of one series often stand together.
    var (previous, ranges) = (series.base[0], covered.ranges(of: SeriesID(rawValue: series.base[0])))
    for row in 0..<rowCount {
      let id = series.base[row]
      if id != previous {
        ofSeries[previous] = ranges
        (previous, ranges) = (id, ofSeries[id] ?? covered.ranges(of: SeriesID(rawValue: id)))
      }
      if !isCovered(times.base[row], ranges) { kept.append(UInt32(row)) }
    }
    if kept.count == rowCount { return self }
    return kept.count == 0 ? nil : HeadBlock.gathered(kept, series, times, fields)
  }
}

/// Whether one of the ranges, which are ascending and disjoint, has the time.
private func isCovered(_ time: Int64, _ ranges: [TimeRange]) -> Bool {
  var low = 0
  var high = ranges.count
  while low < high {
    let middle = (low + high) / 2
    if ranges[middle].upper < time { low = middle + 1 } else { high = middle }
  }
  return low < ranges.count && ranges[low].lower <= time
}
