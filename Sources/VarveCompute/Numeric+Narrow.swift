// Division of numerics that fits machine words: an average a group is a division a group. Gives what the wide way gives.

extension Numeric {
  /// Where both mantissas are below 2^64, and the dividend below 2^128 when it has the quotient's digits; else nil.
  static func narrowQuotient(_ a: Numeric, _ b: Numeric) -> Numeric? {
    guard let dividend = UInt64(exactly: a.mantissa.magnitude), let divisor = UInt64(exactly: b.mantissa.magnitude)
    else { return nil }
    let scale = divisionScale(leading(dividend, a.scale), a.scale, leading(divisor, b.scale), b.scale)
    let shift = scale + b.scale - a.scale
    guard shift >= 0, shift < powers.count else { return nil }
    let (scaled, overflow) = UInt128(dividend).multipliedReportingOverflow(by: powers[shift].magnitude)
    if overflow { return nil }
    // Digit by digit in base 2^64: the hardware divides two words by one.
    let (upper, rest) = UInt64(truncatingIfNeeded: scaled >> 64).quotientAndRemainder(dividingBy: divisor)
    let (lower, remainder) = divisor.dividingFullWidth((rest, UInt64(truncatingIfNeeded: scaled)))
    let truncated = UInt128(upper) << 64 | UInt128(lower)
    let magnitude = remainder >= divisor - remainder ? truncated + 1 : truncated
    guard magnitude < bound.magnitude else { return nil }
    let mantissa = Int128(magnitude)
    return Numeric(mantissa: a.isNegative != b.isNegative ? -mantissa : mantissa, scale: scale)
  }

  /// `leading` of one word.
  private static func leading(_ magnitude: UInt64, _ scale: Int) -> (weight: Int, digit: Int) {
    if magnitude == 0 { return (0, 0) }
    // 1233 / 4096 is a little less than log10(2).
    let atLeast = ((UInt64.bitWidth - magnitude.leadingZeroBitCount) * 1233) >> 12
    let count = atLeast + (magnitude >= power(atLeast) ? 1 : 0)
    let exponent = count - 1 - scale
    let weight = floorDivide(exponent, 4)
    let take = exponent - weight * 4 + 1
    return (weight, Int(take <= count ? magnitude / power(count - take) : magnitude * power(take - count)))
  }

  /// Up to 10^19.
  private static func power(_ exponent: Int) -> UInt64 { UInt64(truncatingIfNeeded: powers[exponent]) }
}
