// The text of a statement with its literals taken out. Statements of programs differ in their literals alone, and so
// have one shape; what was learned of one of them holds for the others (`StatementTemplate`).
//
// This reads as much of PostgreSQL's lexical rules as it takes to tell a literal from all else: quoted strings and
// identifiers, and numbers. It gives up, with nil, on what it would have to read more closely: comments, `$`, doubled
// quotes in a string, strings with a prefix (E'…', U&'…', B'…'), exponents. Such texts are parsed.

import VarveCore

struct StatementShape: Hashable {
  /// What stands in place of a literal. Texts that hold such bytes have no shape.
  enum Kind: UInt8 {
    case string = 1
    /// As PostgreSQL's grammar divides numbers: those of 32 bits, of 64, and others.
    case int4, int8, numeric
  }

  struct Literal {
    let kind: Kind
    /// In the text, in bytes; a string's with its quotes.
    let bytes: Range<Int>
    /// Of its value's text.
    var content: Range<Int> {
      kind == .string ? bytes.lowerBound + 1..<bytes.upperBound - 1 : bytes
    }
  }

  private let bytes: [UInt8]
  let literals: [Literal]

  static func == (a: StatementShape, b: StatementShape) -> Bool { a.bytes == b.bytes }
  func hash(into hasher: inout Hasher) { bytes.withUnsafeBytes { hasher.combine(bytes: $0) } }

  /// nil: the text has none.
  init?(_ text: UnsafeBufferPointer<UInt8>) {
    var literals: [Literal] = []
    var reader = ShapeReader(text)
    let bytes = [UInt8](unsafeUninitializedCapacity: text.count) { out, count in
      count = reader.read(into: out, &literals)
    }
    if reader.hasGivenUp { return nil }
    self.bytes = bytes
    self.literals = literals
  }
}

/// Goes once over a text. A literal is never shorter than what stands for it, so the shape is no longer than the text.
private struct ShapeReader {
  private let text: UnsafeBufferPointer<UInt8>
  private var index = 0
  private(set) var hasGivenUp = false

  init(_ text: UnsafeBufferPointer<UInt8>) { self.text = text }

  /// Gives the number of bytes written.
  mutating func read(into out: UnsafeMutableBufferPointer<UInt8>, _ literals: inout [StatementShape.Literal]) -> Int {
    var count = 0
    while index < text.count, !hasGivenUp {
      let start = index
      let byte = text[index]
      switch byte {
      case UInt8(ascii: "'"):
        skipString()
        if hasGivenUp { continue }
        literals.append(StatementShape.Literal(kind: .string, bytes: start..<index))
        out[count] = StatementShape.Kind.string.rawValue
        count += 1
        continue
      case UInt8(ascii: "0")...UInt8(ascii: "9"):
        let kind = skipNumber()
        literals.append(StatementShape.Literal(kind: kind, bytes: start..<index))
        out[count] = kind.rawValue
        count += 1
        continue
      case UInt8(ascii: "\""): skipQuotedName()
      case _ where Self.beginsWord(byte): skipWord()
      // The start of a number (`.5`) or a part of one (`1..2`): dots between names have a letter or a quote behind.
      case UInt8(ascii: ".") where isDigit(at: index + 1): hasGivenUp = true
      case UInt8(ascii: "-") where at(index + 1) == byte: hasGivenUp = true
      case UInt8(ascii: "/") where at(index + 1) == UInt8(ascii: "*"): hasGivenUp = true
      case UInt8(ascii: "$"), 0..<9: hasGivenUp = true
      default: index += 1
      }
      for place in start..<index {
        out[count] = text[place]
        count += 1
      }
    }
    return count
  }

  private func at(_ place: Int) -> UInt8? { place < text.count ? text[place] : nil }
  private func isDigit(at place: Int) -> Bool { place < text.count && text[place] &- 0x30 < 10 }
  private static func beginsWord(_ byte: UInt8) -> Bool { (byte | 0x20) &- 0x61 < 26 || byte == 0x5F || byte >= 0x80 }

  private mutating func skipWord() {
    while let byte = at(index), Self.beginsWord(byte) || isDigit(at: index) { index += 1 }
    // A prefix of a string, or a `$` in a name.
    switch at(index) {
    case UInt8(ascii: "'"), UInt8(ascii: "$"): hasGivenUp = true
    case UInt8(ascii: "&") where at(index + 1) == UInt8(ascii: "'") || at(index + 1) == UInt8(ascii: "\""):
      hasGivenUp = true
    default: break
    }
  }

  private mutating func skipQuotedName() {
    index += 1
    while let byte = at(index), byte != UInt8(ascii: "\"") {
      if byte < 9 { hasGivenUp = true }
      index += 1
    }
    if index >= text.count { hasGivenUp = true } else { index += 1 }
  }

  private mutating func skipString() {
    index += 1
    while let byte = at(index), byte != UInt8(ascii: "'") {
      // A byte that no statement may hold.
      if byte == 0 { hasGivenUp = true }
      index += 1
    }
    index += 1
    if index > text.count || at(index) == UInt8(ascii: "'") { hasGivenUp = true }
  }

  private mutating func skipNumber() -> StatementShape.Kind {
    var value: UInt64 = 0
    var isWide = false
    while isDigit(at: index) {
      let (product, over) = value.multipliedReportingOverflow(by: 10)
      let (sum, over2) = product.addingReportingOverflow(UInt64(text[index] & 0xF))
      isWide = isWide || over || over2
      value = sum
      index += 1
    }
    let isWhole = at(index) != UInt8(ascii: ".")
    if !isWhole {
      index += 1
      while isDigit(at: index) { index += 1 }
    }
    // An exponent, junk, or another dot.
    if let next = at(index), Self.beginsWord(next) || next == UInt8(ascii: ".") || next == UInt8(ascii: "$") {
      hasGivenUp = true
    }
    if !isWhole || isWide || value > UInt64(Int64.max) { return .numeric }
    return value > UInt64(Int32.max) ? .int8 : .int4
  }
}
