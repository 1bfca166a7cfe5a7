// PostgreSQL's advanced regular expressions (Henry Spencer's) in PCRE2's words. What means the same is written the same
// way; classes, anchors, escapes and options that differ are spelled out; what PCRE2 cannot say is refused.

import VarveCore

struct PatternTranslator {
  /// The letters that regexp functions take, and `(?…)` at the start of a pattern.
  struct Flags {
    var ignoresCase = false
    /// `.` and negated brackets do not match a newline.
    var excludesNewlines = false
    /// `^` and `$` match at lines too.
    var anchorsAtLines = false
    /// White space and comments in the pattern do not count.
    var isExpanded = false
    /// The pattern is a plain string.
    var isLiteral = false
    /// All matches: for the function, not for the pattern.
    var isGlobal = false

    init() {}

    /// Throws 22023 for a letter that is none.
    init(_ letters: String) throws {
      for letter in letters.unicodeScalars {
        if letter == "g" {
          isGlobal = true
        } else if try !apply(letter) {
          throw SQLError.make("22023", "invalid regular expression option: \"\(letter)\"")
        }
      }
    }

    mutating func apply(_ letter: Unicode.Scalar) throws -> Bool {
      switch letter {
      case "i": ignoresCase = true
      case "c": ignoresCase = false
      case "n", "m": (excludesNewlines, anchorsAtLines) = (true, true)
      case "s": (excludesNewlines, anchorsAtLines) = (false, false)
      case "p": (excludesNewlines, anchorsAtLines) = (true, false)
      case "w": (excludesNewlines, anchorsAtLines) = (false, true)
      case "x": isExpanded = true
      case "t": isExpanded = false
      case "q": isLiteral = true
      case "e": break
      case "b":
        throw SQLError.unsupported(
          "basic regular expressions are not supported", hint: "Leave the option b out and write an advanced one.")
      default: return false
      }
      return true
    }
  }

  /// Which of the matches that begin at one place: the longest unless the first quantifier is a lazy one.
  enum Preference { case none, longest, shortest }

  struct Translation {
    let pattern: String
    let ignoresCase: Bool
    let preference: Preference
    let groupCount: Int
    /// PCRE2's first match need not be the preferred one.
    let isAmbiguous: Bool
  }

  private static let depthLimit = 200
  private static let repetitionLimit = 255

  private var text: [Unicode.Scalar]
  private var flags: Flags
  private var at = 0
  private var groupCount = 0
  private var openGroups: Set<Int> = []
  private var quantifierCount = 0
  private var hasAlternatives = false
  private var hasBackReferences = false

  init(_ pattern: String, _ flags: Flags) {
    text = Array(pattern.unicodeScalars)
    self.flags = flags
  }

  static func invalid(_ why: String) -> VarveError { SQLError.make("2201B", "invalid regular expression: \(why)") }

  mutating func translate() throws -> Translation {
    try readPrefix()
    if flags.isLiteral {
      return Translation(
        pattern: text[at...].map(Self.literal).joined(), ignoresCase: flags.ignoresCase, preference: .none,
        groupCount: 0, isAmbiguous: false)
    }
    let (pattern, preference) = try alternatives(depth: 0)
    if at < text.count { throw Self.invalid("parentheses () not balanced") }
    // One repetition alone finds its longest itself, whatever is around it.
    let isAmbiguous = !hasBackReferences && (hasAlternatives || quantifierCount > 1)
    return Translation(
      pattern: pattern, ignoresCase: flags.ignoresCase, preference: preference, groupCount: groupCount,
      isAmbiguous: isAmbiguous)
  }

  // MARK: Reading

  private var peek: Unicode.Scalar? { at < text.count ? text[at] : nil }
  private func starts(_ prefix: String) -> Bool {
    let scalars = Array(prefix.unicodeScalars)
    return at + scalars.count <= text.count && text[at..<(at + scalars.count)].elementsEqual(scalars)
  }
  private mutating func take(_ prefix: String) -> Bool {
    guard starts(prefix) else { return false }
    at += prefix.unicodeScalars.count
    return true
  }

  /// `***:` and `***=`, then options in parentheses.
  private mutating func readPrefix() throws {
    if take("***=") {
      flags.isLiteral = true
      return
    }
    if !take("***:"), starts("***") { throw Self.invalid("invalid regexp (reg version 0.8)") }
    if flags.isLiteral { return }
    guard starts("(?"), at + 2 < text.count, text[at + 2].properties.isAlphabetic else { return }
    at += 2
    while let letter = peek, letter != ")" {
      guard try flags.apply(letter) else { throw Self.invalid("invalid embedded option") }
      at += 1
    }
    guard take(")") else { throw Self.invalid("invalid embedded option") }
  }

  private mutating func skipIgnored() throws {
    while true {
      if starts("(?#") {
        while let c = peek, c != ")" { at += 1 }
        guard take(")") else { throw Self.invalid("parentheses () not balanced") }
      } else if flags.isExpanded, let c = peek, c.properties.isWhitespace {
        at += 1
      } else if flags.isExpanded, peek == "#" {
        while let c = peek, c != "\n" { at += 1 }
      } else {
        return
      }
    }
  }

  private mutating func alternatives(depth: Int) throws -> (String, Preference) {
    guard depth < Self.depthLimit else { throw Self.invalid("regular expression is too complex") }
    var (result, preference) = try sequence(depth: depth)
    while take("|") {
      hasAlternatives = true
      preference = .longest
      result += "|" + (try sequence(depth: depth)).0
    }
    return (result, preference)
  }

  private mutating func sequence(depth: Int) throws -> (String, Preference) {
    var result = ""
    var preference = Preference.none
    while true {
      try skipIgnored()
      guard let c = peek, c != "|", c != ")" else { break }
      let (piece, own) = try piece(depth: depth)
      result += piece
      if preference == .none { preference = own }
    }
    return (result, preference)
  }

  private mutating func piece(depth: Int) throws -> (String, Preference) {
    var (text, preference, isConstraint) = try atom(depth: depth)
    try skipIgnored()
    guard let quantifier = try quantifier() else { return (text, preference) }
    if isConstraint { throw Self.invalid("quantifier operand invalid") }
    quantifierCount += 1
    text += quantifier.text
    if !quantifier.isFixed { preference = quantifier.isLazy ? .shortest : .longest }
    try skipIgnored()
    if try self.quantifier() != nil { throw Self.invalid("quantifier operand invalid") }
    return (text, preference)
  }

  private mutating func quantifier() throws -> (text: String, isLazy: Bool, isFixed: Bool)? {
    guard let c = peek else { return nil }
    var result: String
    var isFixed = false
    switch c {
    case "*", "+", "?":
      at += 1
      result = String(c)
    case "{":
      guard at + 1 < text.count, Self.isDigit(text[at + 1]) else { return nil }
      at += 1
      let least = try count()
      var most: Int? = least
      if take(",") { most = peek == "}" ? nil : try count() }
      guard take("}") else { throw Self.invalid("braces {} not balanced") }
      if let most, most < least { throw Self.invalid("invalid repetition count(s)") }
      result = most.map { $0 == least ? "{\(least)}" : "{\(least),\($0)}" } ?? "{\(least),}"
      isFixed = most == least
    default: return nil
    }
    let isLazy = take("?")
    return (isLazy ? result + "?" : result, isLazy, isFixed && !isLazy)
  }

  private mutating func count() throws -> Int {
    var value = 0
    var digits = 0
    while let c = peek, Self.isDigit(c) {
      value = min(value * 10 + Int(c.value - 0x30), 1000)
      digits += 1
      at += 1
    }
    guard digits > 0, value <= Self.repetitionLimit else { throw Self.invalid("invalid repetition count(s)") }
    return value
  }

  private static func isDigit(_ c: Unicode.Scalar) -> Bool { c.value >= 0x30 && c.value <= 0x39 }

  static func literal(_ c: Unicode.Scalar) -> String {
    let isWord = c == "_" || isDigit(c) || (c.isASCII && c.properties.isAlphabetic) || !c.isASCII
    return isWord ? String(c) : "\\x{" + String(c.value, radix: 16) + "}"
  }

  private mutating func atom(depth: Int) throws -> (String, Preference, isConstraint: Bool) {
    guard let c = peek else { return ("", .none, true) }
    at += 1
    switch c {
    case "(": return try group(depth: depth)
    case "[":
      if take("[:<:]]") { return ("\\b(?=\\w)", .none, true) }
      if take("[:>:]]") { return ("\\b(?<=\\w)", .none, true) }
      return (try bracket(), .none, false)
    case ".": return (flags.excludesNewlines ? "[^\\n]" : ".", .none, false)
    case "^": return (flags.anchorsAtLines ? "(?<![^\\n])" : "\\A", .none, true)
    case "$": return (flags.anchorsAtLines ? "(?![^\\n])" : "\\z", .none, true)
    case "*", "+", "?": throw Self.invalid("quantifier operand invalid")
    case "{" where at < text.count && Self.isDigit(text[at]): throw Self.invalid("quantifier operand invalid")
    case "\\": return try escape()
    default: return (Self.literal(c), .none, false)
    }
  }

  private mutating func group(depth: Int) throws -> (String, Preference, isConstraint: Bool) {
    func close(_ translator: inout Self) throws {
      guard translator.take(")") else { throw Self.invalid("parentheses () not balanced") }
    }
    for prefix in ["?=", "?!", "?<=", "?<!"] where take(prefix) {
      let (inner, _) = try alternatives(depth: depth + 1)
      try close(&self)
      return ("(" + prefix + inner + ")", .none, true)
    }
    let isCapture = !take("?:")
    if isCapture, peek == "?" { throw Self.invalid("quantifier operand invalid") }
    var number = 0
    if isCapture {
      groupCount += 1
      number = groupCount
      openGroups.insert(number)
    }
    let (inner, preference) = try alternatives(depth: depth + 1)
    try close(&self)
    openGroups.remove(number)
    return ((isCapture ? "(" : "(?:") + inner + ")", preference, false)
  }

  // MARK: Escapes

  private mutating func escape() throws -> (String, Preference, isConstraint: Bool) {
    guard let c = peek else { throw Self.invalid("invalid escape \\ sequence") }
    switch c {
    case "A": return constraint("\\A")
    case "Z": return constraint("\\z")
    case "m": return constraint("\\b(?=\\w)")
    case "M": return constraint("\\b(?<=\\w)")
    case "y": return constraint("\\b")
    case "Y": return constraint("\\B")
    case "d": return shorthand("[0-9]")
    case "D": return shorthand(flags.excludesNewlines ? "[^0-9\\n]" : "[^0-9]")
    case "s": return shorthand("\\s")
    case "S": return shorthand("\\S")
    case "w": return shorthand("\\w")
    case "W": return shorthand(flags.excludesNewlines ? "[^\\w\\n]" : "\\W")
    case "1"..."9":
      let start = at
      var number = 0
      while let digit = peek, Self.isDigit(digit), at - start < 3 {
        number = number * 10 + Int(digit.value - 0x30)
        at += 1
      }
      if at - start > 1, number > groupCount {
        at = start
        break
      }
      guard number <= groupCount, !openGroups.contains(number) else {
        throw Self.invalid("invalid backreference number")
      }
      hasBackReferences = true
      return ("\\g{\(number)}", .none, false)
    default: break
    }
    return (Self.literal(try escapedCharacter()), .none, false)
  }

  private mutating func constraint(_ text: String) -> (String, Preference, isConstraint: Bool) {
    at += 1
    return (text, .none, true)
  }
  private mutating func shorthand(_ text: String) -> (String, Preference, isConstraint: Bool) {
    at += 1
    return (text, .none, false)
  }

  /// The character that an escape means, behind the backslash.
  private mutating func escapedCharacter() throws -> Unicode.Scalar {
    guard let c = peek else { throw Self.invalid("invalid escape \\ sequence") }
    at += 1
    switch c {
    case "a": return "\u{7}"
    case "b": return "\u{8}"
    case "B": return "\\"
    case "c":
      guard let letter = peek else { throw Self.invalid("invalid escape \\ sequence") }
      at += 1
      return Unicode.Scalar(UInt8(letter.value & 0x1F))
    case "e": return "\u{1B}"
    case "f": return "\u{C}"
    case "n": return "\n"
    case "r": return "\r"
    case "t": return "\t"
    case "v": return "\u{B}"
    case "u": return try number(radix: 16, least: 4, most: 4)
    case "U": return try number(radix: 16, least: 8, most: 8)
    case "x": return try number(radix: 16, least: 1, most: 255)
    case "0"..."7":
      at -= 1
      return try number(radix: 8, least: 1, most: 3)
    default:
      if c.isASCII, c.properties.isAlphabetic || Self.isDigit(c) { throw Self.invalid("invalid escape \\ sequence") }
      return c
    }
  }

  private mutating func number(radix: UInt32, least: Int, most: Int) throws -> Unicode.Scalar {
    var value: UInt32 = 0
    var digits = 0
    while digits < most, let c = peek, c.isASCII, let digit = Character(c).hexDigitValue, digit < Int(radix) {
      value = min(value * radix + UInt32(digit), 0x110000)
      digits += 1
      at += 1
    }
    guard digits >= least, let scalar = Unicode.Scalar(value) else { throw Self.invalid("invalid escape \\ sequence") }
    return scalar
  }

  // MARK: Brackets

  private mutating func bracket() throws -> String {
    let isNegated = take("^")
    var result = isNegated ? "[^" : "["
    if isNegated, flags.excludesNewlines { result += "\\n" }
    var isFirst = true
    while true {
      guard let c = peek else { throw Self.invalid("brackets [] not balanced") }
      if c == "]", !isFirst {
        at += 1
        break
      }
      isFirst = false
      if starts("[:") {
        result += try characterClass()
        continue
      }
      if c == "\\", at + 1 < text.count, let inner = Self.shorthandsInBrackets[text[at + 1]] {
        at += 2
        result += inner
        continue
      }
      let low = try bracketCharacter()
      if peek == "-", at + 1 < text.count, text[at + 1] != "]" {
        at += 1
        let high = try bracketCharacter()
        guard low.value <= high.value else { throw Self.invalid("invalid character range") }
        result += Self.inBrackets(low) + "-" + Self.inBrackets(high)
      } else {
        result += Self.inBrackets(low)
      }
    }
    return result + "]"
  }

  private static let shorthandsInBrackets: [Unicode.Scalar: String] = ["d": "0-9", "s": "\\s", "w": "\\w"]

  private static func inBrackets(_ c: Unicode.Scalar) -> String {
    c.isASCII ? "\\x{" + String(c.value, radix: 16) + "}" : String(c)
  }

  private mutating func bracketCharacter() throws -> Unicode.Scalar {
    guard let c = peek else { throw Self.invalid("brackets [] not balanced") }
    if starts("[."), text.count > at + 4, text[at + 3] == ".", text[at + 4] == "]" {
      defer { at += 5 }
      return text[at + 2]
    }
    if starts("[="), text.count > at + 4, text[at + 3] == "=", text[at + 4] == "]" {
      defer { at += 5 }
      return text[at + 2]
    }
    if starts("[.") || starts("[=") { throw Self.invalid("invalid collating element") }
    at += 1
    return c == "\\" ? try escapedCharacter() : c
  }

  private mutating func characterClass() throws -> String {
    at += 2
    var name = ""
    while let c = peek, c != ":" {
      name.unicodeScalars.append(c)
      at += 1
    }
    guard take(":]") else { throw Self.invalid("brackets [] not balanced") }
    switch name {
    case "digit": return "0-9"
    case "xdigit": return "0-9A-Fa-f"
    case "alnum", "alpha", "blank", "cntrl", "graph", "lower", "print", "punct", "space", "upper", "word":
      return "[:" + name + ":]"
    default: throw Self.invalid("invalid character class")
    }
  }
}
