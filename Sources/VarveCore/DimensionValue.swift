// Values and types of dimension tables: small tables of rows that change, beside the series.

/// The type of a dimension table's column. What is written of it to files stands in FORMAT.md, "Dimension column".
package enum DimensionType: Sendable, Hashable {
  case boolean, smallint, integer, bigint, real, double, text, timestamptz, date
  /// No precision: any number of digits.
  case numeric(precision: UInt16?, scale: Int16)

  /// What a value of the type is held as.
  package enum Storage: Sendable { case boolean, integer, float, bytes }

  package var storage: Storage {
    switch self {
    case .boolean: .boolean
    // Time stamps are nanoseconds since 1970, dates days.
    case .smallint, .integer, .bigint, .timestamptz, .date: .integer
    case .real, .double: .float
    // UTF-8; a numeric is its decimal digits.
    case .text, .numeric: .bytes
    }
  }

  /// Whether equal values have equal bytes, so that the type can stand in a primary key: 1.0 and 1.00 have not.
  package var isKey: Bool { if case .numeric = self { false } else { true } }
}

/// One value of a dimension table's row.
package enum DimensionValue: Sendable, Hashable {
  case null
  case boolean(Bool)
  case integer(Int64)
  /// The bits of a double.
  case float(UInt64)
  case bytes([UInt8])

  /// Whether a column of the type may hold it.
  package func fits(_ type: DimensionType) -> Bool {
    switch self {
    case .null: true
    case .boolean: type.storage == .boolean
    case .integer: type.storage == .integer
    case .float: type.storage == .float
    case .bytes: type.storage == .bytes
    }
  }
}
