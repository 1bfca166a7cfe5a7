// Other scales and roots of numerics.

import VarveCore

extension Numeric {
  /// The same value with another scale, rounding half away from zero. Infinities and NaN have none.
  package func rescaled(to newScale: Int) throws -> Numeric {
    let difference = newScale - scale
    if difference == 0 || !isFinite { return self }
    if isZero { return Numeric(mantissa: 0, scale: newScale) }
    if case .narrow(let value) = digits {
      if difference > 0, difference <= 38 {
        let (product, overflow) = value.multipliedReportingOverflow(by: Self.powers[difference])
        if !overflow { return try Numeric(checking: product, scale: newScale) }
      } else if difference < 0 {
        guard -difference <= 38 else { return Numeric(mantissa: 0, scale: newScale) }
        let power = Self.powers[-difference]
        let quotient = value / power
        let remainder = value % power
        let up = remainder.magnitude >= power.magnitude - remainder.magnitude
        return Numeric(mantissa: quotient + (up ? value.signum() : 0), scale: newScale)
      }
    }
    let magnitude =
      difference > 0
      ? wide * WideInteger.powerOfTen(difference)
      : wide.dividedRoundingHalfUp(by: WideInteger.powerOfTen(-difference))
    return try Numeric(negative: isNegative, magnitude: magnitude, scale: newScale)
  }

  /// round(n, places): half away from zero; negative places round to tens.
  package func rounded(_ places: Int) throws -> Numeric {
    if places >= 0 { return try rescaled(to: min(places, Self.maximumRoundingScale)) }
    return try rescaled(to: max(places, -Self.maximumWholeDigits)).rescaled(to: 0)
  }

  /// trunc(n, places).
  package func truncated(_ places: Int) throws -> Numeric {
    guard isFinite else { return self }
    if places >= scale { return try rescaled(to: min(places, Self.maximumRoundingScale)) }
    let places = max(places, -Self.maximumWholeDigits)
    let kept = wide.divided(by: WideInteger.powerOfTen(scale - places)).quotient
    let result = try Numeric(negative: isNegative, magnitude: kept, scale: places)
    return places >= 0 ? result : try result.rescaled(to: 0)
  }

  package func floored() throws -> Numeric {
    let whole = try truncated(0)
    return whole > self ? try Numeric.subtracting(whole, Numeric(Int64(1))) : whole
  }
  package func ceiled() throws -> Numeric {
    let whole = try truncated(0)
    return whole < self ? try Numeric.adding(whole, Numeric(Int64(1))) : whole
  }

  /// As few digits behind the point as the value needs.
  package func trimmed() throws -> Numeric { try rescaled(to: minimumScale) }
  package var minimumScale: Int {
    guard isFinite, !isZero else { return 0 }
    let zeros = Numeric.digits(of: wide).reversed().prefix { $0 == 0 }.count
    return max(scale - zeros, 0)
  }

  /// sqrt(n): numeric_sqrt's scale.
  package func squareRoot() throws -> Numeric {
    if isNegative { throw SQLError.make("2201F", "cannot take square root of a negative number") }
    guard isFinite else { return self }
    let weight = Numeric.leading(wide, scale: scale).weight
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
    guard isFinite else {
      if isNaN { return self }
      throw SQLError.make("22003", "numeric field overflow")
    }
    let result = try rescaled(to: scale)
    if result.digitCount > precision { throw SQLError.make("22003", "numeric field overflow") }
    return result
  }

  /// The nearest integer, halves away from zero; beyond all machine integers what `mantissa` says. 0A000 for infinities
  /// and NaN, as in PostgreSQL.
  func integerRounded(_ type: SQLType) throws -> Int128 {
    guard isFinite else {
      throw SQLError.unsupported("cannot convert \(isNaN ? "NaN" : "infinity") to \(type.name)")
    }
    return try rescaled(to: 0).mantissa
  }
}
