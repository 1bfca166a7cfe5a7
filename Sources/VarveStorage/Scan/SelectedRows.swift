// Which rows of a row block, or of a head block in order, a selection wants.

import VarveCore

struct SelectedRows {
  /// Those of the block that have wanted rows, with how many.
  private(set) var runs: [SeriesRun] = []
  /// Places in the block, ascending and apart; where neighbouring runs touch, one range.
  private(set) var ranges: [Range<Int>] = []
  private(set) var count = 0
  /// Of the whole block.
  let times: Buffer<Int64>

  /// Of rows in order of (series, time), which these runs divide.
  init(_ runs: [SeriesRun], _ times: Buffer<Int64>, _ selection: RowSelection, _ exclusions: Exclusions) {
    self.times = times
    var row = 0
    var wanted = 0
    for run in runs {
      defer { row += run.count }
      if case .some(let list) = selection.series {
        while wanted < list.count, list[wanted] < run.series { wanted += 1 }
        guard wanted < list.count else { break }
        guard list[wanted] == run.series else { continue }
      }
      add(run.series, row..<(row + run.count), selection.time, exclusions)
    }
  }

  /// Of a head block in order. Series that are listed are searched for, so that one of many costs what it has.
  init(_ block: HeadBlock, _ selection: RowSelection) {
    precondition(block.isSorted, "rows of a series lie together")
    times = block.times
    let exclusions = selection.exclusions
    switch selection.series {
    case .all:
      let tail = block.tail()
      var start = 0
      for place in 0..<tail.count {
        let end = Int(tail.rows.base[place]) + 1
        add(SeriesID(rawValue: tail.series.base[place]), start..<end, selection.time, exclusions)
        start = end
      }
    case .some(let list):
      var row = 0
      var wanted = 0
      while wanted < list.count {
        row = firstRow(block.series, notBelow: UInt64(list[wanted].rawValue), from: row)
        guard row < block.rowCount else { return }
        let found = SeriesID(rawValue: block.series.base[row])
        while wanted < list.count, list[wanted] < found { wanted += 1 }
        guard wanted < list.count, list[wanted] == found else { continue }
        let end = firstRow(block.series, notBelow: UInt64(found.rawValue) + 1, from: row)
        add(found, row..<end, selection.time, exclusions)
        row = end
        wanted += 1
      }
    }
  }

  /// What is selected of a series' rows.
  private mutating func add(_ series: SeriesID, _ rows: Range<Int>, _ time: TimeRange, _ exclusions: Exclusions) {
    var (start, end) = (rows.lowerBound, rows.upperBound)
    if times.base[start] < time.lower { start = firstRow(times, rows) { $0 >= time.lower } }
    if times.base[end - 1] > time.upper { end = firstRow(times, start..<end) { $0 > time.upper } }
    guard start < end else { return }
    let before = count
    if exclusions.isEmpty {
      append(start..<end)
    } else {
      for part in withoutExcluded(start..<end, times, exclusions.ranges(of: series)) { append(part) }
    }
    if count > before { runs.append(SeriesRun(series: series, count: count - before)) }
  }

  var isWholeBlock: Bool { count == times.count }

  /// The times of the rows.
  var selectedTimes: Buffer<Int64> {
    if isWholeBlock { return times }
    let selected = Buffer<Int64>(capacity: count)
    for range in ranges { selected.append(UnsafeBufferPointer(rebasing: times.span[range])) }
    return selected
  }

  /// The places in the block of some of the rows, which are named in order.
  func places(of chosen: Buffer<UInt32>) -> Buffer<UInt32> {
    if isWholeBlock { return chosen }
    let places = Buffer<UInt32>(capacity: chosen.count)
    var next = 0
    var before = 0
    for range in ranges {
      while next < chosen.count, Int(chosen[next]) < before + range.count {
        places.append(UInt32(range.lowerBound + Int(chosen[next]) - before))
        next += 1
      }
      before += range.count
    }
    precondition(next == chosen.count, "chosen rows are among the selected ones")
    return places
  }

  private mutating func append(_ rows: Range<Int>) {
    if let last = ranges.last, last.upperBound == rows.lowerBound {
      ranges[ranges.count - 1] = last.lowerBound..<rows.upperBound
    } else {
      ranges.append(rows)
    }
    count += rows.count
  }
}

/// The first row at or behind `start` whose series is not below `id`: galloping, then bisecting.
private func firstRow(_ series: Buffer<UInt32>, notBelow id: UInt64, from start: Int) -> Int {
  var low = start
  var step = 1
  while low + step < series.count, UInt64(series.base[low + step]) < id {
    low += step
    step *= 2
  }
  var high = min(low + step, series.count)
  while low < high {
    let middle = (low + high) / 2
    if UInt64(series.base[middle]) < id { low = middle + 1 } else { high = middle }
  }
  return low
}
