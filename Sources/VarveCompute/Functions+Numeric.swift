// Rounding and roots of numerics.

import VarveCore

extension FunctionTable {
  mutating func addNumericFunctions() {
    func unary(_ name: String, _ op: @escaping @Sendable (Numeric) throws -> Numeric) {
      add(name, [.numeric], .numeric) { columns, n, _ in
        try Evaluation.rows1(columns[0], n, .numeric) { .numeric(try op($0.numeric)) }
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
    unary("sign") { Numeric(mantissa: $0.mantissa.signum(), scale: 0) }
    unary("sqrt") { try $0.squareRoot() }
    places("round") { try $0.rounded($1) }
    places("trunc") { try $0.truncated($1) }
    add("scale", [.numeric], .int4) { columns, n, _ in
      try Evaluation.rows1(columns[0], n, .int4) { .int(Int64($0.numeric.scale)) }
    }
    add("div", [.numeric, .numeric], .numeric) { columns, n, _ in
      try Evaluation.rows2(columns[0], columns[1], n, .numeric) {
        let a = $0.numeric
        let b = $1.numeric
        if b.mantissa == 0 { throw SQLError.divisionByZero }
        let scale = max(a.scale, b.scale)
        let x = a.wide * WideInteger.powerOfTen(scale - a.scale)
        let y = b.wide * WideInteger.powerOfTen(scale - b.scale)
        return .numeric(
          try Numeric(negative: a.isNegative != b.isNegative, magnitude: x.divided(by: y).quotient, scale: 0))
      }
    }
  }
}
