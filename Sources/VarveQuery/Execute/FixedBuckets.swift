// Buckets of time of one width: where the start of one is known, the others are whole widths away.

struct FixedBuckets {
  private let width: Int64
  /// Start of any bucket.
  private var anchor: Int64?

  init(width: Int64) { self.width = width }

  /// Takes the start of some bucket, found by other means. Infinite ones say nothing.
  mutating func learn(start: Int64) { if Self.isFinite(start) { anchor = start } }

  /// Of the bucket that holds `time`; nil if none is known, or it is infinite or not computed within a word.
  @inline(__always) func start(of time: Int64) -> Int64? {
    guard let anchor else { return nil }
    let (distance, isFar) = time.subtractingReportingOverflow(anchor)
    let rest = distance % width
    let (lower, isBefore) = time.subtractingReportingOverflow(rest < 0 ? rest + width : rest)
    return isFar || isBefore || !Self.isFinite(time) || !Self.isFinite(lower) ? nil : lower
  }

  /// The last time of the bucket that holds `time`; nil as for `start`.
  func last(of time: Int64) -> Int64? {
    guard let start = start(of: time) else { return nil }
    let (last, overflow) = start.addingReportingOverflow(width - 1)
    return overflow ? nil : last
  }

  /// The first of `rows`, whose times ascend, behind the bucket that begins at `start` and holds the first of them.
  func end(of rows: Range<Int>, in times: UnsafePointer<Int64>, start: Int64) -> Int {
    let (limit, overflow) = start.addingReportingOverflow(width)
    return overflow ? rows.upperBound : Self.firstRow(times, rows.lowerBound + 1, rows.upperBound, notBefore: limit)
  }

  @inline(__always) private static func isFinite(_ time: Int64) -> Bool { time != .min && time != .max }

  /// By doubling steps, then halving: short and long segments are both found quickly.
  private static func firstRow(
    _ times: UnsafePointer<Int64>, _ start: Int, _ end: Int, notBefore limit: Int64
  ) -> Int {
    var low = start
    var step = 1
    while low + step <= end, times[low + step - 1] < limit {
      low += step
      step *= 2
    }
    var high = min(low + step, end)
    while low < high {
      let middle = (low + high) / 2
      if times[middle] < limit { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
