// Rows of one partition as row blocks: by (series, time), each identity once. What chunks are written from, be it the
// sealing head or older chunks.

import VarveCore
import VarveFormat

struct SortedPartition {
  let fields: [(id: ColumnID, type: FieldType)]
  private let source: any RowSource

  /// `source` delivers `fields`.
  init(_ source: any RowSource, _ fields: [(id: ColumnID, type: FieldType)]) {
    self.fields = fields
    self.source = source
  }

  init(_ blocks: [HeadBlock], _ table: TableSchema) {
    let fields = Self.fields(of: blocks, table)
    let selection = RowSelection(series: .all, time: .all, fields: fields)
    // One long block sorts much faster than many short ones merge. The copy is as large as the partition's rows in memory,
    // and goes when its chunk is written.
    self.init(HeadBlockSource(HeadBlock.joined(blocks), selection), fields)
  }

  /// Cuts the merged rows into blocks of at most `Limits.rowBlockRowCount`.
  func forEachRowBlock(_ body: (ScanBatch) throws -> Void) throws {
    var cutter = RowBlockCutter(fields)
    while let batch = try source.next() { try cutter.add(batch, body) }
    try cutter.finish(body)
  }

  /// The fields that any of the blocks has, by id.
  private static func fields(of blocks: [HeadBlock], _ table: TableSchema) -> [(id: ColumnID, type: FieldType)] {
    var ids = Set<ColumnID>()
    for block in blocks { for field in block.fields { ids.insert(field.id) } }
    return ids.sorted().compactMap { id in
      guard case .field(let type) = table.column(id)?.kind else { return nil }
      return (id, type)
    }
  }
}
