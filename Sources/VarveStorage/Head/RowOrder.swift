// The order of rows by (series, time), stable in arrival: of two rows with one identity the later write comes later.
//
// Series ids are dense, so rows are placed by counting; within a series rows nearly always arrive in order of
// time already, and only a series that does not is sorted.

import VarveCore

package enum RowOrder {
  /// The permutation that sorts the rows: `order[i]` is the row that comes i-th.
  package static func sorted(series: UnsafeBufferPointer<UInt32>, times: UnsafeBufferPointer<Int64>) -> Buffer<UInt32> {
    precondition(series.count == times.count && series.count <= Int(UInt32.max), "a series and a time a row")
    let count = series.count
    let order = Buffer<UInt32>(capacity: count)
    order.count = count
    guard count > 0 else { return order }
    var lowest = UInt32.max
    var highest = UInt32.min
    for s in series {
      lowest = min(lowest, s)
      highest = max(highest, s)
    }
    let span = Int(highest - lowest) + 1
    var areOrdered = false
    if span <= count * 4 + 1024 {
      areOrdered = placeByCounting(series, times, lowest: lowest, span: span, into: order)
    } else {
      placeBySorting(series, into: order)
    }
    if !areOrdered { sortEachSeriesByTime(series, times, order) }
    return order
  }

  /// Whether the rows of each series are in order of time.
  private static func placeByCounting(
    _ series: UnsafeBufferPointer<UInt32>, _ times: UnsafeBufferPointer<Int64>, lowest: UInt32, span: Int,
    into order: Buffer<UInt32>
  ) -> Bool {
    let starts = Buffer<UInt32>(repeating: 0, count: span + 1)
    let start = starts.base
    for s in series { start[Int(s - lowest) + 1] += 1 }
    for i in 1...span { start[i] += start[i - 1] }
    let lastTimes = Buffer<Int64>(repeating: .min, count: span)
    let (out, last) = (order.base, lastTimes.base)
    var areOrdered = true
    for row in 0..<series.count {
      let slot = Int(series[row] &- lowest)
      out[Int(start[slot])] = UInt32(truncatingIfNeeded: row)
      start[slot] &+= 1
      // Here rows are met as they lie in memory; behind, each would be looked for.
      if times[row] < last[slot] { areOrdered = false }
      last[slot] = times[row]
    }
    withExtendedLifetime((starts, lastTimes)) {}
    return areOrdered
  }

  /// For few rows over a wide range of ids.
  private static func placeBySorting(_ series: UnsafeBufferPointer<UInt32>, into order: Buffer<UInt32>) {
    var keys = [UInt64](unsafeUninitializedCapacity: series.count) { keys, filled in
      for row in 0..<series.count { keys[row] = UInt64(series[row]) << 32 | UInt64(row) }
      filled = series.count
    }
    keys.sort()
    for i in 0..<keys.count { order.base[i] = UInt32(truncatingIfNeeded: keys[i]) }
  }

  private static func sortEachSeriesByTime(
    _ series: UnsafeBufferPointer<UInt32>, _ times: UnsafeBufferPointer<Int64>, _ order: Buffer<UInt32>
  ) {
    let out = order.base
    let count = order.count
    var start = 0
    while start < count {
      let s = series[Int(out[start])]
      var end = start + 1
      var ordered = true
      var previous = times[Int(out[start])]
      while end < count, series[Int(out[end])] == s {
        let time = times[Int(out[end])]
        if time < previous { ordered = false }
        previous = time
        end += 1
      }
      if !ordered {
        // Row numbers ascend with arrival, so they break ties the stable way.
        var stretch = UnsafeMutableBufferPointer(start: out + start, count: end - start)
        stretch.sort {
          let a = times[Int($0)]
          let b = times[Int($1)]
          return a != b ? a < b : $0 < $1
        }
      }
      start = end
    }
  }
}
