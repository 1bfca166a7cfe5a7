// The regexp_ functions, substring by pattern, and SIMILAR TO's translation. Positions are characters from 1, as in
// PostgreSQL 15. A constant pattern is compiled once a call.

import VarveCore

extension FunctionTable {
  mutating func addRegularExpressions() {
    // Optional arguments are overloads, as in pg_proc.
    addRegexp("regexp_like", [.text, .text], optional: [.text], .bool) { row, cache in
      let flags = try Patterns.flags(row, 2, "regexp_like")
      return .bool(try cache.expression(row[1], flags).firstMatch(in: row[0].text) != nil)
    }
    addRegexp("regexp_match", [.text, .text], optional: [.text], .array(.text)) { row, cache in
      let flags = try Patterns.flags(row, 2, "regexp_match", hint: "Use the regexp_matches function instead.")
      let text = row[0].text
      guard let match = try cache.expression(row[1], flags).firstMatch(in: text) else { return .null }
      return .array(Patterns.groups(match, text))
    }
    addRegexp("regexp_split_to_array", [.text, .text], optional: [.text], .array(.text)) { row, cache in
      .array(try Patterns.split(row, cache, "regexp_split_to_array").map(Datum.text))
    }
    addRegexp("substring", [.text, .text], optional: [], .text) { row, cache in
      let text = row[0].text
      let expression = try cache.expression(row[1], PatternTranslator.Flags())
      guard let match = try expression.firstMatch(in: text) else { return .null }
      // The first group, if there is one.
      return Patterns.text(match, expression.groupCount > 0 ? 1 : 0, text)
    }
    addRegexp("substring", [.text, .text, .text], optional: [], .text) { row, cache in
      let pattern = Datum.text(try SimilarPattern.expression(row[1].text, escape: row[2].text))
      let text = row[0].text
      return try cache.expression(pattern, PatternTranslator.Flags()).firstMatch(in: text).map {
        Patterns.text($0, 0, text)
      } ?? .null
    }
    addReplace()
    addCounting()
    for name in ["similar_to_escape", "similar_escape"] {
      add(name, [.text], .text) { columns, n, _ in
        try Evaluation.rows1(columns[0], n, .text) { .text(try SimilarPattern.expression($0.text, escape: "\\")) }
      }
      add(name, [.text, .text], .text) { columns, n, _ in
        try Evaluation.rows2(columns[0], columns[1], n, .text) {
          .text(try SimilarPattern.expression($0.text, escape: $1.text))
        }
      }
    }
  }

  private mutating func addRegexp(
    _ name: String, _ types: [SQLType], optional: [SQLType], _ result: SQLType,
    _ op: @escaping @Sendable ([Datum], PatternCache) throws -> Datum
  ) {
    for more in 0...optional.count {
      add(name, types + optional.prefix(more), result) { columns, n, _ in
        let cache = PatternCache(texts: n)
        return try Evaluation.rows(columns, n, result) { try op($0, cache) }
      }
    }
  }

  private mutating func addReplace() {
    addRegexp("regexp_replace", [.text, .text, .text], optional: [.text], .text) { row, cache in
      let letters = row.count > 3 ? row[3].text : ""
      if let digit = letters.unicodeScalars.first, digit.value >= 0x30, digit.value <= 0x39 {
        throw SQLError.make(
          "22023", "invalid regular expression option: \"\(digit)\"",
          hint: "If you meant to use regexp_replace() with a start parameter, cast the fourth argument to integer "
            + "explicitly.")
      }
      let flags = try PatternTranslator.Flags(letters)
      return .text(
        try Patterns.replace(
          row[0].text, cache.expression(row[1], flags), row[2].text, from: 1, nth: flags.isGlobal ? 0 : 1))
    }
    addRegexp("regexp_replace", [.text, .text, .text, .int4], optional: [.int4, .text], .text) { row, cache in
      let flags = try PatternTranslator.Flags(row.count > 5 ? row[5].text : "")
      let start = try Patterns.positive(row[3], "start")
      var nth = row.count > 4 ? Int(row[4].integer) : (flags.isGlobal ? 0 : 1)
      guard nth >= 0 else { throw Patterns.badParameter("n", row[4]) }
      if row.count == 4 { nth = 1 }
      return .text(
        try Patterns.replace(row[0].text, cache.expression(row[1], flags), row[2].text, from: start, nth: nth))
    }
  }

  private mutating func addCounting() {
    addRegexp("regexp_count", [.text, .text], optional: [.int4, .text], .int4) { row, cache in
      let start = row.count > 2 ? try Patterns.positive(row[2], "start") : 1
      let flags = try Patterns.flags(row, 3, "regexp_count")
      return .int(Int64(try Patterns.all(row[0].text, cache.expression(row[1], flags), from: start).count))
    }
    addRegexp("regexp_instr", [.text, .text], optional: [.int4, .int4, .int4, .text, .int4], .int4) {
      row, cache in
      let start = row.count > 2 ? try Patterns.positive(row[2], "start") : 1
      let nth = row.count > 3 ? try Patterns.positive(row[3], "n") : 1
      let wantsEnd = row.count > 4 ? row[4].integer : 0
      guard wantsEnd == 0 || wantsEnd == 1 else { throw Patterns.badParameter("endoption", row[4]) }
      let flags = try Patterns.flags(row, 5, "regexp_instr")
      let group = row.count > 6 ? row[6].integer : 0
      guard group >= 0 else { throw Patterns.badParameter("subexpr", row[6]) }
      let text = row[0].text
      let found = try Patterns.all(text, cache.expression(row[1], flags), from: start, limit: nth)
      guard found.count >= nth, let place = Patterns.group(found[nth - 1], group),
        let range = found[nth - 1].ranges[place]
      else { return .int(0) }
      let bytes = text.utf8.prefix(wantsEnd == 1 ? range.upperBound : range.lowerBound)
      return .int(Int64(bytes.reduce(1) { $0 + ($1 & 0xC0 != 0x80 ? 1 : 0) }))
    }
    addRegexp("regexp_substr", [.text, .text], optional: [.int4, .int4, .text, .int4], .text) { row, cache in
      let start = row.count > 2 ? try Patterns.positive(row[2], "start") : 1
      let nth = row.count > 3 ? try Patterns.positive(row[3], "n") : 1
      let flags = try Patterns.flags(row, 4, "regexp_substr")
      let group = row.count > 5 ? row[5].integer : 0
      guard group >= 0 else { throw Patterns.badParameter("subexpr", row[5]) }
      let text = row[0].text
      let found = try Patterns.all(text, cache.expression(row[1], flags), from: start, limit: nth)
      guard found.count >= nth, let place = Patterns.group(found[nth - 1], group) else { return .null }
      return Patterns.text(found[nth - 1], place, text)
    }
  }
}

/// The expressions of one call: the last one stays compiled.
final class PatternCache {
  private let texts: Int
  private var last: (pattern: String, letters: String, expression: RegularExpression)?

  init(texts: Int) { self.texts = texts }

  func expression(_ pattern: Datum, _ flags: PatternTranslator.Flags) throws -> RegularExpression {
    let text = pattern.text
    let key = "\(flags)"
    if let last, last.pattern.utf8.elementsEqual(text.utf8), last.letters == key { return last.expression }
    let expression = try RegularExpression(text, flags: flags, texts: texts)
    last = (text, key, expression)
    return expression
  }
}

extension RegularExpression {
  func firstMatch(in text: String, from start: Int = 0) throws -> Match? {
    var text = text
    return try text.withUTF8 { try firstMatch(in: $0, from: start) }
  }
}

extension Patterns {
  static func badParameter(_ name: String, _ value: Datum) -> VarveError {
    SQLError.make("22023", "invalid value for parameter \"\(name)\": \(value.integer)")
  }
  static func positive(_ value: Datum, _ name: String) throws -> Int {
    guard value.integer > 0 else { throw badParameter(name, value) }
    return Int(value.integer)
  }

  /// The flags at a place of the arguments, if there are so many; `g` is not one of this function's.
  static func flags(_ row: [Datum], _ place: Int, _ name: String, hint: String? = nil) throws
    -> PatternTranslator.Flags
  {
    guard row.count > place else { return PatternTranslator.Flags() }
    let flags = try PatternTranslator.Flags(row[place].text)
    if flags.isGlobal {
      throw SQLError.make("22023", "\(name)() does not support the \"global\" option", hint: hint)
    }
    return flags
  }

  /// The place of a group among a match's ranges: without groups the first is the whole. nil: there is none.
  static func group(_ match: RegularExpression.Match, _ number: Int64) -> Int? {
    if number == 1, match.ranges.count == 1 { return 0 }
    return number < Int64(match.ranges.count) ? Int(number) : nil
  }

  static func text(_ match: RegularExpression.Match, _ group: Int, _ text: String) -> Datum {
    guard let range = match.ranges[group] else { return .null }
    return .text(String(decoding: text.utf8.dropFirst(range.lowerBound).prefix(range.count), as: UTF8.self))
  }

  /// What the groups matched; without groups the whole.
  static func groups(_ match: RegularExpression.Match, _ text: String) -> [Datum] {
    let count = match.ranges.count
    return (count > 1 ? Array(1..<count) : [0]).map { Patterns.text(match, $0, text) }
  }

  /// The byte where the character begins; the end for what is beyond it; nil beyond that.
  private static func offset(_ text: String, character: Int) -> Int? {
    var left = character - 1
    if left == 0 { return 0 }
    for (i, byte) in text.utf8.enumerated() where byte & 0xC0 != 0x80 {
      if left == 0 { return i }
      left -= 1
    }
    return left == 0 ? text.utf8.count : nil
  }

  /// All matches, one behind the other. `ignoringEmptyEnds`: empty ones at the ends and right behind a match do not count.
  static func all(
    _ text: String, _ expression: RegularExpression, from character: Int, limit: Int = .max,
    ignoringEmptyEnds: Bool = false
  ) throws -> [RegularExpression.Match] {
    guard var at = offset(text, character: character) else { return [] }
    var text = text
    return try text.withUTF8 { bytes in
      var result: [RegularExpression.Match] = []
      var previousEnd = 0
      while at <= bytes.count, result.count < limit, let match = try expression.firstMatch(in: bytes, from: at) {
        let range = match.range
        if !ignoringEmptyEnds || (range.lowerBound < bytes.count && range.upperBound > previousEnd) {
          result.append(match)
        }
        previousEnd = range.upperBound
        at = next(bytes, behind: range)
      }
      return result
    }
  }

  /// Where to look on: behind an empty match one character more.
  private static func next(_ bytes: UnsafeBufferPointer<UInt8>, behind range: Range<Int>) -> Int {
    guard range.isEmpty else { return range.upperBound }
    var at = range.upperBound + 1
    while at < bytes.count, bytes[at] & 0xC0 == 0x80 { at += 1 }
    return at
  }

  static func split(_ row: [Datum], _ cache: PatternCache, _ name: String) throws -> [String] {
    let flags = try flags(row, 2, name)
    let text = row[0].text
    let utf8 = Array(text.utf8)
    var parts: [String] = []
    var start = 0
    for match in try all(text, cache.expression(row[1], flags), from: 1, ignoringEmptyEnds: true) {
      parts.append(String(decoding: utf8[start..<match.range.lowerBound], as: UTF8.self))
      start = match.range.upperBound
    }
    return parts + [String(decoding: utf8[start...], as: UTF8.self)]
  }

  /// `nth` 0: all of them.
  static func replace(
    _ text: String, _ expression: RegularExpression, _ replacement: String, from character: Int, nth: Int
  ) throws -> String {
    let matches = try all(text, expression, from: character, limit: nth == 0 ? .max : nth)
    let chosen = nth == 0 ? matches[...] : matches.dropFirst(nth - 1)
    if chosen.isEmpty { return text }
    let utf8 = Array(text.utf8)
    let pattern = Array(replacement.utf8)
    var out: [UInt8] = []
    var start = 0
    for match in chosen {
      out += utf8[start..<match.range.lowerBound]
      append(pattern, match, utf8, to: &out)
      start = match.range.upperBound
      guard out.count < 1 << 24 else { throw SQLError.make("54000", "text of more than 16 MiB") }
    }
    out += utf8[start...]
    return String(decoding: out, as: UTF8.self)
  }

  /// `\1` to `\9` are groups, `\&` is the whole match, `\\` a backslash.
  private static func append(
    _ replacement: [UInt8], _ match: RegularExpression.Match, _ text: [UInt8], to out: inout [UInt8]
  ) {
    var i = 0
    while i < replacement.count {
      let c = replacement[i]
      guard c == UInt8(ascii: "\\"), i + 1 < replacement.count else {
        out.append(c)
        i += 1
        continue
      }
      let next = replacement[i + 1]
      i += 2
      switch next {
      case UInt8(ascii: "1")...UInt8(ascii: "9"), UInt8(ascii: "&"):
        let group = next == UInt8(ascii: "&") ? 0 : Int(next - 0x30)
        if group < match.ranges.count, let range = match.ranges[group] { out += text[range] }
      case UInt8(ascii: "\\"): out.append(next)
      default: out += [c, next]
      }
    }
  }
}

/// SIMILAR TO's patterns as advanced regular expressions: similar_escape_internal of PostgreSQL's regexp.c.
enum SimilarPattern {
  static func expression(_ pattern: String, escape: String) throws -> String {
    let marks = Array(escape.unicodeScalars)
    guard marks.count <= 1 else {
      throw SQLError.make("22025", "invalid escape string", hint: "Escape string must be empty or one character.")
    }
    var out = String.UnicodeScalarView()
    var isEscaped = false
    var inBrackets = false
    for c in pattern.unicodeScalars {
      if isEscaped {
        if c == "\"", !inBrackets {
          throw SQLError.unsupported(
            "SIMILAR patterns that cut out a part are not supported",
            hint: "Use substring(text FROM pattern) with a regular expression and parentheses around the part.")
        }
        // No escapes of SQL mean anything else than the character.
        out.append("\\")
        out.append(c)
        isEscaped = false
      } else if let mark = marks.first, c == mark {
        isEscaped = true
      } else if inBrackets {
        if c == "\\" { out.append("\\") }
        out.append(c)
        if c == "]" { inBrackets = false }
      } else {
        switch c {
        case "[":
          out.append(c)
          inBrackets = true
        case "%": out.append(contentsOf: ".*".unicodeScalars)
        case "_": out.append(".")
        case "(": out.append(contentsOf: "(?:".unicodeScalars)
        case "\\", ".", "^", "$":
          out.append("\\")
          out.append(c)
        default: out.append(c)
        }
      }
    }
    return "^(?:" + String(out) + ")$"
  }
}
