// The types of SQL values, with PostgreSQL's object ids, names and sizes (pg_type.dat of PostgreSQL 15).

/// The type of an expression or result column.
package indirect enum SQLType: Hashable, Sendable {
  case bool, int2, int4, int8, float4, float8
  /// nil scale: unconstrained.
  case numeric(precision: Int?, scale: Int?)
  case text, varchar, bpchar, name, char  // `char` is PostgreSQL's one-byte "char"
  case timestamptz, timestamp, date, time, interval
  case uuid, json, jsonb
  /// Points in time with their values, as lttb gives them: unnest makes rows of them.
  case timevector
  case bytea, oid, regclass, regtype, regproc, int2vector, oidvector
  /// A literal or parameter whose type is not decided yet.
  case unknown
  case void
  case array(SQLType)

  package static let numeric: SQLType = .numeric(precision: nil, scale: nil)
}
