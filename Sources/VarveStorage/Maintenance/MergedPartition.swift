// The rows of chunks of one partition, merged, as row blocks. First the rows are ordered, by series and time alone; then
// the columns of a row block are put together one after the other. So the memory of a merge grows with the number of its
// inputs, and not with that of their columns.

import VarveCore
import VarveFormat

struct MergedPartition: SortedRows {
  let fields: [(id: ColumnID, type: FieldType)]
  let summaryStep: SummaryStep?
  let memory: MergeMemory
  private let source: any RowSource
  private let table: PlaceTable

  private static let placeField = (id: ColumnID(rawValue: 0), type: FieldType.uint64)
  /// A row block with more text than this in one column ends, whatever its row count: pages are held in memory whole.
  private static let textByteCount = 16 << 20

  /// `chunks` are neighbours in order of sequence, which together have `fields`; of each is left out what is excluded. `isArchived`: they
  /// are written to the archive.
  init(
    _ chunks: [(handle: ChunkHandle, exclusions: Exclusions)], _ fields: [(id: ColumnID, type: FieldType)],
    _ schema: TableSchema, byteLimit: Int, isArchived: Bool = false
  ) throws {
    self.fields = fields
    let memory = MergeMemory(byteLimit: byteLimit)
    let table = PlaceTable()
    // A quarter of the memory for pages as read, but as much as makes a call worth while.
    let readByteLimit = max(
      ScanLimits.firstReadByteCount, min(ScanLimits.readByteCount, byteLimit / 4 / max(1, chunks.count)))
    let placed = chunks.enumerated().map { age, chunk in
      (
        metadata: chunk.handle.metadata,
        source: PlacedSource(
          chunk.handle, without: chunk.exclusions, age: age, readByteLimit: readByteLimit, table, memory)
          as any RowSource
      )
    }
    let sources = ChainSource.generations(of: placed)
    source = sources.count == 1 ? sources[0] : try MergeSource(sources, [Self.placeField], table: table)
    summaryStep = try Self.summaryStep(of: chunks.map(\.handle), schema, isArchived: isArchived)
    self.memory = memory
    self.table = table
  }

  private static func summaryStep(
    of chunks: [ChunkHandle], _ schema: TableSchema, isArchived: Bool
  ) throws -> SummaryStep? {
    var rowCount = 0
    var seriesCount = 0
    var time = TimeRange(lower: .max, upper: .min)
    for chunk in chunks {
      rowCount += chunk.metadata.rowCount
      // At least those of the chunk that has the most.
      seriesCount = max(seriesCount, try chunk.contents().index.seriesCount)
      time = TimeRange(
        lower: min(time.lower, chunk.metadata.time.lower), upper: max(time.upper, chunk.metadata.time.upper))
    }
    return SummaryStep.choose(
      rowCount: rowCount, seriesCount: seriesCount, time: time, partitionNanoseconds: schema.partitionNanoseconds,
      isArchived: isArchived)
  }

  func forEachRowBlock(_ body: (SortedBlock) throws -> Void) throws {
    var cutter = RowBlockCutter([Self.placeField])
    let emit = { (rows: ScanBatch) in try self.emit(rows, body) }
    while let batch = try source.next() { try cutter.add(batch, emit) }
    try cutter.finish(emit)
  }

  private func emit(_ rows: ScanBatch, _ body: (SortedBlock) throws -> Void) throws {
    let places = rows.fields[0].words
    defer { withExtendedLifetime(places) {} }
    for range in try cut(places) {
      let span = UnsafeBufferPointer(rebasing: places.span[range])
      let parts = table.parts(of: span)
      try body(
        SortedBlock(runs: rows.runs(of: range), times: Buffer(rows.times.span[range])) {
          try column(fields[$0], parts, count: range.count)
        })
      table.didWrite(span, parts)
    }
  }

  // MARK: - Columns

  /// Puts a column together. Nil if it is absent in all rows.
  private func column(
    _ field: (id: ColumnID, type: FieldType), _ parts: [PlaceTable.Part], count: Int
  ) throws -> FieldColumn? {
    let words = Buffer<UInt64>(repeating: 0, count: count)
    let states = Buffer<UInt8>(repeating: CellState.absent.rawValue, count: count)
    let text = field.type == .text ? Buffer<UInt8>() : nil
    let ownByteCount = words.byteCount + states.byteCount
    memory.take(ownByteCount)
    defer { memory.give(back: ownByteCount + (text?.byteCount ?? 0)) }
    for part in parts {
      let before = text?.byteCount ?? 0
      try part.block.withColumn(field.id, isNeededAgain: part.block.isNeeded(behind: part.rowCount)) { column in
        if let text {
          moveText(column, part.moves, words, states, text)
        } else {
          moveWords(column, part.moves, words, states)
        }
      }
      memory.take((text?.byteCount ?? 0) - before)
    }
    if states.span.allSatisfy({ $0 == CellState.absent.rawValue }) { return nil }
    let isFull = states.span.allSatisfy { $0 == CellState.value.rawValue }
    return FieldColumn(type: field.type, words: words, text: text, states: isFull ? nil : states)
  }

  // MARK: - Text

  /// The row blocks that rows make when none has too much text in a column.
  private func cut(_ places: Buffer<UInt64>) throws -> [Range<Int>] {
    let texts = fields.filter { $0.type == .text }
    if texts.isEmpty { return [0..<places.count] }
    let parts = table.parts(of: places.span)
    var ends = Set([places.count])
    for field in texts {
      // What newer rows overwrite counts too: it is copied.
      let lengths = Buffer<Int>(repeating: 0, count: places.count)
      for part in parts {
        try part.block.withColumn(field.id, isNeededAgain: true) { addLengths($0, part.moves, lengths) }
      }
      var total = 0
      for (row, length) in lengths.span.enumerated() {
        if total > 0, total + length > Self.textByteCount {
          ends.insert(row)
          total = 0
        }
        total += length
      }
    }
    let sorted = ends.sorted()
    return zip([0] + sorted, sorted).map { $0..<$1 }
  }
}

extension ScanBatch {
  /// The runs of some of its rows.
  fileprivate func runs(of rows: Range<Int>) -> [SeriesRun] {
    if rows.count == count { return runs }
    var kept: [SeriesRun] = []
    var start = 0
    for run in runs {
      let common = rows.clamped(to: start..<(start + run.count))
      if !common.isEmpty { kept.append(SeriesRun(series: run.series, count: common.count)) }
      start += run.count
    }
    return kept
  }
}

/// Copies cells that are not absent over those that are there.
private func moveWords(
  _ column: FieldColumn, _ moves: [PlaceTable.Part.Move], _ words: Buffer<UInt64>, _ states: Buffer<UInt8>
) {
  let (source, target) = (column.words.base, words.base)
  for move in moves {
    guard let cells = column.states?.base else {
      (target + move.target).update(from: source + move.row, count: move.count)
      (states.base + move.target).update(repeating: CellState.value.rawValue, count: move.count)
      continue
    }
    for k in 0..<move.count where cells[move.row + k] != CellState.absent.rawValue {
      target[move.target + k] = source[move.row + k]
      states.base[move.target + k] = cells[move.row + k]
    }
  }
  withExtendedLifetime(column) {}
}

private func moveText(
  _ column: FieldColumn, _ moves: [PlaceTable.Part.Move], _ words: Buffer<UInt64>, _ states: Buffer<UInt8>,
  _ text: Buffer<UInt8>
) {
  for move in moves {
    for k in 0..<move.count {
      let state = column.state(move.row + k)
      guard state != .absent else { continue }
      states.base[move.target + k] = state.rawValue
      words.base[move.target + k] = 0
      guard state == .value else { continue }
      let bytes = column.bytes(move.row + k)
      words.base[move.target + k] = TextRef(offset: text.count, length: bytes.count).word
      text.append(bytes)
    }
  }
}

/// Adds the lengths of texts to those of the rows they go to.
private func addLengths(_ column: FieldColumn, _ moves: [PlaceTable.Part.Move], _ lengths: Buffer<Int>) {
  for move in moves {
    for k in 0..<move.count where column.state(move.row + k) == .value {
      lengths.base[move.target + k] += TextRef(word: column.words.base[move.row + k]).length
    }
  }
}
