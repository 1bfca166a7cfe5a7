// What of a table is wholly older than some time, before any of it goes: its chunks, its rows in memory, and how far its
// rollups have it.

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
  /// Rows below would go: never more than was asked; `Int64.min` if none would.
  package let before: Int64
  /// Those that go whole, oldest first.
  package let chunks: [ChunkStatistics]
  package let rowsInMemory: Int
  package let kept: [Kept]

  package var rows: Int { chunks.reduce(rowsInMemory) { $0 + $1.rows } }
  package var bytes: Int { chunks.reduce(0) { $0 + $1.bytes } }

  init(_ table: TableSchema, before time: Int64, _ catalog: CatalogView) throws {
    let before = try RetentionCut.time(table, before: time, catalog)
    self.before = before
    let old = TimeRange(lower: .min, upper: before > .min ? before - 1 : .min)
    chunks =
      before == .min
      ? [] : catalog.snapshot.chunks(of: table.id).filter { $0.partition.upper < before && !$0.isEmptied }
    rowsInMemory =
      before == .min ? 0 : try catalog.snapshot.estimate(ScanRequest(table: table.id, time: old)).headRows
    kept = catalog.snapshot.rollups(of: table.id).map { rollup in
      Kept(
        rollup: rollup.schema.name, materialisedBefore: rollup.state.watermark,
        invalidRanges: rollup.state.invalid.count { $0.lower < before })
    }
  }
}
