// Holds a chunk's summaries against those of its rows.

import VarveCore

struct SummaryCheck {
  private let contents: ChunkContents
  private let place: String
  private let stored: [SummaryBlockEntry]
  private let step: SummaryStep
  /// Nil once rows were damaged: what they should be summarised to is not known.
  private var builder: SummaryBuilder?
  /// The next of `stored`.
  private var position = 0
  private(set) var found: [VarveError] = []

  init(_ summaries: SummaryIndex, _ contents: ChunkContents, _ place: String) {
    self.contents = contents
    self.place = place
    stored = summaries.blocks
    step = summaries.step
    // Blocks may be cut anywhere: the stored ones say where.
    builder = SummaryBuilder(summaries.step, blockRowCounts: summaries.blocks.map(\.rowCount))
  }

  mutating func giveUp() { builder = nil }

  /// Takes rows that are sound, in order. Errors of `read` that are not damage are thrown on.
  mutating func add(_ rows: RowBlock, read: (PageReference) throws -> [UInt8]) throws {
    for block in builder?.add(rows) ?? [] { try compare(block, read) }
  }

  /// What is left: the last block, and stored ones that no rows stand behind.
  mutating func finish(read: (PageReference) throws -> [UInt8]) throws {
    let isComplete = builder != nil
    if let last = builder?.finish() { try compare(last, read) }
    while position < stored.count {
      let entry = stored[position]
      position += 1
      guard try decode(entry, read) != nil, isComplete else { continue }
      found.append(VarveError(.corruption, "a summary block has no rows behind it", place: spot(entry)))
    }
  }

  private mutating func compare(_ expected: SummaryBlock, _ read: (PageReference) throws -> [UInt8]) throws {
    guard position < stored.count else {
      found.append(VarveError(.corruption, "rows have no summary", place: "\(place), behind the last summary"))
      return
    }
    let entry = stored[position]
    position += 1
    guard let block = try decode(entry, read), let difference = SummaryDifference.first(expected, block) else { return }
    found.append(
      VarveError(.corruption, "a summary is not that of its rows: \(difference)", place: spot(entry)))
  }

  private func spot(_ entry: SummaryBlockEntry) -> String { "\(place), summaries at byte \(entry.seriesPage.offset)" }

  /// Nil if it is damaged, which is then among what is found.
  private mutating func decode(
    _ entry: SummaryBlockEntry, _ read: (PageReference) throws -> [UInt8]
  ) throws -> SummaryBlock? {
    do {
      return try SummaryReader.decode(
        entry, SummaryReader.all(entry), step: step, identity: contents.identity, place: place, read: read)
    } catch let error as VarveError where error.code == .corruption {
      found.append(error)
      return nil
    }
  }
}

/// What differs between two summary blocks that should be the same, in words.
enum SummaryDifference {
  static func first(_ expected: SummaryBlock, _ found: SummaryBlock) -> String? {
    if expected.runs != found.runs { return "the series" }
    if !expected.buckets.span.elementsEqual(found.buckets.span) { return "the buckets" }
    let pairs = [
      ("row count", expected.rowCounts, found.rowCounts), ("first time", expected.firstOffsets, found.firstOffsets),
      ("last time", expected.lastOffsets, found.lastOffsets),
    ]
    for (what, a, b) in pairs {
      if let row = difference(a, b, .int64) { return "\(what) of \(spot(expected, row))" }
    }
    guard expected.columns.map(\.column) == found.columns.map(\.column) else { return "the columns" }
    for (a, b) in zip(expected.columns, found.columns) {
      for statistic in SummaryStatistic.allCases {
        let what = "\(statistic.label) of column \(a.column.rawValue)"
        switch (a[statistic], b[statistic]) {
        case (nil, nil): continue
        case (let x?, let y?):
          if let row = difference(x, y, statistic.storedType(a.type)) { return "\(what), \(spot(expected, row))" }
        default: return "\(what) is there and should not be, or should and is not"
        }
      }
    }
    return nil
  }

  private static func spot(_ block: SummaryBlock, _ row: Int) -> String {
    var end = 0
    for run in block.runs {
      end += run.count
      if row < end { return "series \(run.series.rawValue), bucket \(block.buckets[row])" }
    }
    return "row \(row)"
  }

  /// The first row where they differ; a NaN's payload in a sum may be another processor's.
  private static func difference(_ a: Buffer<UInt64>, _ b: Buffer<UInt64>, _ type: FieldType) -> Int? {
    guard a.count == b.count else { return 0 }
    return (0..<a.count).first { row in
      let bothNaN = type == .float64 && Double(bitPattern: a[row]).isNaN && Double(bitPattern: b[row]).isNaN
      return a[row] != b[row] && !bothNaN
    }
  }
}
