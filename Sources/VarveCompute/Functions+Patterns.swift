// LIKE, ILIKE and regular expressions as operators. A constant pattern is compiled once a call.

import VarveCore

extension FunctionTable {
  mutating func addPatterns() {
    for (symbol, function, ignoresCase, negated) in [
      ("~~", "like", false, false), ("!~~", "notlike", false, true), ("~~*", "texticlike", true, false),
      ("!~~*", "texticnlike", true, true),
    ] {
      let body: Evaluation.Body = { columns, n, _ in
        try Patterns.run(columns[0], columns[1], n, negated: negated) { bytes in
          let pattern = LikePattern(bytes, ignoresCase: ignoresCase)
          return { try pattern.matches($0) }
        }
      }
      for left in [SQLType.text, .name, .bpchar] {
        addOperator(symbol, [left, .text], .bool, body)
        add(function, [left, .text], .bool, body)
      }
    }
    for (symbol, ignoresCase, negated) in [
      ("~", false, false), ("!~", false, true), ("~*", true, false), ("!~*", true, true),
    ] {
      let body: Evaluation.Body = { columns, n, _ in
        try Patterns.run(columns[0], columns[1], n, negated: negated) { bytes in
          var flags = PatternTranslator.Flags()
          flags.ignoresCase = ignoresCase
          let expression = try RegularExpression(TypeText.string(bytes), flags: flags, texts: n)
          return { try expression.matches($0) }
        }
      }
      for left in [SQLType.text, .name, .bpchar] { addOperator(symbol, [left, .text], .bool, body) }
    }
    // LIKE … ESCAPE: gives the pattern with backslash as its escape.
    for name in ["like_escape"] {
      add(name, [.text, .text], .text) { columns, n, _ in
        try Evaluation.rows2(columns[0], columns[1], n, .text) {
          .text(try Patterns.escaping($0.text, $1.text))
        }
      }
    }
  }
}

enum Patterns {
  typealias Matcher = (UnsafeBufferPointer<UInt8>) throws -> Bool

  static func run(
    _ texts: Column, _ patterns: Column, _ n: Int, negated: Bool,
    _ compile: (UnsafeBufferPointer<UInt8>) throws -> Matcher
  ) throws -> Column {
    if Evaluation.isConstantNull(texts) || Evaluation.isConstantNull(patterns) { return .null(.bool, count: n) }
    let view = TextView(patterns)
    if patterns.constantValue != nil {
      let matcher = try withExtendedLifetime(view) { try compile(view.bytes(0)) }
      return try Evaluation.textPredicate(texts, n) { try matcher($0) != negated }
    }
    let source = TextView(texts)
    var builder = ColumnBuilder(.bool, capacity: n)
    for i in 0..<n {
      if texts.isNull(at: i) || patterns.isNull(at: i) {
        builder.appendNull()
      } else {
        builder.append(try compile(view.bytes(i))(source.bytes(i)) != negated)
      }
    }
    return builder.finish()
  }

  static func escaping(_ pattern: String, _ escape: String) throws -> String {
    let marks = Array(escape.unicodeScalars)
    guard marks.count <= 1 else {
      throw SQLError.make("22025", "invalid escape string", hint: "Escape string must be empty or one character.")
    }
    var out = String.UnicodeScalarView()
    var escaped = false
    for scalar in pattern.unicodeScalars {
      if let mark = marks.first, scalar == mark, !escaped {
        escaped = true
        out.append("\\")
        continue
      }
      if scalar == "\\", !escaped { out.append("\\") }
      out.append(scalar)
      escaped = false
    }
    return String(out)
  }
}
