// A range of time in slices, from one of its ends on, each wider than the one before: for queries whose first rows by
// time are enough. What turns out to be needed is read in few slices, and what is read in vain is no more than that.

import VarveCore

struct TimeSlices {
  private static let growth: Int64 = 4

  private let isNewestFirst: Bool
  /// Of the next slice, at least.
  private var width: Int64
  /// Slices end where these do.
  private let buckets: FixedBuckets?
  private var rest: TimeRange

  init(of range: TimeRange, newestFirst: Bool, firstWidth: Int64, buckets: FixedBuckets? = nil) {
    isNewestFirst = newestFirst
    width = max(1, firstWidth)
    self.buckets = buckets
    rest = range
  }

  mutating func next() -> TimeRange? {
    guard !rest.isEmpty else { return nil }
    let slice = isNewestFirst ? newest() : oldest()
    let (wider, overflow) = width.multipliedReportingOverflow(by: Self.growth)
    width = overflow ? .max : wider
    return slice
  }

  private mutating func newest() -> TimeRange {
    let (start, overflow) = rest.upper.subtractingReportingOverflow(width - 1)
    var lower = overflow ? rest.lower : max(rest.lower, start)
    if let buckets { lower = max(rest.lower, buckets.start(of: lower) ?? rest.lower) }
    defer { rest = lower == rest.lower ? Self.nothing : TimeRange(lower: rest.lower, upper: lower - 1) }
    return TimeRange(lower: lower, upper: rest.upper)
  }

  private mutating func oldest() -> TimeRange {
    let (end, overflow) = rest.lower.addingReportingOverflow(width - 1)
    var upper = overflow ? rest.upper : min(rest.upper, end)
    if let buckets { upper = min(rest.upper, buckets.last(of: upper) ?? rest.upper) }
    defer { rest = upper == rest.upper ? Self.nothing : TimeRange(lower: upper + 1, upper: rest.upper) }
    return TimeRange(lower: rest.lower, upper: upper)
  }

  private static let nothing = TimeRange(lower: .max, upper: .min)
}
