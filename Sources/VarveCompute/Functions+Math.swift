// Mathematical functions of floats and integers.

import CVarve
import VarveCore

extension FunctionTable {
  /// One double to another, word by word.
  private mutating func addUnary(_ names: [String], _ op: @escaping @Sendable (Double) throws -> Double) {
    for name in names {
      add(name, [.float8], .float8) { columns, n, _ in
        try Evaluation.throwingWords1(columns[0], n, .float8) { try op(Double(bitPattern: $0)).bitPattern }
      }
    }
  }

  mutating func addMath() {
    for (name, rule) in [
      ("round", FloatingPointRoundingRule.toNearestOrEven), ("ceil", .up), ("ceiling", .up), ("floor", .down),
      ("trunc", .towardZero),
    ] {
      add(name, [.float8], .float8) { columns, n, _ in
        Evaluation.words1(columns[0], n, .float8) { Double(bitPattern: $0).rounded(rule).bitPattern }
      }
    }
    addUnary(["sign"]) { $0 > 0 ? 1 : ($0 < 0 ? -1 : 0) }
    addUnary(["sqrt"]) {
      if $0 < 0 { throw SQLError.make("2201F", "cannot take square root of a negative number") }
      return $0.squareRoot()
    }
    addUnary(["cbrt"]) { cvarve_cbrt($0) }
    for (symbol, name) in [("|/", "sqrt"), ("||/", "cbrt")] {
      if let function = scalars[name]?.first(where: { $0.argumentTypes == [.float8] }) {
        addOperator(symbol, [.float8], .float8, function.evaluate)
      }
    }
    addUnary(["exp"]) {
      let result = Transcendental.exp($0)
      if result.isInfinite, !$0.isInfinite { throw SQLError.outOfRange(.float8) }
      if result == 0, !$0.isInfinite { throw SQLError.underflow }
      return result
    }
    @Sendable func logarithm(_ value: Double, _ op: @Sendable (Double) -> Double) throws -> Double {
      if value == 0 { throw SQLError.make("2201E", "cannot take logarithm of zero") }
      if value < 0 { throw SQLError.make("2201E", "cannot take logarithm of a negative number") }
      return op(value)
    }
    addUnary(["ln"]) { try logarithm($0, Transcendental.log) }
    addUnary(["log", "log10"]) { try logarithm($0, Transcendental.log10) }
    let power: Evaluation.Body = { columns, n, _ in
      try Evaluation.throwingWords2(columns[0], columns[1], n, .float8) {
        try Transcendental.power(Double(bitPattern: $0), Double(bitPattern: $1)).bitPattern
      }
    }
    for name in ["power", "pow"] { add(name, [.float8, .float8], .float8, power) }
    addOperator("^", [.float8, .float8], .float8, power)
    add("pi", [], .float8) { _, n, _ in .constant(.float(.pi), type: .float8, count: n) }
    add("width_bucket", [.float8, .float8, .float8, .int4], .int4) { columns, n, _ in
      try Evaluation.rows(columns, n, .int4) { row in
        try WidthBucket.doubles(row[0].double, row[1].double, row[2].double, row[3].integer)
      }
    }
    addTrigonometry()
    addIntegerFunctions()
    addRandom()
  }

  private mutating func addTrigonometry() {
    /// Infinite angles have no place on the circle.
    func periodic(_ name: String, _ op: @escaping @Sendable (Double) -> Double) {
      addUnary([name]) {
        if $0.isInfinite { throw SQLError.make("22003", "input is out of range") }
        return op($0)
      }
    }
    periodic("sin") { cvarve_sin($0) }
    periodic("cos") { cvarve_cos($0) }
    periodic("tan") { cvarve_tan($0) }
    periodic("cot") { 1 / cvarve_tan($0) }
    periodic("sind") { Degrees.sine($0) }
    periodic("cosd") { Degrees.cosine($0) }
    periodic("tand") { Degrees.tangent($0) }
    periodic("cotd") { Degrees.cotangent($0) }
    /// Of values between -1 and 1.
    func inverse(_ name: String, _ op: @escaping @Sendable (Double) -> Double) {
      addUnary([name]) {
        if $0 < -1 || $0 > 1 { throw SQLError.make("22003", "input is out of range") }
        return op($0)
      }
    }
    inverse("asin") { cvarve_asin($0) }
    inverse("acos") { cvarve_acos($0) }
    inverse("asind") { Degrees.arcsine($0) }
    inverse("acosd") { Degrees.arccosine($0) }
    addUnary(["atan"]) { cvarve_atan($0) }
    addUnary(["atand"]) { Degrees.arctangent($0) }
    for (name, op) in [
      ("atan2", { @Sendable in cvarve_atan2($0, $1) }), ("atan2d", { @Sendable in Degrees.arctangent($0, $1) }),
    ] as [(String, @Sendable (Double, Double) -> Double)] {
      add(name, [.float8, .float8], .float8) { columns, n, _ in
        Evaluation.words2(columns[0], columns[1], n, .float8) {
          op(Double(bitPattern: $0), Double(bitPattern: $1)).bitPattern
        }
      }
    }
    addUnary(["sinh"]) { cvarve_sinh($0) }
    addUnary(["cosh"]) { cvarve_cosh($0) }
    addUnary(["tanh"]) { cvarve_tanh($0) }
    addUnary(["asinh"]) { cvarve_asinh($0) }
    addUnary(["acosh"]) {
      if $0 < 1 { throw SQLError.make("22003", "input is out of range") }
      return cvarve_acosh($0)
    }
    addUnary(["atanh"]) {
      if $0 < -1 || $0 > 1 { throw SQLError.make("22003", "input is out of range") }
      return cvarve_atanh($0)
    }
    addUnary(["degrees"]) {
      let result = $0 / Degrees.radiansPerDegree
      if result.isInfinite, !$0.isInfinite { throw SQLError.outOfRange(.float8) }
      return result
    }
    addUnary(["radians"]) { $0 * Degrees.radiansPerDegree }
  }

  private mutating func addIntegerFunctions() {
    for type in [SQLType.int4, .int8] {
      for (name, op) in [("gcd", IntegerFunctions.gcd), ("lcm", IntegerFunctions.lcm)]
        as [(String, @Sendable (Int64, Int64) throws -> Int64)]
      {
        add(name, [type, type], type) { columns, n, _ in
          try Evaluation.throwingWords2(columns[0], columns[1], n, type) {
            let value = try op(Int64(bitPattern: $0), Int64(bitPattern: $1))
            guard IntegerKernels.fits(value, type) else { throw SQLError.outOfRange(type) }
            return UInt64(bitPattern: value)
          }
        }
      }
    }
  }

  private mutating func addRandom() {
    add("random", [], .float8, volatility: .volatile) { _, n, _ in
      var random = SystemRandomNumberGenerator()
      var builder = ColumnBuilder(.float8, capacity: n)
      for _ in 0..<n { builder.append(Double.random(in: 0..<1, using: &random)) }
      return builder.finish()
    }
    add("gen_random_uuid", [], .uuid, volatility: .volatile) { _, n, _ in
      var builder = ColumnBuilder(.uuid, capacity: n)
      for _ in 0..<n {
        var bytes = (0..<16).map { _ in UInt8.random(in: 0...255) }
        // Version 4, variant 1.
        bytes[6] = bytes[6] & 0x0F | 0x40
        bytes[8] = bytes[8] & 0x3F | 0x80
        try builder.append(text: bytes.withUnsafeBufferPointer { UUIDText.canonical(bytes: $0) })
      }
      return builder.finish()
    }
  }
}

enum IntegerFunctions {
  @Sendable static func gcd(_ a: Int64, _ b: Int64) throws -> Int64 {
    var (x, y) = (a.magnitude, b.magnitude)
    while y != 0 { (x, y) = (y, x % y) }
    guard let result = Int64(exactly: x) else { throw SQLError.outOfRange(.int8) }
    return result
  }
  @Sendable static func lcm(_ a: Int64, _ b: Int64) throws -> Int64 {
    if a == 0 || b == 0 { return 0 }
    let (product, overflow) = (try a / gcd(a, b)).multipliedReportingOverflow(by: b)
    guard !overflow, product != .min else { throw SQLError.outOfRange(.int8) }
    return abs(product)
  }
}

/// Trigonometry in degrees, exact where the answer is: sind(30) is 0.5. After PostgreSQL's float.c: angles are brought
/// into the first quadrant, and values are scaled by what the function gives at 30, 45 or 60 degrees.
enum Degrees {
  static let radiansPerDegree = 0.0174532925199432957692

  private static let sine30 = cvarve_sin(30 * radiansPerDegree)
  private static let oneMinusCosine60 = 1 - cvarve_cos(60 * radiansPerDegree)
  private static let arcsineHalf = cvarve_asin(0.5)
  private static let arccosineHalf = cvarve_acos(0.5)
  private static let tangent45 = sineOfQuadrant(45) / cosineOfQuadrant(45)
  private static let cotangent45 = cosineOfQuadrant(45) / sineOfQuadrant(45)
  private static let arctangentOne = cvarve_atan(1)

  private static func sineUpTo30(_ x: Double) -> Double { cvarve_sin(x * radiansPerDegree) / sine30 / 2 }
  private static func cosineUpTo60(_ x: Double) -> Double {
    1 - (1 - cvarve_cos(x * radiansPerDegree)) / oneMinusCosine60 / 2
  }
  private static func sineOfQuadrant(_ x: Double) -> Double { x <= 30 ? sineUpTo30(x) : cosineUpTo60(90 - x) }
  private static func cosineOfQuadrant(_ x: Double) -> Double { x <= 60 ? cosineUpTo60(x) : sineUpTo30(90 - x) }

  static func sine(_ angle: Double) -> Double {
    if angle.isNaN { return angle }
    var x = angle.truncatingRemainder(dividingBy: 360)
    var sign = 1.0
    if x < 0 { (x, sign) = (-x, -sign) }
    if x > 180 { (x, sign) = (360 - x, -sign) }
    if x > 90 { x = 180 - x }
    return sign * sineOfQuadrant(x)
  }
  static func cosine(_ angle: Double) -> Double {
    if angle.isNaN { return angle }
    var x = angle.truncatingRemainder(dividingBy: 360).magnitude
    var sign = 1.0
    if x > 180 { x = 360 - x }
    if x > 90 { (x, sign) = (180 - x, -sign) }
    return sign * cosineOfQuadrant(x)
  }
  /// The angle within the first quadrant whose tangent is that of `angle`, but for the sign.
  private static func firstQuadrant(_ angle: Double) -> (angle: Double, sign: Double) {
    var x = angle.truncatingRemainder(dividingBy: 360)
    var sign = 1.0
    if x < 0 { (x, sign) = (-x, -sign) }
    if x > 180 { (x, sign) = (360 - x, -sign) }
    if x > 90 { (x, sign) = (180 - x, -sign) }
    return (x, sign)
  }
  static func tangent(_ angle: Double) -> Double {
    if angle.isNaN { return angle }
    let (x, sign) = firstQuadrant(angle)
    let result = sign * (sineOfQuadrant(x) / cosineOfQuadrant(x) / tangent45)
    return result == 0 ? 0 : result
  }
  static func cotangent(_ angle: Double) -> Double {
    if angle.isNaN { return angle }
    let (x, sign) = firstQuadrant(angle)
    let result = sign * (cosineOfQuadrant(x) / sineOfQuadrant(x) / cotangent45)
    return result == 0 ? 0 : result
  }
  private static func arcsineOfQuadrant(_ x: Double) -> Double {
    x <= 0.5 ? cvarve_asin(x) / arcsineHalf * 30 : 90 - cvarve_acos(x) / arccosineHalf * 60
  }
  private static func arccosineOfQuadrant(_ x: Double) -> Double {
    x <= 0.5 ? 90 - cvarve_asin(x) / arcsineHalf * 30 : cvarve_acos(x) / arccosineHalf * 60
  }
  static func arcsine(_ x: Double) -> Double { x >= 0 ? arcsineOfQuadrant(x) : -arcsineOfQuadrant(-x) }
  static func arccosine(_ x: Double) -> Double {
    x >= 0 ? arccosineOfQuadrant(x) : 90 + arcsineOfQuadrant(-x)
  }
  static func arctangent(_ x: Double) -> Double { cvarve_atan(x) / arctangentOne * 45 }
  static func arctangent(_ y: Double, _ x: Double) -> Double { cvarve_atan2(y, x) / arctangentOne * 45 }
}

// The C library has the functions that the standard library lacks; this layer imports no platform module.

enum Transcendental {
  @Sendable static func exp(_ x: Double) -> Double { cvarve_exp(x) }
  @Sendable static func log(_ x: Double) -> Double { cvarve_log(x) }
  @Sendable static func log10(_ x: Double) -> Double { cvarve_log10(x) }

  static func power(_ x: Double, _ y: Double) throws -> Double {
    if x.isNaN || y.isNaN { return y == 0 || x == 1 ? 1 : .nan }
    if x == 0, y < 0 { throw SQLError.make("2201F", "zero raised to a negative power is undefined") }
    if x < 0, y.rounded(.down) != y, y.isFinite {
      throw SQLError.make("2201F", "a negative number raised to a non-integer power yields a complex result")
    }
    let result = cvarve_pow(x, y)
    if result.isInfinite, x.isFinite, y.isFinite { throw SQLError.outOfRange(.float8) }
    if result == 0, x != 0, x.isFinite, y.isFinite { throw SQLError.underflow }
    return result
  }
}
