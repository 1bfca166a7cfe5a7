// Rows of one chunk: the row blocks that the index cannot rule out, cut to the series and times asked for. The pages of
// several row blocks are read at once: few at first, since a query may stop early, then more and more.

import VarveCore
import VarveFormat
import VarveIO

final class ChunkSource: RowSource {
  private let chunk: ChunkHandle
  /// Held so that the chunk's file stays open from page to page.
  private var file: (any File)?
  private let selection: RowSelection
  private let zones: [ZonePredicate]
  /// The chunk's index, and the row blocks to read by it.
  private var listed: (index: ChunkIndex, blocks: [Int])?
  private var position = 0
  /// Pages of the blocks from `position` up to `readUpTo`.
  private let pages: PageBatch
  private var readUpTo = 0
  private var readByteCount: Int
  private let readByteLimit: Int
  private var counted = ScanStatistics()

  /// Reads at most `readByteLimit` ahead, but whole row blocks. `keepsPages`: whether the page cache takes what it did
  /// not have.
  init(
    _ chunk: ChunkHandle, _ selection: RowSelection, zones: [ZonePredicate], readByteLimit: Int,
    keepsPages: Bool = true
  ) {
    self.chunk = chunk
    self.selection = selection
    self.zones = zones
    self.readByteLimit = readByteLimit
    pages = PageBatch(of: chunk.metadata.file, cache: chunk.caches.pages, keepsPages: keepsPages)
    readByteCount = min(ScanLimits.firstReadByteCount, readByteLimit)
  }

  func addStatistics(to total: inout ScanStatistics) {
    total.rowBlocks += counted.rowBlocks
    total.rowBlocksPruned += counted.rowBlocksPruned
    total.pagesRead += counted.pagesRead
    total.bytesRead += counted.bytesRead
    total.pagesFromCache += counted.pagesFromCache
  }

  func next() throws -> ScanBatch? {
    let (index, blocks) = try list()
    while position < blocks.count {
      if position == readUpTo { try readAhead(blocks, index) }
      let block = blocks[position]
      position += 1
      if let batch = try read(index.rowBlocks[block]) { return batch }
    }
    return nil
  }

  private func list() throws -> (index: ChunkIndex, blocks: [Int]) {
    if let listed { return listed }
    let index = try chunk.contents().index
    let found = ChunkHandle.rowBlocks(index, selection, zones)
    counted.rowBlocks = found.total
    counted.rowBlocksPruned = found.total - found.selected.count
    listed = (index, found.selected)
    return (index, found.selected)
  }

  /// Reads the pages of the next row blocks.
  private func readAhead(_ blocks: [Int], _ index: ChunkIndex) throws {
    var wanted: [PageReference] = []
    var byteCount = 0
    var end = position
    while end < blocks.count, wanted.isEmpty || byteCount < readByteCount {
      let first = wanted.count
      addPages(of: index.rowBlocks[blocks[end]], to: &wanted)
      for page in wanted[first...] { byteCount += page.byteCount }
      end += 1
    }
    try pages.read(wanted) {
      let file = try self.file ?? chunk.hold()
      self.file = file
      return file
    }
    readUpTo = end
    counted.pagesRead += wanted.count
    counted.pagesFromCache += pages.cachedCount
    counted.bytesRead += byteCount
    readByteCount = min(readByteCount * 4, readByteLimit)
  }

  private func addPages(of block: RowBlockEntry, to wanted: inout [PageReference]) {
    wanted.append(block.seriesPage)
    wanted.append(block.timesPage)
    let first = wanted.count
    var isAscending = true
    for (id, _) in selection.fields {
      guard let page = block.field(id)?.page else { continue }
      isAscending = isAscending && page.offset > wanted[wanted.count - 1].offset
      wanted.append(page)
    }
    // Fields are asked for in any order, and may be asked for twice.
    if !isAscending {
      wanted.replaceSubrange(first..., with: Set(wanted[first...]).sorted { $0.offset < $1.offset })
    }
  }

  private func read(_ block: RowBlockEntry) throws -> ScanBatch? {
    let (id, path) = (chunk.metadata.file, chunk.path)
    let runs = try pages.decode(block.seriesPage) {
      try RowBlockReader.decodeSeries($0, block: block, file: id, place: path, isVerified: $1)
    }
    let times = try pages.decode(block.timesPage) {
      try RowBlockReader.decodeTimes($0, block: block, file: id, place: path, isVerified: $1)
    }
    let (kept, ranges, count) = select(runs, times)
    guard count > 0 else {
      for (id, _) in selection.fields { if let page = block.field(id)?.page { pages.keepUnused(page) } }
      return nil
    }
    let isWhole = count == times.count
    let fields = try selection.fields.map { id, type in
      try field(id, type, block, ranges: isWhole ? nil : ranges, count: count)
    }
    guard !isWhole else { return ScanBatch(runs: kept, times: times, fields: fields) }
    let someTimes = Buffer<Int64>(capacity: count)
    for range in ranges { someTimes.append(UnsafeBufferPointer(rebasing: times.span[range])) }
    return ScanBatch(runs: kept, times: someTimes, fields: fields)
  }

  /// The runs and row ranges that the selection wants.
  private func select(_ runs: [SeriesRun], _ times: Buffer<Int64>) -> ([SeriesRun], [Range<Int>], Int) {
    var kept: [SeriesRun] = []
    var ranges: [Range<Int>] = []
    var total = 0
    var row = 0
    var wanted = 0
    for run in runs {
      defer { row += run.count }
      if case .some(let list) = selection.series {
        while wanted < list.count, list[wanted] < run.series { wanted += 1 }
        guard wanted < list.count else { break }
        guard list[wanted] == run.series else { continue }
      }
      let start = firstRow(times, row..<(row + run.count)) { $0 >= selection.time.lower }
      let end = firstRow(times, start..<(row + run.count)) { $0 > selection.time.upper }
      guard start < end else { continue }
      let before = total
      if selection.exclusions.isEmpty {
        Self.append(start..<end, to: &ranges, &total)
      } else {
        let excluded = selection.exclusions.ranges(of: run.series)
        for part in withoutExcluded(start..<end, times, excluded) { Self.append(part, to: &ranges, &total) }
      }
      if total > before { kept.append(SeriesRun(series: run.series, count: total - before)) }
    }
    return (kept, ranges, total)
  }

  private static func append(_ rows: Range<Int>, to ranges: inout [Range<Int>], _ total: inout Int) {
    if let last = ranges.last, last.upperBound == rows.lowerBound {
      ranges[ranges.count - 1] = last.lowerBound..<rows.upperBound
    } else {
      ranges.append(rows)
    }
    total += rows.count
  }

  private func field(
    _ id: ColumnID, _ type: FieldType, _ block: RowBlockEntry, ranges: [Range<Int>]?, count: Int
  ) throws -> FieldColumn {
    let builder = FieldColumnBuilder(type: type, capacity: ranges == nil ? 0 : count)
    guard let entry = block.field(id) else {
      builder.appendAbsent(count)
      return builder.finish()
    }
    guard entry.type == type else {
      throw VarveError(
        .corruption, "chunk holds column \(id.rawValue) as \(entry.type.sqlName), not \(type.sqlName)",
        place: chunk.path)
    }
    let column = try pages.decode(entry.page) {
      try RowBlockReader.decodeField(
        $0, field: entry, block: block, file: chunk.metadata.file, place: chunk.path, isVerified: $1)
    }
    guard let ranges else { return column }
    for range in ranges { builder.append(column, rows: range) }
    return builder.finish()
  }
}
