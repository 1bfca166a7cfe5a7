// Numeric as text, and to and from machine numbers.

import VarveCore

extension Numeric {
  /// PostgreSQL's input: sign, digits, point, exponent. nil: not a number by syntax. Throws 22003 when it has no
  /// room in 38 digits, 0A000 for NaN and Infinity, which this numeric does not have.
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
    var mantissa: Int128 = 0
    var digits = 0
    var scale = 0
    var seenPoint = false
    var overflow = false
    // Zeros that only matter if a digit follows them within the value.
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
    if digits == 0 {
      let word = String(decoding: text[start..<end], as: UTF8.self).lowercased()
      switch word {
      case "nan", "infinity", "+infinity", "-infinity", "inf", "+inf", "-inf":
        throw SQLError.unsupported("numeric \(word) is not supported", hint: "Use double precision.")
      default: return nil
      }
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
    if overflow { throw SQLError.outOfRange(.numeric) }
    if scale < 0 {
      if mantissa != 0 {
        guard scale >= -38 else { throw SQLError.outOfRange(.numeric) }
        let (product, o) = mantissa.multipliedReportingOverflow(by: Self.powers[-scale])
        if o { throw SQLError.outOfRange(.numeric) }
        mantissa = product
      }
      scale = 0
    }
    try self.init(checking: negative ? -mantissa : mantissa, scale: scale)
  }

  package init?(_ text: String) throws {
    var text = text
    let parsed = try text.withUTF8 { try Numeric(parsing: $0) }
    guard let parsed else { return nil }
    self = parsed
  }

  package func append(to out: Buffer<UInt8>) {
    if mantissa < 0 { out.append(UInt8(ascii: "-")) }
    var magnitude = mantissa.magnitude
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

  package var text: String {
    let out = Buffer<UInt8>()
    append(to: out)
    return withExtendedLifetime(out) { String(decoding: out.span, as: UTF8.self) }
  }

  /// The nearest double.
  package var double: Double {
    if mantissa.magnitude < 1 << 53, scale <= 22 {
      return Double(Int64(mantissa)) / FloatText.powersOfTen[scale]
    }
    return Double(text) ?? 0
  }

  /// A double rounded to `digits` significant ones (15 for float8, 6 for float4), as PostgreSQL casts.
  package init(_ value: Double, digits: Int) throws {
    guard value.isFinite else {
      throw SQLError.unsupported("numeric \(value.isNaN ? "NaN" : "Infinity") is not supported")
    }
    guard value != 0 else {
      self.init(mantissa: 0, scale: 0)
      return
    }
    guard value.magnitude < 1e38 else { throw SQLError.outOfRange(.numeric) }
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
    if scale < 0 {
      mantissa *= Self.powers[-scale]
      scale = 0
    }
    try self.init(checking: value < 0 ? -mantissa : mantissa, scale: scale)
  }
}
