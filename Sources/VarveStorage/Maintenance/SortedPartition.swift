// Rows of the sealing head, one partition of it, as row blocks.

import VarveCore
import VarveFormat

struct SortedPartition: SortedRows {
  let fields: [(id: ColumnID, type: FieldType)]
  let summaryStep: SummaryStep?
  private let source: HeadBlockSource

  init(_ blocks: [HeadBlock], _ table: TableSchema) {
    fields = Self.fields(of: blocks, table)
    let selection = RowSelection(series: .all, time: .all, fields: fields)
    let rows = HeadRows(blocks)
    source = HeadBlockSource(rows, selection, batchesAtOnce: Self.batchesAtOnce(fields.count))
    summaryStep = SummaryStep.choose(
      rowCount: rows.rowCount, seriesCount: Self.seriesCount(rows), time: rows.timeRange,
      partitionNanoseconds: table.partitionNanoseconds)
  }

  /// Eight values of eight bytes are a line of memory; batches of very many fields are held one at a time.
  private static func batchesAtOnce(_ fieldCount: Int) -> Int { min(8, max(1, 256 / max(1, fieldCount))) }

  private static func seriesCount(_ rows: HeadRows) -> Int {
    var count = 0
    var place = 0
    while place < rows.rowCount {
      place = rows.endOfSeries(at: place)
      count += 1
    }
    return count
  }

  func forEachRowBlock(_ body: (SortedBlock) throws -> Void) throws {
    var cutter = RowBlockCutter(fields)
    let emit = { (rows: ScanBatch) in
      try body(SortedBlock(runs: rows.runs, times: rows.times) { rows.fields[$0] })
    }
    while let batch = try source.next() { try cutter.add(batch, emit) }
    try cutter.finish(emit)
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
