/// PostgreSQL's numeric within 38 digits: `mantissa` × 10^-`scale`. The scale is what is shown: 1.50 has scale 2.
/// Equality and hashing are by value: 1.5 equals 1.50.
package struct Numeric: Sendable {
  package var mantissa: Int128
  package var scale: Int
  package init(mantissa: Int128, scale: Int) {
    self.mantissa = mantissa
    self.scale = scale
  }

  package init(_ value: Int64) { self.init(mantissa: Int128(value), scale: 0) }
  package init(_ value: UInt64) { self.init(mantissa: Int128(value), scale: 0) }

  package static let zero = Numeric(mantissa: 0, scale: 0)
  /// 10^38: mantissas stay below it.
  static let bound: Int128 = 100_000_000_000_000_000_000_000_000_000_000_000_000
  /// NUMERIC_MAX_DISPLAY_SCALE is 1000 in PostgreSQL, its input takes up to 16383.
  static let maximumScale = 16_383

  static let powers: [Int128] = {
    var result: [Int128] = [1]
    for _ in 0..<38 { result.append(result[result.count - 1] * 10) }
    return result
  }()

  package var isNegative: Bool { mantissa < 0 }

  /// Checked: throws 22003 when the digits do not fit.
  init(checking mantissa: Int128, scale: Int) throws {
    guard mantissa.magnitude < Self.bound.magnitude, scale <= Self.maximumScale else {
      throw SQLError.outOfRange(.numeric)
    }
    self.init(mantissa: mantissa, scale: scale)
  }

  init(negative: Bool, magnitude: WideInteger, scale: Int) throws {
    guard let small = magnitude.uint128, small < Self.bound.magnitude, scale <= Self.maximumScale else {
      throw SQLError.outOfRange(.numeric)
    }
    self.init(mantissa: negative ? -Int128(small) : Int128(small), scale: scale)
  }

  var wide: WideInteger { WideInteger(mantissa.magnitude) }

  /// Decimal digits of the mantissa; 0 for zero.
  var digitCount: Int {
    let magnitude = Int128(clamping: mantissa.magnitude)
    var count = 0
    while count < 39, count < Self.powers.count, Self.powers[count] <= magnitude { count += 1 }
    return count
  }
}

extension Numeric: Hashable, Comparable {
  /// The mantissa without trailing zeros, and the scale that then belongs to it.
  var normalized: (mantissa: Int128, scale: Int) {
    if mantissa == 0 { return (0, 0) }
    var m = mantissa
    var s = scale
    while m % 10 == 0 {
      m /= 10
      s -= 1
    }
    return (m, s)
  }

  package func hash(into hasher: inout Hasher) {
    let (m, s) = normalized
    hasher.combine(m)
    hasher.combine(s)
  }

  package static func == (a: Numeric, b: Numeric) -> Bool { compare(a, b) == 0 }
  package static func < (a: Numeric, b: Numeric) -> Bool { compare(a, b) < 0 }

  /// -1, 0, 1.
  package static func compare(_ a: Numeric, _ b: Numeric) -> Int {
    if a.scale == b.scale { return a.mantissa < b.mantissa ? -1 : (a.mantissa > b.mantissa ? 1 : 0) }
    if a.mantissa.signum() != b.mantissa.signum() { return a.mantissa < b.mantissa ? -1 : 1 }
    if a.mantissa == 0 { return 0 }
    let difference = abs(a.scale - b.scale)
    if difference <= 38 {
      let power = powers[difference]
      let (scaled, overflow) = (a.scale < b.scale ? a : b).mantissa.multipliedReportingOverflow(by: power)
      if !overflow {
        let left = a.scale < b.scale ? scaled : a.mantissa
        let right = a.scale < b.scale ? b.mantissa : scaled
        return left < right ? -1 : (left > right ? 1 : 0)
      }
      // The one with the smaller scale outgrew what any mantissa can be.
      return (a.scale < b.scale) == a.isNegative ? -1 : 1
    }
    let power = WideInteger.powerOfTen(difference)
    let left = a.scale < b.scale ? a.wide * power : a.wide
    let right = a.scale < b.scale ? b.wide : b.wide * power
    let order = left < right ? -1 : (left > right ? 1 : 0)
    return a.isNegative ? -order : order
  }
}
