// format() with one or two values: what psql's listings ask for.

import VarveCompute
import VarveCore

extension SystemFunctions {
  static let formats: [Signature] = [[.text, .text], [.text, .text, .text], [.text, .text, .regclass]].map {
    (types: [SQLType]) in
    make("format", types, .text, isStrict: false) { arguments, _, context in
      guard case .text(let pattern) = arguments[0] else { return .null }
      var values = try zip(arguments, types).dropFirst().map { value, type in
        value.isNull ? nil : try TypeText.string(value, type: type, context: context)
      }[...]
      var out = ""
      var rest = pattern.unicodeScalars[...]
      while let scalar = rest.popFirst() {
        guard scalar == "%" else {
          out.unicodeScalars.append(scalar)
          continue
        }
        guard let kind = rest.popFirst() else {
          throw SQLError.make("22023", "unterminated format() type specifier", hint: "For a single \"%\" use \"%%\".")
        }
        if kind == "%" {
          out += "%"
          continue
        }
        guard let value = values.popFirst() else { throw SQLError.make("22023", "too few arguments for format()") }
        switch kind {
        case "s": out += value ?? ""
        case "I":
          guard let value else { throw SQLError.make("22004", "null values cannot be formatted as an SQL identifier") }
          out += Binder.quoteIfNeeded(value)
        case "L": out += value.map(quoted) ?? "NULL"
        default:
          throw SQLError.make(
            "22023", "unrecognized format() type specifier \"\(kind)\"", hint: "For a single \"%\" use \"%%\".")
        }
      }
      return .text(out)
    }
  }
}
