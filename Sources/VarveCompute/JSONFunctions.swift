// JSON made of values, as PostgreSQL 15 writes it: json_build_object, json_build_array, to_json and array_to_json.
// Reading JSON is not here.

import VarveCore

package enum JSONFunctions {
  static let names: Set<String> = ["json_build_object", "json_build_array", "to_json", "array_to_json"]
  package static let type = SQLType.json

  static func function(_ name: String, _ types: [SQLType]) throws -> ScalarFunction? {
    // What is still undecided is text.
    let types = types.map { $0 == .unknown ? SQLType.text : $0.base }
    switch name {
    case "json_build_object":
      guard types.count % 2 == 0 else {
        throw SQLError.make(
          "22023", "argument list must have even number of elements",
          hint: "The arguments of json_build_object() must consist of alternating keys and values.")
      }
      return make(name, types) { row, context in
        let pairs = try stride(from: 0, to: row.count, by: 2).map { index in
          let key = try JSONWriter.key(row[index], types[index], context)
          return "\(key) : \(try JSONWriter.string(row[index + 1], types[index + 1], context))"
        }
        return "{" + pairs.joined(separator: ", ") + "}"
      }
    case "json_build_array":
      return make(name, types) { row, context in
        let items = try zip(row, types).map { try JSONWriter.string($0, $1, context) }
        return "[" + items.joined(separator: ", ") + "]"
      }
    case "to_json" where types.count == 1, "array_to_json" where types.count == 1 && types[0].element != nil:
      return make(name, types) { row, context in
        row[0].isNull ? nil : try JSONWriter.string(row[0], types[0], context)
      }
    default: return nil
    }
  }

  private static func make(
    _ name: String, _ types: [SQLType], _ body: @escaping @Sendable ([Datum], EvaluationContext) throws -> String?
  ) -> ScalarFunction {
    ScalarFunction(
      name: name, argumentTypes: types, resultType: type, volatility: .stable,
      evaluate: Evaluation.foldingConstants(.stable) { columns, count, context in
        var builder = ColumnBuilder(type, capacity: count)
        for row in 0..<count {
          if let text = try body(columns.map { $0.datum(at: row) }, context) {
            try builder.append(.text(text))
          } else {
            builder.appendNull()
          }
        }
        return builder.finish()
      })
  }
}

/// Single values as JSON.
package enum JSONWriter {
  package static func string(_ datum: Datum, _ type: SQLType, _ context: EvaluationContext) throws -> String {
    switch datum {
    case .null: return "null"
    case .bool(let value): return value ? "true" : "false"
    case .array(let items):
      let element = type.element ?? .text
      return "[" + (try items.map { try string($0, element, context) }).joined(separator: ",") + "]"
    default: break
    }
    let text = try TypeText.string(datum, type: type, context: context)
    switch datum {
    case .int where !type.isOID: return text
    // NaN and the infinities are no numbers in JSON.
    case .float, .numeric: return text.hasSuffix("NaN") || text.hasSuffix("Infinity") ? quoted(text) : text
    case .timestamp: return quoted(isoTime(text, isZoned: type == .timestamptz))
    default: return quoted(text)
    }
  }

  /// NULL cannot be the name of anything.
  static func key(_ datum: Datum, _ type: SQLType, _ context: EvaluationContext) throws -> String {
    if datum.isNull { throw SQLError.make("22023", "argument 1 cannot be null", hint: "Object keys should be text.") }
    return quoted(try TypeText.string(datum, type: type, context: context))
  }

  /// `2024-01-01 00:00:00+00` → `2024-01-01T00:00:00+00:00`.
  private static func isoTime(_ text: String, isZoned: Bool) -> String {
    guard let space = text.firstIndex(of: " ") else { return text }
    let time = text[text.index(after: space)...]
    let zone = time.lastIndex { $0 == "+" || $0 == "-" }
    let isShort = zone.map { !time[$0...].contains(":") } ?? false
    return text[..<space] + "T" + time + (isZoned && isShort ? ":00" : "")
  }

  static func quoted(_ text: String) -> String {
    var out = ""
    JSONText.quote(text, into: &out)
    return out
  }
}
