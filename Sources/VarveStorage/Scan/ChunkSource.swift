// Rows of one chunk: its row blocks, cut to the series and times asked for.

import VarveCore
import VarveFormat

final class ChunkSource: RowSource {
  private let blocks: RowBlockCursor

  /// See `RowBlockCursor`.
  init(_ chunk: ChunkHandle, _ selection: RowSelection, zones: [ZonePredicate], readByteLimit: Int) {
    blocks = RowBlockCursor(chunk, selection, zones: zones, readByteLimit: readByteLimit)
  }

  func addStatistics(to total: inout ScanStatistics) { total.add(blocks.statistics) }

  func next() throws -> ScanBatch? {
    while let block = try blocks.next() {
      if let rows = try blocks.rows(of: block) { return try blocks.batch(of: block, rows) }
    }
    return nil
  }
}
