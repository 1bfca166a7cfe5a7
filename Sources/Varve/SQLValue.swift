// Values as they come out of SQL and go in as parameters.

import VarveCompute
import VarveCore

/// One SQL value.
public enum SQLValue: Sendable, Hashable {
  case null
  case boolean(Bool)
  case integer(Int64)
  case double(Double)
  /// A decimal in digits, as `sum` and `avg` of integers give it.
  case numeric(String)
  case text(String)
  /// Nanoseconds since 1970.
  case timestamp(Int64)
  /// Days since 1970-01-01.
  case date(Int32)
  case interval(months: Int32, days: Int32, microseconds: Int64)
  case bytes([UInt8])
  case array([SQLValue])
}

extension SQLValue {
  init(_ datum: Datum) {
    self =
      switch datum {
      case .null: .null
      case .bool(let value): .boolean(value)
      case .int(let value): .integer(value)
      case .float(let value): .double(value)
      case .numeric(let value): .numeric(value.text)
      case .text(let value): .text(value)
      case .timestamp(let value): .timestamp(value)
      case .date(let value): .date(value)
      case .interval(let value): .interval(months: value.months, days: value.days, microseconds: value.microseconds)
      case .bytea(let value): .bytes(value)
      case .array(let values): .array(values.map(SQLValue.init))
      }
  }

  /// The datum and the type that a parameter of it declares; a NULL leaves the type open.
  func parameter() throws -> (datum: Datum, type: SQLType?) {
    switch self {
    case .null: (.null, nil)
    case .boolean(let value): (.bool(value), .bool)
    case .integer(let value): (.int(value), .int8)
    case .double(let value): (.float(value), .float8)
    case .numeric(let digits): (try TypeText.parse(digits, as: .numeric, context: EvaluationContext(now: 0)), .numeric)
    case .text(let value): (.text(value), .text)
    case .timestamp(let value): (.timestamp(value), .timestamptz)
    case .date(let value): (.date(value), .date)
    case .interval(let months, let days, let microseconds):
      (.interval(Interval(months: months, days: days, microseconds: microseconds)), .interval)
    case .bytes(let value): (.bytea(value), .bytea)
    case .array:
      throw VarveError(
        .unsupported, "arrays cannot be parameters here", hint: "write the array into the query text", sqlState: "0A000"
      )
    }
  }

  /// As PostgreSQL's text format has it; nil: NULL.
  func parameterText() throws -> String? {
    let (datum, type) = try parameter()
    return try type.map { try TypeText.string(datum, type: $0, context: EvaluationContext(now: 0)) }
  }
}
