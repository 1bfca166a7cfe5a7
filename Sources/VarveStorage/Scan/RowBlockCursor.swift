// Row blocks of one chunk, in order: those that the index cannot rule out, with their pages at hand. The pages of
// several row blocks are read at once: few at first, since a query may stop early, then more and more.
//
// A source asks for the next block, then which of its rows are wanted, then for its fields, as rows or aggregated.

import VarveCore
import VarveFormat
import VarveIO

final class RowBlockCursor {
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

  /// Reads at most `readByteLimit` ahead, but whole row blocks.
  init(_ chunk: ChunkHandle, _ selection: RowSelection, zones: [ZonePredicate], readByteLimit: Int) {
    self.chunk = chunk
    self.selection = selection
    self.zones = zones
    // Each read of an archived chunk waits for an object store, and its pages are in plain form here.
    let factor = chunk.isArchived ? ScanLimits.archivedReadFactor : 1
    self.readByteLimit = readByteLimit * factor
    pages = PageBatch(of: chunk)
    readByteCount = min(ScanLimits.firstReadByteCount, readByteLimit) * factor
  }

  /// What was read. Row blocks are counted whatever part of them this is about.
  var statistics: ScanStatistics {
    var statistics = counted
    if let stub = file as? StubFile { statistics.archive = stub.reads }
    return statistics
  }

  /// The next block; nil at the end.
  func next() throws -> RowBlockEntry? {
    let (index, blocks) = try list()
    guard position < blocks.count else { return nil }
    if position == readUpTo { try readAhead(blocks, index) }
    position += 1
    return index.rowBlocks[blocks[position - 1]]
  }

  private func list() throws -> (index: ChunkIndex, blocks: [Int]) {
    if let listed { return listed }
    let index = try chunk.contents().index
    let found = ChunkHandle.rowBlocks(index, selection, zones)
    counted.rowBlocks = found.total
    counted.rowBlocksPruned = found.total - found.selected.count
    let blocks = found.selected.filter { selection.part.hasTimes(of: index.rowBlocks[$0], in: selection.time) }
    listed = (index, blocks)
    return (index, blocks)
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

  // MARK: The block at hand

  /// The rows that the selection wants; nil if it wants none.
  func rows(of block: RowBlockEntry) throws -> SelectedRows? {
    let (id, path) = (chunk.metadata.file, chunk.path)
    let runs = try pages.decode(block.seriesPage) {
      try RowBlockReader.decodeSeries($0, block: block, file: id, place: path, isVerified: $1)
    }
    let times = try pages.decode(block.timesPage) {
      try RowBlockReader.decodeTimes($0, block: block, file: id, place: path, isVerified: $1)
    }
    let rows = SelectedRows(runs, times, selection, exclusions(block))
    guard rows.count > 0 else {
      for (id, _) in selection.fields { if let page = block.field(id)?.page { pages.keepUnused(page) } }
      return nil
    }
    return rows
  }

  private func exclusions(_ block: RowBlockEntry) -> Exclusions {
    let others = selection.part.excluded(from: block, in: selection.time)
    guard !others.isEmpty else { return selection.exclusions }
    var exclusions = selection.exclusions
    exclusions.add(others)
    return exclusions
  }

  /// The rows with all fields.
  func batch(of block: RowBlockEntry, _ rows: SelectedRows) throws -> ScanBatch {
    let fields = try selection.fields.map { try field($0, block, rows) }
    return ScanBatch(runs: rows.runs, times: rows.selectedTimes, fields: fields)
  }

  /// The same of those rows that `filter` chooses by its fields; nil if it chooses none, and the other fields are not
  /// looked at.
  func batch(of block: RowBlockEntry, _ rows: SelectedRows, chosenBy filter: any RowFilter) throws -> ScanBatch? {
    let tested = try filter.places.map { try field(selection.fields[$0], block, rows) }
    let times = rows.selectedTimes
    let chosen = try filter.rows(of: ScanBatch(runs: rows.runs, times: times, fields: tested))
    counted.rows += rows.count - (chosen?.count ?? rows.count)
    guard let chosen else {
      return ScanBatch(
        runs: rows.runs, times: times, fields: try fields(tested, filter.places) { try field($0, block, rows) },
        isFiltered: true)
    }
    guard chosen.count > 0 else {
      for (place, field) in selection.fields.enumerated() where !filter.places.contains(place) {
        if let page = block.field(field.id)?.page { pages.keepUnused(page) }
      }
      return nil
    }
    let places = rows.places(of: chosen)
    let left = tested.map { column in
      let builder = FieldColumnBuilder(type: column.type, capacity: chosen.count)
      builder.append(column, order: chosen.span)
      return builder.finish()
    }
    let chosenTimes = Buffer<Int64>(capacity: chosen.count)
    for row in chosen.span { chosenTimes.append(times[Int(row)]) }
    return ScanBatch(
      runs: rows.runs.chosen(chosen), times: chosenTimes,
      fields: try fields(left, filter.places) { try field($0, block, at: places) }, isFiltered: true)
  }

  private typealias Field = (id: ColumnID, type: FieldType)

  /// All fields: those at `places` are at hand.
  private func fields(
    _ known: [FieldColumn], _ places: [Int], other: (Field) throws -> FieldColumn
  ) rethrows -> [FieldColumn] {
    var next = 0
    return try selection.fields.enumerated().map { place, field in
      guard next < places.count, places[next] == place else { return try other(field) }
      next += 1
      return known[next - 1]
    }
  }

  private func field(_ field: Field, _ block: RowBlockEntry, _ rows: SelectedRows) throws -> FieldColumn {
    let isWhole = rows.isWholeBlock
    let builder = FieldColumnBuilder(type: field.type, capacity: isWhole ? 0 : rows.count)
    guard let column = try decode(field, block, upTo: isWhole ? .max : rows.ranges.last?.upperBound ?? 0) else {
      builder.appendAbsent(rows.count)
      return builder.finish()
    }
    if isWhole { return column }
    for range in rows.ranges { builder.append(column, rows: range) }
    return builder.finish()
  }

  /// Of rows at these places of the block, which ascend.
  private func field(_ field: Field, _ block: RowBlockEntry, at places: Buffer<UInt32>) throws -> FieldColumn {
    let builder = FieldColumnBuilder(type: field.type, capacity: places.count)
    if let column = try decode(field, block, upTo: Int(places[places.count - 1]) + 1) {
      builder.append(column, order: places.span)
    } else {
      builder.appendAbsent(places.count)
    }
    return builder.finish()
  }

  /// nil: no row has a value. Behind `end` words may be anything.
  private func decode(_ field: Field, _ block: RowBlockEntry, upTo end: Int) throws -> FieldColumn? {
    guard let entry = try page(of: field.id, field.type, block) else { return nil }
    return try pages.decode(entry.page) {
      try RowBlockReader.decodeField(
        $0, field: entry, block: block, file: chunk.metadata.file, place: chunk.path, isVerified: $1, upTo: end)
    }
  }

  /// What the index says of a field in the block; nil: no row has a value.
  func page(of id: ColumnID, _ type: FieldType, _ block: RowBlockEntry) throws -> FieldPage? {
    guard let entry = block.field(id) else { return nil }
    guard entry.type == type else {
      throw VarveError(
        .corruption, "chunk holds column \(id.rawValue) as \(entry.type.sqlName), not \(type.sqlName)",
        place: chunk.path)
    }
    return entry
  }

  /// A zone map for each segment of the block's rows: see `PageAggregator`.
  func aggregate(
    _ field: FieldPage, _ block: RowBlockEntry, _ segments: [Range<Int>], _ wanted: PageAggregates
  ) throws -> [ZoneMap] {
    try pages.decode(field.page) {
      try RowBlockReader.aggregateField(
        $0, field: field, block: block, segments: segments, wanted: wanted, file: chunk.metadata.file,
        place: chunk.path, isVerified: $1)
    }
  }

  /// Lets the page cache have what was read of a field in vain.
  func keepUnused(_ field: FieldPage) { pages.keepUnused(field.page) }
}
