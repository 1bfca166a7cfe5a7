// Cuts a stream of sorted rows into row blocks. A block holds many short series or a stretch of a long one; a long
// series begins a block of its own, so that reading it alone decodes little else.
//
// Blocks have about 8,192 rows. A series is cut only where it has half as many again, so that no block of it is small:
// 8,640 rows, a day of ten seconds, are one.

import VarveCore

struct RowBlockCutter {
  private static let longSeriesRowCount = 2_048
  private static let blockRowCount = 8_192
  /// What a block has at most, and rows that are held.
  private static let rowCountLimit = blockRowCount * 3 / 2
  /// A block with more text than this ends, whatever its row count: pages are held in memory whole.
  private static let textByteCount = 16 << 20
  /// Rows with text that are taken between two looks at how much it is.
  private static let textRowCount = 512

  private let fields: [(id: ColumnID, type: FieldType)]
  private let stepRowCount: Int
  private var runs: [SeriesRun] = []
  private var times = Buffer<Int64>()
  private var builders: [FieldColumnBuilder] = []
  /// A batch that is a block as it is, unless its last series goes on. Then nothing else is held.
  private var whole: ScanBatch?

  init(_ fields: [(id: ColumnID, type: FieldType)]) {
    precondition(Self.rowCountLimit <= Limits.rowBlockRowCount, "a block has no more rows than the format allows")
    self.fields = fields
    stepRowCount = fields.contains { $0.type == .text } ? Self.textRowCount : Self.rowCountLimit
  }

  mutating func add(_ batch: ScanBatch, _ emit: (ScanBatch) throws -> Void) throws {
    if let held = whole {
      whole = nil
      if held.runs.last?.series == batch.runs.first?.series { try take(held, emit) } else { try emit(held) }
    }
    if times.count > 0, let first = batch.runs.first, runs.last?.series != first.series, endsBlock(before: first) {
      try flush(emit)
    }
    if times.count == 0, isBlock(batch) { whole = batch } else { try take(batch, emit) }
  }

  /// Whether copying the batch's rows would make one block of them all.
  private func isBlock(_ batch: ScanBatch) -> Bool {
    guard stepRowCount == Self.rowCountLimit, batch.count >= Self.blockRowCount, batch.count <= Self.rowCountLimit
    else { return false }
    var before = 0
    for run in batch.runs {
      if before > 0, Self.isBlock(before, before: run) { return false }
      before += run.count
    }
    return true
  }

  private mutating func take(_ batch: ScanBatch, _ emit: (ScanBatch) throws -> Void) throws {
    var row = 0
    for run in batch.runs {
      if runs.last?.series != run.series, endsBlock(before: run) { try flush(emit) }
      var left = run.count
      while left > 0 {
        // Full, and the series goes on: there are rows enough for two blocks.
        if times.count == Self.rowCountLimit { try flush(emit, keeping: Self.rowCountLimit - Self.blockRowCount) }
        let taken = min(left, Self.rowCountLimit - times.count, stepRowCount)
        append(batch, rows: row..<(row + taken), series: run.series)
        row += taken
        left -= taken
        if builders.contains(where: { $0.textByteCount > Self.textByteCount }) { try flush(emit) }
      }
    }
  }

  mutating func finish(_ emit: (ScanBatch) throws -> Void) throws {
    if let whole { try emit(whole) }
    whole = nil
    if times.count > 0 { try flush(emit) }
  }

  /// Whether the rows held are a block when another series follows.
  private func endsBlock(before run: SeriesRun) -> Bool { Self.isBlock(times.count, before: run) }

  private static func isBlock(_ rowCount: Int, before run: SeriesRun) -> Bool {
    rowCount >= blockRowCount || rowCount >= longSeriesRowCount && run.count >= longSeriesRowCount
  }

  private mutating func append(_ batch: ScanBatch, rows: Range<Int>, series: SeriesID) {
    if times.count == 0 { begin() }
    if let last = runs.last, last.series == series {
      runs[runs.count - 1] = SeriesRun(series: series, count: last.count + rows.count)
    } else {
      runs.append(SeriesRun(series: series, count: rows.count))
    }
    times.append(UnsafeBufferPointer(rebasing: batch.times.span[rows]))
    for (builder, column) in zip(builders, batch.fields) { builder.append(column, rows: rows) }
  }

  /// Hands out the rows held, but for the last `kept`, which are all of one series.
  private mutating func flush(_ emit: (ScanBatch) throws -> Void, keeping kept: Int = 0) throws {
    let held = ScanBatch(runs: runs, times: times, fields: builders.map { $0.finish() })
    (runs, times, builders) = ([], Buffer(), [])
    guard kept > 0, let last = held.runs.last else { return try emit(held) }
    let count = held.count - kept
    append(held, rows: count..<held.count, series: last.series)
    var runs = held.runs
    var behind = kept
    while behind > 0, let run = runs.popLast() {
      if run.count > behind { runs.append(SeriesRun(series: run.series, count: run.count - behind)) }
      behind -= min(behind, run.count)
    }
    let fields = held.fields.map { column in
      let builder = FieldColumnBuilder(type: column.type, capacity: count)
      builder.append(column, rows: 0..<count)
      return builder.finish()
    }
    try emit(ScanBatch(runs: runs, times: Buffer(held.times.span[..<count]), fields: fields))
  }

  private mutating func begin() {
    times = Buffer(capacity: Self.rowCountLimit)
    builders = fields.map { FieldColumnBuilder(type: $0.type, capacity: Self.rowCountLimit) }
  }
}
