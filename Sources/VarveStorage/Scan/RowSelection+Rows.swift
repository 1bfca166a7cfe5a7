// Which rows of a row block a selection wants.

import VarveCore

extension RowSelection {
  /// The runs and row ranges that are wanted of rows in order of (series, time), and how many rows that are.
  func select(_ runs: [SeriesRun], _ times: Buffer<Int64>) -> (runs: [SeriesRun], ranges: [Range<Int>], count: Int) {
    var kept: [SeriesRun] = []
    var ranges: [Range<Int>] = []
    var total = 0
    var row = 0
    var wanted = 0
    for run in runs {
      defer { row += run.count }
      if case .some(let list) = series {
        while wanted < list.count, list[wanted] < run.series { wanted += 1 }
        guard wanted < list.count else { break }
        guard list[wanted] == run.series else { continue }
      }
      let start = firstRow(times, row..<(row + run.count)) { $0 >= time.lower }
      let end = firstRow(times, start..<(row + run.count)) { $0 > time.upper }
      guard start < end else { continue }
      let before = total
      if exclusions.isEmpty {
        Self.append(start..<end, to: &ranges, &total)
      } else {
        let excluded = exclusions.ranges(of: run.series)
        for part in withoutExcluded(start..<end, times, excluded) { Self.append(part, to: &ranges, &total) }
      }
      if total > before { kept.append(SeriesRun(series: run.series, count: total - before)) }
    }
    return (kept, ranges, total)
  }

  private static func append(_ rows: Range<Int>, to ranges: inout [Range<Int>], _ total: inout Int) {
    if let last = ranges.last, last.upperBound == rows.lowerBound {
      ranges[ranges.count - 1] = last.lowerBound..<rows.upperBound
    } else {
      ranges.append(rows)
    }
    total += rows.count
  }
}
