// What pg_type says of each type: object ids, length, category.

extension SQLType {
  /// pg_type.oid.
  package var oid: UInt32 {
    switch self {
    case .json: 114
    case .uuid: 2950
    case .jsonb: 3802
    // One of ours, below those that PostgreSQL gives to users' types.
    case .timevector: 16_300
    case .bool: 16
    case .bytea: 17
    case .char: 18
    case .name: 19
    case .int8: 20
    case .int2: 21
    case .int2vector: 22
    case .int4: 23
    case .regproc: 24
    case .text: 25
    case .oid: 26
    case .oidvector: 30
    case .float4: 700
    case .float8: 701
    case .unknown: 705
    case .bpchar: 1042
    case .varchar: 1043
    case .date: 1082
    case .time: 1083
    case .timestamp: 1114
    case .timestamptz: 1184
    case .interval: 1186
    case .numeric: 1700
    case .regclass: 2205
    case .regtype: 2206
    case .void: 2278
    case .array(let element): element.arrayOID ?? 0
    }
  }

  /// The oid of the array over this type; nil where there is none.
  package var arrayOID: UInt32? {
    switch self {
    case .json: 199
    case .uuid: 2951
    case .jsonb: 3807
    case .time: 1183
    case .bool: 1000
    case .bytea: 1001
    case .char: 1002
    case .name: 1003
    case .int2: 1005
    case .int2vector: 1006
    case .int4: 1007
    case .regproc: 1008
    case .text: 1009
    case .oidvector: 1013
    case .bpchar: 1014
    case .varchar: 1015
    case .int8: 1016
    case .float4: 1021
    case .float8: 1022
    case .oid: 1028
    case .timestamp: 1115
    case .date: 1182
    case .timestamptz: 1185
    case .interval: 1187
    case .numeric: 1231
    case .regclass: 2210
    case .regtype: 2211
    // An array of arrays is an array of what is in them.
    case .array(let element): element.arrayOID
    case .unknown, .void, .timevector: nil
    }
  }

  /// Every type that is not an array, without modifiers.
  package static let scalarTypes: [SQLType] = [
    .bool, .bytea, .char, .name, .int8, .int2, .int2vector, .int4, .regproc, .text, .oid, .oidvector, .float4,
    .float8, .unknown, .bpchar, .varchar, .date, .time, .timestamp, .timestamptz, .interval, .numeric, .regclass,
    .regtype, .void, .uuid, .json, .jsonb, .timevector,
  ]

  private static let byOID: [UInt32: SQLType] = {
    var result: [UInt32: SQLType] = [:]
    for type in scalarTypes {
      result[type.oid] = type
      if let array = type.arrayOID { result[array] = .array(type) }
    }
    return result
  }()

  /// The type with this oid, without modifier; nil for an oid that is not one of ours.
  package init?(oid: UInt32) {
    guard let type = Self.byOID[oid] else { return nil }
    self = type
  }

  /// pg_type.typlen: -1 for variable length, -2 for a C string.
  package var typlen: Int16 {
    switch self {
    case .bool, .char: 1
    case .int2: 2
    case .int4, .float4, .oid, .regclass, .regtype, .regproc, .date, .void: 4
    case .int8, .float8, .timestamp, .timestamptz, .time: 8
    case .interval, .uuid: 16
    case .name: 64
    case .unknown: -2
    default: -1
    }
  }

  /// pg_type.typcategory.
  package var category: Character {
    switch self {
    case .bool: "B"
    case .int2, .int4, .int8, .float4, .float8, .numeric, .oid, .regclass, .regtype, .regproc: "N"
    case .text, .varchar, .bpchar, .name: "S"
    case .timestamptz, .timestamp, .date, .time: "D"
    case .interval: "T"
    case .bytea, .uuid, .json, .jsonb, .timevector: "U"
    case .char: "Z"
    case .array, .int2vector, .oidvector: "A"
    case .unknown: "X"
    case .void: "P"
    }
  }

  /// pg_type.typispreferred: the type of its category that ambiguous calls lean to.
  package var isPreferred: Bool {
    switch self {
    case .bool, .float8, .oid, .text, .timestamptz, .interval: true
    default: false
    }
  }

  /// pg_attribute.atttypmod: -1 without modifier.
  package var typmod: Int32 {
    guard case .numeric(let precision?, let scale) = self else { return -1 }
    return Int32(truncatingIfNeeded: (precision << 16 | ((scale ?? 0) & 0x7FF)) + 4)
  }

  /// The type without its modifier: what functions are declared over.
  package var base: SQLType {
    switch self {
    case .numeric: .numeric
    case .array(let element): .array(element.base)
    default: self
    }
  }

  // MARK: How values of the type are held

  /// Values are words of a column.
  package var isWord: Bool {
    switch self {
    case .bool, .int2, .int4, .int8, .float4, .float8, .timestamptz, .timestamp, .date, .time, .oid, .regclass,
      .regtype, .regproc:
      true
    default: false
    }
  }
  /// Values are strings of a column: also those of a uuid in its canonical form, whose order it has, and of JSON.
  package var isText: Bool {
    switch self {
    case .text, .varchar, .bpchar, .name, .char, .unknown, .uuid, .json, .jsonb: true
    default: false
    }
  }
  /// Held as strings whose binary form on the wire is another.
  package var isTextInTextFormatOnly: Bool { self == .uuid || self == .jsonb }
  package var isInteger: Bool { self == .int2 || self == .int4 || self == .int8 }
  package var isFloat: Bool { self == .float4 || self == .float8 }
  package var isNumeric: Bool {
    if case .numeric = self { return true }
    return false
  }
  /// Object ids and their aliases with names.
  package var isOID: Bool {
    switch self {
    case .oid, .regclass, .regtype, .regproc: true
    default: false
    }
  }
  /// The element type of an array kin.
  package var element: SQLType? {
    switch self {
    case .array(let element): element
    case .int2vector: .int2
    case .oidvector: .oid
    default: nil
    }
  }
}
