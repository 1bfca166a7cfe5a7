// More functions of text: initcap, overlay, translate, arrays of parts, and what takes arguments of any type (concat,
// concat_ws, format, quote_nullable).

import VarveCore

extension FunctionTable {
  mutating func addStrings() {
    add("bit_length", [.text], .int4) { columns, n, _ in
      try TextKernels.measure(columns[0], n) { $0.count * 8 }
    }
    add("length", [.bytea], .int4) { columns, n, _ in
      try Evaluation.rows1(columns[0], n, .int4) { .int(Int64($0.bytes.count)) }
    }
    add("initcap", [.text], .text) { columns, n, _ in
      try Evaluation.rows1(columns[0], n, .text) { .text(TextKernels.initialCapitals($0.text)) }
    }
    add("translate", [.text, .text, .text], .text) { columns, n, _ in
      try Evaluation.rows(columns, n, .text) { row in
        .text(TextKernels.translate(row[0].text, row[1].text, row[2].text))
      }
    }
    let overlay: Evaluation.Body = { columns, n, _ in
      try Evaluation.rows(columns, n, .text) { row in
        let count = row.count > 3 ? row[3].integer : Int64(row[1].text.unicodeScalars.count)
        let start = row[2].integer
        if start <= 0 { throw SQLError.make("22011", "negative substring length not allowed") }
        let (end, overflow) = start.addingReportingOverflow(count)
        guard !overflow, end <= Int64(Int32.max) else { throw SQLError.outOfRange(.int4) }
        let text = row[0].text
        return .text(
          TextKernels.substring(text, from: 1, count: start - 1) + row[1].text
            + TextKernels.substring(text, from: end, count: nil))
      }
    }
    add("overlay", [.text, .text, .int4], .text, overlay)
    add("overlay", [.text, .text, .int4, .int4], .text, overlay)
    let toArray: Evaluation.Body = { columns, n, _ in
      var builder = ColumnBuilder(.array(.text), capacity: n)
      for i in 0..<n {
        guard case .text(let text) = columns[0].datum(at: i) else {
          builder.appendNull()
          continue
        }
        let null = columns.count > 2 ? columns[2].datum(at: i) : .null
        try builder.append(.array(TextKernels.parts(text, columns[1].datum(at: i), null: null)))
      }
      return builder.finish()
    }
    add("string_to_array", [.text, .text], .array(.text), toArray)
    add("string_to_array", [.text, .text, .text], .array(.text), toArray)
  }
}

extension Datum {
  var bytes: [UInt8] {
    guard case .bytea(let value) = self else { preconditionFailure("a bytea") }
    return value
  }
}

extension TextKernels {
  /// The first letter of each run of letters and digits in upper case, the others in lower case.
  static func initialCapitals(_ text: String) -> String {
    var out = String.UnicodeScalarView()
    var inWord = false
    for scalar in text.unicodeScalars {
      let mapped = inWord ? scalar.properties.lowercaseMapping : scalar.properties.uppercaseMapping
      let single = mapped.unicodeScalars.count == 1 ? mapped.unicodeScalars.first : nil
      out.append(single ?? scalar)
      inWord = scalar.properties.isAlphabetic || scalar.properties.numericType == .decimal
    }
    return String(out)
  }

  /// Characters of `from` become those of `to` at the same place; those without one go.
  static func translate(_ text: String, _ from: String, _ to: String) -> String {
    let replacements = Array(to.unicodeScalars)
    var map: [Unicode.Scalar: Unicode.Scalar?] = [:]
    for (i, scalar) in from.unicodeScalars.enumerated() where map[scalar] == nil {
      map.updateValue(i < replacements.count ? replacements[i] : nil, forKey: scalar)
    }
    var out = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      if let replacement = map[scalar] {
        if let replacement { out.append(replacement) }
      } else {
        out.append(scalar)
      }
    }
    return String(out)
  }

  /// string_to_array: a NULL delimiter cuts between all characters, an empty one nowhere; parts that are `null` are NULL.
  static func parts(_ text: String, _ delimiter: Datum, null: Datum) -> [Datum] {
    if text.isEmpty { return [] }
    let parts: [String]
    if case .text(let mark) = delimiter {
      parts = split(Array(text.utf8), Array(mark.utf8)).map { String(decoding: $0, as: UTF8.self) }
    } else {
      parts = text.unicodeScalars.map { String($0) }
    }
    return parts.map { part in
      if case .text(let word) = null, word.utf8.elementsEqual(part.utf8) { return .null }
      return .text(part)
    }
  }
}

/// concat, concat_ws and format: arguments of any type, as their output functions print them.
enum AnyText {
  static let names: Set<String> = ["concat", "concat_ws", "format", "quote_nullable", "num_nulls", "num_nonnulls"]

  static func function(_ name: String, _ types: [SQLType]) -> ScalarFunction? {
    let fixed = name == "concat_ws" || name == "format" ? 1 : 0
    guard types.count > fixed || (types.count == fixed && fixed > 0) else { return nil }
    if fixed == 1, types[0] != .unknown, !Casts.isImplicit(from: types[0], to: .text) { return nil }
    if name == "quote_nullable", types.count != 1 { return nil }
    var arguments = types.map { $0 == .unknown ? SQLType.text : $0 }
    if fixed == 1 { arguments[0] = .text }
    let declared = arguments
    let result: SQLType = name.hasPrefix("num_") ? .int4 : .text
    return ScalarFunction(
      name: name, argumentTypes: declared, resultType: result, volatility: .stable,
      evaluate: Evaluation.foldingConstants(.stable) { columns, n, context in
        var builder = ColumnBuilder(result, capacity: n)
        for i in 0..<n {
          let row = columns.map { $0.datum(at: i) }
          try builder.append(value(name, row, declared, context))
        }
        return builder.finish()
      })
  }

  private static func value(
    _ name: String, _ row: [Datum], _ types: [SQLType], _ context: EvaluationContext
  ) throws -> Datum {
    func text(_ i: Int) throws -> String? {
      row[i].isNull ? nil : try TypeText.string(row[i], type: types[i], context: context)
    }
    switch name {
    case "concat": return .text(try row.indices.compactMap(text).joined())
    case "concat_ws":
      guard case .text(let separator) = row[0] else { return .null }
      return .text(try row.indices.dropFirst().compactMap(text).joined(separator: separator))
    case "quote_nullable": return .text(try text(0).map(TextKernels.quoteLiteral) ?? "NULL")
    case "num_nulls": return .int(Int64(row.count { $0.isNull }))
    case "num_nonnulls": return .int(Int64(row.count { !$0.isNull }))
    default:
      guard case .text(let pattern) = row[0] else { return .null }
      return .text(try format(pattern, count: row.count) { try text($0) })
    }
  }

  /// format(): `%[position$][-][width]type`, type one of s, I, L, %.
  private static func format(_ pattern: String, count: Int, _ argument: (Int) throws -> String?) throws -> String {
    func invalid(_ message: String, hint: String? = nil) -> VarveError { SQLError.make("22023", message, hint: hint) }
    let p = Array(pattern.unicodeScalars)
    var out = ""
    var i = 0
    var next = 1
    func digits() -> Int? {
      let start = i
      var value = 0
      while i < p.count, p[i].value >= 0x30, p[i].value <= 0x39 {
        value = min(value * 10 + Int(p[i].value - 0x30), 1 << 24)
        i += 1
      }
      return i > start ? value : nil
    }
    func take() throws -> Int {
      guard next < count else { throw invalid("too few arguments for format()") }
      next += 1
      return next - 1
    }
    while i < p.count {
      guard p[i] == "%" else {
        out.unicodeScalars.append(p[i])
        i += 1
        continue
      }
      i += 1
      if i < p.count, p[i] == "%" {
        out += "%"
        i += 1
        continue
      }
      var position: Int?
      var width = 0
      var isLeft = false
      let start = i
      if let value = digits() {
        if i < p.count, p[i] == "$" {
          guard value > 0 else { throw invalid("format specifies argument 0, but arguments are numbered from 1") }
          position = value
          i += 1
        } else {
          i = start
        }
      }
      while i < p.count, p[i] == "-" {
        isLeft = true
        i += 1
      }
      if i < p.count, p[i] == "*" {
        i += 1
        var place = 0
        let mark = i
        if let value = digits(), i < p.count, p[i] == "$" {
          i += 1
          place = value
        } else {
          i = mark
          place = try take()
        }
        guard place >= 1, place < count else { throw invalid("too few arguments for format()") }
        width = Int(try argument(place) ?? "0") ?? 0
        if width < 0 { (width, isLeft) = (-width, true) }
      } else if let value = digits() {
        width = value
      }
      guard i < p.count else {
        throw invalid("unterminated format() type specifier", hint: "For a single \"%\" use \"%%\".")
      }
      let kind = p[i]
      i += 1
      guard kind == "s" || kind == "I" || kind == "L" else {
        throw invalid(
          "unrecognized format() type specifier \"\(kind)\"", hint: "For a single \"%\" use \"%%\".")
      }
      let place = try position ?? take()
      guard place < count else { throw invalid("too few arguments for format()") }
      next = place + 1
      let value = try argument(place)
      let text: String
      switch (kind, value) {
      case ("I", nil):
        throw SQLError.make("22004", "null values cannot be formatted as an SQL identifier")
      case ("I", let value?): text = TextKernels.quoteIdentifier(value)
      case ("L", nil): text = "NULL"
      case ("L", let value?):
        text = TextKernels.quoteLiteral(value)
      default: text = value ?? ""
      }
      guard width < 1 << 24, out.utf8.count < 1 << 24 else { throw SQLError.make("54000", "text of more than 16 MiB") }
      let padding = String(repeating: " ", count: max(width - text.unicodeScalars.count, 0))
      out += isLeft ? text + padding : padding + text
    }
    return out
  }
}
