// Names are bytes: "é" as one code point and as two are two names, here as in PostgreSQL. Swift's String equality, and
// with it Dictionary and Set, takes canonically equivalent texts for one; so names that users choose are compared and
// looked up with what stands here, and so are SQL texts and constants.

import VarveCompute

/// A name or text as a key.
struct Name: Hashable, Sendable {
  let text: String
  init(_ text: String) { self.text = text }

  static func == (a: Name, b: Name) -> Bool { a.text.isSameName(as: b.text) }
  func hash(into hasher: inout Hasher) {
    var text = text
    text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
  }
}

extension String {
  /// Whether both are the same, byte for byte.
  func isSameName(as other: String) -> Bool { utf8.elementsEqual(other.utf8) }
}

extension String? {
  func isSameName(as other: String) -> Bool { self?.isSameName(as: other) ?? false }
}

extension Datum {
  /// Whether both are the same value, texts byte for byte.
  func isIdentical(to other: Datum) -> Bool {
    switch (self, other) {
    case (.text(let a), .text(let b)): a.isSameName(as: b)
    case (.array(let a), .array(let b)): a.count == b.count && zip(a, b).allSatisfy { $0.isIdentical(to: $1) }
    default: self == other
    }
  }
}
