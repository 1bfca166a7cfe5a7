// Partial aggregates of rows of a head block in order, made on its columns as they lie, for rows beside which no other
// source has any. Where groups are short the same rows are delivered as such: unmerged, since nothing can meet them.

import VarveCore
import VarveFormat

final class BlockAggregateSource {
  /// Rows that a partial aggregate must stand for, on average: fewer than of a page, since nothing is decoded.
  private static let partialRowCount = 8

  private let block: HeadBlock
  private let request: AggregateRequest
  private let selection: RowSelection
  private var isBegun = false
  private var rows: SortedBlockSource?
  private(set) var rowCount = 0
  private(set) var aggregatedRowCount = 0

  /// `selection` excludes what does not lie alone.
  init(_ block: HeadBlock, _ request: AggregateRequest, _ selection: RowSelection) {
    self.block = block
    self.request = request
    self.selection = selection
  }

  func next() throws -> AggregateItem? {
    if !isBegun {
      isBegun = true
      let selected = SelectedRows(block, selection)
      guard selected.count > 0 else { return nil }
      if let cut = try SegmentCut(selected, request.groups, rowsPerSegment: Self.partialRowCount),
        let columns = columns(cut.segments)
      {
        aggregatedRowCount += selected.count
        return .partials(cut.partials(block.times, columns))
      }
      rows = SortedBlockSource(block, selected, selection.fields)
    }
    guard let batch = rows?.next() else { return nil }
    rowCount += batch.count
    return .rows(batch)
  }

  /// Nil where some of it cannot be told: a sum that is no number or too large, or the times of first and last values
  /// among rows without.
  private func columns(_ segments: [Range<Int>]) -> [SummaryColumn]? {
    var columns: [SummaryColumn] = []
    columns.reserveCapacity(selection.fields.count)
    for (field, wanted) in zip(selection.fields, request.statistics) {
      guard let column = block.field(field.id) else {
        columns.append(.withoutValues(field.id, field.type, count: segments.count))
        continue
      }
      let wantsEnds = !wanted.isDisjoint(with: SummaryStatistics(.first, .last))
      if wantsEnds, column.states != nil { return nil }
      let zones = ColumnAggregator.aggregate(column, segments, ZoneMaps.aggregates(wanted))
      guard let told = ZoneMaps.column(field.id, field.type, zones, wanted) else { return nil }
      columns.append(told)
    }
    return columns
  }
}
