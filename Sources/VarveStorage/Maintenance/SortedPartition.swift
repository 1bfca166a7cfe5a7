// Rows of one partition as row blocks: by (series, time), each identity once. What chunks are written from, be it the
// sealing head or older chunks.

import VarveCore
import VarveFormat

struct SortedPartition {
  let fields: [(id: ColumnID, type: FieldType)]
  /// The bucket width of the chunks' summaries; nil if they get none.
  let summaryStep: SummaryStep?
  private let source: any RowSource

  /// `source` delivers `fields`.
  init(_ source: any RowSource, _ fields: [(id: ColumnID, type: FieldType)], summaryStep: SummaryStep?) {
    self.fields = fields
    self.summaryStep = summaryStep
    self.source = source
  }

  init(_ blocks: [HeadBlock], _ table: TableSchema) {
    let fields = Self.fields(of: blocks, table)
    let selection = RowSelection(series: .all, time: .all, fields: fields)
    let rows = HeadRows(blocks)
    self.init(
      HeadBlockSource(rows, selection, batchesAtOnce: Self.batchesAtOnce(fields.count)), fields,
      summaryStep: SummaryStep.choose(
        rowCount: rows.rowCount, seriesCount: Self.seriesCount(rows), time: rows.timeRange,
        partitionNanoseconds: table.partitionNanoseconds))
  }

  /// The rows of chunks of one partition, merged by `source`.
  init(
    _ source: any RowSource, _ fields: [(id: ColumnID, type: FieldType)], of chunks: [ChunkHandle], _ table: TableSchema
  ) throws {
    var rowCount = 0
    var seriesCount = 0
    var time = TimeRange(lower: .max, upper: .min)
    for chunk in chunks {
      rowCount += chunk.metadata.rowCount
      // At least those of the chunk that has the most.
      seriesCount = max(seriesCount, try chunk.contents().index.seriesCount)
      time = TimeRange(
        lower: min(time.lower, chunk.metadata.time.lower), upper: max(time.upper, chunk.metadata.time.upper))
    }
    self.init(
      source, fields,
      summaryStep: SummaryStep.choose(
        rowCount: rowCount, seriesCount: seriesCount, time: time, partitionNanoseconds: table.partitionNanoseconds))
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

  /// Cuts the merged rows into row blocks.
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
