// = <> < <= > >= of every type that has an order, with PostgreSQL's cross-type operators.

import VarveCore

enum Comparison: String, CaseIterable, Sendable {
  case equal = "="
  case notEqual = "<>"
  case less = "<"
  case lessOrEqual = "<="
  case greater = ">"
  case greaterOrEqual = ">="

  /// Whether an order of -1, 0 or 1 satisfies it.
  @inline(__always) func holds(_ order: Int) -> Bool {
    switch self {
    case .equal: order == 0
    case .notEqual: order != 0
    case .less: order < 0
    case .lessOrEqual: order <= 0
    case .greater: order > 0
    case .greaterOrEqual: order >= 0
    }
  }
  var mirrored: Comparison {
    switch self {
    case .equal, .notEqual: self
    case .less: .greater
    case .lessOrEqual: .greaterOrEqual
    case .greater: .less
    case .greaterOrEqual: .lessOrEqual
    }
  }
}

extension FunctionTable {
  mutating func addComparisons() {
    for comparison in Comparison.allCases {
      func integers(_ left: SQLType, _ right: SQLType) {
        addOperator(comparison.rawValue, [left, right], .bool) { columns, n, _ in
          ComparisonKernels.integers(columns[0], columns[1], n, comparison)
        }
      }
      for left in [SQLType.int2, .int4, .int8] {
        for right in [SQLType.int2, .int4, .int8] { integers(left, right) }
      }
      for type in [SQLType.bool, .oid, .timestamptz, .timestamp, .date, .time] { integers(type, type) }
      for left in [SQLType.float4, .float8] {
        for right in [SQLType.float4, .float8] {
          addOperator(comparison.rawValue, [left, right], .bool) { columns, n, _ in
            ComparisonKernels.floats(columns[0], columns[1], n, comparison)
          }
        }
      }
      for (left, right) in [
        (SQLType.text, SQLType.text), (.name, .name), (.name, .text), (.text, .name), (.char, .char), (.uuid, .uuid),
      ] {
        addOperator(comparison.rawValue, [left, right], .bool) { columns, n, _ in
          ComparisonKernels.text(columns[0], columns[1], n, comparison, padded: false)
        }
      }
      // In their normal form equal documents are equal texts.
      if comparison == .equal || comparison == .notEqual {
        addOperator(comparison.rawValue, [.jsonb, .jsonb], .bool) { columns, n, _ in
          ComparisonKernels.text(columns[0], columns[1], n, comparison, padded: false)
        }
      }
      addOperator(comparison.rawValue, [.bpchar, .bpchar], .bool) { columns, n, _ in
        ComparisonKernels.text(columns[0], columns[1], n, comparison, padded: true)
      }
      for type in [SQLType.numeric, .interval, .bytea, .oidvector] {
        addOperator(comparison.rawValue, [type, type], .bool) { columns, n, _ in
          try ComparisonKernels.datums(columns[0], columns[1], n, comparison)
        }
      }
      // Dates and times of different kinds meet as instants.
      for (left, right) in [
        (SQLType.date, SQLType.timestamp), (.timestamp, .date), (.date, .timestamptz), (.timestamptz, .date),
        (.timestamp, .timestamptz), (.timestamptz, .timestamp),
      ] {
        let zoned = left == .timestamptz || right == .timestamptz
        let common: SQLType = zoned ? .timestamptz : .timestamp
        addOperator(comparison.rawValue, [left, right], .bool, volatility: zoned ? .stable : .immutable) {
          columns, n, context in
          let a = try TimeKernels.convert(columns[0], n, to: common, context)
          let b = try TimeKernels.convert(columns[1], n, to: common, context)
          return ComparisonKernels.integers(a, b, n, comparison)
        }
      }
    }
  }
}

enum ComparisonKernels {
  static func integers(_ a: Column, _ b: Column, _ n: Int, _ comparison: Comparison) -> Column {
    switch comparison {
    case .equal: Evaluation.words2(a, b, n, .bool) { $0 == $1 ? 1 : 0 }
    case .notEqual: Evaluation.words2(a, b, n, .bool) { $0 != $1 ? 1 : 0 }
    case .less: Evaluation.words2(a, b, n, .bool) { Int64(bitPattern: $0) < Int64(bitPattern: $1) ? 1 : 0 }
    case .lessOrEqual: Evaluation.words2(a, b, n, .bool) { Int64(bitPattern: $0) <= Int64(bitPattern: $1) ? 1 : 0 }
    case .greater: Evaluation.words2(a, b, n, .bool) { Int64(bitPattern: $0) > Int64(bitPattern: $1) ? 1 : 0 }
    case .greaterOrEqual: Evaluation.words2(a, b, n, .bool) { Int64(bitPattern: $0) >= Int64(bitPattern: $1) ? 1 : 0 }
    }
  }

  // NaN equals itself and is greater than all else.
  @inline(__always) private static func equal(_ x: UInt64, _ y: UInt64) -> Bool {
    let a = Double(bitPattern: x)
    let b = Double(bitPattern: y)
    return a == b || (a != a && b != b)
  }
  @inline(__always) private static func less(_ x: UInt64, _ y: UInt64) -> Bool {
    let a = Double(bitPattern: x)
    let b = Double(bitPattern: y)
    return a < b || (b != b && a == a)
  }

  static func floats(_ a: Column, _ b: Column, _ n: Int, _ comparison: Comparison) -> Column {
    switch comparison {
    case .equal: Evaluation.words2(a, b, n, .bool) { equal($0, $1) ? 1 : 0 }
    case .notEqual: Evaluation.words2(a, b, n, .bool) { equal($0, $1) ? 0 : 1 }
    case .less: Evaluation.words2(a, b, n, .bool) { less($0, $1) ? 1 : 0 }
    case .lessOrEqual: Evaluation.words2(a, b, n, .bool) { less($1, $0) ? 0 : 1 }
    case .greater: Evaluation.words2(a, b, n, .bool) { less($1, $0) ? 1 : 0 }
    case .greaterOrEqual: Evaluation.words2(a, b, n, .bool) { less($0, $1) ? 0 : 1 }
    }
  }

  /// `padded`: bpchar's trailing spaces do not count.
  static func text(_ a: Column, _ b: Column, _ n: Int, _ comparison: Comparison, padded: Bool) -> Column {
    if Evaluation.isConstantNull(a) || Evaluation.isConstantNull(b) { return .null(.bool, count: n) }
    func trimmed(_ bytes: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8> {
      guard padded else { return bytes }
      var count = bytes.count
      while count > 0, bytes[count - 1] == 0x20 { count -= 1 }
      return UnsafeBufferPointer(start: bytes.baseAddress, count: count)
    }
    if b.constantValue != nil {
      let constant = TextView(b)
      let right = trimmed(constant.bytes(0))
      return withExtendedLifetime(constant) {
        Evaluation.textPredicate(a, n) { comparison.holds(Ordering.bytes(trimmed($0), right)) }
      }
    }
    if a.constantValue != nil { return text(b, a, n, comparison.mirrored, padded: padded) }
    let x = TextView(a)
    let y = TextView(b)
    let out = Buffer<UInt64>(repeating: 0, count: n)
    for i in 0..<n where !a.isNull(at: i) && !b.isNull(at: i) {
      out.base[i] = comparison.holds(Ordering.bytes(trimmed(x.bytes(i)), trimmed(y.bytes(i)))) ? 1 : 0
    }
    return Column(type: .bool, count: n, storage: .words(out), nulls: Evaluation.nulls(a, b))
  }

  static func datums(_ a: Column, _ b: Column, _ n: Int, _ comparison: Comparison) throws -> Column {
    try Evaluation.rows2(a, b, n, .bool) { .bool(comparison.holds(Ordering.datums($0, $1))) }
  }

  /// IS NOT DISTINCT FROM: never NULL.
  static func same(_ a: Column, _ b: Column, _ n: Int) -> Column {
    let x = a.constantValue == nil ? a : a.materialized()
    let y = b.constantValue == nil ? b : b.materialized()
    let out = Buffer<UInt64>(capacity: n)
    for i in 0..<n { out.append(x.isSame(i, y, i) ? 1 : 0) }
    return Column(type: .bool, count: n, storage: .words(out))
  }
}

extension Column {
  /// Row by row IS NOT DISTINCT FROM of two columns of one type; a bool column without NULLs.
  package func isNotDistinct(from other: Column) -> Column {
    precondition(count == other.count, "columns of one batch")
    return ComparisonKernels.same(self, other, count)
  }
}
