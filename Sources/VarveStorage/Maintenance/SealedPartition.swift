// One partition of the sealing head as row blocks: rows by (series, time), each identity once.

import VarveCore
import VarveFormat

struct SealedPartition {
  private let source: any RowSource
  private let fields: [(id: ColumnID, type: FieldType)]

  init(_ blocks: [HeadBlock], _ fields: [(id: ColumnID, type: FieldType)]) throws {
    self.fields = fields
    let selection = RowSelection(series: .all, time: .all, fields: fields)
    // One long block sorts much faster than many short ones merge. The copy is as large as the partition's rows in memory,
    // and goes when its chunk is written.
    source = HeadBlockSource(HeadBlock.joined(blocks), selection)
  }

  /// Cuts the merged rows into blocks of at most `Limits.rowBlockRowCount`.
  func forEachRowBlock(_ body: (ScanBatch) throws -> Void) throws {
    var cutter = RowBlockCutter(fields)
    while let batch = try source.next() { try cutter.add(batch, body) }
    try cutter.finish(body)
  }
}
