// Partial aggregates of one chunk, and which of its rows are in them.
//
// A bucket is used if all of it, as far as the chunk's times go, is asked for, lies in one group of the query, and has
// nothing beside it: no other source has times there, and no tombstone. That holds for all series of the chunk alike, so
// the rows of used buckets are left out of the scan of rows by time alone.

import VarveCore
import VarveFormat
import VarveIO

final class SummarySource {
  /// A chunk with more buckets than this between its first and last is read by its rows.
  private static let bucketCountLimit = 1 << 20

  private enum Use: UInt8 {
    case unknown, no, yes
  }

  private let chunk: ChunkHandle
  private let contents: ChunkContents
  private let step: SummaryStep
  private let entries: [SummaryBlockEntry]
  private let wanted: [SummaryReader.Wanted]
  private let request: AggregateRequest
  /// Times of the chunk at which nothing else has rows: ascending, disjoint.
  private let free: [TimeRange]
  private var file: (any File)?
  private let pages: PageBatch
  private var position = 0
  /// By bucket, from `firstBucket` on.
  private var uses: [Use]
  private let firstBucket: Int64
  private(set) var bucketCount = 0
  private var pagesRead = 0
  private var pagesFromCache = 0
  private var bytesRead = 0

  /// Nil if the chunk's summaries are of no use.
  init?(_ chunk: ScanPlan.Chunk, _ request: AggregateRequest, _ selection: RowSelection, _ lone: LoneTimes) throws {
    let metadata = chunk.handle.metadata
    var free = lone.ranges(of: metadata.seriesBounds, in: metadata.time.intersection(request.scan.time))
    for range in chunk.exclusions.ofAll + chunk.exclusions.ofSome.map(\.time) {
      free = free.flatMap { $0.without(range) }
    }
    guard !free.isEmpty else { return nil }
    let contents = try chunk.handle.contents()
    guard let summaries = contents.index.summaries else { return nil }
    // A field that is asked for twice is read once.
    var wantedOf: [ColumnID: SummaryStatistics] = [:]
    for (field, statistics) in zip(selection.fields, request.statistics) {
      wantedOf[field.id, default: []].formUnion(statistics)
    }
    let types = Dictionary(selection.fields.map { ($0.id, $0.type) }) { first, _ in first }
    let wanted = wantedOf.sorted { $0.key < $1.key }.compactMap { id, statistics in
      types[id].map { (type: $0, wanted: SummaryReader.Wanted(column: id, statistics: statistics)) }
    }
    let entries = summaries.blocks.filter { Self.mayHold($0, request.scan.series) }
    guard let least = entries.map(\.buckets.lowerBound).min(), let greatest = entries.map(\.buckets.upperBound).max(),
      greatest - least < Int64(Self.bucketCountLimit),
      wanted.allSatisfy({ item in entries.allSatisfy { Self.has(item.wanted, item.type, $0) } })
    else { return nil }
    self.chunk = chunk.handle
    self.contents = contents
    self.request = request
    self.free = free
    self.entries = entries
    self.wanted = wanted.map(\.wanted)
    step = summaries.step
    firstBucket = least
    uses = Array(repeating: .unknown, count: Int(greatest - least) + 1)
    pages = PageBatch(of: chunk.handle)
  }

  func addStatistics(to total: inout ScanStatistics) {
    total.pagesRead += pagesRead
    total.pagesFromCache += pagesFromCache
    total.bytesRead += bytesRead
    total.summaryBuckets += bucketCount
  }

  /// About how many partial aggregates there are in place of rows, and rows that remain of `rowCount`. Some buckets are
  /// asked about, from end to end.
  func estimatedCount(rowCount: Int) throws -> Int {
    let asked = min(uses.count, 16)
    let used = try (0..<asked).count { try isUsed(firstBucket + Int64($0 * (uses.count - 1) / max(1, asked - 1))) }
    return (entries.reduce(0) { $0 + $1.rowCount } * used + rowCount * (asked - used)) / asked
  }

  /// The next partial aggregates, never none; nil at the end.
  func next() throws -> PartialBatch? {
    while position < entries.count {
      let entry = entries[position]
      position += 1
      guard try (entry.buckets).contains(where: isUsed) else { continue }
      if let batch = try partials(try read(entry)) { return batch }
    }
    return nil
  }

  /// What the batches stand for. Call at the end.
  var covered: [TimeRange] {
    var ranges: [TimeRange] = []
    for (index, use) in uses.enumerated() where use == .yes {
      let range = range(of: firstBucket + Int64(index))
      if let last = ranges.last, last.upper + 1 == range.lower {
        ranges[ranges.count - 1].upper = range.upper
      } else {
        ranges.append(range)
      }
    }
    return ranges
  }

  // MARK: -

  private func read(_ entry: SummaryBlockEntry) throws -> SummaryBlock {
    let references = SummaryReader.pages(entry, wanted)
    try pages.read(references) {
      let file = try self.file ?? chunk.hold()
      self.file = file
      return file
    }
    pagesRead += references.count
    pagesFromCache += pages.cachedCount
    bytesRead += references.reduce(0) { $0 + $1.byteCount }
    return try SummaryReader.decode(
      entry, wanted, step: step, identity: contents.identity, place: chunk.path, from: pages)
  }

  /// The summaries of wanted series in used buckets.
  private func partials(_ block: SummaryBlock) throws -> PartialBatch? {
    let rows = Buffer<UInt32>(capacity: block.count)
    var runs: [SeriesRun] = []
    var row = 0
    var list: ArraySlice<SeriesID>?
    if case .some(let series) = request.scan.series { list = series[...] }
    for run in block.runs {
      defer { row += run.count }
      if list != nil {
        while let first = list?.first, first < run.series { list?.removeFirst() }
        guard list?.first == run.series else { continue }
      }
      let before = rows.count
      for place in row..<(row + run.count) where try isUsed(block.buckets.base[place]) { rows.append(UInt32(place)) }
      if rows.count > before { runs.append(SeriesRun(series: run.series, count: rows.count - before)) }
    }
    guard rows.count > 0 else { return nil }
    bucketCount += rows.count
    let firstTimes = Buffer<Int64>(capacity: rows.count)
    let lastTimes = Buffer<Int64>(capacity: rows.count)
    for row in rows.span {
      let start = block.buckets.base[Int(row)] &* step.nanoseconds
      firstTimes.append(start &+ Int64(bitPattern: block.firstOffsets.base[Int(row)]))
      lastTimes.append(start &+ Int64(bitPattern: block.lastOffsets.base[Int(row)]))
    }
    let columns = request.scan.fields.map { Self.gathered(block, $0, rows) }
    return PartialBatch(
      runs: runs, rowCounts: Self.gathered(block.rowCounts, rows), firstTimes: firstTimes, lastTimes: lastTimes,
      columns: columns)
  }

  private static func gathered(_ block: SummaryBlock, _ id: ColumnID, _ rows: Buffer<UInt32>) -> SummaryColumn {
    guard let column = block.column(id) else { return .withoutValues(id, .text, count: rows.count) }
    var result = SummaryColumn(column: id, type: column.type)
    for statistic in SummaryStatistic.allCases { result[statistic] = column[statistic].map { gathered($0, rows) } }
    result[.count] = result[.count] ?? gathered(block.rowCounts, rows)
    return result
  }

  private static func gathered(_ words: Buffer<UInt64>, _ rows: Buffer<UInt32>) -> Buffer<UInt64> {
    if rows.count == words.count { return words }
    let result = Buffer<UInt64>(capacity: rows.count)
    for row in rows.span { result.append(words.base[Int(row)]) }
    return result
  }

  private func isUsed(_ bucket: Int64) throws -> Bool {
    let index = Int(bucket - firstBucket)
    if uses[index] == .unknown {
      let range = range(of: bucket)
      let isFree = !range.isEmpty && free.contains { $0.contains(range) }
      uses[index] = try isFree && request.groups.isOneGroup(range) ? .yes : .no
    }
    return uses[index] == .yes
  }

  /// The times of the bucket that the chunk may have rows at.
  private func range(of bucket: Int64) -> TimeRange {
    let (start, isBefore) = bucket.multipliedReportingOverflow(by: step.nanoseconds)
    let lower = isBefore ? Int64.min : start
    let (end, isBehind) = (bucket + 1).multipliedReportingOverflow(by: step.nanoseconds)
    return TimeRange(lower: lower, upper: isBehind ? .max : end - 1).intersection(chunk.metadata.time)
  }

  private static func mayHold(_ entry: SummaryBlockEntry, _ series: SeriesSet) -> Bool {
    guard case .some(let list) = series else { return true }
    var low = 0
    var high = list.count
    while low < high {
      let middle = (low + high) / 2
      if list[middle] < entry.firstSeries { low = middle + 1 } else { high = middle }
    }
    return low < list.count && list[low] <= entry.lastSeries
  }

  /// Whether the block says what is wanted of a field. The first and last value are wanted with their times, which are
  /// known where every row has a value.
  private static func has(_ wanted: SummaryReader.Wanted, _ type: FieldType, _ entry: SummaryBlockEntry) -> Bool {
    guard let field = entry.field(wanted.column) else { return true }
    guard field.type == type else { return false }
    let values = wanted.statistics.subtracting(SummaryStatistics(.count, .nanCount))
    let ends = SummaryStatistics(.first, .last)
    guard values.isDisjoint(with: ends) || field.page(.count) == nil else { return false }
    return SummaryStatistic.allCases.allSatisfy { !values.contains($0) || field.page($0) != nil }
  }
}
