// The newest row of each series of a chunk, with the fields that were asked for so far: read once, and kept
// (`TailCache`).

import VarveCore
import VarveFormat

final class ChunkTail: Sendable {
  let tail: Tail
  /// A cell a row of the tail.
  let columns: [ColumnID: FieldColumn]

  init(_ tail: Tail, _ columns: [ColumnID: FieldColumn]) {
    self.tail = tail
    self.columns = columns
  }

  var byteCount: Int { columns.values.reduce(tail.byteCount + 200) { $0 + $1.byteCount + 100 } }

  /// Reads all rows of the chunk. Gives what that took, too.
  static func read(
    _ chunk: ChunkHandle, _ fields: [(id: ColumnID, type: FieldType)]
  ) throws -> (ChunkTail, ScanStatistics) {
    let source = ChunkSource(
      chunk, RowSelection(series: .all, time: .all, fields: fields), zones: [],
      readByteLimit: ScanLimits.readByteCount)
    var ends = RunEnds(fields.map(\.type))
    while let batch = try source.next() { ends.add(batch) }
    var statistics = ScanStatistics()
    source.addStatistics(to: &statistics)
    return (ends.finish(fields.map(\.id)), statistics)
  }

  /// With the other's columns, which is of the same chunk.
  func adding(_ other: ChunkTail) -> ChunkTail { ChunkTail(tail, columns.merging(other.columns) { known, _ in known }) }
}

/// Collects the last row of each series from batches in order of (series, time).
struct RunEnds {
  private let series = Buffer<UInt32>()
  private let times = Buffer<Int64>()
  private let builders: [FieldColumnBuilder]
  /// The last batch: its last series may go on in the next.
  private var held: ScanBatch?

  init(_ types: [FieldType]) { builders = types.map { FieldColumnBuilder(type: $0, capacity: 0) } }

  var seriesCount: Int { series.count }

  mutating func add(_ batch: ScanBatch) {
    if let held, held.runs.last?.series != batch.runs.first?.series { appendLast(held) }
    held = batch
    let rows = Buffer<UInt32>(capacity: batch.runs.count)
    var end = 0
    for run in batch.runs.dropLast() {
      end += run.count
      rows.append(UInt32(end - 1))
      series.append(run.series.rawValue)
      times.append(batch.times.base[end - 1])
    }
    for (builder, column) in zip(builders, batch.fields) { builder.append(column, order: rows.span) }
    withExtendedLifetime(rows) {}
  }

  private func appendLast(_ batch: ScanBatch) {
    guard let run = batch.runs.last else { return }
    series.append(run.series.rawValue)
    times.append(batch.times.base[batch.count - 1])
    for (builder, column) in zip(builders, batch.fields) { builder.append(column, row: batch.count - 1) }
  }

  mutating func finish(_ ids: [ColumnID]) -> ChunkTail {
    if let held { appendLast(held) }
    held = nil
    let tail = Tail(series: series, times: times, rows: Buffer((0..<UInt32(series.count)).map { $0 }))
    let columns = zip(ids, builders).map { ($0, $1.finish()) }
    return ChunkTail(tail, Dictionary(columns) { first, _ in first })
  }
}

/// Makes a chunk's tail while the chunk is written, row block by row block, column by column.
struct TailCollector {
  private let fields: [(id: ColumnID, type: FieldType)]
  private let seriesLimit: Int
  private var ends: RunEnds
  private var isTooLarge = false
  // Of the row block at hand: the last row of each run.
  private var runs: [SeriesRun] = []
  private var rows = Buffer<UInt32>()
  private var times = Buffer<Int64>()
  private var columns: [FieldColumn?] = []

  /// What has more series comes to nothing.
  init(_ fields: [(id: ColumnID, type: FieldType)], seriesLimit: Int) {
    self.fields = fields
    self.seriesLimit = seriesLimit
    ends = RunEnds(fields.map(\.type))
  }

  mutating func begin(_ block: SortedBlock) {
    guard !isTooLarge else { return }
    runs = block.runs.map { SeriesRun(series: $0.series, count: 1) }
    rows = Buffer(capacity: runs.count)
    times = Buffer(capacity: runs.count)
    columns = Array(repeating: nil, count: fields.count)
    var end = 0
    for run in block.runs {
      end += run.count
      rows.append(UInt32(end - 1))
      times.append(block.times[end - 1])
    }
  }

  mutating func add(_ column: FieldColumn, _ place: Int) {
    guard !isTooLarge else { return }
    let builder = FieldColumnBuilder(type: column.type, capacity: rows.count)
    builder.append(column, order: rows.span)
    columns[place] = builder.finish()
  }

  mutating func end() {
    guard !isTooLarge else { return }
    let complete = zip(fields, columns).map { field, column in
      if let column { return column }
      let builder = FieldColumnBuilder(type: field.type, capacity: rows.count)
      builder.appendAbsent(rows.count)
      return builder.finish()
    }
    ends.add(ScanBatch(runs: runs, times: times, fields: complete))
    guard ends.seriesCount > seriesLimit else { return }
    isTooLarge = true
    ends = RunEnds([])
  }

  mutating func finish() -> ChunkTail? { isTooLarge ? nil : ends.finish(fields.map(\.id)) }
}
