// Rows of a head block that is in order: stretches of it, copied as they lie.

import VarveCore

final class SortedBlockSource: RowSource {
  private let fields: [(id: ColumnID, type: FieldType)]
  private let columns: [FieldColumn?]
  private let rows: SelectedRows
  // What comes next: a place in the rows' ranges, and one in their runs.
  private var range = 0
  private var offset = 0
  private var run = 0
  private var runOffset = 0

  convenience init(_ block: HeadBlock, _ selection: RowSelection) {
    self.init(block, SelectedRows(block, selection), selection.fields)
  }

  init(_ block: HeadBlock, _ rows: SelectedRows, _ fields: [(id: ColumnID, type: FieldType)]) {
    self.rows = rows
    self.fields = fields
    columns = fields.map { block.field($0.id) }
  }

  func next() -> ScanBatch? {
    var parts: [Range<Int>] = []
    var count = 0
    while count < ScanLimits.batchRowCount, range < rows.ranges.count {
      let start = rows.ranges[range].lowerBound + offset
      let end = min(rows.ranges[range].upperBound, start + ScanLimits.batchRowCount - count)
      parts.append(start..<end)
      count += end - start
      offset += end - start
      if end == rows.ranges[range].upperBound { (range, offset) = (range + 1, 0) }
    }
    guard count > 0 else { return nil }
    let times = Buffer<Int64>(capacity: count)
    for part in parts { times.append(UnsafeBufferPointer(rebasing: rows.times.span[part])) }
    let fields = zip(fields, columns).map { field, column in
      let builder = FieldColumnBuilder(type: field.type, capacity: count)
      for part in parts {
        if let column { builder.append(column, rows: part) } else { builder.appendAbsent(part.count) }
      }
      return builder.finish()
    }
    return ScanBatch(runs: nextRuns(count), times: times, fields: fields)
  }

  private func nextRuns(_ count: Int) -> [SeriesRun] {
    var runs: [SeriesRun] = []
    var left = count
    while left > 0 {
      let current = rows.runs[run]
      let taken = min(left, current.count - runOffset)
      runs.append(SeriesRun(series: current.series, count: taken))
      left -= taken
      runOffset += taken
      if runOffset == current.count { (run, runOffset) = (run + 1, 0) }
    }
    return runs
  }
}
