// How many rows a table has, exactly, and with as little reading as that takes.
//
// Within a partition, chunks of one generation share no row. So a generation whose times nothing else touches, no other
// generation, no row in memory and no delete, has the rows that the manifest says; of what touches each other in time, that
// stretch of time is read.

import VarveCore
import VarveFormat

extension Snapshot {
  /// `pace` is called behind so many rows that were read; it may wait, and throws to end it.
  package func rowCount(of table: TableSchema, pace: (Int) throws -> Void) throws -> Int {
    var count = 0
    for stretch in stretches(of: table) {
      if let known = stretch.knownRows {
        count += known
        continue
      }
      let cursor = try scan(ScanRequest(table: table.id, time: stretch.time))
      while let batch = try cursor.next() {
        count += batch.count
        try pace(batch.count)
      }
    }
    return count
  }

  /// Stretches of time that hold all rows and do not touch each other, in order.
  private func stretches(of table: TableSchema) -> [Stretch] {
    let chunks = Dictionary(grouping: state.chunks.chunks(of: table.id).map(\.metadata)) {
      Generation(partition: $0.partition, first: $0.firstSequence, last: $0.lastSequence)
    }
    var found = chunks.values.map { chunks in
      let isWhole = chunks.allSatisfy { state.tombstones.exclusions(for: $0).isEmpty }
      return Stretch(
        time: chunks.dropFirst().reduce(chunks[0].time) { $0.spanning($1.time) },
        knownRows: isWhole ? chunks.reduce(0) { $0 + $1.rowCount } : nil)
    }
    for head in [state.sealing, state.active].compactMap({ $0 }) {
      for (partition, blocks) in head.partitions where partition.table == table.id && !blocks.isEmpty {
        let time = blocks.dropFirst().reduce(blocks[0].timeRange) { $0.spanning($1.timeRange) }
        found.append(Stretch(time: time, knownRows: nil))
      }
    }
    found.sort { ($0.time.lower, $0.time.upper) < ($1.time.lower, $1.time.upper) }
    return found.reduce(into: []) { merged, next in
      if let last = merged.last, last.time.overlaps(next.time) {
        merged[merged.count - 1] = Stretch(time: last.time.spanning(next.time), knownRows: nil)
      } else {
        merged.append(next)
      }
    }
  }
}

private struct Generation: Hashable {
  let partition: Int64
  let first: Sequence
  let last: Sequence
}

private struct Stretch {
  let time: TimeRange
  /// nil: they have to be counted.
  let knownRows: Int?
}

extension TimeRange {
  fileprivate func spanning(_ other: TimeRange) -> TimeRange {
    TimeRange(lower: min(lower, other.lower), upper: max(upper, other.upper))
  }
}
