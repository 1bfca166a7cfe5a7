// JSON made of values, as PostgreSQL 15 writes it: json_build_object, json_build_array, to_json, array_to_json and their
// kin of jsonb, and rows.

import VarveCore

package enum JSONFunctions {
  static let names: Set<String> = [
    "json_build_object", "json_build_array", "to_json", "array_to_json", "jsonb_build_object", "jsonb_build_array",
    "to_jsonb", "json_extract_path", "json_extract_path_text", "jsonb_extract_path", "jsonb_extract_path_text",
  ]
  /// What takes a whole row for a value.
  package static let rowTakers: Set<String> = [
    "row_to_json", "to_json", "to_jsonb", "json_build_object", "json_build_array", "jsonb_build_object",
    "jsonb_build_array", "json_agg", "jsonb_agg", "json_object_agg", "jsonb_object_agg",
  ]

  static func function(_ name: String, _ types: [SQLType]) throws -> ScalarFunction? {
    guard names.contains(name) else { return nil }
    // What is still undecided is text.
    let types = types.map { $0 == .unknown ? SQLType.text : $0.base }
    let result: SQLType = name.contains("jsonb") ? .jsonb : .json
    switch name {
    case "json_build_object", "jsonb_build_object":
      guard types.count % 2 == 0 else {
        throw SQLError.make(
          "22023", "argument list must have even number of elements",
          hint: "The arguments of \(name)() must consist of alternating keys and values.")
      }
      return make(name, types, result) { row, context in
        let pairs = try stride(from: 0, to: row.count, by: 2).map { index in
          if row[index].isNull { throw nullKey(index + 1, result) }
          let key = try JSONWriter.key(row[index], types[index], context)
          return "\(key) : \(try JSONWriter.string(row[index + 1], types[index + 1], context))"
        }
        return "{" + pairs.joined(separator: ", ") + "}"
      }
    case "json_build_array", "jsonb_build_array":
      return make(name, types, result) { row, context in
        let items = try zip(row, types).map { try JSONWriter.string($0, $1, context) }
        return "[" + items.joined(separator: ", ") + "]"
      }
    case "to_json" where types.count == 1, "to_jsonb" where types.count == 1,
      "array_to_json" where types.count == 1 && types[0].element != nil:
      return make(name, types, result) { row, context in
        row[0].isNull ? nil : try JSONWriter.string(row[0], types[0], context)
      }
    default: return extractPath(name, types, result)
    }
  }

  /// JSON in jsonb's form.
  package static func normalized(_ text: String) throws -> String { try JSONText.value(text).text }

  /// Of an object whose values are texts or null; nil for any other JSON.
  package static func textMembers(_ text: String) throws -> [(key: String, value: String?)]? {
    guard case .object(let members) = try JSONText.value(text) else { return nil }
    var found: [(key: String, value: String?)] = []
    for (key, value) in members {
      switch value {
      case .string(let text): found.append((key, text))
      case .null: found.append((key, nil))
      default: return nil
      }
    }
    return found
  }

  /// A row as an object with these names; `isFromTable`: a row that has nothing but NULL is none.
  package static func row(_ names: [String], _ types: [SQLType], isFromTable: Bool, separator: String = ",")
    -> ScalarFunction
  {
    let keys = names.map { JSONWriter.quoted($0) }
    let types = types.map { $0 == .unknown ? SQLType.text : $0.base }
    // A name with its types means one function, and what this one gives follows from all of these.
    let name = "row_to_json(\(keys.joined(separator: separator))\(isFromTable ? " of a table" : ""))"
    return make(name, types, .json) { row, context in
      if isFromTable, row.allSatisfy(\.isNull) { return nil }
      let members = try row.indices.map { "\(keys[$0]):\(try JSONWriter.string(row[$0], types[$0], context))" }
      return "{" + members.joined(separator: separator) + "}"
    }
  }

  /// `name(json, VARIADIC text[])`.
  private static func extractPath(_ name: String, _ types: [SQLType], _ type: SQLType) -> ScalarFunction? {
    guard types.count >= 2, types[0] == type || types[0] == .text, types.dropFirst().allSatisfy({ $0 == .text }) else {
      return nil
    }
    let isText = name.hasSuffix("_text")
    let result: SQLType = isText ? .text : type
    return ScalarFunction(
      name: name, argumentTypes: [type] + types.dropFirst(), resultType: result,
      evaluate: Evaluation.foldingConstants(.immutable) { columns, count, _ in
        try Evaluation.rows(columns, count, result) { row in
          let found = try JSONAccess.path(row[0].text, Array(row.dropFirst()))
          return try (isText ? found.flatMap(JSONAccess.plain) : found).map(Datum.text) ?? .null
        }
      })
  }

  private static func nullKey(_ place: Int, _ type: SQLType) -> VarveError {
    type == .json
      ? SQLError.make("22023", "argument \(place) cannot be null", hint: "Object keys should be text.")
      : SQLError.make("22023", "argument \(place): key must not be null")
  }

  private static func make(
    _ name: String, _ types: [SQLType], _ type: SQLType,
    _ body: @escaping @Sendable ([Datum], EvaluationContext) throws -> String?
  ) -> ScalarFunction {
    ScalarFunction(
      name: name, argumentTypes: types, resultType: type, volatility: .stable,
      evaluate: Evaluation.foldingConstants(.stable) { columns, count, context in
        var builder = ColumnBuilder(type, capacity: count)
        for row in 0..<count {
          if let text = try body(columns.map { $0.datum(at: row) }, context) {
            try builder.append(.text(type == .jsonb ? try normalized(text) : text))
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
    case .text(let text) where type == .json || type == .jsonb: return text
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

  /// The name of a member. Not for NULL, which is none.
  package static func key(_ datum: Datum, _ type: SQLType, _ context: EvaluationContext) throws -> String {
    if type == .json || type == .jsonb || type.element != nil {
      throw SQLError.make("22023", "key value must be scalar, not array, composite, or json")
    }
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

  package static func quoted(_ text: String) -> String {
    var out = ""
    JSONText.quote(text, into: &out)
    return out
  }
}
