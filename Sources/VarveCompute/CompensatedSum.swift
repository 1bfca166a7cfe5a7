// Sums of doubles that do not drift: what each addition rounds away (Knuth's TwoSum) is summed beside. The error is
// that of one rounding of the exact sum, plus terms of the second order, whatever the order of the values.

struct CompensatedSum {
  private(set) var sum = 0.0
  private(set) var compensation = 0.0

  @inline(__always) mutating func add(_ value: Double) {
    let total = sum + value
    compensation += CompensatedSum.lost(sum, value, total)
    sum = total
  }

  mutating func add(_ other: CompensatedSum) {
    add(other.sum)
    compensation += other.compensation
  }

  /// Infinities and NaN are the plain sum's: what they leave in the compensation means nothing.
  var value: Double { sum.isFinite ? sum + compensation : sum }

  /// What `total`, the rounded sum of both, lacks: exact, and without a branch.
  @inline(__always) static func lost(_ a: Double, _ b: Double, _ total: Double) -> Double {
    let second = total - a
    return (a - (total - second)) + (b - second)
  }
}
