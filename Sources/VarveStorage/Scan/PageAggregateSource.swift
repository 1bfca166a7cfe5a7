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
  /// Where the rows of a run are cut.
  private let ends = Buffer<Int>()
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
      if try tells(block), let cut = try cut(rows), let partials = try partials(of: block, rows, cut) {
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
        && (!wanted.contains(.sum) || Self.sum(zone, field.type) != nil)
      guard isTold else { return false }
    }
    return true
  }

  /// Nil: no row has a value.
  private func page(_ number: Int, _ block: RowBlockEntry) throws -> FieldPage? {
    let page = try blocks.page(of: fields[number].id, fields[number].type, block)
    return page.flatMap { $0.zone.valueCount > 0 ? $0 : nil }
  }

  /// Rows of one run and one group each, ascending.
  private struct Cut {
    var segments: [Range<Int>] = []
    /// With the number of segments of each.
    var runs: [SeriesRun] = []
  }

  /// Nil where segments are too short to be worth it, or it is not known where groups end.
  private func cut(_ rows: SelectedRows) throws -> Cut? {
    let limit = rows.count / ScanLimits.partialRowCount
    guard rows.runs.count <= limit else { return nil }
    var cut = Cut()
    var place = 0
    var row = rows.ranges[0].lowerBound
    for run in rows.runs {
      let before = cut.segments.count
      var left = run.count
      while left > 0 {
        // A range may hold rows of the next run, too.
        let end = min(rows.ranges[place].upperBound, row + left)
        left -= end - row
        ends.count = 0
        guard
          try request.groups.cut(
            row..<end, of: rows.times, appendingTo: ends, unlessBelow: ScanLimits.partialRowCount),
          cut.segments.count + ends.count <= limit
        else { return nil }
        for end in ends.span {
          cut.segments.append(row..<end)
          row = end
        }
        if end == rows.ranges[place].upperBound, place + 1 < rows.ranges.count {
          place += 1
          row = rows.ranges[place].lowerBound
        }
      }
      cut.runs.append(SeriesRun(series: run.series, count: cut.segments.count - before))
    }
    return cut
  }

  /// Nil where a sum turns out to be none.
  private func partials(of block: RowBlockEntry, _ rows: SelectedRows, _ cut: Cut) throws -> PartialBatch? {
    var columns: [SummaryColumn] = []
    columns.reserveCapacity(fields.count)
    for number in fields.indices {
      guard let column = try column(number, block, cut.segments) else { return nil }
      columns.append(column)
    }
    let rowCounts = Buffer<UInt64>(capacity: cut.segments.count)
    let firstTimes = Buffer<Int64>(capacity: cut.segments.count)
    let lastTimes = Buffer<Int64>(capacity: cut.segments.count)
    for segment in cut.segments {
      rowCounts.append(UInt64(segment.count))
      firstTimes.append(rows.times[segment.lowerBound])
      lastTimes.append(rows.times[segment.upperBound - 1])
    }
    return PartialBatch(
      runs: cut.runs, rowCounts: rowCounts, firstTimes: firstTimes, lastTimes: lastTimes, columns: columns)
  }

  private func column(_ number: Int, _ block: RowBlockEntry, _ segments: [Range<Int>]) throws -> SummaryColumn? {
    let (id, type) = fields[number]
    guard let field = try page(number, block) else { return .withoutValues(id, type, count: segments.count) }
    let wanted = request.statistics[number]
    if wanted.isSubset(of: SummaryStatistics(.count)), field.zone.valueCount == block.rowCount {
      blocks.keepUnused(field)
      var column = SummaryColumn(column: id, type: type)
      column[.count] = Self.words(segments) { UInt64($0.count) }
      return column
    }
    let zones = try blocks.aggregate(field, block, segments, Self.aggregates(wanted))
    var column = SummaryColumn(column: id, type: type)
    column[.count] = Self.words(zones) { UInt64($0.valueCount) }
    if type == .float64, wanted.contains(.nanCount) { column[.nanCount] = Self.words(zones) { UInt64($0.nanCount) } }
    if wanted.contains(.minimum) { column[.minimum] = Self.words(zones, \.minimum) }
    if wanted.contains(.maximum) { column[.maximum] = Self.words(zones, \.maximum) }
    if wanted.contains(.first) { column[.first] = Self.words(zones, \.first) }
    if wanted.contains(.last) { column[.last] = Self.words(zones, \.last) }
    guard wanted.contains(.sum) else { return column }
    let sums = Buffer<UInt64>(capacity: zones.count)
    for zone in zones {
      guard let sum = Self.sum(zone, type) else { return nil }
      sums.append(sum)
    }
    column[.sum] = sums
    return column
  }

  private static func aggregates(_ wanted: SummaryStatistics) -> PageAggregates {
    var result: PageAggregates = []
    if wanted.contains(.sum) { result.insert(.sum) }
    if !wanted.isDisjoint(with: SummaryStatistics(.minimum, .maximum)) { result.insert(.range) }
    if !wanted.isDisjoint(with: SummaryStatistics(.first, .last)) { result.insert(.ends) }
    return result
  }

  /// Nil if it does not fit a word; of doubles if it is no number, be it for one of them or for their sum.
  private static func sum(_ zone: ZoneMap, _ type: FieldType) -> UInt64? {
    guard type == .float64 else { return Int64(exactly: zone.integerSum).map { UInt64(bitPattern: $0) } }
    return zone.doubleSum.isFinite ? zone.doubleSum.bitPattern : nil
  }

  private static func words<Source>(_ sources: [Source], _ word: (Source) -> UInt64) -> Buffer<UInt64> {
    let words = Buffer<UInt64>(capacity: sources.count)
    for source in sources { words.append(word(source)) }
    return words
  }
}
