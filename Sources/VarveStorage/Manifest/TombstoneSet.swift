// The tombstones that some chunk still needs, by table, in order of sequence. A value: snapshots copy it.
//
// A delete takes its rows out of the active head at once, so only chunks, and the head that is being written to chunks,
// have to be read past a tombstone. Once no chunk is left that may hold rows it covers, a tombstone goes.

import VarveCore
import VarveFormat

struct TombstoneSet: Sendable {
  private(set) var byTable: [TableID: [Tombstone]] = [:]

  mutating func add(_ tombstone: Tombstone) { byTable[tombstone.deletion.table, default: []].append(tombstone) }

  mutating func remove(table: TableID) { byTable[table] = nil }

  /// Those that any of the chunks may hold rows of, or the head that is being sealed, which has the commits up to
  /// `sealingSequence`. Looks at many: nothing to be done under a lock.
  func needed(by chunks: ChunkSet, sealing: Head? = nil, _ sealingSequence: Sequence = .zero) -> TombstoneSet {
    let sealed = Set((sealing?.partitions ?? [:]).keys.map(\.table))
    var kept = TombstoneSet()
    for (table, tombstones) in byTable {
      let partitions = chunks[table]
      let isSealed = sealed.contains(table)
      let needed = tombstones.filter { each in
        (isSealed && each.sequence > sealingSequence)
          || partitions.partitions(overlapping: each.deletion.time).contains { partition in
            partition.chunks.contains { each.mayCover($0.metadata) }
          }
      }
      if !needed.isEmpty { kept.byTable[table] = needed }
    }
    return kept
  }

  func of(_ table: TableID) -> [Tombstone] { byTable[table] ?? [] }

  var all: [Tombstone] { byTable.keys.sorted().flatMap { of($0) } }

  /// What must not be read of the chunk.
  func exclusions(for chunk: ChunkMetadata) -> Exclusions {
    guard let tombstones = byTable[chunk.table] else { return .none }
    return Exclusions(tombstones.filter { $0.mayCover(chunk) }.map(\.deletion))
  }

  /// What must not be read of rows that commits up to `last` brought.
  func exclusions(in table: TableID, behind last: Sequence) -> Exclusions {
    guard let tombstones = byTable[table] else { return .none }
    return Exclusions(tombstones.filter { $0.sequence > last }.map(\.deletion))
  }

  /// How many there are in a table, and of how many ranges of series.
  func size(of table: TableID) -> (count: Int, rangeCount: Int) {
    let tombstones = of(table)
    return (tombstones.count, tombstones.reduce(0) { $0 + $1.deletion.series.ranges.count })
  }
}
