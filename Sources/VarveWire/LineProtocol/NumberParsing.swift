// Numbers from text, exactly: a double is the one nearest to the decimal (as strtod gives), an integer that does
// not fit is an error. The functions are total: any bytes give a value or a reason.

import CVarve

enum NumberProblem: Error { case syntax, range }

enum Number {
  /// 10⁰ … 10²²: the powers of ten that a double holds exactly.
  nonisolated(unsafe) static let powersOfTen: UnsafePointer<Double> = {
    let table = UnsafeMutablePointer<Double>.allocate(capacity: 23)
    var value = 1.0
    for i in 0...22 {
      (table + i).initialize(to: value)
      value *= 10
    }
    return UnsafePointer(table)
  }()

  /// The same up to 10¹⁹ as integers.
  nonisolated(unsafe) static let integerPowersOfTen: UnsafePointer<UInt64> = {
    let table = UnsafeMutablePointer<UInt64>.allocate(capacity: 20)
    var value: UInt64 = 1
    for i in 0...19 {
      (table + i).initialize(to: value)
      value = value &* 10
    }
    return UnsafePointer(table)
  }()

  /// All digits, any number of leading zeros.
  static func unsigned(_ p: UnsafePointer<UInt8>, _ count: Int) -> Result<UInt64, NumberProblem> {
    guard count > 0 else { return .failure(.syntax) }
    var value: UInt64 = 0
    var overflow = false
    for i in 0..<count {
      let digit = p[i] &- 0x30
      guard digit < 10 else { return .failure(.syntax) }
      let (product, o1) = value.multipliedReportingOverflow(by: 10)
      let (sum, o2) = product.addingReportingOverflow(UInt64(digit))
      if o1 || o2 { overflow = true }
      value = sum
    }
    return overflow ? .failure(.range) : .success(value)
  }

  /// Digits with an optional minus sign.
  static func signed(_ p: UnsafePointer<UInt8>, _ count: Int) -> Result<Int64, NumberProblem> {
    guard count > 0 else { return .failure(.syntax) }
    let negative = p[0] == 0x2D
    switch unsigned(negative ? p + 1 : p, negative ? count - 1 : count) {
    case .failure(let problem): return .failure(problem)
    case .success(let magnitude):
      if negative {
        guard magnitude <= 1 << 63 else { return .failure(.range) }
        return .success(Int64(truncatingIfNeeded: 0 &- magnitude))
      }
      guard magnitude < 1 << 63 else { return .failure(.range) }
      return .success(Int64(magnitude))
    }
  }

  /// `-? digits? (. digits?)? ([eE] [+-]? digits)?` with at least one digit before the exponent. A magnitude
  /// beyond the largest double is out of range; one below the smallest is zero.
  static func double(_ start: UnsafePointer<UInt8>, _ count: Int) -> Result<Double, NumberProblem> {
    let end = start + count
    var p = start
    let negative = p < end && p[0] == 0x2D
    if negative { p += 1 }
    var mantissa: UInt64 = 0
    var significant = 0
    var dropped = false
    var exponent = 0
    var digits = 0
    while p < end, p[0] &- 0x30 < 10 {
      digits += 1
      if significant < 19 {
        mantissa = mantissa &* 10 &+ UInt64(p[0] &- 0x30)
        if mantissa != 0 { significant += 1 }
      } else {
        exponent += 1
        if p[0] != 0x30 { dropped = true }
      }
      p += 1
    }
    if p < end, p[0] == 0x2E {
      p += 1
      while p < end, p[0] &- 0x30 < 10 {
        digits += 1
        if significant < 19 {
          mantissa = mantissa &* 10 &+ UInt64(p[0] &- 0x30)
          if mantissa != 0 { significant += 1 }
          exponent -= 1
        } else if p[0] != 0x30 {
          dropped = true
        }
        p += 1
      }
    }
    guard digits > 0 else { return .failure(.syntax) }
    if p < end, p[0] == 0x65 || p[0] == 0x45 {
      p += 1
      var negativeExponent = false
      if p < end, p[0] == 0x2B || p[0] == 0x2D {
        negativeExponent = p[0] == 0x2D
        p += 1
      }
      guard p < end else { return .failure(.syntax) }
      var written = 0
      while p < end, p[0] &- 0x30 < 10 {
        // Beyond any count of digits a line can hold, larger exponents say nothing more.
        if written < 100_000_000 { written = written * 10 + Int(p[0] &- 0x30) }
        p += 1
      }
      exponent += negativeExponent ? -written : written
    }
    guard p == end else { return .failure(.syntax) }
    if mantissa == 0 { return .success(negative ? -0.0 : 0.0) }
    if !dropped, mantissa <= 1 << 53, exponent >= -22, exponent <= 22 {
      // Clinger: both operands are exact, so the one rounding is the right one.
      let value =
        exponent < 0
        ? Double(mantissa) / powersOfTen[-exponent] : Double(mantissa) * powersOfTen[exponent]
      return .success(negative ? -value : value)
    }
    let value = withUnsafeTemporaryAllocation(of: CChar.self, capacity: count + 1) { text in
      UnsafeMutableRawPointer(text.baseAddress!).copyMemory(from: start, byteCount: count)
      text[count] = 0
      return cvarve_strtod(text.baseAddress!)
    }
    return value.isFinite ? .success(value) : .failure(.range)
  }
}
