// Writes a chunk front to back: every call gives the bytes to append to the file. FORMAT.md, "Chunk".
//
//   header · (series page · times page · field pages) per row block · summary pages · index · footer
//
// Memory held is the index, one block of summaries, and the pages of those before it; rows and columns are gone once
// their bytes are handed out.

import VarveCore

package struct ChunkBuilder: Sendable {
  package let identity: ChunkIdentity
  package let effort: PageEffort
  /// Whether times and fields are written in their plainest form (`PlainPage`).
  private let hasPlainValues: Bool
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
  /// The row block whose columns are being taken.
  package private(set) var currentRowBlock: RowBlockEntry?
  private var types: [ColumnID: FieldType] = [:]
  private var lastTime: Int64 = .min
  private var isFinished = false
  private var summaries: SummaryBuilder?
  private var summaryBlocks: [SummaryPages.Unplaced] = []

  /// With `summaryStep` the chunk gets summaries, see `SummaryStep.choose`. `fieldCount`: columns that it may have.
  package init(
    identity: ChunkIdentity, effort: PageEffort = .light, summaryStep: SummaryStep? = nil, fieldCount: Int = 1,
    hasPlainValues: Bool = false
  ) {
    precondition(
      summaryStep.map { $0.nanoseconds <= identity.partitionNanoseconds } ?? true,
      "a bucket is no wider than a partition")
    self.identity = identity
    self.effort = effort
    self.hasPlainValues = hasPlainValues
    summaries = summaryStep.map { SummaryBuilder($0, fieldCount: fieldCount) }
  }

  /// The bytes of the next rows, which stand behind all rows before in order of (series, time), in the chunk's
  /// partition. A column keeps its type throughout. Fields that are absent in all rows take no room. Throws
  /// `.limitExceeded` if the strings of a page pass 1 GiB; the builder is then of no further use.
  package mutating func appendRowBlock(_ block: RowBlock) throws -> [UInt8] {
    var bytes = try beginRowBlock(runs: block.runs, times: block.times)
    for (id, column) in block.fields { bytes += try appendField(id, column) }
    try endRowBlock()
    return bytes
  }

  /// The same in pieces, so that a row block of very many columns never is in memory whole: which rows come next; then
  /// `appendField` for each column that they have, by id; then `endRowBlock`.
  package mutating func beginRowBlock(runs: [SeriesRun], times: Buffer<Int64>) throws -> [UInt8] {
    precondition(
      !isFinished && currentRowBlock == nil, "a chunk that is not finished takes one row block after the other")
    precondition(
      RowBlock(runs: runs, times: times, fields: []).isWellFormed,
      "a row block is sorted by (series, time), each identity once")
    let (least, greatest) = Self.bounds(times.span)
    for bound in [least, greatest] {
      precondition(
        ChunkIdentity.partition(of: bound, nanoseconds: identity.partitionNanoseconds) == identity.partition,
        "every row lies in the chunk's partition")
    }
    let (first, last) = (runs[0].series, runs[runs.count - 1].series)
    if let lastSeries {
      precondition(lastSeries < first || lastSeries == first && lastTime < times[0], "row blocks come in order")
    }
    var out = ByteWriter(reserving: times.count * 4)
    if byteCount == 0 { out.append(ChunkHeader.encoded(identity)) }
    byteCount += out.count
    let seriesPage = place(
      try PageEncoder.encode(
        series: runs, rowCount: times.count, effort: effort, file: identity.file, offset: byteCount), &out)
    let timesPage = place(
      hasPlainValues
        ? PlainPage.encode(times: times.span, file: identity.file, offset: byteCount)
        : PageEncoder.encode(times: times.span, effort: effort, file: identity.file, offset: byteCount), &out)
    currentRowBlock = RowBlockEntry(
      rowCount: times.count, runCount: runs.count, firstSeries: first, lastSeries: last,
      time: TimeRange(lower: least, upper: greatest), seriesPage: seriesPage, timesPage: timesPage, fields: [])
    summaries?.begin(runs: runs, times: times)
    lastTime = times[times.count - 1]
    return out.bytes
  }

  package mutating func appendField(_ id: ColumnID, _ column: FieldColumn) throws -> [UInt8] {
    guard let rowCount = currentRowBlock?.rowCount else {
      preconditionFailure("a column belongs to a row block that has begun")
    }
    precondition(column.isWellFormed(rowCount: rowCount), "a column has a word a row")
    precondition(currentRowBlock?.fields.last.map { $0.column < id } ?? true, "a row block's columns come by id")
    if Self.isAbsent(column) { return [] }
    precondition(types[id] == nil || types[id] == column.type, "a column of a chunk has one type")
    types[id] = column.type
    let (page, zone) =
      try hasPlainValues
      ? PlainPage.encode(column, file: identity.file, offset: byteCount)
      : PageEncoder.encode(column, effort: effort, file: identity.file, offset: byteCount)
    currentRowBlock?.fields.append(
      FieldPage(
        column: id, type: column.type, page: PageReference(offset: byteCount, byteCount: page.count), zone: zone))
    byteCount += page.count
    valueCount += zone.valueCount
    summaries?.add(id, column)
    return page
  }

  package mutating func endRowBlock() throws {
    guard let block = currentRowBlock else { preconditionFailure("a row block ends that has begun") }
    currentRowBlock = nil
    rowBlocks.append(block)
    for full in summaries?.end() ?? [] {
      summaryBlocks.append(try SummaryPages.encode(full, effort: effort, file: identity.file))
    }
    time =
      rowCount == 0
      ? block.time : TimeRange(lower: min(time.lower, block.time.lower), upper: max(time.upper, block.time.upper))
    rowCount += block.rowCount
    firstSeries = firstSeries ?? block.firstSeries
    lastSeries = block.lastSeries
  }

  /// Appends a page that was made for the end of what is handed out.
  private mutating func place(_ page: [UInt8], _ out: inout ByteWriter) -> PageReference {
    defer { byteCount += page.count }
    out.append(page)
    return PageReference(offset: byteCount, byteCount: page.count)
  }

  private static func bounds(_ times: UnsafeBufferPointer<Int64>) -> (least: Int64, greatest: Int64) {
    var (least, greatest) = (Int64.max, Int64.min)
    for time in times {
      least = min(least, time)
      greatest = max(greatest, time)
    }
    return (least, greatest)
  }

  /// Summaries, index and footer: the last bytes of the file. A chunk without rows is valid, and of no use.
  package mutating func finish() throws -> [UInt8] {
    precondition(!isFinished && currentRowBlock == nil, "a chunk is finished once, behind a row block")
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
