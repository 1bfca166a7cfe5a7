// Partial aggregates of one chunk's rows, made on its pages as they lie, for rows beside which no other source has any.
//
// Only the times are decoded: they say where a group's rows end, and the fields are aggregated between. Where groups
// are short, or pages cannot tell what is wanted, the same rows are delivered as such.

import VarveCore
import VarveFormat

final class PageAggregateSource {
  private let blocks: RowBlockCursor
  private let request: AggregateRequest
  private let fields: [(id: ColumnID, type: FieldType)]
  private var rowCount = 0
  private var aggregatedRowCount = 0

  init(_ chunk: ScanPlan.Chunk, _ request: AggregateRequest, _ selection: RowSelection) {
    blocks = RowBlockCursor(
      chunk.handle, selection.of(chunk), zones: [], readByteLimit: ScanLimits.readByteCount)
    self.request = request
    fields = selection.fields
  }

  /// Row blocks are counted by the source of the chunk's other rows.
  func addStatistics(to total: inout ScanStatistics) {
    var read = blocks.statistics
    read.rowBlocks = 0
    read.rowBlocksPruned = 0
    read.rows = rowCount
    read.rowsAggregatedOnPages = aggregatedRowCount
    total.add(read)
  }

  func next() throws -> AggregateItem? {
    while let block = try blocks.next() {
      guard let rows = try blocks.rows(of: block) else { continue }
      if try tells(block), let cut = try SegmentCut(rows, request.groups, rowsPerSegment: ScanLimits.partialRowCount),
        let partials = try partials(of: block, rows, cut)
      {
        aggregatedRowCount += rows.count
        return .partials(partials)
      }
      rowCount += rows.count
      return .rows(try blocks.batch(of: block, rows))
    }
    return nil
  }

  // MARK: -

  /// Whether pages can tell what is wanted. The first and last value are wanted with their times, which are known where
  /// every row has a value; sums must be numbers, or fit a word.
  private func tells(_ block: RowBlockEntry) throws -> Bool {
    for (number, wanted) in request.statistics.enumerated() {
      guard let field = try page(number, block) else { continue }
      let zone = field.zone
      let isTold =
        (wanted.isDisjoint(with: SummaryStatistics(.first, .last)) || zone.valueCount == block.rowCount)
        && (!wanted.contains(.sum) || ZoneMaps.sum(zone, field.type) != nil)
      guard isTold else { return false }
    }
    return true
  }

  /// Nil: no row has a value.
  private func page(_ number: Int, _ block: RowBlockEntry) throws -> FieldPage? {
    let page = try blocks.page(of: fields[number].id, fields[number].type, block)
    return page.flatMap { $0.zone.valueCount > 0 ? $0 : nil }
  }

  /// Nil where a sum turns out to be none.
  private func partials(of block: RowBlockEntry, _ rows: SelectedRows, _ cut: SegmentCut) throws -> PartialBatch? {
    var columns: [SummaryColumn] = []
    columns.reserveCapacity(fields.count)
    for number in fields.indices {
      guard let column = try column(number, block, cut.segments) else { return nil }
      columns.append(column)
    }
    return cut.partials(rows.times, columns)
  }

  private func column(_ number: Int, _ block: RowBlockEntry, _ segments: [Range<Int>]) throws -> SummaryColumn? {
    let (id, type) = fields[number]
    guard let field = try page(number, block) else { return .withoutValues(id, type, count: segments.count) }
    let wanted = request.statistics[number]
    if wanted.isSubset(of: SummaryStatistics(.count)), field.zone.valueCount == block.rowCount {
      blocks.keepUnused(field)
      var column = SummaryColumn(column: id, type: type)
      column[.count] = ZoneMaps.words(segments) { UInt64($0.count) }
      return column
    }
    return ZoneMaps.column(id, type, try blocks.aggregate(field, block, segments, ZoneMaps.aggregates(wanted)), wanted)
  }
}
