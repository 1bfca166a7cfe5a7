// Rows of head blocks, one block after the other, as if they were one. One order over many short blocks is found much
// faster than their rows merge; for it series and times are copied. Values stay where they are.

import VarveCore

struct HeadRows {
  let series: Buffer<UInt32>
  let times: Buffer<Int64>
  let timeRange: TimeRange
  /// Rows by (series, time), later writes of one identity later.
  let order: Buffer<UInt32>
  private let blocks: [HeadBlock]
  /// The row that each block begins with; the number of rows at the end.
  private let starts: [Int]

  /// Of one block at least.
  init(_ blocks: [HeadBlock]) {
    self.blocks = blocks
    if blocks.count == 1 {
      let block = blocks[0]
      (series, times, timeRange, order) = (block.series, block.times, block.timeRange, block.sortedOrder())
      starts = [0, block.rowCount]
      return
    }
    let count = blocks.reduce(0) { $0 + $1.rowCount }
    series = Buffer<UInt32>(capacity: count)
    times = Buffer<Int64>(capacity: count)
    var starts = [0]
    for block in blocks {
      series.append(contentsOf: block.series)
      times.append(contentsOf: block.times)
      starts.append(times.count)
    }
    self.starts = starts
    timeRange = TimeRange(
      lower: blocks.map(\.timeRange.lower).min() ?? .max, upper: blocks.map(\.timeRange.upper).max() ?? .min)
    order = RowOrder.sorted(series: series.span, times: times.span)
  }

  var rowCount: Int { times.count }

  /// The place in `order` behind the rows of the series at `place`: galloping, then bisecting.
  func endOfSeries(at place: Int) -> Int {
    firstPlace(notBelow: UInt64(series.base[Int(order.base[place])]) + 1, from: place)
  }

  /// The first place in `order` at or behind `start` whose series is not below `id`.
  func firstPlace(notBelow id: UInt64, from start: Int) -> Int {
    var low = start
    var step = 1
    while low + step < order.count, UInt64(series.base[Int(order.base[low + step])]) < id {
      low += step
      step *= 2
    }
    var high = min(low + step, order.count)
    while low < high {
      let middle = (low + high) / 2
      if UInt64(series.base[Int(order.base[middle])]) < id { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// The fields of each block; nil where it has none of that id.
  func columns(_ ids: [ColumnID]) -> [[FieldColumn?]] { blocks.map { block in ids.map { block.field($0) } } }

  /// Neighbours in a list of rows that lie in one block.
  struct Stretch {
    var block: Int
    /// The block's first row.
    var start: Int
    var places: Range<Int>
    /// Its rows within the block, if they are known to lie one behind the other.
    var rows: Range<Int>?
  }

  /// Cuts a list of rows, in order, into stretches. Rows of a series mostly ascend, so that they are long.
  func stretches(of rows: UnsafeBufferPointer<UInt32>) -> [Stretch] {
    var stretches: [Stretch] = []
    var place = 0
    while place < rows.count {
      let block = block(of: Int(rows[place]))
      let (lower, upper) = (UInt32(starts[block]), UInt32(starts[block + 1]))
      var end = place + 1
      while end < rows.count, rows[end] >= lower, rows[end] < upper { end += 1 }
      var stretch = Stretch(block: block, start: starts[block], places: place..<end)
      // Rows of a block in order ascend, so that their ends tell.
      if blocks[block].isSorted, Int(rows[end - 1] - rows[place]) == end - 1 - place {
        let first = Int(rows[place]) - starts[block]
        stretch.rows = first..<(first + end - place)
      }
      stretches.append(stretch)
      place = end
    }
    return stretches
  }

  private func block(of row: Int) -> Int {
    var (low, high) = (0, blocks.count - 1)
    while low < high {
      let middle = (low + high + 1) / 2
      if starts[middle] <= row { low = middle } else { high = middle - 1 }
    }
    return low
  }
}
