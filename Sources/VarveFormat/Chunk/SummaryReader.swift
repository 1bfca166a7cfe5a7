// A summary block from its pages: the columns and statistics that are wanted, and what is needed to make them out.
// Total: any bytes give values or `.corruption`; errors name the column, the series and the buckets.

import VarveCore

/// Where a page's bytes come from.
package protocol PageSource {
  /// Calls `body` with the bytes, valid within it, and whether their checksum is known to be right.
  func decode<T>(
    _ page: PageReference, _ body: (_ bytes: UnsafeRawBufferPointer, _ isVerified: Bool) throws -> T
  ) throws -> T
}

/// Pages that were read before.
private struct HeldPages: PageSource {
  var bytes: [PageReference: [UInt8]] = [:]
  func decode<T>(_ page: PageReference, _ body: (UnsafeRawBufferPointer, Bool) throws -> T) throws -> T {
    guard let bytes = bytes[page] else { preconditionFailure("all pages are read before one is decoded") }
    return try bytes.withUnsafeBytes { try body($0, false) }
  }
}

package enum SummaryReader {
  /// What is wanted of one field.
  package struct Wanted: Sendable, Hashable {
    package var column: ColumnID
    package var statistics: SummaryStatistics
    package init(column: ColumnID, statistics: SummaryStatistics) {
      self.column = column
      self.statistics = statistics
    }
  }

  /// Everything that the block has.
  package static func all(_ block: SummaryBlockEntry) -> [Wanted] {
    block.fields.map { Wanted(column: $0.column, statistics: .kept(of: $0.type)) }
  }

  /// The pages to read, in order of their offsets. `wanted` is by column id, ascending.
  package static func pages(_ block: SummaryBlockEntry, _ wanted: [Wanted]) -> [PageReference] {
    var pages = [
      block.seriesPage, block.bucketsPage, block.rowCountsPage, block.firstOffsetsPage, block.lastOffsetsPage,
    ]
    for item in wanted {
      guard let field = block.field(item.column) else { continue }
      let needed = needed(item.statistics, field.type)
      for (statistic, page) in field.pages where needed.contains(statistic) { pages.append(page) }
    }
    return pages
  }

  /// `read` gives the bytes of one of `pages`.
  package static func decode(
    _ block: SummaryBlockEntry, _ wanted: [Wanted], step: SummaryStep, identity: ChunkIdentity, place: String,
    read: (PageReference) throws -> [UInt8]
  ) throws -> SummaryBlock {
    var held = HeldPages()
    for page in pages(block, wanted) { held.bytes[page] = try read(page) }
    return try decode(block, wanted, step: step, identity: identity, place: place, from: held)
  }

  /// `source` has `pages`.
  package static func decode(
    _ block: SummaryBlockEntry, _ wanted: [Wanted], step: SummaryStep, identity: ChunkIdentity, place: String,
    from source: some PageSource
  ) throws -> SummaryBlock {
    let file = identity.file
    func page<T>(
      _ what: String, _ page: PageReference, _ body: (UnsafeRawBufferPointer, Bool) throws -> T
    ) throws -> T {
      try source.decode(page) { bytes, isVerified in
        try placed(spot(place, what, block)) {
          guard bytes.count == page.byteCount else {
            throw VarveError(.corruption, "a page has \(bytes.count) bytes instead of \(page.byteCount)")
          }
          return try body(bytes, isVerified)
        }
      }
    }
    func words(_ what: String, _ reference: PageReference, _ type: FieldType) throws -> Buffer<UInt64> {
      try page(what, reference) { raw, isVerified in
        let column = try PageDecoder.decode(raw, file: file, offset: reference.offset, isVerified: isVerified)
        guard column.type == type, column.count == block.rowCount, column.states == nil else {
          throw VarveError(.corruption, "a summary's page is not what the index says")
        }
        return column.words
      }
    }
    let runs = try page("series", block.seriesPage) { raw, isVerified in
      let runs = try PageDecoder.decodeSeries(raw, file: file, offset: block.seriesPage.offset, isVerified: isVerified)
      guard runs.count == block.runCount, runs.first?.series == block.firstSeries,
        runs.last?.series == block.lastSeries, runs.reduce(0, { $0 + $1.count }) == block.rowCount
      else { throw VarveError(.corruption, "a series page is not what the index says") }
      return runs
    }
    let buckets = try page("buckets", block.bucketsPage) { raw, isVerified in
      let buckets = try PageDecoder.decodeTimes(
        raw, file: file, offset: block.bucketsPage.offset, isVerified: isVerified)
      guard buckets.count == block.rowCount else {
        throw VarveError(.corruption, "a summary's page is not what the index says")
      }
      return buckets
    }
    var result = SummaryBlock(
      runs: runs, buckets: buckets, rowCounts: try words("row counts", block.rowCountsPage, .int64),
      firstOffsets: try words("first times", block.firstOffsetsPage, .int64),
      lastOffsets: try words("last times", block.lastOffsetsPage, .int64), columns: [])
    try placed(spot(place, "times", block)) { try check(result, block, step, identity) }
    for item in wanted {
      guard let field = block.field(item.column) else { continue }
      let needed = needed(item.statistics, field.type)
      var column = SummaryColumn(column: field.column, type: field.type)
      for (statistic, reference) in field.pages where needed.contains(statistic) {
        column[statistic] = try words(
          "column \(field.column.rawValue) (\(statistic.label))", reference, statistic.storedType(field.type))
      }
      try placed(spot(place, "column \(field.column.rawValue) (count)", block)) {
        try checkCounts(column, result.rowCounts)
      }
      if field.type.isInteger { SummaryResiduals.restore(column, counts: column[.count] ?? result.rowCounts) }
      result.columns.append(column)
    }
    return result
  }

  /// What has to be read to make out `wanted`.
  private static func needed(_ wanted: SummaryStatistics, _ type: FieldType) -> SummaryStatistics {
    // Counts say which words mean something.
    let counted = wanted.union(SummaryStatistics(.count, .nanCount))
    let isCountOnly = wanted.isSubset(of: SummaryStatistics(.count, .nanCount))
    return type.isInteger && !isCountOnly ? counted.union(SummaryStatistics(.first, .last)) : counted
  }

  /// Rows that a chunk may have.
  private static let rowCountLimit: UInt64 = 1 << 44

  private static func check(
    _ block: SummaryBlock, _ entry: SummaryBlockEntry, _ step: SummaryStep, _ identity: ChunkIdentity
  ) throws {
    let time = identity.timeRange
    let width = UInt64(step.nanoseconds)
    var row = 0
    var rowCount: UInt64 = 0
    var isSound =
      block.buckets.span.min() == entry.buckets.lowerBound && block.buckets.span.max() == entry.buckets.upperBound
    for run in block.runs {
      for place in row..<(row + run.count) {
        let start = block.buckets.base[place] &* step.nanoseconds
        let (first, last) = (block.firstOffsets.base[place], block.lastOffsets.base[place])
        isSound =
          isSound && (place == row || block.buckets.base[place - 1] < block.buckets.base[place])
          && block.rowCounts.base[place] >= 1 && block.rowCounts.base[place] <= rowCountLimit && first <= last
          && last < width && time.contains(start &+ Int64(first)) && time.contains(start &+ Int64(last))
        rowCount &+= block.rowCounts.base[place]
      }
      row += run.count
    }
    guard isSound, rowCount <= rowCountLimit else {
      throw VarveError(.corruption, "summaries are out of order, or hold impossible times or numbers of rows")
    }
  }

  private static func checkCounts(_ column: SummaryColumn, _ rowCounts: Buffer<UInt64>) throws {
    var isSound = true
    if let counts = column[.count] {
      for row in 0..<rowCounts.count { isSound = isSound && counts.base[row] <= rowCounts.base[row] }
    }
    if let nans = column[.nanCount] {
      let counts = column[.count] ?? rowCounts
      for row in 0..<rowCounts.count { isSound = isSound && nans.base[row] <= counts.base[row] }
    }
    guard isSound else { throw VarveError(.corruption, "a summary counts more values than rows") }
  }

  private static func spot(_ place: String, _ what: String, _ block: SummaryBlockEntry) -> String {
    "\(place), summary of \(what), series \(block.firstSeries.rawValue)...\(block.lastSeries.rawValue), "
      + "buckets \(block.buckets.lowerBound)...\(block.buckets.upperBound), \(block.rowCount) summaries at byte \(block.seriesPage.offset)"
  }
}
