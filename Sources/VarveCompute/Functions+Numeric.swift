// Functions of numerics.

import VarveCore

extension FunctionTable {
  mutating func addNumericFunctions() {
    func unary(_ name: String, _ op: @escaping @Sendable (Numeric) throws -> Numeric) {
      add(name, [.numeric], .numeric) { columns, n, _ in
        try Evaluation.rows1(columns[0], n, .numeric) { .numeric(try op($0.numeric)) }
      }
    }
    func binary(_ name: String, _ op: @escaping @Sendable (Numeric, Numeric) throws -> Numeric) {
      let body: Evaluation.Body = { columns, n, _ in
        try Evaluation.rows2(columns[0], columns[1], n, .numeric) { .numeric(try op($0.numeric, $1.numeric)) }
      }
      if name == "^" {
        addOperator(name, [.numeric, .numeric], .numeric, body)
      } else {
        add(name, [.numeric, .numeric], .numeric, body)
      }
    }
    func places(_ name: String, _ op: @escaping @Sendable (Numeric, Int) throws -> Numeric) {
      add(name, [.numeric, .int4], .numeric) { columns, n, _ in
        try Evaluation.rows2(columns[0], columns[1], n, .numeric) {
          .numeric(try op($0.numeric, Int($1.integer)))
        }
      }
    }
    unary("round") { try $0.rounded(0) }
    unary("trunc") { try $0.truncated(0) }
    unary("floor") { try $0.floored() }
    unary("ceil") { try $0.ceiled() }
    unary("ceiling") { try $0.ceiled() }
    unary("sign") { $0.isNaN ? .nan : Numeric(Int64($0.signum)) }
    unary("sqrt") { try $0.squareRoot() }
    unary("exp") { try $0.exponential() }
    unary("ln") { try $0.naturalLogarithm() }
    for name in ["log", "log10"] { unary(name) { try Numeric.logarithm(base: Numeric(Int64(10)), $0) } }
    binary("log") { try Numeric.logarithm(base: $0, $1) }
    for name in ["power", "pow", "^"] { binary(name) { try Numeric.power($0, $1) } }
    unary("trim_scale") { try $0.trimmed() }
    places("round") { try $0.rounded($1) }
    places("trunc") { try $0.truncated($1) }
    binary("div") { try Numeric.wholeQuotient($0, $1) }
    binary("gcd") { try Numeric.greatestCommonDivisor($0, $1) }
    binary("lcm") { try Numeric.leastCommonMultiple($0, $1) }
    for (name, measure) in [("scale", \Numeric.scale), ("min_scale", \Numeric.minimumScale)]
      as [(String, KeyPath<Numeric, Int> & Sendable)]
    {
      add(name, [.numeric], .int4) { columns, n, _ in
        try Evaluation.rows1(columns[0], n, .int4) {
          $0.numeric.isFinite ? .int(Int64($0.numeric[keyPath: measure])) : .null
        }
      }
    }
    add("factorial", [.int8], .numeric) { columns, n, _ in
      try Evaluation.rows1(columns[0], n, .numeric) { .numeric(try Numeric.factorial($0.integer)) }
    }
    add("width_bucket", [.numeric, .numeric, .numeric, .int4], .int4) { columns, n, _ in
      try Evaluation.rows(columns, n, .int4) { row in
        try WidthBucket.numerics(row[0].numeric, row[1].numeric, row[2].numeric, row[3].integer)
      }
    }
  }
}

/// width_bucket: 1 to count within the bounds, 0 below, count + 1 above; bounds may descend.
enum WidthBucket {
  private static func check(_ count: Int64) throws {
    guard count > 0 else { throw SQLError.make("2201G", "count must be greater than zero") }
  }
  private static var equalBounds: VarveError {
    SQLError.make("2201G", "lower bound cannot equal upper bound")
  }
  private static func above(_ count: Int64) throws -> Datum {
    guard count < Int64(Int32.max) else { throw SQLError.outOfRange(.int4) }
    return .int(count + 1)
  }

  static func doubles(_ value: Double, _ low: Double, _ high: Double, _ count: Int64) throws -> Datum {
    try check(count)
    if value.isNaN || low.isNaN || high.isNaN {
      throw SQLError.make("2201G", "operand, lower bound, and upper bound cannot be NaN")
    }
    if low.isInfinite || high.isInfinite { throw SQLError.make("2201G", "lower and upper bounds must be finite") }
    if low == high { throw equalBounds }
    let (from, to, at) = low < high ? (low, high, value) : (-low, -high, -value)
    if at < from { return .int(0) }
    if at >= to { return try above(count) }
    // Halves keep the difference of large bounds finite.
    let width = to / 2 - from / 2
    let place = (at / 2 - from / 2) / width * Double(count)
    return .int(min(Int64(place), count - 1) + 1)
  }

  static func numerics(_ value: Numeric, _ low: Numeric, _ high: Numeric, _ count: Int64) throws -> Datum {
    try check(count)
    if value.isNaN || low.isNaN || high.isNaN {
      throw SQLError.make("2201G", "operand, lower bound, and upper bound cannot be NaN")
    }
    guard low.isFinite, high.isFinite else {
      throw SQLError.make("2201G", "lower and upper bounds must be finite")
    }
    if low == high { throw equalBounds }
    let ascends = low < high
    if ascends ? value < low : value > low { return .int(0) }
    if ascends ? value >= high : value <= high { return try above(count) }
    let part = try Numeric.multiplying(Numeric.subtracting(value, low), Numeric(count)).magnitude()
    let bucket = try Numeric.wholeQuotient(part, Numeric.subtracting(high, low).magnitude())
    return .int(min(Int64(clamping: bucket.mantissa), count - 1) + 1)
  }
}
