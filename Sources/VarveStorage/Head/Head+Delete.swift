// Deleting rows in memory. Blocks are shared with snapshots and never change: one that loses rows is replaced by a copy
// without them.

import VarveCore
import VarveFormat

extension Head {
  /// Takes out the rows that the deletion covers.
  mutating func remove(_ deletion: Deletion) {
    for key in partitions.keys where key.table == deletion.table { replaceBlocks(of: key) { $0.without(deletion) } }
  }
}

extension HeadBlock {
  /// The block itself if nothing in it is covered; nil if everything is.
  func without(_ deletion: Deletion) -> HeadBlock? {
    guard deletion.time.overlaps(timeRange) else { return self }
    let kept = Buffer<UInt32>(capacity: rowCount)
    let isOfAll = deletion.series.isAll
    // Rows of one series often stand together.
    var previous: (series: UInt32, isCovered: Bool)?
    for row in 0..<rowCount {
      let id = series.base[row]
      if previous?.series != id { previous = (id, isOfAll || deletion.series.contains(SeriesID(rawValue: id))) }
      if previous?.isCovered == true, deletion.time.contains(times.base[row]) { continue }
      kept.append(UInt32(row))
    }
    if kept.count == rowCount { return self }
    return kept.count == 0 ? nil : HeadBlock.gathered(kept, series, times, fields)
  }
}
