// + - * / % on integers, floats and numerics, unary minus and plus, bit operators. Integer overflow and
// out-of-range floats throw 22003, division by zero 22012, as in PostgreSQL.

import VarveCore

extension FunctionTable {
  mutating func addArithmetic() {
    let integers: [SQLType] = [.int2, .int4, .int8]
    for (i, left) in integers.enumerated() {
      for (j, right) in integers.enumerated() {
        let type = integers[max(i, j)]
        addOperator("+", [left, right], type) { c, n, _ in try IntegerKernels.add(c[0], c[1], n, type) }
        addOperator("-", [left, right], type) { c, n, _ in try IntegerKernels.subtract(c[0], c[1], n, type) }
        addOperator("*", [left, right], type) { c, n, _ in try IntegerKernels.multiply(c[0], c[1], n, type) }
        addOperator("/", [left, right], type) { c, n, _ in try IntegerKernels.divide(c[0], c[1], n, type) }
      }
      addOperator("%", [left, left], left) { c, n, _ in try IntegerKernels.remainder(c[0], c[1], n, left) }
      add("mod", [left, left], left) { c, n, _ in try IntegerKernels.remainder(c[0], c[1], n, left) }
      addOperator("&", [left, left], left) { columns, n, _ in
        Evaluation.words2(columns[0], columns[1], n, left) { $0 & $1 }
      }
      addOperator("|", [left, left], left) { columns, n, _ in
        Evaluation.words2(columns[0], columns[1], n, left) { $0 | $1 }
      }
      addOperator("#", [left, left], left) { columns, n, _ in
        Evaluation.words2(columns[0], columns[1], n, left) { $0 ^ $1 }
      }
      addOperator("~", [left], left) { columns, n, _ in Evaluation.words1(columns[0], n, left) { ~$0 } }
      addOperator("+", [left], left) { columns, _, _ in columns[0] }
      addOperator("-", [left], left) { c, n, _ in try IntegerKernels.negate(c[0], n, left) }
      addOperator("@", [left], left) { c, n, _ in try IntegerKernels.absolute(c[0], n, left) }
      add("abs", [left], left) { c, n, _ in try IntegerKernels.absolute(c[0], n, left) }
      // Shifts take an integer count, of which PostgreSQL's C uses the low bits.
      let width: UInt64 = left == .int8 ? 63 : 31
      addOperator("<<", [left, .int4], left) { columns, n, _ in
        Evaluation.words2(columns[0], columns[1], n, left) { x, count in
          let shifted = Int64(bitPattern: x) << Int64(count & width)
          return UInt64(bitPattern: IntegerKernels.wrap(shifted, left))
        }
      }
      addOperator(">>", [left, .int4], left) { columns, n, _ in
        Evaluation.words2(columns[0], columns[1], n, left) { x, count in
          UInt64(bitPattern: Int64(bitPattern: x) >> Int64(count & width))
        }
      }
    }
    for left in [SQLType.float4, .float8] {
      for right in [SQLType.float4, .float8] {
        let type: SQLType = left == .float4 && right == .float4 ? .float4 : .float8
        addOperator("+", [left, right], type) { c, n, _ in try FloatKernels.add(c[0], c[1], n, type) }
        addOperator("-", [left, right], type) { c, n, _ in try FloatKernels.subtract(c[0], c[1], n, type) }
        addOperator("*", [left, right], type) { c, n, _ in try FloatKernels.multiply(c[0], c[1], n, type) }
        addOperator("/", [left, right], type) { c, n, _ in try FloatKernels.divide(c[0], c[1], n, type) }
      }
      addOperator("+", [left], left) { columns, _, _ in columns[0] }
      addOperator("-", [left], left) { columns, n, _ in
        Evaluation.words1(columns[0], n, left) { $0 ^ (1 << 63) }
      }
      for name in ["abs", "@"] {
        let body: Evaluation.Body = { columns, n, _ in
          Evaluation.words1(columns[0], n, left) { $0 & ~(1 << 63) }
        }
        if name == "@" { addOperator(name, [left], left, body) } else { add(name, [left], left, body) }
      }
    }
    addNumericArithmetic()
  }

  private mutating func addNumericArithmetic() {
    let types: [SQLType] = [.numeric, .numeric]
    let operations: [(String, @Sendable (Numeric, Numeric) throws -> Numeric)] = [
      ("+", Numeric.adding), ("-", Numeric.subtracting), ("*", Numeric.multiplying), ("/", Numeric.dividing),
      ("%", Numeric.remainder),
    ]
    for (symbol, operation) in operations {
      addOperator(symbol, types, .numeric) { columns, n, _ in
        try Evaluation.rows2(columns[0], columns[1], n, .numeric) {
          .numeric(try operation($0.numeric, $1.numeric))
        }
      }
    }
    add("mod", types, .numeric) { columns, n, _ in
      try Evaluation.rows2(columns[0], columns[1], n, .numeric) {
        .numeric(try Numeric.remainder($0.numeric, $1.numeric))
      }
    }
    addOperator("+", [.numeric], .numeric) { columns, _, _ in columns[0] }
    addOperator("-", [.numeric], .numeric) { columns, n, _ in
      try Evaluation.rows1(columns[0], n, .numeric) { .numeric($0.numeric.negated()) }
    }
    add("abs", [.numeric], .numeric) { columns, n, _ in
      try Evaluation.rows1(columns[0], n, .numeric) { .numeric($0.numeric.magnitude()) }
    }
    addOperator("@", [.numeric], .numeric) { columns, n, _ in
      try Evaluation.rows1(columns[0], n, .numeric) { .numeric($0.numeric.magnitude()) }
    }
  }
}

enum IntegerKernels {
  @inline(__always) static func fits(_ value: Int64, _ type: SQLType) -> Bool {
    switch type {
    case .int2: Int16(exactly: value) != nil
    case .int4: Int32(exactly: value) != nil
    default: true
    }
  }
  static func wrap(_ value: Int64, _ type: SQLType) -> Int64 {
    switch type {
    case .int2: Int64(Int16(truncatingIfNeeded: value))
    case .int4: Int64(Int32(truncatingIfNeeded: value))
    default: value
    }
  }
  /// Half the number of values of a narrow type; adding it brings all its values to non-negative ones.
  @inline(__always) private static func half(_ type: SQLType) -> Int64 { type == .int2 ? 1 << 15 : 1 << 31 }
  @inline(__always) private static func width(_ type: SQLType) -> Int64 { type == .int2 ? 16 : 32 }

  private static func check(
    _ a: Column, _ b: Column, _ n: Int, _ type: SQLType, _ op: (Int64, Int64) -> (partialValue: Int64, overflow: Bool)
  ) throws {
    try Evaluation.recheck(a, b, n) {
      let (value, overflow) = op(Int64(bitPattern: $0), Int64(bitPattern: $1))
      if overflow || !fits(value, type) { throw SQLError.outOfRange(type) }
    }
  }

  static func add(_ a: Column, _ b: Column, _ n: Int, _ type: SQLType) throws -> Column {
    var bad: Int64 = 0
    let result: Column
    if type == .int8 {
      result = Evaluation.words2(a, b, n, type) { x, y in
        let r = x &+ y
        bad |= Int64(bitPattern: (x ^ r) & (y ^ r))
        return r
      }
      bad = bad < 0 ? 1 : 0
    } else {
      let half = half(type)
      let width = width(type)
      result = Evaluation.words2(a, b, n, type) { x, y in
        let r = x &+ y
        bad |= (Int64(bitPattern: r) &+ half) &>> width
        return r
      }
    }
    if bad != 0 { try check(a, b, n, type) { $0.addingReportingOverflow($1) } }
    return result
  }

  static func subtract(_ a: Column, _ b: Column, _ n: Int, _ type: SQLType) throws -> Column {
    var bad: Int64 = 0
    let result: Column
    if type == .int8 {
      result = Evaluation.words2(a, b, n, type) { x, y in
        let r = x &- y
        bad |= Int64(bitPattern: (x ^ y) & (x ^ r))
        return r
      }
      bad = bad < 0 ? 1 : 0
    } else {
      let half = half(type)
      let width = width(type)
      result = Evaluation.words2(a, b, n, type) { x, y in
        let r = x &- y
        bad |= (Int64(bitPattern: r) &+ half) &>> width
        return r
      }
    }
    if bad != 0 { try check(a, b, n, type) { $0.subtractingReportingOverflow($1) } }
    return result
  }

  static func multiply(_ a: Column, _ b: Column, _ n: Int, _ type: SQLType) throws -> Column {
    var bad = false
    let narrow = type != .int8
    let half = half(type)
    let width = width(type)
    let result = Evaluation.words2(a, b, n, type) { x, y in
      let (r, overflow) = Int64(bitPattern: x).multipliedReportingOverflow(by: Int64(bitPattern: y))
      bad = bad || overflow || (narrow && (r &+ half) &>> width != 0)
      return UInt64(bitPattern: r)
    }
    if bad { try check(a, b, n, type) { $0.multipliedReportingOverflow(by: $1) } }
    return result
  }

  /// The divisor, where it is the same for all rows.
  private static func constantDivisor(_ column: Column) -> ConstantDivisor? {
    guard let constant = column.constantValue, !constant.isNull else { return nil }
    return ConstantDivisor(Int64(bitPattern: ColumnBuilder.word(constant)))
  }

  static func divide(_ a: Column, _ b: Column, _ n: Int, _ type: SQLType) throws -> Column {
    if let divisor = constantDivisor(b) {
      return Evaluation.words2(a, b, n, type) { x, _ in
        UInt64(bitPattern: divisor.quotient(Int64(bitPattern: x)))
      }
    }
    var bad = false
    let result = Evaluation.words2(a, b, n, type) { x, y in
      let (r, overflow) = Int64(bitPattern: x).dividedReportingOverflow(by: Int64(bitPattern: y))
      bad = bad || overflow || !fits(r, type)
      return UInt64(bitPattern: r)
    }
    if bad {
      try Evaluation.recheck(a, b, n) {
        if $1 == 0 { throw SQLError.divisionByZero }
        let (value, overflow) = Int64(bitPattern: $0).dividedReportingOverflow(by: Int64(bitPattern: $1))
        if overflow || !fits(value, type) { throw SQLError.outOfRange(type) }
      }
    }
    return result
  }

  static func remainder(_ a: Column, _ b: Column, _ n: Int, _ type: SQLType) throws -> Column {
    if let divisor = constantDivisor(b) {
      return Evaluation.words2(a, b, n, type) { x, _ in
        UInt64(bitPattern: divisor.remainder(Int64(bitPattern: x)))
      }
    }
    var bad = false
    let result = Evaluation.words2(a, b, n, type) { x, y in
      if y == 0 {
        bad = true
        return 0
      }
      // The least value modulo -1 is 0, not an overflow.
      return y == UInt64.max ? 0 : UInt64(bitPattern: Int64(bitPattern: x) % Int64(bitPattern: y))
    }
    if bad { try Evaluation.recheck(a, b, n) { if $1 == 0 { throw SQLError.divisionByZero } } }
    return result
  }

  static func negate(_ a: Column, _ n: Int, _ type: SQLType) throws -> Column {
    var bad = false
    let result = Evaluation.words1(a, n, type) { x in
      let r = 0 &- Int64(bitPattern: x)
      bad = bad || !fits(r, type) || (r == .min)
      return UInt64(bitPattern: r)
    }
    if bad {
      try Evaluation.recheck(a, n) {
        let (r, overflow) = Int64(0).subtractingReportingOverflow(Int64(bitPattern: $0))
        if overflow || !fits(r, type) { throw SQLError.outOfRange(type) }
      }
    }
    return result
  }

  static func absolute(_ a: Column, _ n: Int, _ type: SQLType) throws -> Column {
    try Evaluation.throwingWords1(a, n, type) {
      let value = Int64(bitPattern: $0)
      guard value != .min, fits(abs(value), type) else { throw SQLError.outOfRange(type) }
      return UInt64(bitPattern: abs(value))
    }
  }
}

enum FloatKernels {
  /// The value as its type holds it.
  @inline(__always) static func narrow(_ value: Double, _ type: SQLType) -> Double {
    type == .float4 ? Double(Float(value)) : value
  }

  /// A result that its operands do not excuse.
  private static func check(
    _ a: Column, _ b: Column, _ n: Int, _ type: SQLType, underflow: Bool, _ op: (Double, Double) -> Double
  ) throws {
    try Evaluation.recheck(a, b, n) {
      let x = Double(bitPattern: $0)
      let y = Double(bitPattern: $1)
      let r = narrow(op(x, y), type)
      if r.isInfinite, !x.isInfinite, !y.isInfinite { throw SQLError.outOfRange(.float8) }
      if underflow, r == 0, x != 0, y != 0, !x.isInfinite, !y.isInfinite { throw SQLError.underflow }
    }
  }

  @inline(__always)
  private static func run(
    _ a: Column, _ b: Column, _ n: Int, _ type: SQLType, underflow: Bool, _ op: (Double, Double) -> Double
  ) throws -> Column {
    var suspicious: UInt64 = 0
    let result: Column
    if type == .float4 {
      result = Evaluation.words2(a, b, n, type) {
        let x = Double(bitPattern: $0)
        let y = Double(bitPattern: $1)
        let r = Double(Float(op(x, y)))
        suspicious |= (r.magnitude < .infinity ? 0 : 1) | (underflow && r == 0 && x != 0 && y != 0 ? 1 : 0)
        return r.bitPattern
      }
    } else {
      result = Evaluation.words2(a, b, n, type) {
        let x = Double(bitPattern: $0)
        let y = Double(bitPattern: $1)
        let r = op(x, y)
        suspicious |= (r.magnitude < .infinity ? 0 : 1) | (underflow && r == 0 && x != 0 && y != 0 ? 1 : 0)
        return r.bitPattern
      }
    }
    if suspicious != 0 { try check(a, b, n, type, underflow: underflow, op) }
    return result
  }

  static func add(_ a: Column, _ b: Column, _ n: Int, _ type: SQLType) throws -> Column {
    try run(a, b, n, type, underflow: false) { $0 + $1 }
  }
  static func subtract(_ a: Column, _ b: Column, _ n: Int, _ type: SQLType) throws -> Column {
    try run(a, b, n, type, underflow: false) { $0 - $1 }
  }
  static func multiply(_ a: Column, _ b: Column, _ n: Int, _ type: SQLType) throws -> Column {
    try run(a, b, n, type, underflow: true) { $0 * $1 }
  }
  static func divide(_ a: Column, _ b: Column, _ n: Int, _ type: SQLType) throws -> Column {
    var zero: UInt64 = 0
    var vanished: UInt64 = 0
    let result = try run(a, b, n, type, underflow: false) {
      zero |= $1 == 0 ? 1 : 0
      let r = narrow($1 == 0 ? 1 : $0 / $1, type)
      vanished |= r == 0 && $0 != 0 ? 1 : 0
      return r
    }
    if vanished != 0 {
      try Evaluation.recheck(a, b, n) {
        let x = Double(bitPattern: $0)
        let y = Double(bitPattern: $1)
        if x != 0, !y.isInfinite, narrow(x / y, type) == 0 { throw SQLError.underflow }
      }
    }
    if zero != 0 {
      try Evaluation.recheck(a, b, n) {
        if Double(bitPattern: $1) == 0, !Double(bitPattern: $0).isNaN { throw SQLError.divisionByZero }
      }
      // Only NaN is left over zero.
      return Evaluation.words2(a, b, n, type) {
        narrow(Double(bitPattern: $0) / Double(bitPattern: $1), type).bitPattern
      }
    }
    return result
  }
}
