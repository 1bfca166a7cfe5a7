// Times in buckets that grow with them, as HdrHistogram has them: each power of two is cut into 128 equal parts, so a
// percentile is off by less than 1 % of itself, and recording is a shift and an addition.

import VarveCore

package struct LatencyHistogram: Sendable {
  private static let partBits = 7
  private static let partCount = 1 << partBits

  private var counts: [UInt64]
  package private(set) var count: UInt64 = 0
  /// Exact.
  package private(set) var maximum: Int64 = 0

  package init() {
    counts = Array(repeating: 0, count: (64 - Self.partBits) * Self.partCount)
  }

  /// Below zero counts as zero.
  package mutating func record(_ nanoseconds: Int64) {
    let value = max(0, nanoseconds)
    counts[Self.bucket(UInt64(value))] += 1
    count += 1
    maximum = max(maximum, value)
  }

  package mutating func add(_ other: LatencyHistogram) {
    for index in counts.indices { counts[index] += other.counts[index] }
    count += other.count
    maximum = max(maximum, other.maximum)
  }

  /// The time that a part of all, from 0 to 1, took at most; 0 if there are none.
  package func percentile(_ part: Double) -> Int64 {
    guard count > 0 else { return 0 }
    let rank = max(1, UInt64((part * Double(count)).rounded(.up)))
    var seen: UInt64 = 0
    for index in counts.indices {
      seen += counts[index]
      if seen >= rank { return min(maximum, Self.greatest(index)) }
    }
    return maximum
  }

  /// Values below 128 have buckets of their own; of others the highest eight bits count.
  private static func bucket(_ value: UInt64) -> Int {
    let exponent = max(0, 63 - partBits - value.leadingZeroBitCount)
    return exponent << partBits + Int(value >> UInt64(exponent))
  }

  /// The greatest value of a bucket.
  private static func greatest(_ bucket: Int) -> Int64 {
    if bucket < 2 * partCount { return Int64(bucket) }
    let exponent = bucket >> partBits - 1
    let part = bucket - exponent << partBits
    return Int64(truncatingIfNeeded: (UInt64(part + 1) << UInt64(exponent)) &- 1)
  }
}
