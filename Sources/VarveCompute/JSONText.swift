// json and jsonb as text: json is checked and kept as written, jsonb is put into PostgreSQL's normal form (keys by
// length, then bytes; the last of equal keys; one space behind commas and colons; numbers as numeric prints them).

import VarveCore

enum JSONText {
  static let depthLimit = 200

  static func validated(_ text: UnsafeBufferPointer<UInt8>) throws -> String {
    var parser = Parser(text: text)
    _ = try parser.document()
    return TypeText.string(text)
  }

  static func normalized(_ text: UnsafeBufferPointer<UInt8>) throws -> String {
    var parser = Parser(text: text)
    let value = try parser.document()
    var out = ""
    value.append(to: &out)
    return out
  }

  /// What a text that is known to be JSON says.
  static func value(_ text: String) throws -> Value {
    var text = text
    return try text.withUTF8 {
      var parser = Parser(text: $0)
      return try parser.document()
    }
  }

  indirect enum Value {
    case null
    case bool(Bool)
    case number(String)
    case string(String)
    case array([Value])
    case object([(key: String, value: Value)])

    /// jsonb's form.
    func append(to out: inout String) {
      switch self {
      case .null: out += "null"
      case .bool(let value): out += value ? "true" : "false"
      case .number(let digits): out += digits
      case .string(let text): JSONText.quote(text, into: &out)
      case .array(let items):
        out += "["
        for (i, item) in items.enumerated() {
          if i > 0 { out += ", " }
          item.append(to: &out)
        }
        out += "]"
      case .object(let members):
        out += "{"
        for (i, member) in members.enumerated() {
          if i > 0 { out += ", " }
          JSONText.quote(member.key, into: &out)
          out += ": "
          member.value.append(to: &out)
        }
        out += "}"
      }
    }
  }

  /// What a text that is known to be JSON is made of, each part where it stands. Of jsonb's form all parts are of it, too.
  enum Parts {
    case scalar
    case array([Range<Int>])
    case object([(key: String, value: Range<Int>)])
  }

  static func parts(_ text: UnsafeBufferPointer<UInt8>) throws -> Parts {
    var parser = Parser(text: text)
    return try parser.parts()
  }

  static func quote(_ text: String, into out: inout String) {
    out += "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": out += "\\\""
      case "\\": out += "\\\\"
      case "\n": out += "\\n"
      case "\r": out += "\\r"
      case "\t": out += "\\t"
      case "\u{8}": out += "\\b"
      case "\u{C}": out += "\\f"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        out += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: out.unicodeScalars.append(scalar)
      }
    }
    out += "\""
  }

  private struct Parser {
    let text: UnsafeBufferPointer<UInt8>
    private var at = 0

    init(text: UnsafeBufferPointer<UInt8>) { self.text = text }

    private var invalid: VarveError { SQLError.make("22P02", "invalid input syntax for type json") }

    private mutating func skipSpace() {
      while at < text.count, text[at] == 0x20 || text[at] == 0x0A || text[at] == 0x0D || text[at] == 0x09 { at += 1 }
    }
    private func isNext(_ c: Unicode.Scalar) -> Bool { at < text.count && text[at] == UInt8(ascii: c) }
    private mutating func take(_ c: Unicode.Scalar) -> Bool {
      guard isNext(c) else { return false }
      at += 1
      return true
    }

    mutating func document() throws -> Value {
      let value = try value(depth: 0)
      skipSpace()
      guard at == text.count else { throw invalid }
      return value
    }

    mutating func parts() throws -> Parts {
      skipSpace()
      guard isNext("{") || isNext("[") else { return .scalar }
      let isObject = isNext("{")
      at += 1
      var items: [Range<Int>] = []
      var members: [(key: String, value: Range<Int>)] = []
      skipSpace()
      if isNext("}") || isNext("]") { return isObject ? .object([]) : .array([]) }
      repeat {
        skipSpace()
        var key = ""
        if isObject {
          key = try string()
          skipSpace()
          guard take(":") else { throw invalid }
          skipSpace()
        }
        let start = at
        _ = try value(depth: 1)
        if isObject { members.append((key, start..<at)) } else { items.append(start..<at) }
        skipSpace()
      } while take(",")
      return isObject ? .object(members) : .array(items)
    }

    private mutating func value(depth: Int) throws -> Value {
      guard depth < JSONText.depthLimit else { throw SQLError.make("54001", "JSON is nested too deeply") }
      skipSpace()
      guard at < text.count else { throw invalid }
      switch text[at] {
      case UInt8(ascii: "{"): return try object(depth)
      case UInt8(ascii: "["): return try array(depth)
      case UInt8(ascii: "\""): return .string(try string())
      case UInt8(ascii: "t"): return try word("true", .bool(true))
      case UInt8(ascii: "f"): return try word("false", .bool(false))
      case UInt8(ascii: "n"): return try word("null", .null)
      default: return .number(try number())
      }
    }

    private mutating func word(_ word: StaticString, _ value: Value) throws -> Value {
      let bytes = UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
      guard at + bytes.count <= text.count, text[at..<(at + bytes.count)].elementsEqual(bytes) else { throw invalid }
      at += bytes.count
      return value
    }

    private mutating func object(_ depth: Int) throws -> Value {
      at += 1
      var members: [String: Value] = [:]
      skipSpace()
      if !take("}") {
        repeat {
          skipSpace()
          guard isNext("\"") else { throw invalid }
          let key = try string()
          skipSpace()
          guard take(":") else { throw invalid }
          members[key] = try value(depth: depth + 1)
          skipSpace()
        } while take(",")
        guard take("}") else { throw invalid }
      }
      let ordered = members.sorted { a, b in
        a.key.utf8.count != b.key.utf8.count
          ? a.key.utf8.count < b.key.utf8.count : a.key.utf8.lexicographicallyPrecedes(b.key.utf8)
      }
      return .object(ordered.map { ($0.key, $0.value) })
    }

    private mutating func array(_ depth: Int) throws -> Value {
      at += 1
      var items: [Value] = []
      skipSpace()
      if take("]") { return .array([]) }
      repeat {
        items.append(try value(depth: depth + 1))
        skipSpace()
      } while take(",")
      guard take("]") else { throw invalid }
      return .array(items)
    }

    private mutating func number() throws -> String {
      let start = at
      func isDigit() -> Bool { at < text.count && text[at] >= 0x30 && text[at] <= 0x39 }
      if isNext("-") { at += 1 }
      guard isDigit() else { throw invalid }
      if !take("0") { while isDigit() { at += 1 } }
      if take(".") {
        guard isDigit() else { throw invalid }
        while isDigit() { at += 1 }
      }
      if isNext("e") || isNext("E") {
        at += 1
        if isNext("+") || isNext("-") { at += 1 }
        guard isDigit() else { throw invalid }
        while isDigit() { at += 1 }
      }
      guard let value = try Numeric(parsing: UnsafeBufferPointer(rebasing: text[start..<at])) else { throw invalid }
      return value.text
    }

    private mutating func string() throws -> String {
      at += 1
      var bytes: [UInt8] = []
      while true {
        guard at < text.count, text[at] >= 0x20 else { throw invalid }
        let c = text[at]
        at += 1
        if c == UInt8(ascii: "\"") { break }
        guard c == UInt8(ascii: "\\") else {
          bytes.append(c)
          continue
        }
        guard at < text.count else { throw invalid }
        let escape = text[at]
        at += 1
        switch escape {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): bytes.append(escape)
        case UInt8(ascii: "b"): bytes.append(8)
        case UInt8(ascii: "f"): bytes.append(12)
        case UInt8(ascii: "n"): bytes.append(10)
        case UInt8(ascii: "r"): bytes.append(13)
        case UInt8(ascii: "t"): bytes.append(9)
        case UInt8(ascii: "u"): bytes.append(contentsOf: try unicode().utf8)
        default: throw invalid
        }
      }
      guard let result = String(validating: bytes, as: UTF8.self) else { throw invalid }
      return result
    }

    private mutating func unicode() throws -> String {
      var unit = try fourDigits()
      if unit >= 0xD800, unit < 0xDC00 {
        guard take("\\"), take("u") else { throw invalid }
        let low = try fourDigits()
        guard low >= 0xDC00, low < 0xE000 else { throw invalid }
        unit = 0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00)
      }
      guard unit != 0 else { throw SQLError.make("22P05", "unsupported Unicode escape sequence") }
      guard let scalar = Unicode.Scalar(unit) else { throw invalid }
      return String(scalar)
    }

    private mutating func fourDigits() throws -> UInt32 {
      guard at + 4 <= text.count,
        let value = UInt32(String(decoding: text[at..<(at + 4)], as: UTF8.self), radix: 16), text[at] != 0x2B
      else { throw invalid }
      at += 4
      return value
    }
  }
}
