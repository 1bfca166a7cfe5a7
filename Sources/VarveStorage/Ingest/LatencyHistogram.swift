// How long things took, in few numbers: counts by bucket from 100 µs to 50 s, as Prometheus takes them.

package struct LatencyHistogram: Sendable, Equatable {
  /// The buckets' upper bounds, included; longer times are counted behind the last.
  package static let boundsInSeconds: [Double] = [
    0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50,
  ]
  private static let bounds = boundsInSeconds.map { UInt64(($0 * 1e9).rounded()) }

  /// By bucket, one more than there are bounds; empty while nothing was counted.
  package private(set) var counts: [Int] = []
  package private(set) var count = 0
  package private(set) var sumNanoseconds: UInt64 = 0
  package private(set) var maximumNanoseconds: UInt64 = 0

  package init() {}

  package mutating func add(_ nanoseconds: UInt64) {
    if counts.isEmpty { counts = Array(repeating: 0, count: Self.bounds.count + 1) }
    counts[Self.bounds.firstIndex { nanoseconds <= $0 } ?? Self.bounds.count] += 1
    count += 1
    sumNanoseconds &+= nanoseconds
    maximumNanoseconds = max(maximumNanoseconds, nanoseconds)
  }

  /// Within the bucket that has it, as if its times were spread evenly; nil while nothing was counted.
  package func milliseconds(atPart part: Double) -> Double? {
    guard count > 0 else { return nil }
    let wanted = part * Double(count)
    var before = 0.0
    for (index, bucket) in counts.enumerated() where bucket > 0 {
      if before + Double(bucket) >= wanted {
        let lower = index == 0 ? 0 : Self.bounds[index - 1]
        let upper = index < Self.bounds.count ? min(Self.bounds[index], maximumNanoseconds) : maximumNanoseconds
        return (Double(lower) + Double(upper - min(lower, upper)) * (wanted - before) / Double(bucket)) / 1e6
      }
      before += Double(bucket)
    }
    return maximumMilliseconds
  }

  package var maximumMilliseconds: Double? { count > 0 ? Double(maximumNanoseconds) / 1e6 : nil }
}
