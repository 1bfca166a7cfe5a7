// Types and values of dimension tables in SQL's words.

import VarveCompute
import VarveCore
import VarveFormat
import VarveStorage

extension DimensionType {
  var sqlType: SQLType {
    switch self {
    case .boolean: .bool
    case .smallint: .int2
    case .integer: .int4
    case .bigint: .int8
    case .real: .float4
    case .double: .float8
    case .text: .text
    case .timestamptz: .timestamptz
    case .date: .date
    case .numeric(let precision, let scale):
      precision.map { .numeric(precision: Int($0), scale: Int(scale)) } ?? .numeric
    }
  }

  /// nil for a type that no column can have.
  init?(_ type: SQLType) {
    switch type {
    case .bool: self = .boolean
    case .int2: self = .smallint
    case .int4: self = .integer
    case .int8: self = .bigint
    case .float4: self = .real
    case .float8: self = .double
    case .text, .varchar: self = .text
    case .timestamptz: self = .timestamptz
    case .date: self = .date
    case .numeric(let precision, let scale):
      self = .numeric(precision: precision.map { UInt16($0) }, scale: Int16(scale ?? 0))
    default: return nil
    }
  }
}

extension DimensionValue {
  /// The datum is of a column's type or null.
  init(_ datum: Datum) {
    switch datum {
    case .bool(let flag): self = .boolean(flag)
    case .int(let number), .timestamp(let number): self = .integer(number)
    case .date(let days): self = .integer(Int64(days))
    case .float(let number): self = .float(number.bitPattern)
    case .text(let text): self = .bytes(Array(text.utf8))
    case .numeric(let number): self = .bytes(Array(number.text.utf8))
    default: self = .null
    }
  }
}

extension ColumnBuilder {
  /// A value of a dimension table's column. Throws `.corruption` for one that is not of the column's type.
  mutating func append(_ cell: DimensionCell, _ type: DimensionType, _ context: EvaluationContext) throws {
    switch (cell, type.storage) {
    case (.null, _): appendNull()
    case (.boolean(let flag), .boolean): append(flag)
    case (.integer(let number), .integer): append(number)
    case (.float(let bits), .float): append(word: bits)
    case (.bytes(let bytes), .bytes):
      let text = bytes.assumingMemoryBound(to: UInt8.self)
      if case .numeric = type {
        try append(try TypeText.parse(bytes: text, as: .numeric, context: context))
      } else {
        try append(text: text)
      }
    default: throw VarveError(.corruption, "a value of a dimension table contradicts its column")
    }
  }

  mutating func append(_ value: DimensionValue, _ type: DimensionType, _ context: EvaluationContext) throws {
    guard case .bytes(let bytes) = value else {
      return try append(value.cell, type, context)
    }
    try bytes.withUnsafeBytes { try append(.bytes($0), type, context) }
  }
}

extension DimensionValue {
  /// As a cell, where no bytes are in it.
  fileprivate var cell: DimensionCell {
    switch self {
    case .null: .null
    case .boolean(let flag): .boolean(flag)
    case .integer(let number): .integer(number)
    case .float(let bits): .float(bits)
    case .bytes: preconditionFailure("bytes need their owner")
    }
  }
}

extension DimensionSchema {
  var sqlColumns: [(name: String, type: SQLType)] { columns.map { ($0.name, $0.type.sqlType) } }

  /// What PostgreSQL calls the index of a primary key.
  var keyName: String { "\(name)_pkey" }

  func isKey(_ column: ColumnID) -> Bool { key.contains(column) }
}
