// A summary block's pages from its columns. FORMAT.md, "Summaries".
//
// Integers are stored as what a walk leaves over: how far the first value is from the last one before, the last from
// the first, the extremes from the first, the sum from what the values between first and last would sum up to. Those
// are small where the values are not. All of it wraps around, so every word comes back.

import VarveCore

enum SummaryPages {
  /// Pages whose place is not known yet: `seal` gives it to them.
  struct Unplaced: Sendable {
    /// Series, buckets, row counts, first and last offsets; then the fields' pages in order.
    var pages: [[UInt8]] = []
    var entry: SummaryBlockEntry
  }

  static func encode(_ block: SummaryBlock, effort: PageEffort, file: FileID) throws -> Unplaced {
    guard let first = block.runs.first, let last = block.runs.last, let least = block.buckets.span.min(),
      let greatest = block.buckets.span.max()
    else { preconditionFailure("a summary block has rows") }
    let nowhere = PageReference(offset: 0, byteCount: 0)
    var result = Unplaced(
      entry: SummaryBlockEntry(
        rowCount: block.count, runCount: block.runs.count, firstSeries: first.series, lastSeries: last.series,
        buckets: least...greatest, seriesPage: nowhere, bucketsPage: nowhere, rowCountsPage: nowhere,
        firstOffsetsPage: nowhere, lastOffsetsPage: nowhere, fields: []))
    result.pages.append(
      try PageEncoder.encode(series: block.runs, rowCount: block.count, effort: effort, file: file, offset: 0))
    result.pages.append(PageEncoder.encode(times: block.buckets.span, effort: effort, file: file, offset: 0))
    for words in [block.rowCounts, block.firstOffsets, block.lastOffsets] {
      result.pages.append(try page(words, .int64, effort, file))
    }
    for column in block.columns {
      let stored = column.type.isInteger ? SummaryResiduals.stored(column, block) : column
      var pages = SummaryFieldPages(column: column.column, type: column.type, offset: 0, byteCounts: .zero)
      for statistic in SummaryStatistic.allCases {
        guard let words = stored[statistic] else { continue }
        let page = try page(words, statistic.storedType(column.type), effort, file)
        pages.byteCounts[statistic.rawValue] = UInt32(page.count)
        result.pages.append(page)
      }
      result.entry.fields.append(pages)
    }
    return result
  }

  /// The entry and the bytes of pages that go to `offset` of `file`.
  static func place(_ block: Unplaced, file: FileID, offset: Int) -> (entry: SummaryBlockEntry, bytes: [UInt8]) {
    var bytes: [UInt8] = []
    var references: [PageReference] = []
    for var page in block.pages {
      PageHeader.place(&page, file: file, offset: offset + bytes.count)
      references.append(PageReference(offset: offset + bytes.count, byteCount: page.count))
      bytes += page
    }
    var entry = block.entry
    entry.seriesPage = references[0]
    entry.bucketsPage = references[1]
    entry.rowCountsPage = references[2]
    entry.firstOffsetsPage = references[3]
    entry.lastOffsetsPage = references[4]
    var next = 5
    for index in entry.fields.indices {
      // A field may have no pages: a text that every row has.
      entry.fields[index].offset = next < references.count ? references[next].offset : offset + bytes.count
      next += entry.fields[index].pages.count
    }
    return (entry, bytes)
  }

  private static func page(_ words: Buffer<UInt64>, _ type: FieldType, _ effort: PageEffort, _ file: FileID) throws
    -> [UInt8]
  {
    try PageEncoder.encode(FieldColumn(type: type, words: words), effort: effort, file: file, offset: 0).page
  }
}

extension SummaryStatistic {
  /// The type of the page.
  func storedType(_ type: FieldType) -> FieldType {
    switch self {
    case .count, .nanCount: .int64
    case .sum, .minimum, .maximum, .first, .last: type == .float64 ? .float64 : .int64
    }
  }
}

extension FieldType {
  /// Types whose extremes, first and last value are stored as distances.
  var isInteger: Bool { self == .int64 || self == .uint64 || self == .timestamp }
}

/// Integers as they are stored, and back.
enum SummaryResiduals {
  static func stored(_ column: SummaryColumn, _ block: SummaryBlock) -> SummaryColumn {
    guard let firsts = column[.first], let lasts = column[.last], let minima = column[.minimum],
      let maxima = column[.maximum]
    else { preconditionFailure("integers have extremes, a first and a last value") }
    let counts = column[.count] ?? block.rowCounts
    let count = block.count
    let (first, last) = (Buffer<UInt64>(repeating: 0, count: count), Buffer<UInt64>(repeating: 0, count: count))
    let (minimum, maximum) = (Buffer<UInt64>(repeating: 0, count: count), Buffer<UInt64>(repeating: 0, count: count))
    let sum = column[.sum].map { _ in Buffer<UInt64>(repeating: 0, count: count) }
    var before: UInt64 = 0
    for row in 0..<count where counts[row] > 0 {
      first.base[row] = firsts[row] &- before
      last.base[row] = lasts[row] &- firsts[row]
      minimum.base[row] = firsts[row] &- minima[row]
      maximum.base[row] = maxima[row] &- firsts[row]
      if let sums = column[.sum], let sum {
        sum.base[row] = sums[row] &- expected(counts[row], firsts[row], last.base[row])
      }
      before = lasts[row]
    }
    var stored = SummaryColumn(column: column.column, type: column.type)
    stored[.count] = column[.count]
    stored[.sum] = sum
    stored[.minimum] = minimum
    stored[.maximum] = maximum
    stored[.first] = first
    stored[.last] = last
    return stored
  }

  /// Turns stored words into values where they stand. Extremes and sums need first and last.
  static func restore(_ column: SummaryColumn, counts: Buffer<UInt64>) {
    guard let firsts = column[.first], let lasts = column[.last] else { return }
    let (first, last) = (firsts.base, lasts.base)
    restoreEnds(first, last, counts)
    if let sums = column[.sum] {
      for row in 0..<counts.count where counts.base[row] > 0 {
        sums.base[row] = sums.base[row] &+ expected(counts.base[row], first[row], last[row] &- first[row])
      }
    }
    if let minima = column[.minimum] {
      for row in 0..<counts.count where counts.base[row] > 0 { minima.base[row] = first[row] &- minima.base[row] }
    }
    if let maxima = column[.maximum] {
      for row in 0..<counts.count where counts.base[row] > 0 { maxima.base[row] = maxima.base[row] &+ first[row] }
    }
    withExtendedLifetime((firsts, lasts)) {}
  }

  private static func restoreEnds(
    _ first: UnsafeMutablePointer<UInt64>, _ last: UnsafeMutablePointer<UInt64>, _ counts: Buffer<UInt64>
  ) {
    var before: UInt64 = 0
    for row in 0..<counts.count where counts.base[row] > 0 {
      first[row] = first[row] &+ before
      before = first[row] &+ last[row]
      last[row] = before
    }
  }

  /// What `count` values halfway between first and last sum up to; the half is rounded down.
  @inline(__always) private static func expected(_ count: UInt64, _ first: UInt64, _ step: UInt64) -> UInt64 {
    count &* (first &+ UInt64(bitPattern: Int64(bitPattern: step) >> 1))
  }
}
