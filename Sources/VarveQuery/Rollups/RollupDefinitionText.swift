// The SELECT within CREATE MATERIALIZED VIEW, as the catalog keeps it: behind AS, without WITH [NO] DATA; and what ALTER
// adds to it. Texts are cut, not written anew, so that they stay as somebody wrote them.

import VarveCompute

enum RollupDefinitionText {
  /// nil if there is no AS.
  static func select(in statement: String) -> String? {
    let bytes = Array(statement.utf8)
    let words = words(bytes)
    guard let first = words.first(where: { $0.text == "as" }) else { return nil }
    var end = bytes.count
    let last = words.suffix(3).map(\.text)
    if last == ["with", "no", "data"] {
      end = words[words.count - 3].range.lowerBound
    } else if last.suffix(2) == ["with", "data"] {
      end = words[words.count - 2].range.lowerBound
    }
    let text = String(decoding: bytes[first.range.upperBound..<max(end, first.range.upperBound)], as: UTF8.self)
    let blanks: Set<Unicode.Scalar> = [" ", "\t", "\n", "\r", "\u{0C}"]
    let scalars = text.unicodeScalars.drop { blanks.contains($0) }
    return String(String.UnicodeScalarView(scalars.reversed().drop { blanks.contains($0) }.reversed()))
  }

  /// The expression in GENERATED ALWAYS AS (…), which stands at a byte of the text; nil if there is none.
  static func generated(in statement: String, at location: Int) -> (text: String, location: Int)? {
    let bytes = Array(statement.utf8.dropFirst(max(0, location)))
    let words = words(bytes)
    guard let place = words.firstIndex(where: { $0.text == "as" }), place + 1 < words.count,
      words[place + 1].text == "(", words[place + 1].range.count >= 2
    else { return nil }
    let range = words[place + 1].range.dropFirst().dropLast()
    return (String(decoding: bytes[range], as: UTF8.self), location + range.lowerBound)
  }

  /// The SELECT with one more column, and where the expression stands in it: before the FROM whose table stands at a byte
  /// of the text.
  static func adding(
    _ expression: String, castTo type: String?, as name: String, to select: String, beforeTable location: Int
  ) -> (text: String, location: Int)? {
    let bytes = Array(select.utf8)
    guard let from = words(bytes).last(where: { $0.text == "from" && $0.range.lowerBound < location })?.range.lowerBound
    else { return nil }
    let before = type == nil ? ", " : ", CAST("
    // A comment that begins in the expression ends with its line.
    let behind = (expression.contains("--") ? "\n" : "") + (type.map { " AS \($0))" } ?? "")
    let added = Array("\(before)\(expression)\(behind) AS \(TextKernels.quoteIdentifier(name)) ".utf8)
    return (
      String(decoding: bytes[..<from] + added + bytes[from...], as: UTF8.self), from + before.utf8.count
    )
  }

  private struct Word {
    let text: String
    let range: Range<Int>
  }

  /// Words outside of quotes, comments and parentheses, in lower case; and `(` for what stands in parentheses.
  private static func words(_ bytes: [UInt8]) -> [Word] {
    var found: [Word] = []
    var depth = 0
    var group = 0
    var at = 0
    func byte(_ index: Int) -> UInt8 { index < bytes.count ? bytes[index] : 0 }
    func isWord(_ byte: UInt8) -> Bool {
      (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20) || byte == 0x5F || byte >= 0x80
        || byte == 0x24
    }
    while at < bytes.count {
      switch byte(at) {
      case UInt8(ascii: "'"), UInt8(ascii: "\""): at = endOfQuoted(bytes, at)
      case UInt8(ascii: "-") where byte(at + 1) == UInt8(ascii: "-"):
        while at < bytes.count, byte(at) != 0x0A { at += 1 }
      case UInt8(ascii: "/") where byte(at + 1) == UInt8(ascii: "*"): at = endOfComment(bytes, at)
      case UInt8(ascii: "$"): at = endOfDollarQuoted(bytes, at)
      case UInt8(ascii: "("):
        if depth == 0 { group = at }
        depth += 1
        at += 1
      case UInt8(ascii: ")"):
        depth -= 1
        at += 1
        if depth == 0 { found.append(Word(text: "(", range: group..<at)) }
      case let first where isWord(first):
        let start = at
        while isWord(byte(at)) { at += 1 }
        // A string with escapes is no word and a quote.
        if byte(at) == UInt8(ascii: "'"), at - start == 1, first | 0x20 == UInt8(ascii: "e") {
          at = endOfQuoted(bytes, at, hasEscapes: true)
        } else if depth == 0 {
          found.append(
            Word(text: String(decoding: bytes[start..<at], as: UTF8.self).lowercased(), range: start..<at))
        }
      default: at += 1
      }
    }
    return found
  }

  private static func endOfQuoted(_ bytes: [UInt8], _ start: Int, hasEscapes: Bool = false) -> Int {
    var at = start + 1
    while at < bytes.count {
      if hasEscapes, bytes[at] == UInt8(ascii: "\\") {
        at += 2
      } else if bytes[at] == bytes[start] {
        // A doubled quote begins another stretch, which is as good.
        return at + 1
      } else {
        at += 1
      }
    }
    return bytes.count
  }

  private static func endOfComment(_ bytes: [UInt8], _ start: Int) -> Int {
    var depth = 0
    var at = start
    while at + 1 < bytes.count {
      if bytes[at] == UInt8(ascii: "/"), bytes[at + 1] == UInt8(ascii: "*") {
        depth += 1
        at += 2
      } else if bytes[at] == UInt8(ascii: "*"), bytes[at + 1] == UInt8(ascii: "/") {
        depth -= 1
        at += 2
        if depth == 0 { return at }
      } else {
        at += 1
      }
    }
    return bytes.count
  }

  /// Behind `$tag$ … $tag$`; a dollar that begins none is passed over.
  private static func endOfDollarQuoted(_ bytes: [UInt8], _ start: Int) -> Int {
    guard let end = bytes[(start + 1)...].firstIndex(of: UInt8(ascii: "$")) else { return start + 1 }
    let tag = Array(bytes[start...end])
    guard !tag.dropFirst().dropLast().contains(where: { $0 <= 0x20 || $0 == UInt8(ascii: "'") }) else {
      return start + 1
    }
    var at = end + 1
    while at + tag.count <= bytes.count {
      if bytes[at] == UInt8(ascii: "$"), Array(bytes[at..<(at + tag.count)]) == tag { return at + tag.count }
      at += 1
    }
    return start + 1
  }
}
