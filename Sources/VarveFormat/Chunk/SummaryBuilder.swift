// Summarises rows as they come, in order of (series, time): first which rows a row block has, then its columns one after
// the other. Memory held is one summary block, and those that a row block fills.

import VarveCore

package struct SummaryBuilder: Sendable {
  package let step: SummaryStep
  /// Rows of each block, as far as they are given, in reverse.
  private var blockRowCounts: [Int]
  /// Rows of the others.
  private let rowCountLimit: Int

  /// The summary block that the next rows go on with.
  private var open = Unfinished()
  /// Those that the row block at hand fills; they lack columns.
  private var full: [Unfinished] = []

  /// `blockRowCounts`: of the first blocks, where it is known how they are cut. `fieldCount`: columns that rows may have.
  package init(_ step: SummaryStep, fieldCount: Int = 1, blockRowCounts: [Int] = []) {
    self.step = step
    self.blockRowCounts = blockRowCounts.reversed()
    rowCountLimit = SummaryBlock.rowCount(fieldCount: fieldCount)
  }

  /// Rows of one series and bucket that stand together, and the place of their summary.
  struct Segment {
    var rows: Range<Int>
    var place: Int
  }

  /// A summary block whose columns are not complete.
  private struct Unfinished: Sendable {
    var runs: [SeriesRun] = []
    let buckets = Buffer<Int64>()
    let rowCounts = Buffer<UInt64>()
    let firstOffsets = Buffer<UInt64>()
    let lastOffsets = Buffer<UInt64>()
    /// By column id, ascending.
    var fields: [FieldSummary] = []
    /// Of the row block at hand.
    var segments: [Segment] = []

    mutating func add(_ id: ColumnID, _ column: FieldColumn) {
      guard !segments.isEmpty else { return }
      let index = fields.firstIndex { $0.id >= id } ?? fields.count
      if index == fields.count || fields[index].id != id { fields.insert(FieldSummary(id, column.type), at: index) }
      fields[index].add(column, segments)
    }

    var block: SummaryBlock {
      SummaryBlock(
        runs: runs, buckets: buckets, rowCounts: rowCounts, firstOffsets: firstOffsets, lastOffsets: lastOffsets,
        columns: fields.compactMap { $0.column(rowCounts) })
    }
  }

  /// Takes the next rows; gives the blocks that are full.
  package mutating func add(_ block: RowBlock) -> [SummaryBlock] {
    begin(runs: block.runs, times: block.times)
    for (id, column) in block.fields { add(id, column) }
    return end()
  }

  /// Begins the next rows; their columns follow.
  mutating func begin(runs: [SeriesRun], times: Buffer<Int64>) {
    var row = 0
    for run in runs {
      let end = row + run.count
      while row < end {
        let bucket = step.bucket(of: times.base[row])
        let next = Self.endOfBucket(times, row, end, last: lastTime(of: bucket))
        if !isOpen(run.series, bucket) {
          if open.buckets.count >= blockRowCounts.last ?? rowCountLimit {
            full.append(open)
            open = Unfinished()
            _ = blockRowCounts.popLast()
          }
          begin(run.series, bucket, times.base[row])
        }
        let place = open.buckets.count - 1
        open.rowCounts.base[place] += UInt64(next - row)
        open.lastOffsets.base[place] = offset(times.base[next - 1], in: bucket)
        open.segments.append(Segment(rows: row..<next, place: place))
        row = next
      }
    }
  }

  /// A column of the rows begun.
  mutating func add(_ id: ColumnID, _ column: FieldColumn) {
    for index in full.indices { full[index].add(id, column) }
    open.add(id, column)
  }

  /// Ends the rows begun; gives the blocks that are full.
  mutating func end() -> [SummaryBlock] {
    let blocks = full.map(\.block)
    full = []
    open.segments = []
    return blocks
  }

  /// What is left; nil if nothing is.
  package mutating func finish() -> SummaryBlock? {
    defer { open = Unfinished() }
    return open.buckets.count > 0 ? open.block : nil
  }

  // MARK: -

  /// Whether the last summary is that of `series` and `bucket`: rows come in order, so no other can be.
  private func isOpen(_ series: SeriesID, _ bucket: Int64) -> Bool {
    guard let last = open.runs.last, last.series == series else { return false }
    return open.buckets.base[open.buckets.count - 1] == bucket
  }

  private mutating func begin(_ series: SeriesID, _ bucket: Int64, _ time: Int64) {
    if let last = open.runs.last, last.series == series {
      open.runs[open.runs.count - 1] = SeriesRun(series: series, count: last.count + 1)
    } else {
      open.runs.append(SeriesRun(series: series, count: 1))
    }
    open.buckets.append(bucket)
    open.rowCounts.append(0)
    open.firstOffsets.append(offset(time, in: bucket))
    open.lastOffsets.append(0)
  }

  /// Wraps around where the first bucket begins before the first time there is, and comes out right.
  private func offset(_ time: Int64, in bucket: Int64) -> UInt64 {
    UInt64(bitPattern: time &- bucket &* step.nanoseconds)
  }

  private func lastTime(of bucket: Int64) -> Int64 {
    let (start, overflow) = (bucket + 1).multipliedReportingOverflow(by: step.nanoseconds)
    return overflow ? .max : start - 1
  }

  /// The first row of `start ..< end` behind `last`, or `end`: by doubling steps, then halving.
  private static func endOfBucket(_ times: Buffer<Int64>, _ start: Int, _ end: Int, last: Int64) -> Int {
    var low = start + 1
    var width = 1
    while low + width <= end, times.base[low + width - 1] <= last {
      low += width
      width *= 2
    }
    var high = min(low + width - 1, end)
    while low < high {
      let middle = (low + high) / 2
      if times.base[middle] <= last { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
