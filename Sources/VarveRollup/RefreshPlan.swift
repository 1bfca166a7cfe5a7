// What a refresh does next: one window of time after another, each small enough to be worked out and committed at once.
//
//   threshold → snapshot → the rows of a window → one commit: those rows, and the watermark or the marks they settle
//
// First the watermark moves on, so that what is new becomes final soon; then what is invalid is made anew, newest first.
// Frozen rows are left alone: what waits there is merged by retention.

import VarveCore
import VarveFormat

package struct RefreshWindow: Sendable, Equatable {
  /// Times of the source, whole cells. The lower end may be the beginning of all time.
  package let range: TimeRange
  /// Whether rows of the rollup may lie there.
  package let hasRows: Bool
  package init(range: TimeRange, hasRows: Bool) {
    self.range = range
    self.hasRows = hasRows
  }

  package func step(through sequence: Sequence) -> RollupStep.Kind {
    .materialised(lower: range.lower, upper: range.upper == .max ? .max : range.upper + 1, through: sequence)
  }
}

package enum RefreshPlan {
  /// The next window; nil if everything below `target` is done. What is new is made as far as `within` reaches, from the
  /// watermark on, wherever that is; of what is invalid, if `takesLate`, what overlaps with it. `target` is where a cell
  /// starts, `data` the times that the source has rows of, and `rowCount` tells about how many rows of it lie in a range.
  package static func next(
    _ state: RollupState, _ grid: BucketGrid, target: Int64, within: TimeRange = .all, takesLate: Bool = true,
    data: TimeRange?, rowLimit: Int, rowCount: (TimeRange) throws -> Int
  ) throws -> RefreshWindow? {
    if state.watermark < target {
      let end = try limit(target, within, grid)
      if end > state.watermark {
        return RefreshWindow(
          range: try window(from: state.watermark, to: end, grid, data, rowLimit, rowCount), hasRows: false)
      }
    }
    guard takesLate else { return nil }
    for invalid in state.invalid.reversed() {
      guard let late = try late(invalid, state, grid), late.overlaps(within) else { continue }
      return RefreshWindow(
        range: try window(from: late.lower, to: late.upper + 1, grid, data, rowLimit, rowCount), hasRows: true)
    }
    return nil
  }

  /// The cells that a mark is about, as far as they are materialised and can be made anew; nil: none is.
  package static func late(_ invalid: InvalidRange, _ state: RollupState, _ grid: BucketGrid) throws -> TimeRange? {
    guard invalid.upper > state.settled else { return nil }
    let lower = max(state.settled, try grid.start(of: max(invalid.lower, state.settled)))
    let upper = min(state.watermark, try grid.end(of: invalid.upper - 1))
    return lower < upper ? TimeRange(lower: lower, upper: upper - 1) : nil
  }

  /// How far of the target a range reaches: to the start of a cell.
  package static func limit(_ target: Int64, _ within: TimeRange, _ grid: BucketGrid) throws -> Int64 {
    within.upper == .max || within.upper + 1 >= target ? target : try grid.start(of: within.upper + 1)
  }

  /// The beginning of the range, as long as it holds few rows: one cell at least.
  private static func window(
    from lower: Int64, to upper: Int64, _ grid: BucketGrid, _ data: TimeRange?, _ rowLimit: Int,
    _ rowCount: (TimeRange) throws -> Int
  ) throws -> TimeRange {
    let whole = TimeRange(lower: lower, upper: upper - 1)
    // Where there are no rows there is nothing to be done in parts.
    guard let data = data?.intersection(whole), !data.isEmpty, try rowCount(data) > rowLimit else { return whole }
    let first = data.lower
    var end = min(upper, try grid.end(of: first))
    var length = max(1, end &- first)
    while end < upper {
      let longer = first.addingReportingOverflow(length.multipliedReportingOverflow(by: 2).partialValue)
      guard !longer.overflow, longer.partialValue > end else { break }
      let next = min(upper, try grid.start(of: longer.partialValue))
      guard next > end, try rowCount(TimeRange(lower: first, upper: next - 1)) <= rowLimit else { break }
      end = next
      length = end - first
    }
    return TimeRange(lower: lower, upper: end - 1)
  }
}
