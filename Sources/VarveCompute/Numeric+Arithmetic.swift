// Arithmetic with PostgreSQL's rules of scale (numeric.c). Intermediates are as wide as they need; results that
// have no room in 38 digits throw 22003.

import VarveCore

extension Numeric {
  private static func aligned(_ a: Numeric, _ b: Numeric) throws -> (Int128, Int128, Int) {
    if a.scale == b.scale { return (a.mantissa, b.mantissa, a.scale) }
    let scale = max(a.scale, b.scale)
    return (try a.rescaled(to: scale).mantissa, try b.rescaled(to: scale).mantissa, scale)
  }

  /// The same value with another scale, rounding half away from zero.
  package func rescaled(to newScale: Int) throws -> Numeric {
    let difference = newScale - scale
    if difference == 0 { return self }
    if mantissa == 0 { return Numeric(mantissa: 0, scale: newScale) }
    if difference > 0 {
      guard difference <= 38 else { throw SQLError.outOfRange(.numeric) }
      let (product, overflow) = mantissa.multipliedReportingOverflow(by: Self.powers[difference])
      if overflow { throw SQLError.outOfRange(.numeric) }
      return try Numeric(checking: product, scale: newScale)
    }
    guard -difference <= 38 else { return Numeric(mantissa: 0, scale: newScale) }
    let power = Self.powers[-difference]
    let quotient = mantissa / power
    let remainder = mantissa % power
    let up = remainder.magnitude >= power.magnitude - remainder.magnitude
    return Numeric(mantissa: quotient + (up ? mantissa.signum() : 0), scale: newScale)
  }

  package static func adding(_ a: Numeric, _ b: Numeric) throws -> Numeric {
    let (x, y, scale) = try aligned(a, b)
    return try Numeric(checking: x + y, scale: scale)
  }
  package static func subtracting(_ a: Numeric, _ b: Numeric) throws -> Numeric {
    let (x, y, scale) = try aligned(a, b)
    return try Numeric(checking: x - y, scale: scale)
  }
  package static func multiplying(_ a: Numeric, _ b: Numeric) throws -> Numeric {
    let (product, overflow) = a.mantissa.multipliedReportingOverflow(by: b.mantissa)
    if overflow { throw SQLError.outOfRange(.numeric) }
    return try Numeric(checking: product, scale: a.scale + b.scale)
  }

  /// Weight of the first base-10000 digit and that digit, as numeric.c keeps them; (0, 0) for zero.
  private var leading: (weight: Int, digit: Int) {
    Self.leading(wide, scale: scale)
  }
  static func leading(_ magnitude: WideInteger, scale: Int) -> (weight: Int, digit: Int) {
    if magnitude.isZero { return (0, 0) }
    let text = Numeric.digits(of: magnitude)
    // Position of the first decimal digit: 10^exponent.
    let exponent = text.count - 1 - scale
    let weight = floorDivide(exponent, 4)
    let take = exponent - weight * 4 + 1
    var digit = 0
    for i in 0..<take { digit = digit * 10 + (i < text.count ? Int(text[i]) : 0) }
    return (weight, digit)
  }
  static func digits(of magnitude: WideInteger) -> [UInt8] {
    var out: [UInt8] = []
    var rest = magnitude
    let chunk = WideInteger(1_000_000_000)
    while !rest.isZero {
      let (quotient, remainder) = rest.divided(by: chunk)
      var part = remainder.uint128 ?? 0
      for _ in 0..<9 {
        out.append(UInt8(part % 10))
        part /= 10
      }
      rest = quotient
    }
    while out.last == 0 { out.removeLast() }
    return out.reversed()
  }

  /// select_div_scale: at least 16 significant digits, at least the operands' scales.
  static func divisionScale(
    _ a: WideInteger, _ aScale: Int, _ b: WideInteger, _ bScale: Int
  ) -> Int {
    divisionScale(leading(a, scale: aScale), aScale, leading(b, scale: bScale), bScale)
  }
  static func divisionScale(
    _ x: (weight: Int, digit: Int), _ aScale: Int, _ y: (weight: Int, digit: Int), _ bScale: Int
  ) -> Int {
    var weight = x.weight - y.weight
    if x.digit <= y.digit { weight -= 1 }
    return min(max(16 - weight * 4, aScale, bScale, 0), 1000)
  }

  package static func dividing(_ a: Numeric, _ b: Numeric) throws -> Numeric {
    if b.mantissa == 0 { throw SQLError.divisionByZero }
    return try narrowQuotient(a, b) ?? wideQuotient(a, b)
  }

  static func wideQuotient(_ a: Numeric, _ b: Numeric) throws -> Numeric {
    let scale = divisionScale(a.wide, a.scale, b.wide, b.scale)
    return try quotient(
      negative: a.isNegative != b.isNegative, a.wide, a.scale, b.wide, b.scale, scale: scale)
  }

  /// a ÷ b to `scale` digits, rounded half away from zero.
  static func quotient(
    negative: Bool, _ a: WideInteger, _ aScale: Int, _ b: WideInteger, _ bScale: Int, scale: Int
  ) throws -> Numeric {
    let shift = scale + bScale - aScale
    let result =
      shift >= 0
      ? (a * WideInteger.powerOfTen(shift)).dividedRoundingHalfUp(by: b)
      : a.dividedRoundingHalfUp(by: b * WideInteger.powerOfTen(-shift))
    return try Numeric(negative: negative, magnitude: result, scale: scale)
  }

  /// The sign follows the dividend.
  package static func remainder(_ a: Numeric, _ b: Numeric) throws -> Numeric {
    if b.mantissa == 0 { throw SQLError.divisionByZero }
    let scale = max(a.scale, b.scale)
    let x = a.wide * WideInteger.powerOfTen(scale - a.scale)
    let y = b.wide * WideInteger.powerOfTen(scale - b.scale)
    return try Numeric(negative: a.isNegative, magnitude: x.divided(by: y).remainder, scale: scale)
  }

  package func negated() -> Numeric { Numeric(mantissa: -mantissa, scale: scale) }
  package func magnitude() -> Numeric { Numeric(mantissa: abs(mantissa), scale: scale) }

  /// round(n, places): half away from zero; negative places round to tens.
  package func rounded(_ places: Int) throws -> Numeric {
    if places >= 0 {
      return try rescaled(to: min(places, 1000))
    }
    let coarse = try rescaled(to: max(places, -60))
    return try Numeric(mantissa: coarse.mantissa, scale: coarse.scale).rescaled(to: 0)
  }

  /// trunc(n, places).
  package func truncated(_ places: Int) throws -> Numeric {
    if places >= scale { return try rescaled(to: min(places, 1000)) }
    let difference = scale - max(places, -60)
    guard difference <= 38 else { return Numeric(mantissa: 0, scale: max(places, 0)) }
    let power = Self.powers[difference]
    if places >= 0 { return Numeric(mantissa: mantissa / power, scale: places) }
    let kept = Numeric(mantissa: mantissa / power, scale: places)
    return try kept.rescaled(to: 0)
  }

  package func floored() throws -> Numeric {
    let whole = try truncated(0)
    return whole > self ? try Numeric(checking: whole.mantissa - 1, scale: 0) : whole
  }
  package func ceiled() throws -> Numeric {
    let whole = try truncated(0)
    return whole < self ? try Numeric(checking: whole.mantissa + 1, scale: 0) : whole
  }

  /// sqrt(n): numeric_sqrt's scale.
  package func squareRoot() throws -> Numeric {
    if mantissa < 0 { throw SQLError.make("2201F", "cannot take square root of a negative number") }
    let weight = leading.weight
    // The root has about half the decimal digits before its point.
    let digits = (weight + 1) * 2 - 1
    let scale = min(max(16 - digits, self.scale, 0), 1000)
    return try Self.squareRoot(wide, self.scale, scale: scale)
  }

  static func squareRoot(_ magnitude: WideInteger, _ magnitudeScale: Int, scale: Int) throws -> Numeric {
    // floor(sqrt(n · 10^(2(scale + 1)))) has one digit to round by; the root of what is no square never ties.
    let shift = 2 * (scale + 1) - magnitudeScale
    let scaled =
      shift >= 0
      ? magnitude * WideInteger.powerOfTen(shift) : magnitude.divided(by: WideInteger.powerOfTen(-shift)).quotient
    let root = scaled.squareRoot
    return try Numeric(negative: false, magnitude: root.dividedRoundingHalfUp(by: WideInteger(10)), scale: scale)
  }

  /// Fits a numeric(precision, scale), rounding; throws 22003.
  package func applying(precision: Int, scale: Int) throws -> Numeric {
    let result: Numeric
    if scale >= self.scale && mantissa != 0 && scale - self.scale + digitCount > 38 {
      throw SQLError.make("22003", "numeric field overflow")
    }
    result = try rescaled(to: scale)
    if result.digitCount > precision { throw SQLError.make("22003", "numeric field overflow") }
    return result
  }

  /// The nearest integer, halves away from zero.
  func integerRounded() throws -> Int128 { try rescaled(to: 0).mantissa }
}
