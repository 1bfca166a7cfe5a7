// Arithmetic with PostgreSQL's rules of scale (numeric.c). What fits machine integers is done in them; the rest in
// integers as wide as they need. Results that PostgreSQL's numeric does not hold throw 22003.

import VarveCore

extension Numeric {
  /// Both magnitudes at the larger scale.
  static func alignedWide(_ a: Numeric, _ b: Numeric) -> (WideInteger, WideInteger, Int) {
    let scale = max(a.scale, b.scale)
    return (
      a.wide * WideInteger.powerOfTen(scale - a.scale), b.wide * WideInteger.powerOfTen(scale - b.scale), scale
    )
  }

  package static func adding(_ a: Numeric, _ b: Numeric) throws -> Numeric {
    if case .narrow(let x) = a.digits, case .narrow(let y) = b.digits {
      if a.scale == b.scale { return try Numeric(checking: x + y, scale: a.scale) }
      let difference = abs(a.scale - b.scale)
      if difference <= 38 {
        let (scaled, overflow) = (a.scale < b.scale ? x : y).multipliedReportingOverflow(by: powers[difference])
        let (sum, tooMuch) = scaled.addingReportingOverflow(a.scale < b.scale ? y : x)
        if !overflow, !tooMuch { return try Numeric(checking: sum, scale: max(a.scale, b.scale)) }
      }
    }
    guard a.isFinite, b.isFinite else {
      if a.isNaN || b.isNaN { return .nan }
      if !a.isFinite, !b.isFinite { return a.isNegative == b.isNegative ? a : .nan }
      return a.isFinite ? b : a
    }
    let (x, y, scale) = alignedWide(a, b)
    if a.isNegative == b.isNegative { return try Numeric(negative: a.isNegative, magnitude: x + y, scale: scale) }
    return x >= y
      ? try Numeric(negative: a.isNegative, magnitude: x - y, scale: scale)
      : try Numeric(negative: b.isNegative, magnitude: y - x, scale: scale)
  }

  package static func subtracting(_ a: Numeric, _ b: Numeric) throws -> Numeric { try adding(a, b.negated()) }

  package static func multiplying(_ a: Numeric, _ b: Numeric) throws -> Numeric {
    if case .narrow(let x) = a.digits, case .narrow(let y) = b.digits {
      let (product, overflow) = x.multipliedReportingOverflow(by: y)
      if !overflow, a.scale + b.scale <= maximumScale {
        return try Numeric(checking: product, scale: a.scale + b.scale)
      }
    }
    guard a.isFinite, b.isFinite else {
      if a.isNaN || b.isNaN || a.isZero || b.isZero { return .nan }
      return a.isNegative == b.isNegative ? .infinity : .negativeInfinity
    }
    let product = a.wide * b.wide
    let scale = a.scale + b.scale
    let negative = a.isNegative != b.isNegative
    // Digits beyond what a numeric shows are rounded away.
    if scale > maximumScale {
      let kept = product.dividedRoundingHalfUp(by: WideInteger.powerOfTen(scale - maximumScale))
      return try Numeric(negative: negative, magnitude: kept, scale: maximumScale)
    }
    return try Numeric(negative: negative, magnitude: product, scale: scale)
  }

  /// Weight of the first base-10000 digit and that digit, as numeric.c keeps them; (0, 0) for zero.
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
    guard a.isFinite, b.isFinite else {
      if a.isNaN || b.isNaN { return .nan }
      if !a.isFinite {
        if !b.isFinite { return .nan }
        if b.isZero { throw SQLError.divisionByZero }
        return a.isNegative == b.isNegative ? .infinity : .negativeInfinity
      }
      return .zero
    }
    if b.isZero { throw SQLError.divisionByZero }
    return try narrowQuotient(a, b) ?? wideQuotient(a, b)
  }

  static func wideQuotient(_ a: Numeric, _ b: Numeric) throws -> Numeric {
    let (x, y) = (a.wide, b.wide)
    let scale = divisionScale(x, a.scale, y, b.scale)
    return try quotient(negative: a.isNegative != b.isNegative, x, a.scale, y, b.scale, scale: scale)
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
    guard a.isFinite, b.isFinite else {
      if a.isNaN || b.isNaN { return .nan }
      if !a.isFinite, b.isZero { throw SQLError.divisionByZero }
      return a.isFinite ? a : .nan
    }
    if b.isZero { throw SQLError.divisionByZero }
    let (x, y, scale) = alignedWide(a, b)
    return try Numeric(negative: a.isNegative, magnitude: x.divided(by: y).remainder, scale: scale)
  }

  /// The whole part of a ÷ b.
  package static func wholeQuotient(_ a: Numeric, _ b: Numeric) throws -> Numeric {
    guard a.isFinite, b.isFinite else { return try dividing(a, b) }
    if b.isZero { throw SQLError.divisionByZero }
    let (x, y, _) = alignedWide(a, b)
    return try Numeric(negative: a.isNegative != b.isNegative, magnitude: x.divided(by: y).quotient, scale: 0)
  }

  package func negated() -> Numeric {
    var result = self
    result.flip()
    return result
  }
  package func magnitude() -> Numeric { isNegative ? negated() : self }

  package static func greatestCommonDivisor(_ a: Numeric, _ b: Numeric) throws -> Numeric {
    guard a.isFinite, b.isFinite else { return .nan }
    var (x, y, scale) = alignedWide(a, b)
    while !y.isZero { (x, y) = (y, x.divided(by: y).remainder) }
    return try Numeric(negative: false, magnitude: x, scale: scale)
  }
  package static func leastCommonMultiple(_ a: Numeric, _ b: Numeric) throws -> Numeric {
    guard a.isFinite, b.isFinite else { return .nan }
    let scale = max(a.scale, b.scale)
    if a.isZero || b.isZero { return Numeric(mantissa: 0, scale: scale) }
    let divisor = try greatestCommonDivisor(a, b)
    return try multiplying(wholeQuotient(a, divisor), b).magnitude().rescaled(to: scale)
  }
}
