/// The type of a field's values. The raw value is written to files (FORMAT.md, "Primitives"): never renumber.
package enum FieldType: UInt8, Sendable, CaseIterable {
  case float64 = 1  // double precision
  case int64 = 2  // bigint
  case uint64 = 3  // numeric(20,0): line protocol's `u`
  case bool = 4  // boolean
  case text = 5  // text
  case timestamp = 6  // timestamptz, nanoseconds (QuestDB's `123t`)

  /// The name SQL users know the type by.
  package var sqlName: String {
    switch self {
    case .float64: "double precision"
    case .int64: "bigint"
    case .uint64: "numeric(20,0)"
    case .bool: "boolean"
    case .text: "text"
    case .timestamp: "timestamptz"
    }
  }
}

/// What one cell of a batch, head block or page says. The raw value is written to files: never renumber.
///
/// *Absent* lets older rows of the same identity show through; *null* (an explicit NULL in INSERT) hides them.
@usableFromInline package enum CellState: UInt8, Sendable {
  case absent = 0
  case value = 1
  case null = 2
}
