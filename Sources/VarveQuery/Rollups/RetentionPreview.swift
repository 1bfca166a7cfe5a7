// What of a table is wholly older than some time, or newer than another, before any of it goes: its chunks, its rows in
// memory, and how far its rollups have it.

import VarveCore
import VarveFormat
import VarveStorage

package struct RetentionPreview: Sendable {
  package struct Kept: Sendable {
    package let rollup: String
    /// Everything below is in the rollup by now; `Int64.min` if nothing is. The rest is, before rows go.
    package let materialisedBefore: Int64
    /// Ranges that are to be made anew before.
    package let invalidRanges: Int
  }
  /// Rows from here on would go, where a partition begins; `Int64.min`: all.
  package let from: Int64
  /// Rows below would go: never more than was asked; `Int64.min` if none would.
  package let before: Int64
  /// Whether there are rows before those.
  package let leavesOlder: Bool
  /// Those that go whole, oldest first.
  package let chunks: [ChunkStatistics]
  package let rowsInMemory: Int
  package let kept: [Kept]

  package var rows: Int { chunks.reduce(rowsInMemory) { $0 + $1.rows } }
  package var bytes: Int { chunks.reduce(0) { $0 + $1.bytes } }

  init(_ table: TableSchema, before time: Int64, from start: Int64 = .min, _ catalog: CatalogView) throws {
    before = try RetentionCut.time(table, before: time, catalog)
    from = RetentionCut.start(table, notBefore: start)
    leavesOlder = catalog.snapshot.statistics(of: table.id).time.map { [from] in $0.lower < from } ?? false
    if from < before {
      let times = TimeRange(lower: from, upper: before - 1)
      chunks = catalog.snapshot.chunks(of: table.id).filter {
        times.lower <= $0.partition.lower && $0.partition.upper <= times.upper && !$0.isEmptied
      }
      rowsInMemory = try catalog.snapshot.estimate(ScanRequest(table: table.id, time: times)).headRows
    } else {
      chunks = []
      rowsInMemory = 0
    }
    let before = before
    kept = catalog.snapshot.rollups(of: table.id).map { rollup in
      Kept(
        rollup: rollup.schema.name, materialisedBefore: rollup.state.watermark,
        invalidRanges: rollup.state.invalid.count { $0.lower < before })
    }
  }
}
