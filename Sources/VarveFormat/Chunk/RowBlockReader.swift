// One page of a row block from the bytes read for it, held against what the index says. Errors name the column
// and the rows. Of bytes that are verified the checksum is known to be right, and not computed again.

import VarveCore

package enum RowBlockReader {
  /// `bytes` are those of `block.seriesPage`.
  package static func decodeSeries(
    _ bytes: UnsafeRawBufferPointer, block: RowBlockEntry, file: FileID, place: String,
    isVerified: Bool = false
  ) throws -> [SeriesRun] {
    try placed(spot(place, "series", block)) {
      try expectLength(bytes, block.seriesPage)
      let runs = try PageDecoder.decodeSeries(
        bytes, file: file, offset: block.seriesPage.offset, isVerified: isVerified)
      guard runs.count == block.runCount, runs.first?.series == block.firstSeries,
        runs.last?.series == block.lastSeries, runs.reduce(0, { $0 + $1.count }) == block.rowCount
      else { throw VarveError(.corruption, "a series page is not what the index says") }
      return runs
    }
  }

  /// `bytes` are those of `block.timesPage`.
  package static func decodeTimes(
    _ bytes: UnsafeRawBufferPointer, block: RowBlockEntry, file: FileID, place: String,
    isVerified: Bool = false
  ) throws -> Buffer<Int64> {
    try placed(spot(place, "times", block)) {
      try expectLength(bytes, block.timesPage)
      let times = try PageDecoder.decodeTimes(bytes, file: file, offset: block.timesPage.offset, isVerified: isVerified)
      guard times.count == block.rowCount else {
        throw VarveError(.corruption, "a times page is not what the index says")
      }
      return times
    }
  }

  /// `bytes` are those of `field.page`. Rows from `end` on may hold anything.
  package static func decodeField(
    _ bytes: UnsafeRawBufferPointer, field: FieldPage, block: RowBlockEntry, file: FileID, place: String,
    isVerified: Bool = false, upTo end: Int = .max
  ) throws -> FieldColumn {
    try placed(spot(place, "column \(field.column.rawValue)", block)) {
      try expectLength(bytes, field.page)
      let column = try PageDecoder.decode(
        bytes, file: file, offset: field.page.offset, isVerified: isVerified, upTo: end)
      guard column.type == field.type, column.count == block.rowCount else {
        throw VarveError(.corruption, "a field's page is not what the index says")
      }
      return column
    }
  }

  /// What rows of the page come to: see `PageAggregator`. `bytes` are those of `field.page`.
  package static func aggregateField(
    _ bytes: UnsafeRawBufferPointer, field: FieldPage, block: RowBlockEntry, segments: [Range<Int>],
    wanted: PageAggregates, file: FileID, place: String, isVerified: Bool = false
  ) throws -> [ZoneMap] {
    try placed(spot(place, "column \(field.column.rawValue)", block)) {
      try expectLength(bytes, field.page)
      let header = try PageHeader.decode(bytes, file: file, offset: field.page.offset, isVerified: isVerified)
      guard header.content == .field(field.type), header.rowCount == block.rowCount else {
        throw VarveError(.corruption, "a field's page is not what the index says")
      }
      return try PageAggregator.aggregate(
        bytes, segments: segments, wanted: wanted, isVerified: true, file: file, offset: field.page.offset)
    }
  }

  private static func expectLength(_ bytes: UnsafeRawBufferPointer, _ page: PageReference) throws {
    guard bytes.count == page.byteCount else {
      throw VarveError(.corruption, "a page has \(bytes.count) bytes instead of \(page.byteCount)")
    }
  }

  private static func spot(_ place: String, _ what: String, _ block: RowBlockEntry) -> String {
    "\(place), \(what), series \(block.firstSeries.rawValue)...\(block.lastSeries.rawValue), "
      + "times \(block.time.lower)...\(block.time.upper), \(block.rowCount) rows at byte \(block.seriesPage.offset)"
  }
}
