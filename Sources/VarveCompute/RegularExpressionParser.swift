// The pattern's grammar: alternatives of sequences of repeated atoms.

import VarveCore

struct RegularExpressionParser {
  private let text: [UInt32]
  private let ignoresCase: Bool
  private var at = 0

  init(_ pattern: String, ignoresCase: Bool) {
    text = pattern.unicodeScalars.map(\.value)
    self.ignoresCase = ignoresCase
  }

  private func invalid(_ why: String) -> VarveError { SQLError.make("2201B", "invalid regular expression: \(why)") }
  private func unsupported(_ what: String) -> VarveError {
    SQLError.unsupported("regular expressions with \(what) are not supported")
  }
  private var peek: UInt32? { at < text.count ? text[at] : nil }
  private func isNext(_ c: Character) -> Bool { peek == c.unicodeScalars.first?.value }
  private mutating func take(_ c: Character) -> Bool {
    if isNext(c) {
      at += 1
      return true
    }
    return false
  }

  mutating func parse() throws -> RegularExpression.Node {
    guard text.count <= 64 * 1024 else { throw invalid("regular expression is too complex") }
    if text.starts(with: "***".unicodeScalars.map(\.value)) { throw unsupported("*** directors") }
    if text.starts(with: "(?".unicodeScalars.map(\.value)), text.count > 2,
      text[2] != 0x3A, text[2] != 0x3D, text[2] != 0x21, text[2] != 0x3C
    {
      throw unsupported("embedded options")
    }
    let node = try alternatives(depth: 0)
    if at < text.count { throw invalid("parentheses () not balanced") }
    return node
  }

  private mutating func alternatives(depth: Int) throws -> RegularExpression.Node {
    guard depth < RegularExpression.depthLimit else { throw invalid("regular expression is too complex") }
    var branches = [try sequence(depth: depth)]
    while take("|") { branches.append(try sequence(depth: depth)) }
    return branches.count == 1 ? branches[0] : .alternatives(branches)
  }

  private mutating func sequence(depth: Int) throws -> RegularExpression.Node {
    var nodes: [RegularExpression.Node] = []
    while let c = peek, c != 0x7C, c != 0x29 {  // | )
      nodes.append(try piece(depth: depth))
    }
    return nodes.count == 1 ? nodes[0] : (nodes.isEmpty ? .empty : .sequence(nodes))
  }

  private mutating func piece(depth: Int) throws -> RegularExpression.Node {
    var node = try atom(depth: depth)
    while let c = peek {
      var least = 0
      var most: Int?
      switch c {
      case 0x2A: at += 1  // *
      case 0x2B:  // +
        at += 1
        least = 1
      case 0x3F:  // ?
        at += 1
        most = 1
      case 0x7B:  // {
        // Without a digit behind it a brace is a brace.
        guard at + 1 < text.count, text[at + 1] >= 0x30, text[at + 1] <= 0x39 else { return node }
        at += 1
        least = try number()
        most = least
        if take(",") { most = isNext("}") ? nil : try number() }
        guard take("}"), most.map({ $0 >= least }) ?? true else { throw invalid("invalid repetition count(s)") }
      default: return node
      }
      switch node {
      case .start, .end: throw invalid("quantifier operand invalid")
      case .repeated: throw invalid("quantifier operand invalid")
      default: break
      }
      // Non-greedy forms match the same texts.
      if isNext("?") { at += 1 }
      node = .repeated(node, min: least, max: most)
    }
    return node
  }

  private mutating func number() throws -> Int {
    var value = 0
    let start = at
    while let c = peek, c >= 0x30, c <= 0x39 {
      value = value * 10 + Int(c - 0x30)
      guard value <= 255 else { throw invalid("invalid repetition count(s)") }
      at += 1
    }
    guard at > start else { throw invalid("invalid repetition count(s)") }
    return value
  }

  private func folded(_ c: UInt32) -> UInt32 { ignoresCase ? RegularExpression.fold(c) : c }

  private mutating func atom(depth: Int) throws -> RegularExpression.Node {
    guard let c = peek else { throw invalid("unexpected end") }
    at += 1
    switch c {
    case 0x28:  // (
      if isNext("?") {
        at += 1
        guard take(":") else { throw unsupported("look-around and options") }
      }
      let node = try alternatives(depth: depth + 1)
      guard take(")") else { throw invalid("parentheses () not balanced") }
      // A group may be repeated even if its content is a repetition or anchor.
      return .sequence([node])
    case 0x5B: return try bracket()  // [
    case 0x2E: return .any  // .
    case 0x5E: return .start  // ^
    case 0x24: return .end  // $
    case 0x2A, 0x2B, 0x3F: throw invalid("quantifier operand invalid")
    case 0x7B:
      if let digit = peek, digit >= 0x30, digit <= 0x39 { throw invalid("quantifier operand invalid") }
      return .character(c)
    case 0x5C: return try escape()
    default: return .character(folded(c))
    }
  }

  private static let digits: [ClosedRange<UInt32>] = [0x30...0x39]
  private static let spaces: [ClosedRange<UInt32>] = [0x09...0x0D, 0x20...0x20]
  private static let words: [ClosedRange<UInt32>] = [0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A]

  private mutating func escape() throws -> RegularExpression.Node {
    guard let c = peek else { throw invalid("invalid escape \\ sequence") }
    at += 1
    switch c {
    case 0x64: return .set(Self.digits, negated: false)  // d
    case 0x44: return .set(Self.digits, negated: true)
    case 0x73: return .set(Self.spaces, negated: false)  // s
    case 0x53: return .set(Self.spaces, negated: true)
    case 0x77: return .set(Self.words, negated: false)  // w
    case 0x57: return .set(Self.words, negated: true)
    case 0x6E: return .character(0x0A)
    case 0x74: return .character(0x09)
    case 0x72: return .character(0x0D)
    case 0x41: return .start  // A
    case 0x5A: return .end  // Z
    case 0x30...0x39: throw unsupported("back references")
    case 0x41...0x5A, 0x61...0x7A:
      throw unsupported("the escape \\\(UnicodeScalar(c).map(String.init) ?? "")")
    default: return .character(folded(c))
    }
  }

  private mutating func bracket() throws -> RegularExpression.Node {
    var ranges: [ClosedRange<UInt32>] = []
    let negated = take("^")
    var first = true
    while true {
      guard let c = peek else { throw invalid("brackets [] not balanced") }
      at += 1
      if c == 0x5D, !first { break }
      first = false
      var low = c
      if c == 0x5B, let kind = peek, kind == 0x3A || kind == 0x2E || kind == 0x3D {  // [: [. [=
        guard kind == 0x3A else { throw unsupported("collating elements") }
        at += 1
        var name = ""
        while let letter = peek, letter != 0x3A {
          if let scalar = UnicodeScalar(letter) { name.unicodeScalars.append(scalar) }
          at += 1
        }
        guard take(":"), take("]") else { throw invalid("brackets [] not balanced") }
        ranges += try characterClass(name)
        continue
      }
      if c == 0x5C {
        let node = try escape()
        switch node {
        case .character(let value): low = value
        case .set(let inner, negated: false):
          ranges += inner
          continue
        default: throw invalid("invalid escape \\ sequence")
        }
      }
      var high = low
      if isNext("-"), at + 1 < text.count, text[at + 1] != 0x5D {
        at += 1
        guard let end = peek else { throw invalid("brackets [] not balanced") }
        at += 1
        high = end
        if end == 0x5C {
          guard case .character(let value) = try escape() else { throw invalid("invalid character range") }
          high = value
        }
        guard high >= low else { throw invalid("invalid character range") }
      }
      ranges.append(low...high)
    }
    if ignoresCase {
      // Both cases of ASCII letters; the text is folded, so lower case must be in.
      for range in ranges {
        let low = max(range.lowerBound, 0x41)
        let high = min(range.upperBound, 0x5A)
        if low <= high { ranges.append((low + 32)...(high + 32)) }
        if range.lowerBound == range.upperBound { ranges.append(folded(range.lowerBound)...folded(range.lowerBound)) }
      }
    }
    return .set(ranges, negated: negated)
  }

  private func characterClass(_ name: String) throws -> [ClosedRange<UInt32>] {
    switch name {
    case "digit": Self.digits
    case "space": Self.spaces
    case "alpha": [0x41...0x5A, 0x61...0x7A]
    case "alnum": [0x30...0x39, 0x41...0x5A, 0x61...0x7A]
    case "upper": ignoresCase ? [0x41...0x5A, 0x61...0x7A] : [0x41...0x5A]
    case "lower": [0x61...0x7A]
    case "blank": [0x09...0x09, 0x20...0x20]
    case "punct": [0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E]
    case "xdigit": [0x30...0x39, 0x41...0x46, 0x61...0x66]
    case "print": [0x20...0x7E]
    case "graph": [0x21...0x7E]
    case "cntrl": [0x00...0x1F, 0x7F...0x7F]
    case "word": Self.words
    default: throw invalid("invalid character class")
    }
  }
}
