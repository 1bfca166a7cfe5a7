// Rows of one chunk: its row blocks, cut to the series and times asked for.

import VarveCore
import VarveFormat

final class ChunkSource: RowSource {
  private let blocks: RowBlockCursor
  private let filter: (any RowFilter)?

  /// See `RowBlockCursor`.
  init(
    _ chunk: ChunkHandle, _ selection: RowSelection, zones: [ZonePredicate], filter: (any RowFilter)? = nil,
    readByteLimit: Int
  ) {
    self.filter = filter
    blocks = RowBlockCursor(chunk, selection, zones: zones, readByteLimit: readByteLimit)
  }

  func addStatistics(to total: inout ScanStatistics) { total.add(blocks.statistics) }

  func next() throws -> ScanBatch? {
    while let block = try blocks.next() {
      guard let rows = try blocks.rows(of: block) else { continue }
      guard let filter else { return try blocks.batch(of: block, rows) }
      if let batch = try blocks.batch(of: block, rows, chosenBy: filter) { return batch }
    }
    return nil
  }
}
