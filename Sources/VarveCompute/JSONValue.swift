// What jsonb's operators make of values: containment, members by name, joining, taking away.

import VarveCore

extension JSONText.Value {
  typealias Members = [(key: String, value: JSONText.Value)]

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

  var isScalar: Bool {
    switch self {
    case .array, .object: false
    default: true
    }
  }

  // MARK: Text

  /// jsonb's form.
  var text: String {
    var out = ""
    append(to: &out)
    return out
  }

  /// Without spaces.
  var closeText: String {
    switch self {
    case .array(let items): return "[" + items.map(\.closeText).joined(separator: ",") + "]"
    case .object(let members):
      return "{" + members.map { "\(JSONWriter.quoted($0.key)):\($0.value.closeText)" }.joined(separator: ",") + "}"
    default: return text
    }
  }

  /// A line a value, indented by four spaces.
  var prettyText: String { pretty(indent: "") }

  private func pretty(indent: String) -> String {
    let inner = indent + "    "
    switch self {
    case .array(let items) where !items.isEmpty:
      return "[\n" + items.map { inner + $0.pretty(indent: inner) }.joined(separator: ",\n") + "\n\(indent)]"
    case .object(let members) where !members.isEmpty:
      let lines = members.map { "\(inner)\(JSONWriter.quoted($0.key)): \($0.value.pretty(indent: inner))" }
      return "{\n" + lines.joined(separator: ",\n") + "\n\(indent)}"
    case .array: return "[\n\(indent)]"
    case .object: return "{\n\(indent)}"
    default: return text
    }
  }

  // MARK: Tests

  /// Numbers are the same whatever their scale.
  private func isSame(as other: JSONText.Value) throws -> Bool {
    switch (self, other) {
    case (.null, .null): return true
    case (.bool(let a), .bool(let b)): return a == b
    case (.number(let a), .number(let b)): return try a == b || Self.number(a) == Self.number(b)
    case (.string, .string(let text)): return isString(text)
    default: return false
    }
  }

  private static func number(_ digits: String) throws -> Numeric? {
    var digits = digits
    return try digits.withUTF8 { try Numeric(parsing: $0) }
  }

  /// `@>`: all that the other has is here, at the same place. An array has a scalar that is one of its elements.
  func contains(_ other: JSONText.Value) throws -> Bool {
    if case .array(let items) = self, other.isScalar { return try items.contains { try $0.isSame(as: other) } }
    return try holds(other)
  }

  private func holds(_ other: JSONText.Value) throws -> Bool {
    switch (self, other) {
    case (.object(let mine), .object(let others)):
      try others.allSatisfy { wanted in
        try mine.contains { try $0.key.utf8.elementsEqual(wanted.key.utf8) && $0.value.holds(wanted.value) }
      }
    case (.array(let mine), .array(let others)):
      try others.allSatisfy { wanted in try mine.contains { try $0.holds(wanted) } }
    default: try isSame(as: other)
    }
  }

  /// `?`: a member of the name, or an element that is this string.
  func has(_ name: String) -> Bool {
    switch self {
    case .object(let members): members.contains { $0.key.utf8.elementsEqual(name.utf8) }
    case .array(let items): items.contains { $0.isString(name) }
    default: isString(name)
    }
  }

  private func isString(_ text: String) -> Bool {
    if case .string(let own) = self { return own.utf8.elementsEqual(text.utf8) }
    return false
  }

  // MARK: Changes

  private var items: [JSONText.Value] {
    if case .array(let items) = self { return items }
    return [self]
  }

  /// `||`: members of both, those of the other where both have them; anything else becomes one array.
  func joined(with other: JSONText.Value) -> JSONText.Value {
    guard case .object(let mine) = self, case .object(let others) = other else {
      return .array(items + other.items)
    }
    let kept = mine.filter { member in !others.contains { $0.key.utf8.elementsEqual(member.key.utf8) } }
    return .object(Self.inOrder(kept + others))
  }

  /// jsonb's order of members: by length of their names, then by bytes.
  private static func inOrder(_ members: Members) -> Members {
    members.sorted { a, b in
      a.key.utf8.count != b.key.utf8.count
        ? a.key.utf8.count < b.key.utf8.count : a.key.utf8.lexicographicallyPrecedes(b.key.utf8)
    }
  }

  /// `- names`: without members of these names, or elements that are these strings.
  func without(_ names: [String]) throws -> JSONText.Value {
    switch self {
    case .object(let members):
      return .object(members.filter { member in !names.contains { $0.utf8.elementsEqual(member.key.utf8) } })
    case .array(let items):
      return .array(items.filter { item in !names.contains { item.isString($0) } })
    default: throw SQLError.make("22023", "cannot delete from scalar")
    }
  }

  /// `- place`: without the element there, counted from the end if negative.
  func without(place: Int64) throws -> JSONText.Value {
    switch self {
    case .array(var items):
      let index = place < 0 ? Int64(items.count) + place : place
      if index >= 0, index < Int64(items.count) { items.remove(at: Int(index)) }
      return .array(items)
    case .object: throw SQLError.make("22023", "cannot delete from object using integer index")
    default: throw SQLError.make("22023", "cannot delete from scalar")
    }
  }

  /// Without members that are null.
  var withoutNulls: JSONText.Value {
    switch self {
    case .array(let items): .array(items.map(\.withoutNulls))
    case .object(let members):
      .object(
        members.compactMap { member in
          if case .null = member.value { return nil }
          return (member.key, member.value.withoutNulls)
        })
    default: self
    }
  }
}
