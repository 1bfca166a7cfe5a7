// The live chunks of one table, by partition, the oldest first: those of a range of time are found without looking at the
// others, however many there are, and what all of them come to is kept as they come and go.
//
// Partitions are windows of time, and a chunk's rows lie within its own: so the times of chunks ascend with them.

import VarveCore
import VarveFormat

struct TableChunks: Sendable {
  struct Partition: Sendable {
    let index: Int64
    /// In order of sequence; not empty.
    fileprivate(set) var chunks: [ChunkHandle]
    /// Of their rows.
    fileprivate(set) var time: TimeRange
  }

  /// What chunks come to that are archived.
  struct Archived: Sendable {
    var count = 0
    var rowCount = 0
    var objectByteCount = 0
  }

  private(set) var partitions: [Partition] = []
  private(set) var count = 0
  private(set) var rowCount = 0
  private(set) var valueCount = 0
  private(set) var byteCount = 0
  private(set) var archived = Archived()

  /// In order of sequence.
  func chunks(in index: Int64) -> [ChunkHandle] { place(of: index).map { partitions[$0].chunks } ?? [] }

  func hasPartition(_ index: Int64) -> Bool { place(of: index) != nil }

  /// Those that may have rows of these times.
  func partitions(overlapping time: TimeRange) -> ArraySlice<Partition> {
    if time.isEmpty { return [] }
    let first = partitions.partitioningPlace { $0.time.upper >= time.lower }
    let end = partitions.partitioningPlace { $0.time.lower > time.upper }
    return partitions[first..<end]
  }

  /// From the first to the last row of all chunks but some. Those at the ends are looked at, unless many are left out.
  func time(without leftOut: [FileID: ChunkMetadata]) -> TimeRange? {
    func hull(_ partition: Partition) -> TimeRange? {
      if leftOut.isEmpty { return partition.time }
      return partition.chunks.reduce(nil as TimeRange?) { time, chunk in
        if leftOut[chunk.metadata.file] != nil { return time }
        return time?.hull(chunk.metadata.time) ?? chunk.metadata.time
      }
    }
    guard let first = partitions.lazy.compactMap(hull).first,
      let last = partitions.lazy.reversed().compactMap(hull).first
    else { return nil }
    return first.hull(last)
  }

  mutating func add(_ chunk: ChunkHandle) {
    let metadata = chunk.metadata
    count(metadata, 1)
    let place = partitions.partitioningPlace { $0.index >= metadata.partition }
    guard place < partitions.count, partitions[place].index == metadata.partition else {
      partitions.insert(Partition(index: metadata.partition, chunks: [chunk], time: metadata.time), at: place)
      return
    }
    // Chunks of one merge have the same sequences, and no identity in common.
    let order = partitions[place].chunks.partitioningPlace {
      ($0.metadata.firstSequence, $0.metadata.file) > (metadata.firstSequence, metadata.file)
    }
    partitions[place].chunks.insert(chunk, at: order)
    partitions[place].time = partitions[place].time.hull(metadata.time)
  }

  /// Gives the handles that went.
  mutating func remove(_ files: Set<FileID>, in index: Int64) -> [ChunkHandle] {
    guard let place = place(of: index) else { return [] }
    let (removed, kept) = (
      partitions[place].chunks.filter { files.contains($0.metadata.file) },
      partitions[place].chunks.filter { !files.contains($0.metadata.file) }
    )
    for chunk in removed { count(chunk.metadata, -1) }
    if let first = kept.first {
      partitions[place].chunks = kept
      partitions[place].time = kept.dropFirst().reduce(first.metadata.time) { $0.hull($1.metadata.time) }
    } else {
      partitions.remove(at: place)
    }
    return removed
  }

  private mutating func count(_ chunk: ChunkMetadata, _ sign: Int) {
    count += sign
    rowCount += sign * chunk.rowCount
    valueCount += sign * chunk.valueCount
    byteCount += sign * chunk.byteCount
    guard chunk.level == .archived else { return }
    archived.count += sign
    archived.rowCount += sign * chunk.rowCount
    archived.objectByteCount += sign * chunk.objectByteCount
  }

  private func place(of index: Int64) -> Int? {
    let place = partitions.partitioningPlace { $0.index >= index }
    return place < partitions.count && partitions[place].index == index ? place : nil
  }
}

extension TimeRange {
  /// From the first to the last time of both.
  func hull(_ other: TimeRange) -> TimeRange {
    TimeRange(lower: min(lower, other.lower), upper: max(upper, other.upper))
  }
}

extension RandomAccessCollection where Index == Int {
  /// Where the elements begin that pass, all of which come behind those that do not.
  func partitioningPlace(_ passes: (Element) -> Bool) -> Int {
    var (low, high) = (startIndex, endIndex)
    while low < high {
      let middle = low + (high - low) / 2
      if passes(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
