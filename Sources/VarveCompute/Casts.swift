// Which types convert into which, and when: pg_cast, with PostgreSQL's I/O conversions beside it.

import VarveCore

enum Casts {
  /// The weakest context in which pg_cast (or an I/O conversion) allows the cast; nil: never. Modifiers aside.
  static func needed(from: SQLType, to: SQLType) -> CastContext? {
    let from = from.base
    let to = to.base
    if from == to || from == .unknown { return .implicit }
    if case .array(let a) = from, case .array(let b) = to { return needed(from: a, to: b) }
    switch (from, to) {
    case (.int2, .int4), (.int2, .int8), (.int2, .float4), (.int2, .float8), (.int2, .numeric),
      (.int4, .int8), (.int4, .float4), (.int4, .float8), (.int4, .numeric),
      (.int8, .float4), (.int8, .float8), (.int8, .numeric),
      (.float4, .float8), (.numeric, .float4), (.numeric, .float8):
      return .implicit
    case (.int2, _) where to.isOID, (.int4, _) where to.isOID, (.int8, _) where to.isOID: return .implicit
    case (.int4, .int2), (.int8, .int2), (.int8, .int4), (.float4, .int2), (.float4, .int4), (.float4, .int8),
      (.float4, .numeric), (.float8, .int2), (.float8, .int4), (.float8, .int8), (.float8, .float4),
      (.float8, .numeric), (.numeric, .int2), (.numeric, .int4), (.numeric, .int8):
      return .assignment
    case (_, .int4) where from.isOID, (_, .int8) where from.isOID: return .assignment
    case (.oid, _) where to.isOID: return .implicit
    case (_, .oid) where from.isOID: return .implicit
    case (.bool, .int4), (.int4, .bool), (.int4, .char), (.char, .int4): return .explicit
    case (.text, .bpchar), (.text, .varchar), (.text, .name), (.text, .regclass),
      (.varchar, .text), (.varchar, .bpchar), (.varchar, .name), (.varchar, .regclass),
      (.bpchar, .text), (.bpchar, .varchar), (.bpchar, .name), (.name, .text), (.char, .text):
      return .implicit
    case (.text, .char), (.varchar, .char), (.bpchar, .char), (.name, .bpchar), (.name, .varchar),
      (.char, .bpchar), (.char, .varchar):
      return .assignment
    case (.date, .timestamp), (.date, .timestamptz), (.timestamp, .timestamptz), (.time, .interval): return .implicit
    case (.timestamp, .time), (.timestamptz, .time), (.interval, .time), (.json, .jsonb), (.jsonb, .json):
      return .assignment
    case (.timestamp, .date), (.timestamptz, .date), (.timestamptz, .timestamp): return .assignment
    case (.int2vector, .array(.int2)), (.oidvector, .array(.oid)): return .implicit
    case (.array(.int2), .int2vector), (.array(.oid), .oidvector): return .explicit
    default: break
    }
    // Through text input and output.
    if from == .void || to == .void || to == .unknown { return nil }
    if to.category == "S" { return .assignment }
    if from.category == "S" { return .explicit }
    return nil
  }

  static func isImplicit(from: SQLType, to: SQLType) -> Bool { needed(from: from, to: to) == .implicit }

  static func find(from: SQLType, to: SQLType, context: CastContext) -> ScalarFunction? {
    guard let needed = needed(from: from, to: to), needed <= context else { return nil }
    guard let body = conversion(from: from, to: to) else { return nil }
    let stable =
      (from.isText && (to == .timestamptz || to == .date || to == .timestamp)) || (from == .timestamptz)
      || to == .timestamptz || (from == .interval && to.isText) || (from.isOID || to.isOID)
    return ScalarFunction(
      name: to.name, argumentTypes: [from], resultType: to, volatility: stable ? .stable : .immutable,
      evaluate: Evaluation.foldingConstants(.immutable, body))
  }
}
