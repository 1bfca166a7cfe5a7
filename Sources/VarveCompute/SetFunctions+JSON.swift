// Elements and members of json and jsonb as rows.

import VarveCore

extension SetFunctions {
  static func json(_ type: SQLType) -> [SetFunction] {
    let prefix = type == .json ? "json" : "jsonb"
    let (elements, members, keys) = ("\(prefix)_array_elements", "\(prefix)_each", "\(prefix)_object_keys")
    return [
      SetFunction(name: elements, argumentTypes: [type], columns: [("value", type)]) { row, _ in
        try JSONAccess.elements(row[0].text) { noArray($0, elements, type) }.map { [.text($0)] }
      },
      SetFunction(name: "\(elements)_text", argumentTypes: [type], columns: [("value", .text)]) { row, _ in
        try JSONAccess.elements(row[0].text) { noArray($0, "\(elements)_text", type) }.map { [try plain($0)] }
      },
      SetFunction(name: members, argumentTypes: [type], columns: [("key", .text), ("value", type)]) { row, _ in
        try JSONAccess.members(row[0].text) { noObject($0, members, type) }.map { [.text($0.key), .text($0.value)] }
      },
      SetFunction(name: "\(members)_text", argumentTypes: [type], columns: [("key", .text), ("value", .text)]) {
        row, _ in
        try JSONAccess.members(row[0].text) { noObject($0, "\(members)_text", type) }
          .map { [.text($0.key), try plain($0.value)] }
      },
      SetFunction(name: keys, argumentTypes: [type], columns: [("", .text)]) { row, _ in
        try JSONAccess.members(row[0].text) { SQLError.make("22023", "cannot call \(keys) on \(kind($0))") }
          .map { [.text($0.key)] }
      },
    ]
  }

  private static func plain(_ text: String) throws -> Datum { try JSONAccess.plain(text).map(Datum.text) ?? .null }

  private static func kind(_ parts: JSONText.Parts) -> String {
    switch parts {
    case .scalar: "a scalar"
    case .array: "an array"
    case .object: "an object"
    }
  }

  private static func noArray(_ parts: JSONText.Parts, _ name: String, _ type: SQLType) -> VarveError {
    if type == .jsonb { return SQLError.make("22023", "cannot extract elements from \(kind(parts))") }
    let what = if case .scalar = parts { "a scalar" } else { "a non-array" }
    return SQLError.make("22023", "cannot call \(name) on \(what)")
  }

  private static func noObject(_ parts: JSONText.Parts, _ name: String, _ type: SQLType) -> VarveError {
    if type == .jsonb { return SQLError.make("22023", "cannot call \(name) on a non-object") }
    let what = if case .array = parts { "an array as an object" } else { "a scalar" }
    return SQLError.make("22023", "cannot deconstruct \(what)")
  }
}
