/// One SQL value. For constants, parameters and the rare types; columns of the common types never hold these.
package enum Datum: Sendable, Hashable {
  case null
  case bool(Bool)
  /// int2, int4, int8, oid and the reg types.
  case int(Int64)
  /// float4, float8.
  case float(Double)
  case numeric(Numeric)
  /// text and its kin.
  case text(String)
  /// timestamptz and timestamp: nanoseconds since 1970. PostgreSQL's `infinity` is `Int64.max`, `-infinity` `.min`.
  case timestamp(Int64)
  /// Days since 1970-01-01.
  case date(Int32)
  case interval(Interval)
  case bytea([UInt8])
  case array([Datum])

  package var isNull: Bool { self == .null }

  /// The same value to the last bit: -0 is not 0, a NaN is itself, 1.0 is not 1.00, and text is bytes.
  package func isIdentical(to other: Datum) -> Bool {
    switch (self, other) {
    case (.float(let a), .float(let b)): a.bitPattern == b.bitPattern
    case (.numeric(let a), .numeric(let b)): a == b && a.scale == b.scale
    case (.text(let a), .text(let b)): a.utf8.elementsEqual(b.utf8)
    case (.array(let a), .array(let b)): a.count == b.count && zip(a, b).allSatisfy { $0.isIdentical(to: $1) }
    default: self == other
    }
  }
}

/// PostgreSQL's interval: three parts that do not convert into each other by themselves.
extension Datum {
  /// Memory that the value takes, in bytes, roughly: for query budgets.
  package var byteCount: Int {
    let own = MemoryLayout<Datum>.stride
    switch self {
    // Short strings have no memory beside.
    case .text(let text): return text.utf8.count > 15 ? own + 32 + text.utf8.count : own
    case .bytea(let bytes): return own + 32 + bytes.count
    case .array(let elements): return elements.reduce(own + 32) { $0 + $1.byteCount }
    default: return own
    }
  }
}

package struct Interval: Sendable, Hashable {
  package var months: Int32
  package var days: Int32
  package var microseconds: Int64
  package init(months: Int32 = 0, days: Int32 = 0, microseconds: Int64 = 0) {
    self.months = months
    self.days = days
    self.microseconds = microseconds
  }
}
