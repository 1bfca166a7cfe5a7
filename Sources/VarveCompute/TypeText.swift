// The text form of values: what the wire sends in text format, what casts to and from text do, and what a quoted
// literal means. Parsing is total and throws PostgreSQL's errors: 22P02, 22007, 22008, 22003.

import VarveCore

package enum TypeText {
  @inline(__always) static func isSpace(_ c: UInt8) -> Bool { c == 0x20 || (c >= 0x09 && c <= 0x0D) }

  static func append(_ text: StaticString, to out: Buffer<UInt8>) {
    out.append(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }
  static func append(_ text: String, to out: Buffer<UInt8>) {
    var text = text
    text.withUTF8 { out.append($0) }
  }

  // MARK: Input

  package static func parse(_ text: String, as type: SQLType, context: EvaluationContext) throws -> Datum {
    var text = text
    return try text.withUTF8 { try parse(bytes: $0, as: type, context: context) }
  }

  /// The bytes of text kinds must be UTF-8: 22021 otherwise.
  package static func parse(
    bytes text: UnsafeBufferPointer<UInt8>, as type: SQLType, context: EvaluationContext
  ) throws -> Datum {
    switch type {
    case .bool:
      guard let value = boolean(text) else { throw SQLError.invalidText(string(text), type) }
      return .bool(value)
    case .int2, .int4, .int8: return .int(try integer(text, type))
    case .float8:
      do throws(FloatText.ParseFailure) {
        return .float(try FloatText.parse(text))
      } catch {
        throw floatError(error, text, type)
      }
    case .float4:
      do throws(FloatText.ParseFailure) {
        let value = try FloatText.parse(text)
        if value.isFinite {
          // Straight to Float where the double could round twice.
          let narrow = Float(trimmed(text)) ?? Float(value)
          if narrow.isInfinite || (narrow == 0 && value != 0) { throw .range }
          return .float(Double(narrow))
        }
        return .float(value)
      } catch {
        throw floatError(error, text, type)
      }
    case .numeric(let precision, let scale):
      guard let value = try Numeric(parsing: text) else { throw SQLError.invalidText(string(text), .numeric) }
      guard let precision else { return .numeric(value) }
      return .numeric(try value.applying(precision: precision, scale: scale ?? 0))
    case .text, .varchar, .bpchar, .unknown: return .text(try valid(text))
    case .name:
      let whole = try valid(text)
      return .text(whole.utf8.count <= Limits.nameByteCount ? whole : clipped(whole, Limits.nameByteCount))
    case .char:
      let whole = try valid(text)
      return .text(whole.isEmpty ? "" : String(whole.unicodeScalars.prefix(1)))
    case .timestamptz:
      return .timestamp(try DateTimeParser.timestamp(text, zoned: true, context: context))
    case .timestamp:
      return .timestamp(try DateTimeParser.timestamp(text, zoned: false, context: context))
    case .date: return .date(try DateTimeParser.date(text, context: context))
    case .time: return .int(try DateTimeParser.time(text, context: context))
    case .uuid:
      guard let canonical = UUIDText.canonical(text) else { throw SQLError.invalidText(string(text), type) }
      return .text(canonical)
    case .json: return .text(try JSONText.validated(text))
    case .jsonb: return .text(try JSONText.normalized(text))
    case .timevector: throw SQLError.unsupported("a timevector cannot be read from text", hint: "lttb() makes one.")
    case .interval: return .interval(try IntervalParser.parse(text))
    case .bytea: return .bytea(try bytea(text))
    case .oid: return .int(try objectID(text, type))
    case .regclass, .regproc, .regtype: return .int(try named(text, type, context))
    case .int2vector, .oidvector:
      let element = type.element ?? .int2
      return .array(
        try text.split(whereSeparator: isSpace).map {
          try parse(bytes: UnsafeBufferPointer(rebasing: $0), as: element, context: context)
        })
    case .array(let element): return .array(try ArrayText.parse(text, element: element, context: context))
    case .void: return .text("")
    }
  }

  static func string(_ text: UnsafeBufferPointer<UInt8>) -> String { String(decoding: text, as: UTF8.self) }

  private static func valid(_ text: UnsafeBufferPointer<UInt8>) throws -> String {
    guard text.count < 1 << 24 else { throw SQLError.make("54000", "text of more than 16 MiB") }
    guard let result = String(validating: text, as: UTF8.self) else {
      throw SQLError.make("22021", "invalid byte sequence for encoding \"UTF8\"")
    }
    return result
  }

  private static func trimmed(_ text: UnsafeBufferPointer<UInt8>) -> String {
    string(text).filter { $0 != " " && $0 != "\t" && $0 != "\n" && $0 != "\r" }
  }

  /// At most `count` bytes, cut between characters.
  static func clipped(_ text: String, _ count: Int) -> String {
    var scalars = String.UnicodeScalarView()
    var used = 0
    for scalar in text.unicodeScalars {
      used += UTF8.width(scalar)
      if used > count { break }
      scalars.append(scalar)
    }
    return String(scalars)
  }

  private static func floatError(
    _ failure: FloatText.ParseFailure, _ text: UnsafeBufferPointer<UInt8>, _ type: SQLType
  ) -> VarveError {
    switch failure {
    case .syntax: SQLError.invalidText(string(text), type)
    case .range: SQLError.make("22003", "\"\(string(text))\" is out of range for type \(type.name)")
    }
  }

  private static func integer(_ text: UnsafeBufferPointer<UInt8>, _ type: SQLType) throws -> Int64 {
    var overflow = false
    guard let value = IntegerText.parse(text, overflow: &overflow) else {
      throw SQLError.invalidText(string(text), type)
    }
    let fits =
      type == .int8 || (type == .int4 ? Int32(exactly: value) != nil : Int16(exactly: value) != nil)
    guard !overflow, fits else {
      throw SQLError.make("22003", "value \"\(string(text))\" is out of range for type \(type.name)")
    }
    return value
  }

  private static func objectID(_ text: UnsafeBufferPointer<UInt8>, _ type: SQLType) throws -> Int64 {
    var overflow = false
    guard let value = IntegerText.parse(text, overflow: &overflow) else {
      throw SQLError.invalidText(string(text), .oid)
    }
    guard !overflow, value >= Int64(Int32.min), value <= Int64(UInt32.max) else {
      throw SQLError.make("22003", "value \"\(string(text))\" is out of range for type oid")
    }
    return Int64(UInt32(truncatingIfNeeded: value))
  }

  private static func named(
    _ text: UnsafeBufferPointer<UInt8>, _ type: SQLType, _ context: EvaluationContext
  ) throws -> Int64 {
    if text.count == 1, text[0] == UInt8(ascii: "-") { return 0 }
    if text.count > 0, text.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) { return try objectID(text, type) }
    let name = try valid(text)
    if type == .regtype, let found = try SQLType.parse(name) { return Int64(found.oid) }
    if let found = try context.objectID?(name, type) { return found }
    if type == .regtype { throw SQLError.make("42704", "type \"\(name)\" does not exist") }
    throw type == .regclass
      ? SQLError.make("42P01", "relation \"\(name)\" does not exist")
      : SQLError.make("42883", "function \"\(name)\" does not exist")
  }

  /// Unique prefixes of true, false, yes and no, and on, off, 1, 0; any case, spaces around.
  static func boolean(_ text: UnsafeBufferPointer<UInt8>) -> Bool? {
    var i = 0
    var end = text.count
    while i < end, isSpace(text[i]) { i += 1 }
    while end > i, isSpace(text[end - 1]) { end -= 1 }
    let word = text[i..<end].map { $0 >= 0x41 && $0 <= 0x5A ? $0 + 32 : $0 }
    if word.isEmpty { return nil }
    func prefixes(_ whole: StaticString) -> Bool {
      word.count <= whole.utf8CodeUnitCount
        && word.elementsEqual(UnsafeBufferPointer(start: whole.utf8Start, count: word.count))
    }
    if prefixes("true") || prefixes("yes") { return true }
    if prefixes("false") || prefixes("no") { return false }
    if word.count >= 2 {
      if prefixes("on") { return true }
      if prefixes("off") { return false }
    }
    return word == [0x31] ? true : (word == [0x30] ? false : nil)
  }

  private static func bytea(_ text: UnsafeBufferPointer<UInt8>) throws -> [UInt8] {
    var out: [UInt8] = []
    if text.count >= 2, text[0] == UInt8(ascii: "\\"), text[1] == UInt8(ascii: "x") {
      var half: UInt8?
      for c in text[2...] {
        if isSpace(c), half == nil { continue }
        guard let digit = hexDigit(c) else {
          throw SQLError.make("22023", "invalid hexadecimal digit: \"\(String(UnicodeScalar(c)))\"")
        }
        if let high = half {
          out.append(high << 4 | digit)
          half = nil
        } else {
          half = digit
        }
      }
      if half != nil { throw SQLError.make("22023", "invalid hexadecimal data: odd number of digits") }
      return out
    }
    return try escaped(text)
  }

  /// bytea's escape format: backslashes are doubled, other bytes may be three octal digits behind one.
  static func escaped(_ text: UnsafeBufferPointer<UInt8>) throws -> [UInt8] {
    var out: [UInt8] = []
    var i = 0
    while i < text.count {
      if text[i] != UInt8(ascii: "\\") {
        out.append(text[i])
        i += 1
        continue
      }
      if i + 1 < text.count, text[i + 1] == UInt8(ascii: "\\") {
        out.append(UInt8(ascii: "\\"))
        i += 2
        continue
      }
      guard i + 3 < text.count, text[i + 1] >= 0x30, text[i + 1] <= 0x33,
        text[i + 2] >= 0x30, text[i + 2] <= 0x37, text[i + 3] >= 0x30, text[i + 3] <= 0x37
      else { throw SQLError.make("22P02", "invalid input syntax for type bytea") }
      out.append((text[i + 1] - 0x30) << 6 | (text[i + 2] - 0x30) << 3 | (text[i + 3] - 0x30))
      i += 4
    }
    return out
  }

  private static func hexDigit(_ c: UInt8) -> UInt8? {
    switch c {
    case 0x30...0x39: c - 0x30
    case 0x41...0x46: c - 0x37
    case 0x61...0x66: c - 0x57
    default: nil
    }
  }

  // MARK: Output of one datum

  /// Not for NULL, which has no text.
  package static func append(
    _ datum: Datum, type: SQLType, to out: Buffer<UInt8>, context: EvaluationContext
  ) throws {
    switch datum {
    case .null: preconditionFailure("NULL has no text")
    case .text(let text): append(text, to: out)
    case .numeric(let value): value.append(to: out)
    case .interval(let value): IntervalText.append(value, style: context.intervalStyle, to: out)
    case .bytea(let bytes):
      append("\\x", to: out)
      for byte in bytes {
        out.append(hexDigits[Int(byte >> 4)])
        out.append(hexDigits[Int(byte & 15)])
      }
    case .array(let elements) where type == .timevector:
      try Timevector.append(elements, to: out, context: context)
    case .array(let elements):
      if type == .int2vector || type == .oidvector {
        for (i, element) in elements.enumerated() {
          if i > 0 { out.append(0x20) }
          if !element.isNull { try append(element, type: type.element ?? .int2, to: out, context: context) }
        }
      } else {
        try ArrayText.append(elements, element: type.element ?? .text, to: out, context: context)
      }
    case .bool, .int, .float, .timestamp, .date:
      var cursor = TimeZone.Cursor(type == .timestamptz ? try context.sessionZone() : .utc)
      appendWord(ColumnBuilder.word(datum), type: type, cursor: &cursor, context: context, to: out)
    }
  }

  package static func string(_ datum: Datum, type: SQLType, context: EvaluationContext) throws -> String {
    let out = Buffer<UInt8>()
    try append(datum, type: type, to: out, context: context)
    return withExtendedLifetime(out) { String(decoding: out.span, as: UTF8.self) }
  }

  private static let hexDigits = Array("0123456789abcdef".utf8)

  @inline(__always)
  static func appendWord(
    _ word: UInt64, type: SQLType, cursor: inout TimeZone.Cursor, context: EvaluationContext, to out: Buffer<UInt8>
  ) {
    switch type {
    case .bool: out.append(word != 0 ? UInt8(ascii: "t") : UInt8(ascii: "f"))
    case .float8: FloatText.append(Double(bitPattern: word), to: out)
    case .float4: FloatText.append(Float(Double(bitPattern: word)), to: out)
    case .timestamptz:
      DateTimeText.append(timestamp: Int64(bitPattern: word), cursor: &cursor, zoned: true, to: out)
    case .timestamp:
      DateTimeText.append(timestamp: Int64(bitPattern: word), cursor: &cursor, zoned: false, to: out)
    case .time: DateTimeText.append(time: Int64(bitPattern: word), to: out)
    case .date: DateTimeText.append(date: Int32(truncatingIfNeeded: Int64(bitPattern: word)), to: out)
    case .regclass, .regproc, .regtype: appendName(Int64(bitPattern: word), type, context, to: out)
    default: IntegerText.append(Int64(bitPattern: word), to: out)
    }
  }

  private static func appendName(_ oid: Int64, _ type: SQLType, _ context: EvaluationContext, to out: Buffer<UInt8>) {
    if oid == 0 { return out.append(UInt8(ascii: "-")) }
    if type == .regtype, let known = SQLType(oid: UInt32(truncatingIfNeeded: oid)) {
      return append(known.name, to: out)
    }
    if let name = context.objectName?(oid, type) { return append(name, to: out) }
    IntegerText.append(oid, to: out)
  }
}
