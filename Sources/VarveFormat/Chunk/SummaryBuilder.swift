// Summarises rows as they come, in order of (series, time). Memory held is one summary block.

import VarveCore

package struct SummaryBuilder: Sendable {
  package let step: SummaryStep
  /// Rows of each block, as far as they are given, in reverse.
  private var blockRowCounts: [Int]

  private var runs: [SeriesRun] = []
  private var buckets = Buffer<Int64>()
  private var rowCounts = Buffer<UInt64>()
  private var firstOffsets = Buffer<UInt64>()
  private var lastOffsets = Buffer<UInt64>()
  /// By column id, ascending.
  private var fields: [FieldSummary] = []

  /// `blockRowCounts`: of the first blocks, where it is known how they are cut.
  package init(_ step: SummaryStep, blockRowCounts: [Int] = []) {
    self.step = step
    self.blockRowCounts = blockRowCounts.reversed()
  }

  /// Rows of one series and bucket that stand together, and the place of their summary.
  struct Segment {
    var rows: Range<Int>
    var place: Int
  }

  /// Takes the next rows; gives the blocks that are full.
  package mutating func add(_ block: RowBlock) -> [SummaryBlock] {
    var full: [SummaryBlock] = []
    let times = block.times
    var segments: [Segment] = []
    var row = 0
    for run in block.runs {
      let end = row + run.count
      while row < end {
        let bucket = step.bucket(of: times.base[row])
        let next = Self.endOfBucket(times, row, end, last: lastTime(of: bucket))
        if !isOpen(run.series, bucket) {
          if buckets.count >= blockRowCounts.last ?? SummaryBlock.rowCount {
            take(block, segments)
            segments.removeAll(keepingCapacity: true)
            full.append(takeBlock())
          }
          open(run.series, bucket, times.base[row])
        }
        let place = buckets.count - 1
        rowCounts.base[place] += UInt64(next - row)
        lastOffsets.base[place] = offset(times.base[next - 1], in: bucket)
        segments.append(Segment(rows: row..<next, place: place))
        row = next
      }
    }
    take(block, segments)
    return full
  }

  /// What is left; nil if nothing is.
  package mutating func finish() -> SummaryBlock? { buckets.count > 0 ? takeBlock() : nil }

  // MARK: -

  /// Whether the last summary is that of `series` and `bucket`: rows come in order, so no other can be.
  private func isOpen(_ series: SeriesID, _ bucket: Int64) -> Bool {
    guard let last = runs.last, last.series == series, buckets.count > 0 else { return false }
    return buckets.base[buckets.count - 1] == bucket
  }

  private mutating func open(_ series: SeriesID, _ bucket: Int64, _ time: Int64) {
    if let last = runs.last, last.series == series {
      runs[runs.count - 1] = SeriesRun(series: series, count: last.count + 1)
    } else {
      runs.append(SeriesRun(series: series, count: 1))
    }
    buckets.append(bucket)
    rowCounts.append(0)
    firstOffsets.append(offset(time, in: bucket))
    lastOffsets.append(0)
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

  private mutating func take(_ block: RowBlock, _ segments: [Segment]) {
    guard !segments.isEmpty else { return }
    for (id, column) in block.fields {
      var index = fields.firstIndex { $0.id >= id } ?? fields.count
      if index == fields.count || fields[index].id != id {
        fields.insert(FieldSummary(id, column.type), at: index)
        index = fields.firstIndex { $0.id == id } ?? index
      }
      fields[index].add(column, segments)
    }
  }

  private mutating func takeBlock() -> SummaryBlock {
    let block = SummaryBlock(
      runs: runs, buckets: buckets, rowCounts: rowCounts, firstOffsets: firstOffsets, lastOffsets: lastOffsets,
      columns: fields.compactMap { $0.column(rowCounts) })
    runs = []
    buckets = Buffer()
    rowCounts = Buffer()
    firstOffsets = Buffer()
    lastOffsets = Buffer()
    fields = []
    _ = blockRowCounts.popLast()
    return block
  }
}
