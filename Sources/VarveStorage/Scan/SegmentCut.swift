// Selected rows cut where runs and groups end: what partial aggregates stand for.

import VarveCore

struct SegmentCut {
  /// Rows of one run and one group each, ascending.
  private(set) var segments: [Range<Int>] = []
  /// With the number of segments of each.
  private(set) var runs: [SeriesRun] = []

  /// Nil where segments have less than `rowsPerSegment` rows on average, or it is not known where groups end.
  init?(_ rows: SelectedRows, _ groups: any TimeGroups, rowsPerSegment: Int) throws {
    let limit = rows.count / rowsPerSegment
    guard rows.runs.count <= limit else { return nil }
    let ends = Buffer<Int>()
    var place = 0
    var row = rows.ranges[0].lowerBound
    for run in rows.runs {
      let before = segments.count
      var left = run.count
      while left > 0 {
        // A range may hold rows of the next run, too.
        let end = min(rows.ranges[place].upperBound, row + left)
        left -= end - row
        ends.count = 0
        guard try groups.cut(row..<end, of: rows.times, appendingTo: ends, unlessBelow: rowsPerSegment),
          segments.count + ends.count <= limit
        else { return nil }
        for end in ends.span {
          segments.append(row..<end)
          row = end
        }
        if end == rows.ranges[place].upperBound, place + 1 < rows.ranges.count {
          place += 1
          row = rows.ranges[place].lowerBound
        }
      }
      runs.append(SeriesRun(series: run.series, count: segments.count - before))
    }
  }

  /// With the partial aggregates of each segment, by field.
  func partials(_ times: Buffer<Int64>, _ columns: [SummaryColumn]) -> PartialBatch {
    let rowCounts = Buffer<UInt64>(capacity: segments.count)
    let firstTimes = Buffer<Int64>(capacity: segments.count)
    let lastTimes = Buffer<Int64>(capacity: segments.count)
    for segment in segments {
      rowCounts.append(UInt64(segment.count))
      firstTimes.append(times[segment.lowerBound])
      lastTimes.append(times[segment.upperBound - 1])
    }
    return PartialBatch(
      runs: runs, rowCounts: rowCounts, firstTimes: firstTimes, lastTimes: lastTimes, columns: columns)
  }
}
