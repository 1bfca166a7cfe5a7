// Rows of one chunk: the row blocks that the index cannot rule out, cut to the series and times asked for. Field pages
// are read only for row blocks that have such rows.

import VarveCore
import VarveFormat
import VarveIO

final class ChunkSource: RowSource {
  private let chunk: ChunkHandle
  /// Held so that the chunk's file stays open from page to page.
  private var file: (any File)?
  private let selection: RowSelection
  private let zones: [ZonePredicate]
  private var blocks: [Int]?
  private var position = 0
  private var counted = ScanStatistics()

  init(_ chunk: ChunkHandle, _ selection: RowSelection, zones: [ZonePredicate]) {
    self.chunk = chunk
    self.selection = selection
    self.zones = zones
  }

  func addStatistics(to total: inout ScanStatistics) {
    total.rowBlocks += counted.rowBlocks
    total.rowBlocksPruned += counted.rowBlocksPruned
    total.pagesRead += counted.pagesRead
    total.bytesRead += counted.bytesRead
  }

  func next() throws -> ScanBatch? {
    let blocks = try listBlocks()
    let index = try chunk.contents().index
    while position < blocks.count {
      let block = index.rowBlocks[blocks[position]]
      position += 1
      if let batch = try read(block) { return batch }
    }
    return nil
  }

  private func listBlocks() throws -> [Int] {
    if let blocks { return blocks }
    file = try chunk.hold()
    let found = try chunk.rowBlocks(selection, zones)
    counted.rowBlocks = found.total
    counted.rowBlocksPruned = found.total - found.selected.count
    blocks = found.selected
    return found.selected
  }

  private func read(_ block: RowBlockEntry) throws -> ScanBatch? {
    let runs = try page(block.seriesPage) {
      try RowBlockReader.decodeSeries($0, block: block, file: chunk.metadata.file, place: chunk.path)
    }
    let times = try page(block.timesPage) {
      try RowBlockReader.decodeTimes($0, block: block, file: chunk.metadata.file, place: chunk.path)
    }
    let (kept, ranges, count) = select(runs, times)
    guard count > 0 else { return nil }
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
      let start = Self.firstRow(times, row..<(row + run.count)) { $0 >= selection.time.lower }
      let end = Self.firstRow(times, start..<(row + run.count)) { $0 > selection.time.upper }
      guard start < end else { continue }
      kept.append(SeriesRun(series: run.series, count: end - start))
      if let last = ranges.last, last.upperBound == start {
        ranges[ranges.count - 1] = last.lowerBound..<end
      } else {
        ranges.append(start..<end)
      }
      total += end - start
    }
    return (kept, ranges, total)
  }

  /// The first row of `rows`, whose times ascend, for which `test` holds.
  private static func firstRow(_ times: Buffer<Int64>, _ rows: Range<Int>, _ test: (Int64) -> Bool) -> Int {
    var low = rows.lowerBound
    var high = rows.upperBound
    while low < high {
      let middle = (low + high) / 2
      if test(times.base[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
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
    let column = try page(entry.page) {
      try RowBlockReader.decodeField($0, field: entry, block: block, file: chunk.metadata.file, place: chunk.path)
    }
    guard let ranges else { return column }
    for range in ranges { builder.append(column, rows: range) }
    return builder.finish()
  }

  private func page<T>(_ reference: PageReference, _ decode: (UnsafeRawBufferPointer) throws -> T) throws -> T {
    let bytes = try chunk.read(reference)
    counted.pagesRead += 1
    counted.bytesRead += bytes.count
    return try bytes.withUnsafeBytes(decode)
  }
}
