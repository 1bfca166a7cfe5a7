// Names are bytes: "é" as one code point and as two are two names, here as in PostgreSQL. Swift's String equality, and
// with it Dictionary and Set, takes canonically equivalent texts for one; so names that users choose are compared and
// looked up with what stands here, and so are SQL texts.

/// A name or text as a key.
package struct Name: Hashable, Sendable {
  package let text: String
  package init(_ text: String) { self.text = text }

  package static func == (a: Name, b: Name) -> Bool { a.text.isSameName(as: b.text) }
  package func hash(into hasher: inout Hasher) {
    var text = text
    text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
  }
}

extension String {
  /// Whether both are the same, byte for byte.
  package func isSameName(as other: String) -> Bool {
    utf8.count == other.utf8.count && utf8.elementsEqual(other.utf8)
  }
}

extension String? {
  package func isSameName(as other: String) -> Bool { self?.isSameName(as: other) ?? false }
}
