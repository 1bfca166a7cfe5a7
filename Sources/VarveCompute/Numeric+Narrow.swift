// Division of numerics that fits machine words: an average a group is a division a group. Gives what the wide way gives.

extension Numeric {
  /// 10^0 to 10^19.
  static let wordPowers: [UInt64] = [
    1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000, 10_000_000_000,
    100_000_000_000, 1_000_000_000_000, 10_000_000_000_000, 100_000_000_000_000, 1_000_000_000_000_000,
    10_000_000_000_000_000, 100_000_000_000_000_000, 1_000_000_000_000_000_000, 10_000_000_000_000_000_000,
  ]

  /// Where both mantissas are below 2^64, and so is the dividend but for 19 of the digits that the quotient has; else
  /// nil.
  static func narrowQuotient(_ a: Numeric, _ b: Numeric) -> Numeric? {
    guard case .narrow(let x) = a.digits, case .narrow(let y) = b.digits,
      let dividend = UInt64(exactly: x.magnitude), let divisor = UInt64(exactly: y.magnitude)
    else { return nil }
    let scale = divisionScale(leading(dividend, a.scale), a.scale, leading(divisor, b.scale), b.scale)
    let shift = scale + b.scale - a.scale
    guard shift >= 0, shift <= 38 else { return nil }
    let (most, overflow) = dividend.multipliedReportingOverflow(by: wordPowers[max(shift - 19, 0)])
    if overflow { return nil }
    let scaled = most.multipliedFullWidth(by: wordPowers[min(shift, 19)])
    // Digit by digit in base 2^64: the hardware divides two words by one.
    let (upper, rest) = scaled.high.quotientAndRemainder(dividingBy: divisor)
    let (lower, remainder) =
      rest == 0
      ? scaled.low.quotientAndRemainder(dividingBy: divisor) : divisor.dividingFullWidth((rest, scaled.low))
    let truncated = UInt128(upper) << 64 | UInt128(lower)
    let magnitude = remainder >= divisor - remainder ? truncated + 1 : truncated
    guard upper == 0 || magnitude < bound.magnitude else { return nil }
    let mantissa = Int128(truncatingIfNeeded: magnitude)
    return Numeric(mantissa: a.isNegative != b.isNegative ? -mantissa : mantissa, scale: scale)
  }

  /// `leading` of one word.
  private static func leading(_ magnitude: UInt64, _ scale: Int) -> (weight: Int, digit: Int) {
    if magnitude == 0 { return (0, 0) }
    // 1233 / 4096 is a little less than log10(2).
    let atLeast = ((UInt64.bitWidth - magnitude.leadingZeroBitCount) * 1233) >> 12
    let count = atLeast + (magnitude >= wordPowers[atLeast] ? 1 : 0)
    let exponent = count - 1 - scale
    let weight = floorDivide(exponent, 4)
    let take = exponent - weight * 4 + 1
    return (weight, Int(take <= count ? magnitude / wordPowers[count - take] : magnitude * wordPowers[take - count]))
  }
}
