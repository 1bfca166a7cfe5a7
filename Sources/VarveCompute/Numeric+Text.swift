// Numeric as text, and to and from machine numbers.

import VarveCore

extension Numeric {
  /// PostgreSQL's input: sign, digits, point, exponent; NaN and Infinity in any case. nil: not a number by syntax. Throws
  /// 22003 when it has more digits than PostgreSQL's numeric.
  package init?(parsing text: UnsafeBufferPointer<UInt8>) throws {
    var i = 0
    var end = text.count
    while i < end, TypeText.isSpace(text[i]) { i += 1 }
    while end > i, TypeText.isSpace(text[end - 1]) { end -= 1 }
    guard i < end else { return nil }
    let start = i
    var negative = false
    if text[i] == UInt8(ascii: "-") || text[i] == UInt8(ascii: "+") {
      negative = text[i] == UInt8(ascii: "-")
      i += 1
    }
    let first = i
    var mantissa: Int128 = 0
    var digits = 0
    var scale = 0
    var seenPoint = false
    var overflow = false
    while i < end {
      let c = text[i]
      if c >= 0x30 && c <= 0x39 {
        digits += 1
        let (product, o1) = mantissa.multipliedReportingOverflow(by: 10)
        let (sum, o2) = product.addingReportingOverflow(Int128(c - 0x30))
        if o1 || o2 { overflow = true } else { mantissa = sum }
        if seenPoint { scale += 1 }
      } else if c == UInt8(ascii: "."), !seenPoint {
        seenPoint = true
      } else {
        break
      }
      i += 1
    }
    let last = i
    if digits == 0 {
      guard let special = Numeric.special(text[start..<end]) else { return nil }
      self = special
      return
    }
    if i < end, text[i] | 0x20 == UInt8(ascii: "e") {
      i += 1
      var sign = 1
      if i < end, text[i] == UInt8(ascii: "-") || text[i] == UInt8(ascii: "+") {
        sign = text[i] == UInt8(ascii: "-") ? -1 : 1
        i += 1
      }
      guard i < end else { return nil }
      var exponent = 0
      while i < end, text[i] >= 0x30, text[i] <= 0x39 {
        exponent = min(exponent * 10 + Int(text[i] - 0x30), 1_000_000)
        i += 1
      }
      guard text[i - 1] >= 0x30, text[i - 1] <= 0x39 else { return nil }
      scale -= sign * exponent
    }
    guard i == end else { return nil }
    guard digits <= Self.maximumWholeDigits + Self.maximumScale, scale >= -Self.maximumWholeDigits else {
      if mantissa == 0, !overflow, digits <= Self.maximumWholeDigits + Self.maximumScale {
        self = .zero
        return
      }
      throw SQLError.outOfRange(.numeric)
    }
    if !overflow, scale >= 0 {
      try self.init(checking: negative ? -mantissa : mantissa, scale: scale)
      return
    }
    var magnitude = overflow ? WideInteger(decimal: text[first..<last]) : WideInteger(mantissa.magnitude)
    if scale < 0 {
      magnitude = magnitude * WideInteger.powerOfTen(-scale)
      scale = 0
    }
    try self.init(negative: negative, magnitude: magnitude, scale: scale)
  }

  private static func special(_ text: Slice<UnsafeBufferPointer<UInt8>>) -> Numeric? {
    switch String(decoding: text, as: UTF8.self).lowercased() {
    case "nan": .nan
    case "infinity", "+infinity", "inf", "+inf": .infinity
    case "-infinity", "-inf": .negativeInfinity
    default: nil
    }
  }

  package init?(_ text: String) throws {
    var text = text
    let parsed = try text.withUTF8 { try Numeric(parsing: $0) }
    guard let parsed else { return nil }
    self = parsed
  }

  package func append(to out: Buffer<UInt8>) {
    guard case .narrow(let mantissa) = digits else { return appendWide(to: out) }
    if mantissa < 0 { out.append(UInt8(ascii: "-")) }
    var magnitude = mantissa.magnitude
    if scale < Self.wordPowers.count, let word = UInt64(exactly: magnitude) {
      out.reserve(40)
      out.count += Self.write(word, scale: scale, at: out.base + out.count)
      return
    }
    var digits: (UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0)
    withUnsafeMutableBytes(of: &digits) { raw in
      var count = 0
      while magnitude > UInt128(UInt64.max) {
        raw[count] = UInt8(truncatingIfNeeded: magnitude % 10)
        magnitude /= 10
        count += 1
      }
      var low = UInt64(magnitude)
      while low > 0 {
        raw[count] = UInt8(truncatingIfNeeded: low % 10)
        low /= 10
        count += 1
      }
      if count <= scale { out.append(UInt8(ascii: "0")) }
      var i = count - 1
      while i >= scale {
        out.append(raw[i] + 0x30)
        i -= 1
      }
      if scale > 0 {
        out.append(UInt8(ascii: "."))
        if scale > count { out.append(repeating: 0x30, count: scale - count) }
        i = min(count, scale) - 1
        while i >= 0 {
          out.append(raw[i] + 0x30)
          i -= 1
        }
      }
    }
  }

  /// Writes a magnitude of one word, whose scale it has powers of ten for, in at most 40 bytes; their number.
  private static func write(_ magnitude: UInt64, scale: Int, at start: UnsafeMutablePointer<UInt8>) -> Int {
    if scale == 0 { return IntegerText.write(magnitude, at: start) }
    let (whole, fraction) = magnitude.quotientAndRemainder(dividingBy: wordPowers[scale])
    let length = IntegerText.write(whole, at: start)
    start[length] = UInt8(ascii: ".")
    IntegerText.write(fraction, width: scale, at: start + length + 1)
    return length + 1 + scale
  }

  private func appendWide(to out: Buffer<UInt8>) {
    guard isFinite else { return TypeText.append(isNaN ? "NaN" : (isNegative ? "-Infinity" : "Infinity"), to: out) }
    if isNegative { out.append(UInt8(ascii: "-")) }
    let decimal = Numeric.digits(of: wide)
    let whole = decimal.count - scale
    if whole <= 0 { out.append(UInt8(ascii: "0")) }
    for i in 0..<max(whole, 0) { out.append(decimal[i] + 0x30) }
    if scale == 0 { return }
    out.append(UInt8(ascii: "."))
    if whole < 0 { out.append(repeating: 0x30, count: -whole) }
    for i in max(whole, 0)..<decimal.count { out.append(decimal[i] + 0x30) }
  }

  /// The decimal digits of a magnitude, 0 to 9, the first one not 0; none for zero.
  static func digits(of magnitude: WideInteger) -> [UInt8] {
    var out: [UInt8] = []
    var rest = magnitude
    while !rest.isZero {
      var part = rest.divide(by: 1_000_000_000)
      for _ in 0..<9 {
        out.append(UInt8(part % 10))
        part /= 10
      }
    }
    while out.last == 0 { out.removeLast() }
    return out.reversed()
  }

  package var text: String {
    let out = Buffer<UInt8>()
    append(to: out)
    return withExtendedLifetime(out) { String(decoding: out.span, as: UTF8.self) }
  }

  /// The text of the value without trailing zeros behind the point: the same for equal values.
  var normalizedText: String {
    let text = text
    guard text.utf8.contains(UInt8(ascii: ".")) else { return text }
    var bytes = Array(text.utf8)
    while bytes.last == UInt8(ascii: "0") { bytes.removeLast() }
    if bytes.last == UInt8(ascii: ".") { bytes.removeLast() }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The nearest double.
  package var double: Double {
    if case .narrow(let mantissa) = digits, mantissa.magnitude < 1 << 53, scale <= 22 {
      return Double(Int64(mantissa)) / FloatText.powersOfTen[scale]
    }
    if !isFinite { return isNaN ? .nan : (isNegative ? -.infinity : .infinity) }
    return Double(text) ?? (isNegative ? -.infinity : .infinity)
  }

  /// A double rounded to `digits` significant ones (15 for float8, 6 for float4), as PostgreSQL casts.
  package init(_ value: Double, digits: Int) throws {
    guard value.isFinite else {
      self = value.isNaN ? .nan : (value > 0 ? .infinity : .negativeInfinity)
      return
    }
    guard value != 0 else {
      self.init(mantissa: 0, scale: 0)
      return
    }
    // value = significand · 2^exponent, exactly.
    let significand = UInt128(value.magnitude.significandBitPattern | (value.isNormal ? 1 << 52 : 0))
    let exponent = (value.isNormal ? Int(value.exponentBitPattern) : 1) - 1075
    var top = WideInteger(significand)
    var bottom = WideInteger(1)
    if exponent >= 0 { top = top << exponent } else { bottom = bottom << -exponent }
    // Decimal exponent of the first digit; the estimate is off by one at most.
    var first = Int((Double(top.bitWidth - bottom.bitWidth) * 0.30103).rounded(.down))
    func compare(_ e: Int) -> Bool {  // value >= 10^e
      e >= 0
        ? top >= bottom * WideInteger.powerOfTen(e) : top * WideInteger.powerOfTen(-e) >= bottom
    }
    while !compare(first) { first -= 1 }
    while compare(first + 1) { first += 1 }
    let shift = digits - 1 - first
    let a = shift >= 0 ? top * WideInteger.powerOfTen(shift) : top
    let b = shift >= 0 ? bottom : bottom * WideInteger.powerOfTen(-shift)
    let (quotient, remainder) = a.divided(by: b)
    var mantissa = Int128(quotient.uint128 ?? 0)
    let twice = remainder << 1
    // printf rounds halves of the exact value to even.
    if twice > b || (!(twice < b) && mantissa % 2 == 1) { mantissa += 1 }
    var scale = shift
    while scale > 0, mantissa % 10 == 0 {
      mantissa /= 10
      scale -= 1
    }
    let magnitude = WideInteger(mantissa.magnitude) * WideInteger.powerOfTen(max(-scale, 0))
    try self.init(negative: value < 0, magnitude: magnitude, scale: max(scale, 0))
  }
}
