// What is taken out of json and jsonb: members, elements and what lies on a path, as they are written there.

import VarveCore

enum JSONAccess {
  /// A member by name, or an element by place, from the end if negative; nil: there is none. To PostgreSQL a scalar is of
  /// jsonb (`isScalarArray`) the only element of an array.
  static func member(_ text: String, _ key: Datum, isScalarArray: Bool) throws -> String? {
    try withParts(text) { parts, bytes -> String? in
      switch (parts, key) {
      case (.scalar, .int(0)) where isScalarArray, (.scalar, .int(-1)) where isScalarArray: text
      case (.object(let members), .text(let name)): member(members, name).map { string(bytes, $0) }
      case (.array(let items), .int(let place)): element(items, place).map { string(bytes, $0) }
      default: nil
      }
    }
  }

  /// Names of members and places of elements, one within the other.
  static func path(_ text: String, _ path: [Datum]) throws -> String? {
    var text = text
    for step in path {
      guard case .text(let name) = step else { return nil }
      let next = try withParts(text) { parts, bytes -> String? in
        switch parts {
        case .object(let members): member(members, name).map { string(bytes, $0) }
        case .array(let items): Int64(name).flatMap { element(items, $0) }.map { string(bytes, $0) }
        case .scalar: nil
        }
      }
      guard let next else { return nil }
      text = next
    }
    return text
  }

  /// A string without its quotes; null is nil.
  static func plain(_ text: String) throws -> String? {
    switch text.utf8.first {
    case UInt8(ascii: "n"): return nil
    case UInt8(ascii: "\""):
      guard case .string(let value) = try JSONText.value(text) else { return text }
      return value
    default: return text
    }
  }

  /// The elements of an array; `refuse`: what to say of anything else.
  static func elements(_ text: String, _ refuse: (JSONText.Parts) -> VarveError) throws -> [String] {
    try withParts(text) { parts, bytes in
      guard case .array(let items) = parts else { throw refuse(parts) }
      return items.map { string(bytes, $0) }
    }
  }

  static func members(_ text: String, _ refuse: (JSONText.Parts) -> VarveError) throws -> [(key: String, value: String)]
  {
    try withParts(text) { parts, bytes in
      guard case .object(let members) = parts else { throw refuse(parts) }
      return members.map { ($0.key, string(bytes, $0.value)) }
    }
  }

  static func withParts<Result>(
    _ text: String, _ body: (JSONText.Parts, UnsafeBufferPointer<UInt8>) throws -> Result
  ) throws -> Result {
    var text = text
    return try text.withUTF8 { try body(try JSONText.parts($0), $0) }
  }

  /// Of several of one name the last.
  private static func member(_ members: [(key: String, value: Range<Int>)], _ name: String) -> Range<Int>? {
    members.last { $0.key.utf8.elementsEqual(name.utf8) }?.value
  }

  private static func element(_ items: [Range<Int>], _ place: Int64) -> Range<Int>? {
    let index = place < 0 ? Int64(items.count) &+ place : place
    return index >= 0 && index < Int64(items.count) ? items[Int(index)] : nil
  }

  private static func string(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> String {
    String(decoding: UnsafeBufferPointer(rebasing: bytes[range]), as: UTF8.self)
  }
}
