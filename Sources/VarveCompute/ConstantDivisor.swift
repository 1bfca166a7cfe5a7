/// Division by one number that many are divided by, as a multiplication by its reciprocal: a processor divides words some
/// four times slower than it multiplies them.
///
/// After Granlund and Montgomery, "Division by Invariant Integers using Multiplication" (1994), the signed form: with
/// l = ⌈log2 |d|⌉, at least 1, the factor is ⌊2^(63 + l) / |d|⌋ + 1 - 2^64 and the shift l - 1.
struct ConstantDivisor {
  private let divisor: Int64
  private let factor: Int64
  private let shift: Int64
  /// -1 where the divisor is negative, else 0.
  private let sign: Int64

  /// Nothing for 0, by which nothing is divided, and -1, by which the least value cannot be.
  init?(_ divisor: Int64) {
    guard divisor != 0, divisor != -1 else { return nil }
    let magnitude = divisor.magnitude
    let length = max(64 - (magnitude - 1).leadingZeroBitCount, 1)
    factor = Int64(truncatingIfNeeded: (UInt128(1) << UInt128(63 + length)) / UInt128(magnitude) + 1)
    self.divisor = divisor
    shift = Int64(length - 1)
    sign = divisor >> 63
  }

  @inline(__always) func quotient(_ dividend: Int64) -> Int64 {
    let estimate = dividend &+ factor.multipliedFullWidth(by: dividend).high
    let magnitude = (estimate &>> shift) &- (dividend &>> 63)
    return (magnitude ^ sign) &- sign
  }

  @inline(__always) func remainder(_ dividend: Int64) -> Int64 { dividend &- quotient(dividend) &* divisor }
}
