// exp, ln, log and powers of numerics, with the scales that numeric.c selects. Values are computed in fixed point with
// digits to spare, then rounded once.

import CVarve
import VarveCore

/// A real number as sign and magnitude × 10^-places.
private struct FixedPoint {
  var isNegative: Bool
  var magnitude: WideInteger

  static func * (a: FixedPoint, b: FixedPoint) -> FixedPoint {
    FixedPoint(isNegative: a.isNegative != b.isNegative, magnitude: a.magnitude * b.magnitude)
  }
  static func + (a: FixedPoint, b: FixedPoint) -> FixedPoint {
    if a.isNegative == b.isNegative {
      return FixedPoint(isNegative: a.isNegative, magnitude: a.magnitude + b.magnitude)
    }
    return a.magnitude >= b.magnitude
      ? FixedPoint(isNegative: a.isNegative, magnitude: a.magnitude - b.magnitude)
      : FixedPoint(isNegative: b.isNegative, magnitude: b.magnitude - a.magnitude)
  }
  func divided(by divisor: WideInteger) -> FixedPoint {
    FixedPoint(isNegative: isNegative, magnitude: magnitude.divided(by: divisor).quotient)
  }
}

extension Numeric {
  private static let minimumSignificantDigits = 16
  private static let maximumDisplayScale = 1000
  private static let maximumResultScale = 2000.0
  /// log10(e).
  private static let decimalsPerNat = 0.434294481903252

  private static func boundedScale(_ scale: Int) -> Int { min(max(scale, 0), maximumDisplayScale) }

  /// The value × 10^places, cut.
  private func fixed(_ places: Int) -> FixedPoint {
    let shift = places - scale
    return FixedPoint(
      isNegative: isNegative,
      magnitude: shift >= 0
        ? wide * WideInteger.powerOfTen(shift) : wide.divided(by: WideInteger.powerOfTen(-shift)).quotient)
  }
  private init(_ value: FixedPoint, _ places: Int, scale: Int) throws {
    self = try Numeric(
      negative: value.isNegative, magnitude: value.magnitude.dividedRoundingHalfUp(by: .powerOfTen(places - scale)),
      scale: scale)
  }

  // MARK: exp

  package func exponential() throws -> Numeric {
    guard isFinite else { return isNaN ? .nan : (isNegative ? .zero : .infinity) }
    let value = double
    let weight = Int(min(max(value * Self.decimalsPerNat, -Self.maximumResultScale), Self.maximumResultScale))
    let scale = Self.boundedScale(max(Self.minimumSignificantDigits - weight, self.scale))
    if value.magnitude >= Self.maximumResultScale * 3 {
      if value > 0 { throw SQLError.outOfRange(.numeric) }
      return Numeric(mantissa: 0, scale: scale)
    }
    let places = scale + 16 + max(weight, 0)
    return try Numeric(Self.exponential(fixed(places), places), places, scale: scale)
  }

  /// e^x by e^(x - k ln 2) · 2^k; of that power the 256th root by Taylor's series, then squared back.
  private static func exponential(_ x: FixedPoint, _ wanted: Int) -> FixedPoint {
    // Squaring eight times costs three digits; the whole part some more.
    let extra = 8
    let places = wanted + extra
    let one = WideInteger.powerOfTen(places)
    let whole = x.magnitude * WideInteger.powerOfTen(extra)
    let ln2 = logarithmOfTwo(places)
    var k = Int(whole.divided(by: ln2).quotient.uint128 ?? 0)
    var rest = FixedPoint(isNegative: x.isNegative, magnitude: whole - ln2 * WideInteger(UInt128(k)))
    if x.isNegative, !rest.magnitude.isZero {
      // A positive rest below ln 2 keeps the series' terms of one sign.
      k += 1
      rest = FixedPoint(isNegative: false, magnitude: ln2 - rest.magnitude)
    }
    let small = rest.magnitude.divided(by: WideInteger(256)).quotient
    var sum = one
    var term = one
    var n: UInt128 = 1
    while !term.isZero {
      term = (term * small).divided(by: one).quotient.divided(by: WideInteger(n)).quotient
      sum = sum + term
      n += 1
    }
    for _ in 0..<8 { sum = (sum * sum).divided(by: one).quotient }
    let shifted = x.isNegative ? sum.divided(by: WideInteger(1) << k).quotient : sum << k
    return FixedPoint(isNegative: false, magnitude: shifted.divided(by: WideInteger.powerOfTen(extra)).quotient)
  }

  // MARK: Logarithms

  /// ln 2 = 2 artanh(1/3).
  private static func logarithmOfTwo(_ places: Int) -> WideInteger {
    var power = (WideInteger.powerOfTen(places + 4) << 1).divided(by: WideInteger(3)).quotient
    var sum = WideInteger(0)
    var n: UInt128 = 1
    while !power.isZero {
      sum = sum + power.divided(by: WideInteger(n)).quotient
      power = power.divided(by: WideInteger(9)).quotient
      n += 2
    }
    return sum.divided(by: WideInteger.powerOfTen(4)).quotient
  }

  /// ln of a positive number, to `places` digits.
  private func logarithm(_ wanted: Int) -> FixedPoint {
    let places = wanted + 8
    // m = x / 2^k lies around 1: between 2/3 and 4/3.
    let (numerator, denominator) = (wide, WideInteger.powerOfTen(scale))
    var k = numerator.bitWidth - denominator.bitWidth
    var (top, bottom) = k >= 0 ? (numerator, denominator << k) : (numerator << -k, denominator)
    if top * WideInteger(3) > bottom * WideInteger(4) {
      k += 1
      bottom = bottom << 1
    } else if top * WideInteger(3) < bottom * WideInteger(2) {
      k -= 1
      top = top << 1
    }
    // ln m = 2 artanh((m - 1) / (m + 1)).
    let negative = top < bottom
    let difference = negative ? bottom - top : top - bottom
    let one = WideInteger.powerOfTen(places)
    let z = (difference * one).divided(by: top + bottom).quotient
    let square = (z * z).divided(by: one).quotient
    var power = z << 1
    var sum = WideInteger(0)
    var n: UInt128 = 1
    while !power.isZero {
      sum = sum + power.divided(by: WideInteger(n)).quotient
      power = (power * square).divided(by: one).quotient
      n += 2
    }
    let series = FixedPoint(isNegative: negative, magnitude: sum)
    let twos = FixedPoint(
      isNegative: k < 0, magnitude: Self.logarithmOfTwo(places) * WideInteger(UInt128(k.magnitude)))
    return (series + twos).divided(by: WideInteger.powerOfTen(8))
  }

  /// estimate_ln_dweight: about the decimal weight of ln(self).
  private var logarithmWeight: Int {
    if signum <= 0 { return 0 }
    let value = double
    if value >= 0.9, value <= 1.1 {
      // Near 1 nothing is too long to be subtracted; an estimate may say 0 all the same.
      guard let difference = try? Numeric.subtracting(self, Numeric(Int64(1))), !difference.isZero else { return 0 }
      let (weight, digit) = Numeric.leading(difference.wide, scale: difference.scale)
      return weight * 4 + Int(cvarve_log10(Double(digit)))
    }
    let digits = Numeric.digits(of: wide)
    var lead = 0.0
    for digit in digits.prefix(17) { lead = lead * 10 + Double(digit) }
    let exponent = digits.count - min(digits.count, 17) - scale
    let logarithm = cvarve_log(lead) + Double(exponent) * 2.302585092994046
    return Int(cvarve_log10(logarithm.magnitude))
  }

  private func checkLogarithm() throws {
    if isZero { throw SQLError.make("2201E", "cannot take logarithm of zero") }
    if isNegative { throw SQLError.make("2201E", "cannot take logarithm of a negative number") }
  }

  package func naturalLogarithm() throws -> Numeric {
    if isNaN { return .nan }
    try checkLogarithm()
    guard isFinite else { return .infinity }
    let scale = Self.boundedScale(max(Self.minimumSignificantDigits - logarithmWeight, self.scale))
    return try Numeric(logarithm(scale + 16), scale + 16, scale: scale)
  }

  /// log to a base: log_var's scale.
  package static func logarithm(base: Numeric, _ value: Numeric) throws -> Numeric {
    if base.isNaN || value.isNaN { return .nan }
    try base.checkLogarithm()
    try value.checkLogarithm()
    guard base.isFinite, value.isFinite else {
      if !base.isFinite, !value.isFinite { return .nan }
      return base.isFinite ? .infinity : .zero
    }
    let (baseWeight, valueWeight) = (base.logarithmWeight, value.logarithmWeight)
    let weight = valueWeight - baseWeight
    let scale = boundedScale(max(minimumSignificantDigits - weight, base.scale, value.scale))
    let places = scale + 24 + abs(weight) + abs(baseWeight)
    let bottom = base.logarithm(places)
    if bottom.magnitude.isZero { throw SQLError.divisionByZero }
    let top = value.logarithm(places)
    let quotient = (top.magnitude * WideInteger.powerOfTen(places)).divided(by: bottom.magnitude).quotient
    return try Numeric(
      FixedPoint(isNegative: top.isNegative != bottom.isNegative, magnitude: quotient), places, scale: scale)
  }

  // MARK: Powers

  package static func power(_ base: Numeric, _ exponent: Numeric) throws -> Numeric {
    guard base.isFinite, exponent.isFinite else { return try specialPower(base, exponent) }
    if base.isZero, exponent.isNegative {
      throw SQLError.make("2201F", "zero raised to a negative power is undefined")
    }
    let whole = try exponent.truncated(0) == exponent
    if base.isNegative, !whole {
      throw SQLError.make("2201F", "a negative number raised to a non-integer power yields a complex result")
    }
    if whole, let small = Int32(exactly: try exponent.rescaled(to: 0).mantissa) {
      return try power(base, Int(small), scale: boundedScale(max(minimumSignificantDigits, base.scale)))
    }
    if base.isZero { return Numeric(mantissa: 0, scale: minimumSignificantDigits) }
    let negative = try base.isNegative && !remainder(exponent, Numeric(Int64(2))).isZero
    return try realPower(base.magnitude(), exponent, negative: negative)
  }

  private static func realPower(_ base: Numeric, _ exponent: Numeric, negative: Bool) throws -> Numeric {
    let logarithmWeight = base.logarithmWeight
    // A first look tells the weight of the result.
    let first = max(8 - logarithmWeight, 0)
    let rough = try multiplying(try Numeric(base.logarithm(first + 4), first + 4, scale: first), exponent).double
    if rough.magnitude > maximumResultScale * 3.01 {
      if rough > 0 { throw SQLError.outOfRange(.numeric) }
      return Numeric(mantissa: 0, scale: maximumDisplayScale)
    }
    let weight = Int(rough * decimalsPerNat)
    let scale = boundedScale(max(minimumSignificantDigits - weight, base.scale, exponent.scale))
    let places = scale + max(weight, 0) + 24 + max(leading(exponent.wide, scale: exponent.scale).weight * 4 + 4, 0)
    let product = base.logarithm(places) * exponent.fixed(places)
    let power = product.divided(by: WideInteger.powerOfTen(places))
    var result = exponential(power, places)
    result.isNegative = negative
    return try Numeric(result, places, scale: scale)
  }

  /// power_var_int: the scale is the caller's, as many significant digits are right as that asks for.
  private static func power(_ base: Numeric, _ exponent: Int, scale: Int) throws -> Numeric {
    switch exponent {
    case 0: return try Numeric(Int64(1)).rescaled(to: scale)
    case 1: return try base.rescaled(to: scale)
    case -1:
      return try quotient(negative: base.isNegative, WideInteger(1), 0, base.wide, base.scale, scale: scale)
    default: break
    }
    if base.isZero { return Numeric(mantissa: 0, scale: scale) }
    let digits = Numeric.digits(of: base.wide)
    var lead = 0.0
    for digit in digits.prefix(17) { lead = lead * 10 + Double(digit) }
    let exponentOfLead = digits.count - min(digits.count, 17) - base.scale
    let weight = Double(exponent) * (cvarve_log10(lead) + Double(exponentOfLead))
    if weight > 3 * 32_767 * 4 { throw SQLError.outOfRange(.numeric) }
    if weight + 1 < -Double(scale) || weight + 1 < -Double(maximumDisplayScale) {
      return Numeric(mantissa: 0, scale: scale)
    }
    // Significant digits of the result, and as many more as multiplying can lose.
    let kept = max(1 + scale + Int(weight), 1) + 12 + String(exponent.magnitude).count
    let negative = base.isNegative && exponent % 2 != 0
    var factor = (digits: base.wide, scale: base.scale)
    var product = (digits: WideInteger(1), scale: 0)
    func shortened(_ value: (digits: WideInteger, scale: Int)) -> (digits: WideInteger, scale: Int) {
      let surplus = value.digits.bitWidth * 30_103 / 100_000 - kept
      if surplus <= 0 { return value }
      return (value.digits.dividedRoundingHalfUp(by: WideInteger.powerOfTen(surplus)), value.scale - surplus)
    }
    var bits = exponent.magnitude
    while true {
      if bits & 1 == 1 { product = shortened((product.digits * factor.digits, product.scale + factor.scale)) }
      bits >>= 1
      if bits == 0 { break }
      factor = shortened((factor.digits * factor.digits, factor.scale * 2))
    }
    if exponent < 0 {
      return try quotient(negative: negative, WideInteger(1), 0, product.digits, product.scale, scale: scale)
    }
    return try quotient(negative: negative, product.digits, product.scale, WideInteger(1), 0, scale: scale)
  }

  /// What POSIX says of pow with infinities and NaN.
  private static func specialPower(_ base: Numeric, _ exponent: Numeric) throws -> Numeric {
    let one = Numeric(Int64(1))
    if base.isNaN { return exponent.isZero ? one : .nan }
    if exponent.isNaN { return base == one ? one : .nan }
    if base.isZero, exponent.isNegative {
      throw SQLError.make("2201F", "zero raised to a negative power is undefined")
    }
    if exponent.isFinite {
      if exponent.isZero { return one }
      if base.isNegative, try exponent.truncated(0) != exponent {
        throw SQLError.make("2201F", "a negative number raised to a non-integer power yields a complex result")
      }
      if exponent.isNegative { return .zero }
      let odd = try !remainder(exponent, Numeric(Int64(2))).isZero
      return base.isNegative && odd ? .negativeInfinity : .infinity
    }
    let order = compare(base.magnitude(), one)
    if order == 0 { return one }
    return (order > 0) == !exponent.isNegative ? .infinity : .zero
  }

  // MARK: factorial

  package static func factorial(_ value: Int64) throws -> Numeric {
    if value < 0 { throw SQLError.make("22003", "factorial of a negative number is undefined") }
    if value > 32_177 { throw SQLError.outOfRange(.numeric) }
    var product = WideInteger(1)
    for factor in stride(from: Int64(2), through: value, by: 1) { product.multiply(by: UInt32(factor)) }
    return try Numeric(negative: false, magnitude: product, scale: 0)
  }
}
