// The rows of a long INSERT … VALUES whose cells are plain literals. They are found in the text, not parsed: the grammar
// sees the statement up to the end of its first row, which says where the rows go, and the binder reads the cells of all
// rows as what their columns take. A statement that is not of this form is parsed whole, so nothing is refused here.

import VarveCore

struct LiteralRows: Sendable {
  /// Bytes up to the end of the first row, and of the last.
  let headByteCount: Int
  let statementByteCount: Int
  let width: Int
  /// Row after row, a `TextRef` a cell into the text: quoted, with its quotes, or bare.
  let cells: Buffer<UInt64>

  var count: Int { cells.count / width }

  /// Less is parsed about as fast.
  private static let shortestByteCount = 1024

  /// nil: the text is not of this form.
  static func find(_ text: UnsafeBufferPointer<UInt8>) -> LiteralRows? {
    guard text.count >= shortestByteCount else { return nil }
    var scanner = LiteralScanner(text)
    guard scanner.skipToValues() else { return nil }
    let cells = Buffer<UInt64>()
    var width = 0
    var headByteCount = 0
    var statementByteCount = 0
    repeat {
      let before = cells.count
      guard scanner.row(into: cells), width == 0 || cells.count - before == width else { return nil }
      statementByteCount = scanner.position
      if width == 0 { (width, headByteCount) = (cells.count, scanner.position) }
    } while scanner.takes(UInt8(ascii: ","))
    _ = scanner.takes(UInt8(ascii: ";"))
    guard scanner.isAtEnd, cells.count > width else { return nil }
    return LiteralRows(
      headByteCount: headByteCount, statementByteCount: statementByteCount, width: width, cells: cells)
  }
}

/// Goes over a text as PostgreSQL's lexer would, where it holds nothing but names, literals and punctuation.
private struct LiteralScanner {
  private let text: UnsafeBufferPointer<UInt8>
  private(set) var position = 0

  init(_ text: UnsafeBufferPointer<UInt8>) { self.text = text }

  var isAtEnd: Bool {
    mutating get {
      skipSpace()
      return position == text.count
    }
  }

  /// Takes the byte, behind white space.
  mutating func takes(_ byte: UInt8) -> Bool {
    skipSpace()
    guard position < text.count, text[position] == byte else { return false }
    position += 1
    return true
  }

  /// INSERT INTO, names, and VALUES.
  mutating func skipToValues() -> Bool {
    guard takesWord("insert"), takesWord("into") else { return false }
    var depth = 0
    while true {
      skipSpace()
      guard position < text.count else { return false }
      switch text[position] {
      case UInt8(ascii: "("): depth += 1
      case UInt8(ascii: ")"): depth -= 1
      case UInt8(ascii: "."), UInt8(ascii: ","): break
      case UInt8(ascii: "\""):
        guard let end = text[(position + 1)...].firstIndex(of: UInt8(ascii: "\"")) else { return false }
        position = end
      case let byte where Self.isOfWord(byte):
        let start = position
        skipWord()
        if depth == 0, isWord("values", from: start) { return true }
        continue
      default: return false
      }
      position += 1
    }
  }

  /// `(`, literals with commas between, and `)`.
  mutating func row(into cells: Buffer<UInt64>) -> Bool {
    guard takes(UInt8(ascii: "(")) else { return false }
    while true {
      skipSpace()
      let start = position
      guard skipLiteral() else { return false }
      cells.append(TextRef(offset: start, length: position - start).word)
      skipSpace()
      guard position < text.count else { return false }
      let byte = text[position]
      position += 1
      if byte == UInt8(ascii: ")") { return true }
      if byte != UInt8(ascii: ",") { return false }
    }
  }

  private mutating func skipLiteral() -> Bool {
    guard position < text.count else { return false }
    switch text[position] {
    case UInt8(ascii: "'"): return skipQuoted()
    case UInt8(ascii: "-"):
      position += 1
      return skipNumber()
    case 0x30...0x39: return skipNumber()
    default:
      let start = position
      skipWord()
      return isWord("null", from: start) || isWord("true", from: start) || isWord("false", from: start)
    }
  }

  /// A quote within is doubled.
  private mutating func skipQuoted() -> Bool {
    position += 1
    while let end = text[position...].firstIndex(of: UInt8(ascii: "'")) {
      position = end + 1
      guard position < text.count, text[position] == UInt8(ascii: "'") else { return true }
      position += 1
    }
    return false
  }

  private mutating func skipNumber() -> Bool {
    guard skipDigits() else { return false }
    if position < text.count, text[position] == UInt8(ascii: ".") {
      position += 1
      guard skipDigits() else { return false }
    }
    if position < text.count, text[position] | 0x20 == UInt8(ascii: "e") {
      position += 1
      if position < text.count, text[position] == UInt8(ascii: "-") || text[position] == UInt8(ascii: "+") {
        position += 1
      }
      guard skipDigits() else { return false }
    }
    return true
  }

  private mutating func skipDigits() -> Bool {
    let start = position
    while position < text.count, (0x30...0x39).contains(text[position]) { position += 1 }
    return position > start
  }

  private mutating func takesWord(_ word: StaticString) -> Bool {
    skipSpace()
    let start = position
    skipWord()
    return isWord(word, from: start)
  }

  private mutating func skipWord() {
    while position < text.count, Self.isOfWord(text[position]) { position += 1 }
  }

  /// Whether what was skipped is the word, which is in small letters.
  private func isWord(_ word: StaticString, from start: Int) -> Bool {
    position - start == word.utf8CodeUnitCount
      && word.withUTF8Buffer { word in word.indices.allSatisfy { word[$0] == text[start + $0] | 0x20 } }
  }

  private mutating func skipSpace() {
    while position < text.count, text[position] == 0x20 || (0x09...0x0D).contains(text[position]) { position += 1 }
  }

  private static func isOfWord(_ byte: UInt8) -> Bool {
    (0x61...0x7A).contains(byte | 0x20) || (0x30...0x39).contains(byte) || byte == UInt8(ascii: "_") || byte >= 0x80
      || byte == UInt8(ascii: "$")
  }
}
