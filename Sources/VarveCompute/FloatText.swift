// Doubles and floats as text, as PostgreSQL 15 prints them: the shortest digits that read back the same, plain
// between 1e-4 and 1e15 (1e6 for real), else `1e+20`. And numbers in text, with PostgreSQL's syntax.

import VarveCore

enum FloatText {
  static let powersOfTen: [Double] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
  ]

  static func append(_ value: Double, to out: Buffer<UInt8>) {
    if appendSpecial(value, to: out) { return }
    let magnitude = value.magnitude
    // A decimal of at most 15 digits that divides back to the value is its shortest form: no other so short reads
    // as the same double.
    if magnitude >= 1e-4 && magnitude < 1e15 {
      var power = 1.0
      var places = 0
      while places <= 18 {
        let scaled = magnitude * power
        if scaled >= 1e15 { break }
        // To the nearest, by the width of the significand: below 1e15 the sum is exact to the unit.
        let whole = (scaled + 0x1p52) - 0x1p52
        if (scaled - whole).magnitude <= scaled * 0x1p-51 && whole / power == magnitude {
          if value < 0 { out.append(UInt8(ascii: "-")) }
          return appendFixed(UInt64(whole), places: places, to: out)
        }
        power *= 10
        places += 1
      }
    }
    let ulp = value.binade.magnitude == magnitude ? value.ulp / 2 : value.ulp
    appendDigits(
      of: value.description, limit: 15, exactly: value, lowerGap: ulp, upperGap: value.ulp, most: 17, to: out)
  }

  static func append(_ value: Float, to out: Buffer<UInt8>) {
    if appendSpecial(Double(value), to: out) { return }
    let wide = Double(value)
    let ulp = Double(value.ulp)
    appendDigits(
      of: value.description, limit: 6, exactly: wide,
      lowerGap: value.magnitude == value.binade.magnitude ? ulp / 2 : ulp, upperGap: ulp, most: 9, to: out)
  }

  private static func appendSpecial(_ value: Double, to out: Buffer<UInt8>) -> Bool {
    if value == 0 {
      if value.sign == .minus { out.append(UInt8(ascii: "-")) }
      out.append(UInt8(ascii: "0"))
      return true
    }
    if value.isFinite { return false }
    TypeText.append(value.isNaN ? "NaN" : (value < 0 ? "-Infinity" : "Infinity"), to: out)
    return true
  }

  /// `digits` × 10^-`places`; the last digit is not a needless zero.
  private static func appendFixed(_ digits: UInt64, places: Int, to out: Buffer<UInt8>) {
    if places == 0 { return IntegerText.append(digits, to: out) }
    let unit = UInt64(powersOfTen[places])
    IntegerText.append(digits / unit, to: out)
    out.reserve(places + 1)
    let at = out.base + out.count
    at.pointee = UInt8(ascii: ".")
    var rest = digits % unit
    var i = places
    while i > 0 {
      at[i] = UInt8(truncatingIfNeeded: rest % 10) + 0x30
      rest /= 10
      i -= 1
    }
    out.count += places + 1
  }

  // Swift's description has the shortest digits; only their arrangement differs.
  private static func appendDigits(
    of description: String, limit: Int, exactly value: Double, lowerGap: Double, upperGap: Double, most: Int,
    to out: Buffer<UInt8>
  ) {
    var digits: [UInt8] = []
    var exponent = 0
    var pointAt: Int?
    var explicit = 0
    var negative = false
    var inExponent = false
    var exponentNegative = false
    for c in description.utf8 {
      switch c {
      case UInt8(ascii: "-"): if inExponent { exponentNegative = true } else { negative = true }
      case UInt8(ascii: "+"): break
      case UInt8(ascii: "."): pointAt = digits.count
      case UInt8(ascii: "e"): inExponent = true
      default: if inExponent { explicit = explicit * 10 + Int(c - 0x30) } else { digits.append(c) }
      }
    }
    exponent = (pointAt ?? digits.count) - 1 + (exponentNegative ? -explicit : explicit)
    let leadingZeros = digits.prefix { $0 == 0x30 }.count
    digits.removeFirst(leadingZeros)
    exponent -= leadingZeros
    while digits.count > 1, digits.last == 0x30 { digits.removeLast() }
    if lowerGap >= 1, value.magnitude < 1e40 {
      keepInside(&digits, &exponent, value.magnitude, lowerGap, upperGap, most)
    }
    if negative { out.append(UInt8(ascii: "-")) }
    if exponent >= -4 && exponent < limit {
      if exponent < 0 {
        TypeText.append("0.", to: out)
        out.append(repeating: 0x30, count: -exponent - 1)
        for d in digits { out.append(d) }
      } else {
        for i in 0...max(exponent, digits.count - 1) {
          if i == exponent + 1 { out.append(UInt8(ascii: ".")) }
          out.append(i < digits.count ? digits[i] : 0x30)
        }
      }
      return
    }
    out.append(digits[0])
    if digits.count > 1 {
      out.append(UInt8(ascii: "."))
      for d in digits.dropFirst() { out.append(d) }
    }
    out.append(UInt8(ascii: "e"))
    out.append(exponent < 0 ? UInt8(ascii: "-") : UInt8(ascii: "+"))
    let magnitude = exponent.magnitude
    if magnitude < 10 { out.append(0x30) }
    IntegerText.append(UInt64(magnitude), to: out)
  }

  /// Where the shortest digits lie exactly half-way to the neighbour (they read back only by the rule of ties),
  /// PostgreSQL takes the next longer ones. That can only be among whole numbers beyond the significand's width.
  private static func keepInside(
    _ digits: inout [UInt8], _ exponent: inout Int, _ value: Double, _ lowerGap: Double, _ upperGap: Double, _ most: Int
  ) {
    func wide(_ x: Double) -> WideInteger {
      let shift = max(Int(x.exponent) - 52, 0)
      return WideInteger(UInt128(x / Double(sign: .plus, exponent: shift, significand: 1))) << shift
    }
    let exact = wide(value)
    func isInside(_ candidate: WideInteger) -> Bool {
      candidate >= exact
        ? ((candidate - exact) << 1) < wide(upperGap) : ((exact - candidate) << 1) < wide(lowerGap)
    }
    let spelled = digits.reduce(WideInteger(0)) { $0 * WideInteger(10) + WideInteger(UInt128($1 - 0x30)) }
    guard exponent + 1 >= digits.count else { return }
    if isInside(spelled * WideInteger.powerOfTen(exponent + 1 - digits.count)) { return }
    let whole = Numeric.digits(of: exact)
    for count in digits.count...max(most, digits.count) where whole.count > count {
      let unit = WideInteger.powerOfTen(whole.count - count)
      let rounded = exact.dividedRoundingHalfUp(by: unit)
      guard isInside(rounded * unit) else { continue }
      let found = Numeric.digits(of: rounded)
      exponent = whole.count - 1 + (found.count > count ? 1 : 0)
      digits = found.map { $0 + 0x30 }
      while digits.count > 1, digits.last == 0x30 { digits.removeLast() }
      return
    }
  }

  enum ParseFailure: Error { case syntax, range }

  /// PostgreSQL's float8in: spaces around are allowed, `NaN`, `inf` and `Infinity` in any case; what the C library
  /// would round to zero or infinity is out of range.
  static func parse(_ text: UnsafeBufferPointer<UInt8>) throws(ParseFailure) -> Double {
    var i = 0
    var end = text.count
    while i < end, TypeText.isSpace(text[i]) { i += 1 }
    while end > i, TypeText.isSpace(text[end - 1]) { end -= 1 }
    let start = i
    if i < end, text[i] == UInt8(ascii: "-") || text[i] == UInt8(ascii: "+") { i += 1 }
    let negative = start < end && text[start] == UInt8(ascii: "-")
    var digits = 0
    var mantissa: UInt64 = 0
    var places = 0
    var point = false
    var nonZero = false
    while i < end {
      let c = text[i]
      if c >= 0x30 && c <= 0x39 {
        digits += 1
        if digits <= 18 { mantissa = mantissa * 10 + UInt64(c - 0x30) }
        if c != 0x30 { nonZero = true }
        if point { places += 1 }
      } else if c == UInt8(ascii: "."), !point {
        point = true
      } else {
        break
      }
      i += 1
    }
    if digits == 0 {
      switch String(decoding: text[start..<end], as: UTF8.self).lowercased() {
      case "nan", "+nan", "-nan": return .nan
      case "inf", "+inf", "infinity", "+infinity": return .infinity
      case "-inf", "-infinity": return -.infinity
      default: throw .syntax
      }
    }
    if i == end, digits <= 18, mantissa < 1 << 53, places <= 22 {
      let value = Double(mantissa) / powersOfTen[places]
      return negative ? -value : value
    }
    if i < end, text[i] | 0x20 == UInt8(ascii: "e") {
      i += 1
      if i < end, text[i] == UInt8(ascii: "-") || text[i] == UInt8(ascii: "+") { i += 1 }
      guard i < end else { throw .syntax }
      while i < end, text[i] >= 0x30, text[i] <= 0x39 { i += 1 }
      guard text[i - 1] >= 0x30, text[i - 1] <= 0x39 else { throw .syntax }
    }
    guard i == end, let value = Double(String(decoding: text[start..<end], as: UTF8.self)) else { throw .syntax }
    if value.isInfinite || (value == 0 && nonZero) { throw .range }
    return value
  }
}

enum IntegerText {
  static func append(_ value: Int64, to out: Buffer<UInt8>) {
    if value < 0 { out.append(UInt8(ascii: "-")) }
    append(value.magnitude, to: out)
  }

  static func append(_ value: UInt64, to out: Buffer<UInt8>) {
    out.reserve(20)
    out.count += write(value, at: out.base + out.count)
  }

  /// Writes at most 20 bytes; their number.
  @inline(__always) static func write(signed value: Int64, at start: UnsafeMutablePointer<UInt8>) -> Int {
    if value >= 0, value < 10 {
      start[0] = UInt8(truncatingIfNeeded: value) + 0x30
      return 1
    }
    if value >= 0 { return write(UInt64(value), at: start) }
    start[0] = UInt8(ascii: "-")
    return 1 + write(value.magnitude, at: start + 1)
  }

  /// Writes at most 20 digits; their number.
  @inline(__always) static func write(_ value: UInt64, at start: UnsafeMutablePointer<UInt8>) -> Int {
    var count = 1
    var bound: UInt64 = 10
    while value >= bound {
      count += 1
      if count == 20 { break }
      bound *= 10
    }
    var rest = value
    var i = count - 1
    while i > 0 {
      start[i] = UInt8(truncatingIfNeeded: rest % 10) + 0x30
      rest /= 10
      i -= 1
    }
    start[0] = UInt8(truncatingIfNeeded: rest) + 0x30
    return count
  }

  /// Writes just `width` digits, zeros in front. The value has no more.
  @inline(__always) static func write(_ value: UInt64, width: Int, at start: UnsafeMutablePointer<UInt8>) {
    var rest = value
    var left = width
    while left >= 2 {
      let pair = UInt8(truncatingIfNeeded: rest % 100)
      rest /= 100
      start[left &- 1] = pair % 10 &+ 0x30
      start[left &- 2] = pair / 10 &+ 0x30
      left &-= 2
    }
    if left == 1 { start[0] = UInt8(truncatingIfNeeded: rest) &+ 0x30 }
  }

  /// At least `width` digits, zeros in front.
  @inline(__always) static func append(_ value: Int, width: Int, to out: Buffer<UInt8>) {
    if width == 2, value < 100 {
      out.append(UInt8(truncatingIfNeeded: value / 10) + 0x30)
      out.append(UInt8(truncatingIfNeeded: value % 10) + 0x30)
      return
    }
    var bound = 10
    var digits = 1
    while digits < 18, value >= bound {
      digits += 1
      bound *= 10
    }
    if digits < width { out.append(repeating: 0x30, count: width - digits) }
    append(UInt64(value), to: out)
  }

  /// PostgreSQL's int8in. nil for bad syntax; `overflow` set when the digits do not fit.
  static func parse(_ text: UnsafeBufferPointer<UInt8>, overflow: inout Bool) -> Int64? {
    var i = 0
    var end = text.count
    while i < end, TypeText.isSpace(text[i]) { i += 1 }
    while end > i, TypeText.isSpace(text[end - 1]) { end -= 1 }
    var negative = false
    if i < end, text[i] == UInt8(ascii: "-") || text[i] == UInt8(ascii: "+") {
      negative = text[i] == UInt8(ascii: "-")
      i += 1
    }
    guard i < end else { return nil }
    var value: Int64 = 0
    while i < end {
      let c = text[i]
      guard c >= 0x30, c <= 0x39 else { return nil }
      let (product, o1) = value.multipliedReportingOverflow(by: 10)
      let (sum, o2) = product.subtractingReportingOverflow(Int64(c - 0x30))
      if o1 || o2 { overflow = true } else { value = sum }
      i += 1
    }
    if overflow { return 0 }
    if negative { return value }
    if value == .min {
      overflow = true
      return 0
    }
    return -value
  }
}
