// Mathematical functions of floats and numerics.

import CVarve
import VarveCore

extension FunctionTable {
  mutating func addMath() {
    func unary(_ names: [String], _ op: @escaping @Sendable (Double) throws -> Double) {
      for name in names {
        add(name, [.float8], .float8) { columns, n, _ in
          try Evaluation.throwingWords1(columns[0], n, .float8) { try op(Double(bitPattern: $0)).bitPattern }
        }
      }
    }
    for (name, rule) in [
      ("round", FloatingPointRoundingRule.toNearestOrEven), ("ceil", .up), ("ceiling", .up), ("floor", .down),
      ("trunc", .towardZero),
    ] {
      add(name, [.float8], .float8) { columns, n, _ in
        Evaluation.words1(columns[0], n, .float8) { Double(bitPattern: $0).rounded(rule).bitPattern }
      }
    }
    unary(["sign"]) { $0.isNaN ? $0 : ($0 > 0 ? 1 : ($0 < 0 ? -1 : 0)) }
    unary(["sqrt"]) {
      if $0 < 0 { throw SQLError.make("2201F", "cannot take square root of a negative number") }
      return $0.squareRoot()
    }
    unary(["exp"]) {
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
    unary(["ln"]) { try logarithm($0, Transcendental.log) }
    unary(["log", "log10"]) { try logarithm($0, Transcendental.log10) }
    let power: Evaluation.Body = { columns, n, _ in
      try Evaluation.throwingWords2(columns[0], columns[1], n, .float8) {
        try Transcendental.power(Double(bitPattern: $0), Double(bitPattern: $1)).bitPattern
      }
    }
    for name in ["power", "pow"] { add(name, [.float8, .float8], .float8, power) }
    addOperator("^", [.float8, .float8], .float8, power)
    add("pi", [], .float8) { _, n, _ in .constant(.float(.pi), type: .float8, count: n) }
  }
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
