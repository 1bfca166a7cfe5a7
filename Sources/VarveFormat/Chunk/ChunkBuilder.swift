// Writes a chunk front to back: every call gives the bytes to append to the file. FORMAT.md, "Chunk".
//
//   header · (series page · times page · field pages) per row block · summary pages · index · footer
//
// Memory held is the index, one block of summaries, and the pages of those before it; rows are gone once their bytes
// are handed out.

import VarveCore

package struct ChunkBuilder: Sendable {
  package let identity: ChunkIdentity
  package let effort: PageEffort
  /// Bytes handed out so far: where the next ones go.
  package private(set) var byteCount = 0
  package private(set) var rowCount = 0
  /// Cells that hold a value.
  package private(set) var valueCount = 0
  package private(set) var time = TimeRange(lower: 0, upper: -1)
  /// Nil before the first row.
  package private(set) var firstSeries: SeriesID?
  package private(set) var lastSeries: SeriesID?

  private var rowBlocks: [RowBlockEntry] = []
  private var types: [ColumnID: FieldType] = [:]
  private var lastTime: Int64 = .min
  private var isFinished = false
  private var summaries: SummaryBuilder?
  private var summaryBlocks: [SummaryPages.Unplaced] = []

  /// With `summaryStep` the chunk gets summaries, see `SummaryStep.choose`.
  package init(identity: ChunkIdentity, effort: PageEffort = .light, summaryStep: SummaryStep? = nil) {
    precondition(
      summaryStep.map { $0.nanoseconds <= identity.partitionNanoseconds } ?? true,
      "a bucket is no wider than a partition")
    self.identity = identity
    self.effort = effort
    summaries = summaryStep.map { SummaryBuilder($0) }
  }

  /// The bytes of the next rows, which stand behind all rows before in order of (series, time), in the chunk's
  /// partition. A column keeps its type throughout. Fields that are absent in all rows take no room. Throws
  /// `.limitExceeded` if the strings of a page pass 1 GiB; the builder is then of no further use.
  package mutating func appendRowBlock(_ block: RowBlock) throws -> [UInt8] {
    precondition(!isFinished, "a finished chunk takes no rows")
    precondition(block.isWellFormed, "a row block is sorted by (series, time), each identity once")
    let times = block.times.span
    var (least, greatest) = (Int64.max, Int64.min)
    for time in times {
      least = min(least, time)
      greatest = max(greatest, time)
    }
    for bound in [least, greatest] {
      precondition(
        ChunkIdentity.partition(of: bound, nanoseconds: identity.partitionNanoseconds) == identity.partition,
        "every row lies in the chunk's partition")
    }
    let (first, last) = (block.runs[0].series, block.runs[block.runs.count - 1].series)
    if let lastSeries {
      precondition(lastSeries < first || lastSeries == first && lastTime < times[0], "row blocks come in order")
    }

    var out = ByteWriter(reserving: block.rowCount * 4)
    if byteCount == 0 { out.append(ChunkHeader.encoded(identity)) }
    let start = byteCount
    func append(_ page: [UInt8]) -> PageReference {
      let reference = PageReference(offset: start + out.count, byteCount: page.count)
      out.append(page)
      return reference
    }

    let seriesPage = append(
      try PageEncoder.encode(
        series: block.runs, rowCount: block.rowCount, effort: effort, file: identity.file, offset: start + out.count))
    let timesPage = append(
      PageEncoder.encode(times: times, effort: effort, file: identity.file, offset: start + out.count))
    var fields: [FieldPage] = []
    for field in block.fields where !Self.isAbsent(field.column) {
      let type = field.column.type
      precondition(types[field.id] == nil || types[field.id] == type, "a column of a chunk has one type")
      types[field.id] = type
      let (page, zone) = try PageEncoder.encode(
        field.column, effort: effort, file: identity.file, offset: start + out.count)
      fields.append(FieldPage(column: field.id, type: type, page: append(page), zone: zone))
      valueCount += zone.valueCount
    }
    rowBlocks.append(
      RowBlockEntry(
        rowCount: block.rowCount, runCount: block.runs.count, firstSeries: first, lastSeries: last,
        time: TimeRange(lower: least, upper: greatest), seriesPage: seriesPage, timesPage: timesPage, fields: fields))
    try summarise(block)
    time =
      rowCount == 0
      ? TimeRange(lower: least, upper: greatest)
      : TimeRange(lower: min(time.lower, least), upper: max(time.upper, greatest))
    rowCount += block.rowCount
    firstSeries = firstSeries ?? first
    lastSeries = last
    lastTime = times[times.count - 1]
    byteCount += out.count
    return out.bytes
  }

  private mutating func summarise(_ block: RowBlock) throws {
    for full in summaries?.add(block) ?? [] {
      summaryBlocks.append(try SummaryPages.encode(full, effort: effort, file: identity.file))
    }
  }

  /// Summaries, index and footer: the last bytes of the file. A chunk without rows is valid, and of no use.
  package mutating func finish() throws -> [UInt8] {
    precondition(!isFinished, "a chunk is finished once")
    isFinished = true
    var out = ByteWriter()
    if byteCount == 0 { out.append(ChunkHeader.encoded(identity)) }
    let summaryIndex = try appendSummaries(to: &out)
    let columns = types.sorted { $0.key < $1.key }.map { (id: $0.key, type: $0.value) }
    let index = ChunkIndex(columns: columns, rowBlocks: rowBlocks, summaries: summaryIndex).encoded()
    let indexOffset = byteCount + out.count
    let footer = ChunkFooter(
      file: identity.file, rowBlockCount: rowBlocks.count, indexOffset: indexOffset, indexByteCount: index.count,
      rowCount: rowCount, valueCount: valueCount, time: time, firstSeries: firstSeries ?? SeriesID(rawValue: 0),
      lastSeries: lastSeries ?? SeriesID(rawValue: 0),
      indexChecksum: index.withUnsafeBytes { CRC32C.salted($0, file: identity.file, offset: indexOffset) })
    out.append(index)
    out.append(footer.encoded())
    byteCount += out.count
    return out.bytes
  }

  private mutating func appendSummaries(to out: inout ByteWriter) throws -> SummaryIndex? {
    guard var summaries else { return nil }
    if let last = summaries.finish() {
      summaryBlocks.append(try SummaryPages.encode(last, effort: effort, file: identity.file))
    }
    var blocks: [SummaryBlockEntry] = []
    for block in summaryBlocks {
      let (entry, bytes) = SummaryPages.place(block, file: identity.file, offset: byteCount + out.count)
      out.append(bytes)
      blocks.append(entry)
    }
    summaryBlocks = []
    return SummaryIndex(step: summaries.step, blocks: blocks)
  }

  private static func isAbsent(_ column: FieldColumn) -> Bool {
    guard let states = column.states else { return false }
    for state in states.span where state != CellState.absent.rawValue { return false }
    return true
  }
}
