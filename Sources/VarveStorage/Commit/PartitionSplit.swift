// Cuts rows by partition: floor(time / width), so that times before 1970 fall into partitions of their own.

import VarveCore

enum PartitionSplit {
  struct Part {
    let index: Int64
    /// nil: all rows, which is the common case.
    let rows: Buffer<UInt32>?
  }

  static func index(_ time: Int64, width: Int64) -> Int64 {
    let quotient = time / width
    return time % width < 0 ? quotient - 1 : quotient
  }

  static func range(_ index: Int64, width: Int64) -> TimeRange {
    let lower = index.multipliedReportingOverflow(by: width)
    let start = lower.overflow ? Int64.min : lower.partialValue
    let upper = start.addingReportingOverflow(width - 1)
    // The first partition may begin before the first nanosecond that Int64 can hold.
    let cut = lower.overflow ? ((index + 1) * width - 1, false) : (upper.partialValue, upper.overflow)
    return TimeRange(lower: start, upper: cut.1 ? .max : cut.0)
  }

  /// The parts, oldest partition first; rows keep their order.
  static func split(times: Buffer<Int64>, width: Int64) -> [Part] {
    let span = times.span
    var lower = Int64.max
    var upper = Int64.min
    for time in span {
      lower = min(lower, time)
      upper = max(upper, time)
    }
    let first = index(lower, width: width)
    if first == index(upper, width: width) { return [Part(index: first, rows: nil)] }
    var rows: [Int64: Buffer<UInt32>] = [:]
    var current = first
    var buffer: Buffer<UInt32>?
    for row in 0..<span.count {
      let partition = index(span[row], width: width)
      if partition != current || buffer == nil {
        current = partition
        let known = rows[partition] ?? Buffer<UInt32>()
        rows[partition] = known
        buffer = known
      }
      buffer?.append(UInt32(row))
    }
    return rows.keys.sorted().map { Part(index: $0, rows: rows[$0]) }
  }
}
