/// PostgreSQL's numeric: digits × 10^-`scale`, NaN, or an infinity. The scale is what is shown: 1.50 has scale 2.
/// Numbers of up to 38 digits are a machine integer, longer ones (up to 131,072 digits before the point and 16,383
/// behind it) hold as many words as they need. Equality and hashing are by value: 1.5 equals 1.50, NaN equals itself
/// and is greater than all else.
package struct Numeric: Sendable {
  /// What a number is in has one answer: `narrow` if it has room there.
  enum Digits: Sendable {
    case narrow(Int128)
    case wide(isNegative: Bool, WideInteger)
    case infinity(isNegative: Bool)
    case nan
  }
  /// The digits as they are kept: two words in place of an Int128, whose alignment of sixteen bytes would make every
  /// datum half as large again, and which Swift 6.3's thunks of closures do not honour for values of 24 bytes.
  private enum Storage {
    case narrow(low: UInt64, high: Int64)
    case wide(isNegative: Bool, WideInteger)
    case infinity(isNegative: Bool)
    case nan
  }
  private var storage: Storage
  private var shownScale: Int32

  private(set) var digits: Digits {
    @inline(__always) get {
      switch storage {
      case .narrow(let low, let high): .narrow(Int128(high) << 64 | Int128(low))
      case .wide(let isNegative, let magnitude): .wide(isNegative: isNegative, magnitude)
      case .infinity(let isNegative): .infinity(isNegative: isNegative)
      case .nan: .nan
      }
    }
    set { storage = Self.storage(newValue) }
  }

  private static func storage(_ digits: Digits) -> Storage {
    switch digits {
    case .narrow(let value):
      .narrow(low: UInt64(truncatingIfNeeded: value), high: Int64(truncatingIfNeeded: value >> 64))
    case .wide(let isNegative, let magnitude): .wide(isNegative: isNegative, magnitude)
    case .infinity(let isNegative): .infinity(isNegative: isNegative)
    case .nan: .nan
    }
  }

  package var scale: Int {
    get { Int(shownScale) }
    set { shownScale = Int32(truncatingIfNeeded: newValue) }
  }

  package init(mantissa: Int128, scale: Int) {
    storage = Self.storage(.narrow(mantissa))
    shownScale = Int32(truncatingIfNeeded: scale)
  }

  package init(_ value: Int64) { self.init(mantissa: Int128(value), scale: 0) }
  package init(_ value: UInt64) { self.init(mantissa: Int128(value), scale: 0) }

  private init(_ digits: Digits, scale: Int = 0) {
    storage = Self.storage(digits)
    shownScale = Int32(truncatingIfNeeded: scale)
  }

  package static let zero = Numeric(mantissa: 0, scale: 0)
  package static let nan = Numeric(.nan)
  package static let infinity = Numeric(.infinity(isNegative: false))
  package static let negativeInfinity = Numeric(.infinity(isNegative: true))

  /// 10^38: narrow mantissas stay below it.
  static let bound: Int128 = 100_000_000_000_000_000_000_000_000_000_000_000_000
  /// NUMERIC_MAX_DISPLAY_SCALE is 1000 in PostgreSQL, its input takes up to 16383.
  static let maximumScale = 16_383
  /// NUMERIC_MAX_RESULT_SCALE: round and trunc go as far.
  static let maximumRoundingScale = 2000
  static let maximumWholeDigits = 131_072

  static let powers: [Int128] = {
    var result: [Int128] = [1]
    for _ in 0..<38 { result.append(result[result.count - 1] * 10) }
    return result
  }()

  /// The digits as an integer, where they are 38 at most; what is longer, infinite or NaN comes as ±10^38, which no
  /// machine integer holds.
  package var mantissa: Int128 {
    get {
      switch digits {
      case .narrow(let value): value
      case .wide(let isNegative, _), .infinity(let isNegative): isNegative ? -Self.bound : Self.bound
      case .nan: Self.bound
      }
    }
    set { digits = .narrow(newValue) }
  }

  package var isNegative: Bool {
    switch digits {
    case .narrow(let value): value < 0
    case .wide(let isNegative, _), .infinity(let isNegative): isNegative
    case .nan: false
    }
  }
  package var isZero: Bool {
    if case .narrow(0) = digits { return true }
    return false
  }
  package var isNaN: Bool {
    if case .nan = digits { return true }
    return false
  }
  /// Neither NaN nor infinite.
  package var isFinite: Bool {
    switch digits {
    case .narrow, .wide: true
    case .infinity, .nan: false
    }
  }
  /// -1, 0 or 1; of NaN 0.
  var signum: Int { isNaN || isZero ? 0 : (isNegative ? -1 : 1) }

  /// Checked: throws 22003 when the digits are too many.
  init(checking mantissa: Int128, scale: Int) throws {
    if mantissa.magnitude < Self.bound.magnitude, scale <= Self.maximumScale {
      self.init(mantissa: mantissa, scale: scale)
    } else {
      try self.init(negative: mantissa < 0, magnitude: WideInteger(mantissa.magnitude), scale: scale)
    }
  }

  init(negative: Bool, magnitude: WideInteger, scale: Int) throws {
    guard scale <= Self.maximumScale else { throw SQLError.outOfRange(.numeric) }
    if let small = magnitude.uint128, small < Self.bound.magnitude {
      self.init(mantissa: negative ? -Int128(small) : Int128(small), scale: scale)
      return
    }
    // About log10(2) digits a bit; counted only where that leaves a doubt.
    let most = Self.maximumWholeDigits + scale
    let estimate = magnitude.bitWidth * 30_103 / 100_000
    guard estimate + 2 < most || (estimate <= most && Numeric.digits(of: magnitude).count <= most) else {
      throw SQLError.outOfRange(.numeric)
    }
    self.init(.wide(isNegative: negative, magnitude), scale: scale)
  }

  /// The digits without sign. Not for infinities and NaN.
  var wide: WideInteger {
    switch digits {
    case .narrow(let value): return WideInteger(value.magnitude)
    case .wide(_, let magnitude): return magnitude
    case .infinity, .nan: preconditionFailure("the digits of a number that has some")
    }
  }

  /// Turns the sign around.
  mutating func flip() {
    switch digits {
    case .narrow(let value): digits = .narrow(-value)
    case .wide(let isNegative, let magnitude): digits = .wide(isNegative: !isNegative, magnitude)
    case .infinity(let isNegative): digits = .infinity(isNegative: !isNegative)
    case .nan: break
    }
  }

  /// Decimal digits of the mantissa; 0 for zero.
  var digitCount: Int {
    guard case .narrow(let value) = digits else { return Numeric.digits(of: wide).count }
    let magnitude = Int128(clamping: value.magnitude)
    var count = 0
    while count < 39, count < Self.powers.count, Self.powers[count] <= magnitude { count += 1 }
    return count
  }
}

extension Numeric: Hashable, Comparable {
  /// The mantissa without trailing zeros, and the scale that then belongs to it; nil where it has no room in 38 digits.
  private var normalized: (mantissa: Int128, scale: Int)? {
    switch digits {
    case .narrow(0): return (0, 0)
    case .narrow(var m):
      var s = scale
      while m % 10 == 0 {
        m /= 10
        s -= 1
      }
      return (m, s)
    case .wide(let isNegative, var rest):
      var s = scale
      while true {
        let (quotient, remainder) = rest.divided(by: WideInteger(10))
        guard remainder.isZero else { break }
        rest = quotient
        s -= 1
      }
      guard let small = rest.uint128, small < Self.bound.magnitude else { return nil }
      return (isNegative ? -Int128(small) : Int128(small), s)
    case .infinity, .nan: return nil
    }
  }

  /// A word for hashing, the same for equal values.
  var hashWord: UInt64 {
    if let (m, s) = normalized {
      return Hashing.combine(
        Hashing.word(UInt64(truncatingIfNeeded: m)),
        Hashing.word(UInt64(truncatingIfNeeded: m >> 64) &+ UInt64(truncatingIfNeeded: s)))
    }
    var text = normalizedText
    return text.withUTF8 { Hashing.bytes($0) }
  }

  package func hash(into hasher: inout Hasher) { hasher.combine(hashWord) }

  package static func == (a: Numeric, b: Numeric) -> Bool { compare(a, b) == 0 }
  package static func < (a: Numeric, b: Numeric) -> Bool { compare(a, b) < 0 }

  /// -1, 0, 1.
  package static func compare(_ a: Numeric, _ b: Numeric) -> Int {
    guard case .narrow(let x) = a.digits, case .narrow(let y) = b.digits else { return compareWide(a, b) }
    if a.shownScale == b.shownScale { return x < y ? -1 : (x > y ? 1 : 0) }
    if x.signum() != y.signum() { return x < y ? -1 : 1 }
    if x == 0 { return 0 }
    let difference = abs(a.scale - b.scale)
    if difference <= 38 {
      let power = powers[difference]
      let (scaled, overflow) = (a.scale < b.scale ? x : y).multipliedReportingOverflow(by: power)
      if !overflow {
        let left = a.scale < b.scale ? scaled : x
        let right = a.scale < b.scale ? y : scaled
        return left < right ? -1 : (left > right ? 1 : 0)
      }
      // The one with the smaller scale outgrew what any mantissa can be.
      return (a.scale < b.scale) == a.isNegative ? -1 : 1
    }
    return compareWide(a, b)
  }

  private static func compareWide(_ a: Numeric, _ b: Numeric) -> Int {
    if !a.isFinite || !b.isFinite {
      // NaN over infinity over all numbers over minus infinity.
      func rank(_ value: Numeric) -> Int {
        value.isNaN ? 2 : (value.isFinite ? 0 : (value.isNegative ? -1 : 1))
      }
      return (rank(a) - rank(b)).signum()
    }
    if a.signum != b.signum { return a.signum < b.signum ? -1 : 1 }
    let (left, right, _) = alignedWide(a, b)
    let order = left < right ? -1 : (left > right ? 1 : 0)
    return a.isNegative ? -order : order
  }
}
