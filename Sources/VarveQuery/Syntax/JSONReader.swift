// Reads JSON bytes once, front to back, handing out one value at a time; no tree is built. Only `TreeReader` uses
// it, on what libpg_query wrote, but it is total all the same: any bytes give values or an error.

import VarveCore

struct JSONReader {
  private let bytes: UnsafeBufferPointer<UInt8>
  private var index = 0

  init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

  private var malformed: VarveError {
    VarveError(.query, "the parse tree is not valid JSON at byte \(index)", sqlState: "XX000")
  }

  private mutating func peek() throws -> UInt8 {
    while index < bytes.count {
      let byte = bytes[index]
      if byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { index += 1 } else { return byte }
    }
    throw malformed
  }

  private mutating func expect(_ byte: UInt8) throws {
    guard try peek() == byte else { throw malformed }
    index += 1
  }

  /// Steps into an object; then `nextKey` until it gives nil.
  mutating func beginObject() throws { try expect(UInt8(ascii: "{")) }

  /// The next key, with the reader standing before its value; nil behind the closing brace.
  mutating func nextKey() throws -> String? {
    switch try peek() {
    case UInt8(ascii: "}"):
      index += 1
      return nil
    case UInt8(ascii: ","): index += 1
    default: break
    }
    let key = try string()
    try expect(UInt8(ascii: ":"))
    return key
  }

  mutating func beginArray() throws { try expect(UInt8(ascii: "[")) }

  /// Whether another element follows; false behind the closing bracket.
  mutating func hasElement() throws -> Bool {
    switch try peek() {
    case UInt8(ascii: "]"):
      index += 1
      return false
    case UInt8(ascii: ","):
      index += 1
      return true
    default: return true
    }
  }

  mutating func string() throws -> String {
    try expect(UInt8(ascii: "\""))
    let start = index
    while index < bytes.count, bytes[index] != UInt8(ascii: "\""), bytes[index] != UInt8(ascii: "\\") { index += 1 }
    guard index < bytes.count else { throw malformed }
    if bytes[index] == UInt8(ascii: "\"") {
      let text = String(decoding: bytes[start..<index], as: UTF8.self)
      index += 1
      return text
    }
    var units = Array(bytes[start..<index])
    while index < bytes.count {
      let byte = bytes[index]
      index += 1
      if byte == UInt8(ascii: "\"") { return String(decoding: units, as: UTF8.self) }
      guard byte == UInt8(ascii: "\\") else {
        units.append(byte)
        continue
      }
      guard index < bytes.count else { throw malformed }
      let escape = bytes[index]
      index += 1
      switch escape {
      case UInt8(ascii: "n"): units.append(0x0A)
      case UInt8(ascii: "t"): units.append(0x09)
      case UInt8(ascii: "r"): units.append(0x0D)
      case UInt8(ascii: "b"): units.append(0x08)
      case UInt8(ascii: "f"): units.append(0x0C)
      case UInt8(ascii: "u"): units.append(contentsOf: try unicodeEscape())
      default: units.append(escape)
      }
    }
    throw malformed
  }

  private mutating func unicodeEscape() throws -> [UInt8] {
    var unit = try hexadecimal()
    if 0xD800..<0xDC00 ~= unit, index + 1 < bytes.count, bytes[index] == UInt8(ascii: "\\"),
      bytes[index + 1] == UInt8(ascii: "u")
    {
      index += 2
      let low = try hexadecimal()
      guard 0xDC00..<0xE000 ~= low else { throw malformed }
      unit = 0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00)
    }
    return Array(String(Character(Unicode.Scalar(unit) ?? "\u{FFFD}")).utf8)
  }

  private mutating func hexadecimal() throws -> UInt32 {
    guard index + 4 <= bytes.count,
      let value = UInt32(String(decoding: bytes[index..<(index + 4)], as: UTF8.self), radix: 16)
    else { throw malformed }
    index += 4
    return value
  }

  mutating func integer() throws -> Int {
    var negative = false
    if try peek() == UInt8(ascii: "-") {
      negative = true
      index += 1
    }
    var value = 0
    let start = index
    while index < bytes.count, 0x30...0x39 ~= bytes[index] {
      let (product, over) = value.multipliedReportingOverflow(by: 10)
      let (sum, over2) = product.addingReportingOverflow(Int(bytes[index] - 0x30))
      if over || over2 { throw malformed }
      value = sum
      index += 1
    }
    if index == start { throw malformed }
    return negative ? -value : value
  }

  mutating func boolean() throws -> Bool {
    switch try peek() {
    case UInt8(ascii: "t"):
      index += 4
      return true
    case UInt8(ascii: "f"):
      index += 5
      return false
    default: throw malformed
    }
  }

  /// Steps over one value of any kind, without recursion.
  mutating func skip() throws {
    var depth = 0
    repeat {
      switch try peek() {
      case UInt8(ascii: "\""): _ = try string()
      case UInt8(ascii: "{"), UInt8(ascii: "["):
        depth += 1
        index += 1
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        depth -= 1
        index += 1
      default: index += 1
      }
      // A scalar outside of strings and brackets: to its end.
      if depth == 0 {
        while index < bytes.count, bytes[index] != UInt8(ascii: ","), bytes[index] != UInt8(ascii: "}"),
          bytes[index] != UInt8(ascii: "]")
        {
          index += 1
        }
      }
    } while depth > 0
  }
}
