// The errors that evaluation gives, spelled as PostgreSQL spells them, with its SQLSTATE.

import VarveCore

package enum SQLError {
  package static func make(_ sqlState: String, _ message: String, hint: String? = nil) -> VarveError {
    VarveError(.query, message, hint: hint, sqlState: sqlState)
  }
  /// 22003 for a value that its type cannot hold.
  static func outOfRange(_ type: SQLType) -> VarveError {
    switch type {
    case .numeric: make("22003", "value overflows numeric format")
    case .float4, .float8: make("22003", "value out of range: overflow")
    case .timestamptz, .timestamp: make("22008", "timestamp out of range")
    case .date: make("22008", "date out of range")
    case .time: make("22008", "time out of range")
    case .interval: make("22008", "interval out of range")
    case .oid, .regclass, .regtype, .regproc: make("22003", "OID out of range")
    default: make("22003", "\(type.name) out of range")
    }
  }
  static var divisionByZero: VarveError { make("22012", "division by zero") }
  static var underflow: VarveError { make("22003", "value out of range: underflow") }
  static func invalidText(_ text: String, _ type: SQLType) -> VarveError {
    make("22P02", "invalid input syntax for type \(type.name): \"\(text)\"")
  }
  static func unknownZone(_ name: String) -> VarveError { make("22023", "time zone \"\(name)\" not recognized") }
  static func unsupported(_ what: String, hint: String? = nil) -> VarveError {
    VarveError(.unsupported, what, hint: hint, sqlState: "0A000")
  }
}
