// Line protocol read the plain way: a byte after the other, nothing predicted, nothing remembered of earlier lines,
// numbers by the C library. Slow, and short enough to be seen right; the fast parser must agree with it.

import Foundation
import VarveCore

@testable import VarveWire

struct PlainLineParser {
  private struct Problem: Error {
    let at: Int
    let code: VarveError.Code
  }

  private let bytes: [UInt8]
  private let now: Int64
  private var p = 0
  private var text = ParsedText()

  /// Points and rejections, these without their messages.
  static func parse(_ bytes: [UInt8], now: Int64 = 1000) -> ParsedText {
    var parser = PlainLineParser(bytes, now)
    while parser.p < bytes.count { parser.takeLine() }
    return parser.text
  }

  private init(_ bytes: [UInt8], _ now: Int64) {
    self.bytes = bytes
    self.now = now
  }

  private var byte: UInt8? { p < bytes.count ? bytes[p] : nil }
  private func isAt(_ character: Character) -> Bool { byte == character.asciiValue }

  private func lineNumber(of place: Int) -> Int { 1 + bytes[..<place].count { $0 == 0x0A } }

  private mutating func takeLine() {
    let start = p
    do {
      guard var point = try point() else { return }
      point.line = lineNumber(of: start)
      text.points.append(point)
    } catch let problem as Problem {
      let lineStart = bytes[..<problem.at].lastIndex(of: 0x0A).map { max($0 + 1, start) } ?? start
      text.rejections.append(
        Rejection(
          line: lineNumber(of: problem.at), column: problem.at - lineStart + 1, code: problem.code, message: ""))
      text.rejectedCount += 1
      p = bytes[problem.at...].firstIndex(of: 0x0A).map { $0 + 1 } ?? bytes.count
    } catch {
      preconditionFailure("\(error)")
    }
  }

  /// Nil for blank lines and comments.
  private mutating func point() throws -> ParsedPoint? {
    skipSpaces()
    guard let first = byte else { return nil }
    if first == 0x23 {
      while let byte, byte >= 32, byte != 127 { p += 1 }
      try takeLineEnd()
      return nil
    }
    if first == 0x0A || first == 0x0D {
      try takeLineEnd()
      return nil
    }
    let table = try name(try scan(", "), escapable: ", ")
    var tags: [String: String] = [:]
    var duplicate: Int?
    while isAt(",") {
      p += 1
      let key = try scan(", =")
      guard isAt("=") else { throw Problem(at: p, code: .syntax) }
      p += 1
      let value = try scan(", =")
      let name = try name(key, escapable: ", =")
      if tags[name] != nil { duplicate = duplicate ?? key.lowerBound }
      tags[name] = try unescaped(value, escapable: ", =")
    }
    guard isAt(" ") else { throw Problem(at: p, code: .syntax) }
    if let duplicate { throw Problem(at: duplicate, code: .duplicateTag) }
    skipSpaces()
    var fields: [String: ParsedValue] = [:]
    while true {
      let key = try scan(", =")
      guard isAt("=") else { throw Problem(at: p, code: .syntax) }
      p += 1
      let value = try value()
      fields[try name(key, escapable: ", =")] = value
      if isAt(",") {
        p += 1
        continue
      }
      guard byte == nil || [0x20, 0x0A, 0x0D].contains(byte) else { throw Problem(at: p, code: .syntax) }
      break
    }
    skipSpaces()
    let time = try stamp()
    return ParsedPoint(line: 0, table: table, tags: tags, fields: fields, time: time)
  }

  private mutating func skipSpaces() { while isAt(" ") { p += 1 } }

  private mutating func takeLineEnd() throws {
    if byte == nil { return }
    if isAt("\n") {
      p += 1
      return
    }
    guard isAt("\r") else { throw Problem(at: p, code: .syntax) }
    if p + 1 == bytes.count {
      p += 1
      return
    }
    guard bytes[p + 1] == 0x0A else { throw Problem(at: p, code: .syntax) }
    p += 2
  }

  /// Up to an escapable byte that is not escaped, or a control character; not empty.
  private mutating func scan(_ escapable: String) throws -> Range<Int> {
    let start = p
    while let byte, byte >= 32, byte != 127, !escapable.utf8.contains(byte) {
      if byte == 0x5C, p + 1 < bytes.count, escapable.utf8.contains(bytes[p + 1]) { p += 1 }
      p += 1
    }
    if p == start { throw Problem(at: p, code: .syntax) }
    return start..<p
  }

  private func unescaped(_ range: Range<Int>, escapable: String) throws -> String {
    if let offset = Self.firstInvalid(bytes[range]) { throw Problem(at: range.lowerBound + offset, code: .invalidUTF8) }
    var out: [UInt8] = []
    for place in range {
      if bytes[place] == 0x5C, place + 1 < range.upperBound, escapable.utf8.contains(bytes[place + 1]) { continue }
      out.append(bytes[place])
    }
    return String(decoding: out, as: UTF8.self)
  }

  private func name(_ range: Range<Int>, escapable: String) throws -> String {
    let name = try unescaped(range, escapable: escapable)
    if name.utf8.count > Limits.nameByteCount { throw Problem(at: range.lowerBound, code: .nameTooLong) }
    return name
  }

  private mutating func value() throws -> ParsedValue {
    guard let first = byte else { throw Problem(at: p, code: .syntax) }
    if first == 0x22 { return .text(try string()) }
    let start = p
    while let byte, ![0x2C, 0x20, 0x0A, 0x0D].contains(byte) { p += 1 }
    let token = String(decoding: bytes[start..<p], as: UTF8.self)
    if "0123456789-.".utf8.contains(first) { return try number(token, at: start) }
    guard
      let value = ["t", "T", "true", "True", "TRUE"].contains(token)
        ? true : ["f", "F", "false", "False", "FALSE"].contains(token) ? false : nil
    else { throw Problem(at: start, code: .syntax) }
    return .bool(value)
  }

  private func number(_ token: String, at place: Int) throws -> ParsedValue {
    let body = String(token.dropLast())
    func isWhole(_ text: String, signed: Bool) -> Bool {
      let digits = signed && text.hasPrefix("-") ? text.dropFirst() : text[...]
      return !digits.isEmpty && digits.utf8.allSatisfy { (0x30...0x39).contains($0) }
    }
    let wrong = Problem(at: place, code: .invalidNumber)
    switch token.last {
    case "i":
      guard isWhole(body, signed: true), let value = Int64(body) else { throw wrong }
      return .int(value)
    case "u":
      guard isWhole(body, signed: false), let value = UInt64(body) else { throw wrong }
      return .uint(value)
    case "t":
      guard isWhole(body, signed: true) else { throw wrong }
      guard let value = Int64(body), !value.multipliedReportingOverflow(by: 1000).overflow else {
        throw Problem(at: place, code: .invalidTimestamp)
      }
      return .time(value * 1000)
    default:
      let pattern = #/-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?/#
      guard token.wholeMatch(of: pattern) != nil else { throw wrong }
      let value = strtod(token, nil)
      guard value.isFinite else { throw wrong }
      return .float(value.bitPattern)
    }
  }

  private mutating func string() throws -> String {
    let quote = p
    var out: [UInt8] = []
    p += 1
    while !isAt("\"") {
      guard let byte else { throw Problem(at: quote, code: .syntax) }
      if byte == 0x5C, p + 1 < bytes.count, bytes[p + 1] == 0x22 || bytes[p + 1] == 0x5C { p += 1 }
      out.append(bytes[p])
      p += 1
    }
    let content = bytes[(quote + 1)..<p]
    if let offset = Self.firstInvalid(content) { throw Problem(at: quote + 1 + offset, code: .invalidUTF8) }
    p += 1
    return String(decoding: out, as: UTF8.self)
  }

  private mutating func stamp() throws -> Int64 {
    guard let first = byte, first != 0x0A, first != 0x0D else {
      try takeLineEnd()
      return now
    }
    let start = p
    while let byte, (0x30...0x39).contains(byte) || byte == 0x2D { p += 1 }
    let digits = String(decoding: bytes[start..<p], as: UTF8.self)
    var unit: Int64 = 1
    if !digits.isEmpty, isAt("n") || isAt("t") {
      unit = isAt("t") ? 1000 : 1
      p += 1
    }
    let wrong = Problem(at: start, code: .invalidTimestamp)
    guard !digits.isEmpty, byte == nil || [0x20, 0x0A, 0x0D].contains(byte) else { throw wrong }
    guard let value = Int64(digits) else { throw wrong }
    let (time, overflow) = value.multipliedReportingOverflow(by: unit)
    if overflow || time == .min || time == .max { throw wrong }
    skipSpaces()
    try takeLineEnd()
    return time
  }

  /// By the standard library's decoder.
  private static func firstInvalid(_ bytes: ArraySlice<UInt8>) -> Int? {
    if String(validating: bytes, as: UTF8.self) != nil { return nil }
    var decoder = UTF8()
    var iterator = bytes.makeIterator()
    var valid = 0
    while case .scalarValue(let scalar) = decoder.decode(&iterator) { valid += UTF8.width(scalar) }
    return valid
  }
}
