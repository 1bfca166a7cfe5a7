// Times at which rows of a chunk, or of a block of the head, lie alone: no other source of the partition may have the
// same ones there, so what it says of them is what they are, without a merge. Told by the bounds of the other sources;
// none is read.

import VarveCore
import VarveFormat

struct LoneTimes {
  private let others: [(series: ClosedRange<UInt32>, time: TimeRange)]

  /// Of the chunk with this number in the partition.
  init(ofChunk number: Int, in partition: ScanPlan.Partition) {
    let chunk = partition.chunks[number].handle.metadata
    // Chunks of one generation share their sequences and no row.
    let chunks = partition.chunks.map(\.handle.metadata).filter {
      $0.firstSequence != chunk.firstSequence || $0.lastSequence != chunk.lastSequence
    }
    others =
      (chunks.map { ($0.seriesBounds, $0.time) } + partition.blocks.map { ($0.rows.seriesRange, $0.rows.timeRange) })
      .filter { $0.0.overlaps(chunk.seriesBounds) }
  }

  /// Of the head block with this number in the partition.
  init(ofBlock number: Int, in partition: ScanPlan.Partition) {
    let own = partition.blocks[number].rows
    let blocks = partition.blocks.enumerated().filter { $0.offset != number }.map(\.element.rows)
    others =
      (partition.chunks.map { ($0.handle.metadata.seriesBounds, $0.handle.metadata.time) }
      + blocks.map { ($0.seriesRange, $0.timeRange) })
      .filter { $0.0.overlaps(own.seriesRange) }
  }

  /// Where rows of any of `series` lie alone within `time`: ascending, disjoint.
  func ranges(of series: ClosedRange<UInt32>, in time: TimeRange) -> [TimeRange] {
    var ranges = time.isEmpty ? [] : [time]
    for other in others where other.series.overlaps(series) { ranges = ranges.flatMap { $0.without(other.time) } }
    return ranges
  }
}

/// Which of a chunk's rows a source delivers, row block by row block.
enum ChunkPart {
  case all
  /// Those that lie alone.
  case lone(LoneTimes)
  /// Those that do not.
  case rest(LoneTimes)

  /// Times within the block's that are not in the part. Rows outside of `time` are of no interest.
  func excluded(from block: RowBlockEntry, in time: TimeRange) -> [TimeRange] {
    let times = block.time.intersection(time)
    switch self {
    case .all: return []
    case .lone(let lone):
      return lone.ranges(of: block.seriesBounds, in: times).reduce([times]) { left, range in
        left.flatMap { $0.without(range) }
      }
    case .rest(let lone): return lone.ranges(of: block.seriesBounds, in: times)
    }
  }

  /// Whether some of the block's times are in the part.
  func hasTimes(of block: RowBlockEntry, in time: TimeRange) -> Bool {
    if case .all = self { return true }
    let times = block.time.intersection(time)
    return !excluded(from: block, in: time).contains { $0.contains(times) }
  }
}

extension ChunkMetadata {
  var seriesBounds: ClosedRange<UInt32> { firstSeries.rawValue...lastSeries.rawValue }
}

extension RowBlockEntry {
  var seriesBounds: ClosedRange<UInt32> { firstSeries.rawValue...lastSeries.rawValue }
}

extension TimeRange {
  /// What is left of it: ascending, disjoint.
  func without(_ taken: TimeRange) -> [TimeRange] {
    guard taken.overlaps(self) else { return isEmpty ? [] : [self] }
    var left: [TimeRange] = []
    if lower < taken.lower { left.append(TimeRange(lower: lower, upper: taken.lower - 1)) }
    if taken.upper < upper { left.append(TimeRange(lower: taken.upper + 1, upper: upper)) }
    return left
  }
}
