// Which rows of a row block a selection wants.

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
      let start = firstRow(times, row..<(row + run.count)) { $0 >= selection.time.lower }
      let end = firstRow(times, start..<(row + run.count)) { $0 > selection.time.upper }
      guard start < end else { continue }
      let before = count
      if exclusions.isEmpty {
        append(start..<end)
      } else {
        for part in withoutExcluded(start..<end, times, exclusions.ranges(of: run.series)) { append(part) }
      }
      if count > before { self.runs.append(SeriesRun(series: run.series, count: count - before)) }
    }
  }

  var isWholeBlock: Bool { count == times.count }

  /// The times of the rows.
  var selectedTimes: Buffer<Int64> {
    if isWholeBlock { return times }
    let selected = Buffer<Int64>(capacity: count)
    for range in ranges { selected.append(UnsafeBufferPointer(rebasing: times.span[range])) }
    return selected
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
