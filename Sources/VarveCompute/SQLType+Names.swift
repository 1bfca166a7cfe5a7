// Names of types: as format_type prints them, and as people and tools write them.

import VarveCore

extension SQLType {
  /// As PostgreSQL's `format_type` spells it: `double precision`, `numeric(20,0)`, `text[]`.
  package var name: String {
    switch self {
    case .bool: "boolean"
    case .int2: "smallint"
    case .int4: "integer"
    case .int8: "bigint"
    case .float4: "real"
    case .float8: "double precision"
    case .numeric(let precision?, let scale): "numeric(\(precision),\(scale ?? 0))"
    case .numeric(nil, _): "numeric"
    case .text: "text"
    case .varchar: "character varying"
    case .bpchar: "character"
    case .name: "name"
    case .char: "\"char\""
    case .timestamptz: "timestamp with time zone"
    case .timestamp: "timestamp without time zone"
    case .date: "date"
    case .time: "time without time zone"
    case .uuid: "uuid"
    case .json: "json"
    case .jsonb: "jsonb"
    case .timevector: "timevector"
    case .interval: "interval"
    case .bytea: "bytea"
    case .oid: "oid"
    case .regclass: "regclass"
    case .regtype: "regtype"
    case .regproc: "regproc"
    case .int2vector: "int2vector"
    case .oidvector: "oidvector"
    case .unknown: "unknown"
    case .void: "void"
    case .array(let element): element.name + "[]"
    }
  }

  /// pg_type.typname: `float8`, `_text`.
  package var internalName: String {
    switch self {
    case .bool: "bool"
    case .int2: "int2"
    case .int4: "int4"
    case .int8: "int8"
    case .float4: "float4"
    case .float8: "float8"
    case .numeric: "numeric"
    case .varchar: "varchar"
    case .bpchar: "bpchar"
    case .char: "char"
    case .timestamptz: "timestamptz"
    case .timestamp: "timestamp"
    case .time: "time"
    case .array(let element): "_" + element.internalName
    default: name
    }
  }

  /// The type that a name and its modifiers mean, in any of PostgreSQL's spellings: `int4`, `integer`,
  /// `double precision`, `numeric` with (20, 0), `varchar` with (40), `text[]`, `_text`. The grammar's own
  /// `char` (bpchar with a modifier) comes as `bpchar`; a bare `char` here is the one-byte type, as in pg_type.
  /// nil for an unknown name. The length of varchar and bpchar is not kept: it is accepted and not enforced.
  package static func named(_ name: String, modifiers: [Int] = []) throws -> SQLType? {
    if name.hasSuffix("[]") {
      guard let element = try named(String(name.dropLast(2)), modifiers: modifiers) else { return nil }
      // PostgreSQL has one array type a scalar type, whatever the number of dimensions.
      if case .array = element { return element }
      return element.arrayOID == nil ? nil : .array(element)
    }
    if let type = byName[name] { return try type.applying(modifiers) }
    if name.first == "_", let element = byName[String(name.dropFirst())], element.arrayOID != nil {
      return .array(try element.applying(modifiers))
    }
    return nil
  }

  /// A whole type expression in one string, as `regtype` takes it: `numeric(10, 2)[]`, `TIMESTAMP WITH TIME ZONE`,
  /// `pg_catalog.int4`. nil when it names no type of ours.
  package static func parse(_ text: String) throws -> SQLType? {
    var bytes = Array(text.utf8)
    if bytes.contains(UInt8(ascii: "\"")) {
      if text == "\"char\"" || text == "pg_catalog.\"char\"" { return .char }
      bytes.removeAll { $0 == UInt8(ascii: "\"") }
    }
    var words: [String] = []
    var word: [UInt8] = []
    var modifiers: [Int] = []
    var inModifiers = false
    var suffix = ""
    func finish() {
      if !word.isEmpty { words.append(String(decoding: word, as: UTF8.self)) }
      word = []
    }
    for byte in bytes {
      switch byte {
      case UInt8(ascii: "("):
        finish()
        inModifiers = true
      case UInt8(ascii: ")"), UInt8(ascii: ","):
        if inModifiers {
          guard let value = Int(String(decoding: word, as: UTF8.self)) else { return nil }
          modifiers.append(value)
          word = []
        }
        if byte == UInt8(ascii: ")") { inModifiers = false }
      case 0x20, 0x09:
        if !inModifiers { finish() }
      case UInt8(ascii: "["):
        finish()
        suffix = "[]"
      case UInt8(ascii: "]"): break
      case 0x41...0x5A: word.append(byte + 32)
      default: word.append(byte)
      }
    }
    finish()
    if inModifiers { return nil }
    if words.count > 0, words[0].hasPrefix("pg_catalog.") { words[0] = String(words[0].dropFirst(11)) }
    return try named(words.joined(separator: " ") + suffix, modifiers: modifiers)
  }

  private func applying(_ modifiers: [Int]) throws -> SQLType {
    if modifiers.isEmpty { return self }
    switch self {
    case .numeric:
      let precision = modifiers[0]
      let scale = modifiers.count > 1 ? modifiers[1] : 0
      guard precision >= 1, precision <= 1000 else {
        throw SQLError.make("22023", "NUMERIC precision \(precision) must be between 1 and 1000")
      }
      guard scale >= 0, scale <= precision else {
        throw SQLError.make("22023", "NUMERIC scale \(scale) must be between 0 and precision \(precision)")
      }
      return .numeric(precision: precision, scale: scale)
    case .varchar, .bpchar:
      guard modifiers[0] >= 1 else {
        throw SQLError.make("22023", "length for type \(self == .varchar ? "varchar" : "char") must be at least 1")
      }
      return self
    case .timestamptz, .timestamp, .time:
      guard modifiers[0] >= 6 else {
        throw SQLError.unsupported("\(name) with fewer than six fractional digits is not supported")
      }
      return self
    case .interval: return self
    default: throw SQLError.make("42601", "type modifier is not allowed for type \"\(internalName)\"")
    }
  }

  private static let byName: [String: SQLType] = {
    var names: [String: SQLType] = [
      "int": .int4, "integer": .int4, "smallint": .int2, "bigint": .int8, "real": .float4,
      "double precision": .float8, "float": .float8, "decimal": .numeric, "dec": .numeric, "boolean": .bool,
      "character varying": .varchar, "char varying": .varchar, "character": .bpchar,
      "timestamp with time zone": .timestamptz, "timestamp without time zone": .timestamp,
      "time without time zone": .time,
    ]
    for type in scalarTypes { names[type.internalName] = type }
    return names
  }()
}
