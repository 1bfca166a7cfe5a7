// Cuts a stream of sorted rows into row blocks. A block holds many short series or a stretch of a long one; a long
// series begins a block of its own, so that reading it alone decodes little else.

import VarveCore

struct RowBlockCutter {
  private static let longSeriesRowCount = 2_048
  /// A block with more text than this ends, whatever its row count: pages are held in memory whole.
  private static let textByteCount = 16 << 20

  private let fields: [(id: ColumnID, type: FieldType)]
  private var runs: [SeriesRun] = []
  private var times = Buffer<Int64>()
  private var builders: [FieldColumnBuilder] = []

  init(_ fields: [(id: ColumnID, type: FieldType)]) {
    self.fields = fields
    reset()
  }

  mutating func add(_ batch: ScanBatch, _ emit: (ScanBatch) throws -> Void) throws {
    var row = 0
    for run in batch.runs {
      let isNew = runs.last?.series != run.series
      if isNew, run.count >= Self.longSeriesRowCount, times.count >= Self.longSeriesRowCount { try flush(emit) }
      var left = run.count
      while left > 0 {
        let taken = min(left, Limits.rowBlockRowCount - times.count)
        append(batch, rows: row..<(row + taken), series: run.series)
        row += taken
        left -= taken
        if times.count == Limits.rowBlockRowCount || builders.contains(where: { $0.textByteCount > Self.textByteCount })
        {
          try flush(emit)
        }
      }
    }
  }

  mutating func finish(_ emit: (ScanBatch) throws -> Void) throws {
    if times.count > 0 { try flush(emit) }
  }

  private mutating func append(_ batch: ScanBatch, rows: Range<Int>, series: SeriesID) {
    if let last = runs.last, last.series == series {
      runs[runs.count - 1] = SeriesRun(series: series, count: last.count + rows.count)
    } else {
      runs.append(SeriesRun(series: series, count: rows.count))
    }
    times.append(UnsafeBufferPointer(rebasing: batch.times.span[rows]))
    for (builder, column) in zip(builders, batch.fields) { builder.append(column, rows: rows) }
  }

  private mutating func flush(_ emit: (ScanBatch) throws -> Void) throws {
    let block = ScanBatch(runs: runs, times: times, fields: builders.map { $0.finish() })
    reset()
    try emit(block)
  }

  private mutating func reset() {
    runs = []
    times = Buffer(capacity: Limits.rowBlockRowCount)
    builders = fields.map { FieldColumnBuilder(type: $0.type, capacity: Limits.rowBlockRowCount) }
  }
}
