// Single CSV values: which type they could have, and their words.

import VarveCore

enum CSVValue {
  /// The narrowest type that all values of a column have; text when there is none.
  static func type(of column: Int, in records: [CSVRecord]) -> FieldType {
    var seen = false
    var couldBeInteger = true
    var couldBeDouble = true
    var couldBeBoolean = true
    for record in records {
      let field = record.fields[column]
      guard field.end > field.start || field.isQuoted else { continue }
      seen = true
      if field.isQuoted { return .text }
      record.bytes.withUnsafeBufferPointer { bytes in
        let p = bytes.baseAddress! + field.start
        let count = field.end - field.start
        if couldBeInteger, word(p, count, .int64) == nil { couldBeInteger = false }
        if couldBeDouble, word(p, count, .float64) == nil { couldBeDouble = false }
        if couldBeBoolean, word(p, count, .bool) == nil { couldBeBoolean = false }
      }
      if !couldBeDouble, !couldBeBoolean { return .text }
    }
    if !seen { return .text }
    return couldBeInteger ? .int64 : couldBeDouble ? .float64 : couldBeBoolean ? .bool : .text
  }

  /// The word of a value of a type other than text; nil if it is none.
  static func word(_ p: UnsafePointer<UInt8>, _ count: Int, _ type: FieldType) -> UInt64? {
    switch type {
    case .int64:
      if case .success(let value) = Number.signed(p, count) { return UInt64(bitPattern: value) }
      return nil
    case .uint64:
      if case .success(let value) = Number.unsigned(p, count) { return value }
      return nil
    case .float64:
      if case .success(let value) = Number.double(p, count) { return value.bitPattern }
      return special(p, count)
    case .bool:
      let text = String(decoding: UnsafeBufferPointer(start: p, count: min(count, 6)), as: UTF8.self)
      switch text.lowercased() {
      case "true", "t", "yes": return 1
      case "false", "f", "no": return 0
      default: return nil
      }
    case .timestamp:
      return parseTimeText(p, count).map { UInt64(bitPattern: $0) }
    case .text:
      return nil
    }
  }

  /// What programs write for doubles that are no numbers.
  private static func special(_ p: UnsafePointer<UInt8>, _ count: Int) -> UInt64? {
    guard count <= 9 else { return nil }
    switch String(decoding: UnsafeBufferPointer(start: p, count: count), as: UTF8.self).lowercased() {
    case "nan": return Double.nan.bitPattern
    case "inf", "infinity", "+inf": return Double.infinity.bitPattern
    case "-inf", "-infinity": return (-Double.infinity).bitPattern
    default: return nil
    }
  }
}
