// What can be taken out of json and jsonb: members and elements, as text or as jsonb.

import VarveCore

extension FunctionTable {
  mutating func addJSON() {
    for type in [SQLType.json, .jsonb] {
      for key in [SQLType.text, .int4] {
        addOperator("->>", [type, key], .text) { columns, n, _ in
          try Evaluation.rows2(columns[0], columns[1], n, .text) {
            guard let value = try JSONText.value($0.text).member($1) else { return .null }
            return value.plainText.map(Datum.text) ?? .null
          }
        }
      }
      add(type == .json ? "json_typeof" : "jsonb_typeof", [type], .text) { columns, n, _ in
        try Evaluation.rows1(columns[0], n, .text) { .text(try JSONText.value($0.text).typeName) }
      }
      add(type == .json ? "json_array_length" : "jsonb_array_length", [type], .int4) { columns, n, _ in
        try Evaluation.rows1(columns[0], n, .int4) {
          guard case .array(let items) = try JSONText.value($0.text) else {
            throw SQLError.make("22023", "cannot get array length of a non-array")
          }
          return .int(Int64(items.count))
        }
      }
    }
    for key in [SQLType.text, .int4] {
      addOperator("->", [.jsonb, key], .jsonb) { columns, n, _ in
        try Evaluation.rows2(columns[0], columns[1], n, .jsonb) {
          guard let value = try JSONText.value($0.text).member($1) else { return .null }
          var out = ""
          value.append(to: &out)
          return .text(out)
        }
      }
    }
  }
}

extension JSONText.Value {
  /// A member by name, or an element by place, from the end if negative.
  func member(_ key: Datum) -> JSONText.Value? {
    switch (self, key) {
    case (.object(let members), .text(let name)): members.first { $0.key.utf8.elementsEqual(name.utf8) }?.value
    case (.array(let items), .int(let place)):
      items.indices.contains(Int(place < 0 ? Int64(items.count) + place : place))
        ? items[Int(place < 0 ? Int64(items.count) + place : place)] : nil
    default: nil
    }
  }

  /// A string without its quotes; null is nil.
  var plainText: String? {
    switch self {
    case .null: return nil
    case .string(let text): return text
    default:
      var out = ""
      append(to: &out)
      return out
    }
  }

  var typeName: String {
    switch self {
    case .null: "null"
    case .bool: "boolean"
    case .number: "number"
    case .string: "string"
    case .array: "array"
    case .object: "object"
    }
  }
}
