// One walk over the partitions that have chunks, looking for steps of compaction. It stays with a partition as long as
// there are steps to do, and goes past one that cannot be compacted now: however many those are, a walk costs what the
// partitions are, not their square.

import VarveCore

package struct CompactionPass {
  private let keys: [PartitionKey]
  private var position = 0
  /// Of the current partition's table; kept while chunks are what they were.
  var picker: (table: TableID, picker: CompactionPicker)?
  /// Whether a step was done.
  package private(set) var hasCompacted = false

  /// Over the partitions of one table, or of all.
  package init(_ store: Store, table: TableID? = nil) {
    let byTable = store.published.withLock { $0.chunks.byTable }
    keys = (table.map { [$0] } ?? byTable.keys.sorted()).flatMap { table in
      (byTable[table] ?? TableChunks()).partitions.map { PartitionKey(table: table, index: $0.index) }
    }
  }

  /// Partitions that are behind it, and all.
  package var progress: (done: Int, all: Int) { (position, keys.count) }

  /// Nil at the end.
  var current: PartitionKey? { position < keys.count ? keys[position] : nil }

  /// Goes on with the next partition.
  package mutating func skip() { position += 1 }

  /// Stays where it is: a step was done, and there may be another.
  package mutating func didCompact() {
    hasCompacted = true
    picker = nil
  }

  /// Stays where it is: chunks turned out to be damaged, and will not be picked again.
  package mutating func didMeetDamage() { picker = nil }
}
