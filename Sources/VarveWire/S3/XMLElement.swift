// XML as object stores answer with it: elements and their texts. Total: any bytes give an element or nil.
//
// Attributes, comments, processing instructions and prefixes of namespaces are passed over, CDATA is text. What declares
// a document type is refused, and with it entities of its own: there is nothing that grows. Depth is bounded by
// `XMLElement.maximumDepth`, everything else by the bytes.

package struct XMLElement: Sendable, Equatable {
  /// Without a prefix.
  package let name: String
  /// What stands directly in it, all pieces together.
  package fileprivate(set) var text = ""
  package fileprivate(set) var children: [XMLElement] = []

  static let maximumDepth = 16

  fileprivate init(name: String) { self.name = name }

  /// The document's one element; nil if the bytes are no document.
  package init?(_ bytes: [UInt8]) {
    var reader = XMLReader(bytes)
    guard let root = reader.document() else { return nil }
    self = root
  }

  package func child(_ name: String) -> XMLElement? { children.first { $0.name == name } }
  package func children(_ name: String) -> [XMLElement] { children.filter { $0.name == name } }
  package func text(of name: String) -> String? { child(name)?.text }
}

private struct XMLReader {
  private let bytes: [UInt8]
  private var offset = 0

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { offset = 3 }
  }

  mutating func document() -> XMLElement? {
    var open: [XMLElement] = []
    while true {
      if let text = characters() {
        if open.isEmpty {
          guard text.utf8.allSatisfy(isSpace) else { return nil }
        } else {
          open[open.count - 1].text += text
        }
      } else {
        return nil
      }
      // What follows begins with `<`, or the bytes are over.
      guard offset < bytes.count else { return nil }
      if skip("<!--") {
        guard skipPast("-->") else { return nil }
      } else if skip("<![CDATA[") {
        let start = offset
        guard !open.isEmpty, skipPast("]]>"), let text = validText(start..<offset - 3) else { return nil }
        open[open.count - 1].text += text
      } else if skip("<?") {
        guard skipPast("?>") else { return nil }
      } else if skip("</") {
        guard let name = name(), name == open.last?.name, skipSpace(), skip(">"), let element = open.popLast() else {
          return nil
        }
        guard !open.isEmpty else { return restIsEmpty() ? element : nil }
        open[open.count - 1].children.append(element)
      } else if skip("<") {
        guard open.count < XMLElement.maximumDepth, let name = name(), let isEmpty = endOfTag() else { return nil }
        let element = XMLElement(name: name)
        if !isEmpty {
          open.append(element)
        } else if open.isEmpty {
          return restIsEmpty() ? element : nil
        } else {
          open[open.count - 1].children.append(element)
        }
      }
    }
  }

  // MARK: - Pieces

  /// Text up to the next `<` or the end; nil if it is none.
  private mutating func characters() -> String? {
    var text = ""
    var start = offset
    while offset < bytes.count, bytes[offset] != UInt8(ascii: "<") {
      guard bytes[offset] == UInt8(ascii: "&") else {
        offset += 1
        continue
      }
      guard let before = validText(start..<offset), let scalar = reference() else { return nil }
      text += before
      text.unicodeScalars.append(scalar)
      start = offset
    }
    guard let rest = validText(start..<offset) else { return nil }
    return text + rest
  }

  /// `&amp;` and the other four, `&#10;`, `&#xA;`.
  private mutating func reference() -> Unicode.Scalar? {
    let start = offset + 1
    let longest = 10
    guard let end = bytes[start...].prefix(longest).firstIndex(of: UInt8(ascii: ";")) else { return nil }
    offset = end + 1
    guard let name = validText(start..<end) else { return nil }
    switch name {
    case "amp": return "&"
    case "lt": return "<"
    case "gt": return ">"
    case "quot": return "\""
    case "apos": return "'"
    default:
      guard name.hasPrefix("#") else { return nil }
      let isHexadecimal = name.hasPrefix("#x")
      let digits = name.dropFirst(isHexadecimal ? 2 : 1)
      guard digits.utf8.first != UInt8(ascii: "+"), let value = UInt32(digits, radix: isHexadecimal ? 16 : 10) else {
        return nil
      }
      return Unicode.Scalar(value)
    }
  }

  private mutating func name() -> String? {
    var start = offset
    while offset < bytes.count, isNameByte(bytes[offset]) {
      if bytes[offset] == UInt8(ascii: ":") { start = offset + 1 }
      offset += 1
    }
    return start < offset ? validText(start..<offset) : nil
  }

  /// Past attributes and `>`: whether the element is empty (`/>`); nil if there is no end.
  private mutating func endOfTag() -> Bool? {
    while offset < bytes.count {
      let byte = bytes[offset]
      offset += 1
      switch byte {
      case UInt8(ascii: ">"): return false
      case UInt8(ascii: "/"): return skip(">") ? true : nil
      case UInt8(ascii: "<"): return nil
      case UInt8(ascii: "\""), UInt8(ascii: "'"):
        guard let end = bytes[offset...].firstIndex(of: byte) else { return nil }
        offset = end + 1
      default: break
      }
    }
    return nil
  }

  private mutating func restIsEmpty() -> Bool {
    while skipSpace(), offset < bytes.count {
      guard skip("<!--") ? skipPast("-->") : skip("<?") && skipPast("?>") else { return false }
    }
    return true
  }

  // MARK: - Bytes

  /// Always true, for conditions to go on.
  private mutating func skipSpace() -> Bool {
    while offset < bytes.count, isSpace(bytes[offset]) { offset += 1 }
    return true
  }

  private mutating func skip(_ text: StaticString) -> Bool {
    let count = text.utf8CodeUnitCount
    guard bytes.count - offset >= count else { return false }
    for index in 0..<count where text.utf8Start[index] != bytes[offset + index] { return false }
    offset += count
    return true
  }

  private mutating func skipPast(_ text: StaticString) -> Bool {
    while offset < bytes.count {
      if skip(text) { return true }
      offset += 1
    }
    return false
  }

  private func validText(_ range: Range<Int>) -> String? { String(validating: bytes[range], as: UTF8.self) }
}

private func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

private func isNameByte(_ byte: UInt8) -> Bool {
  switch byte {
  case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
    UInt8(ascii: "0")...UInt8(ascii: "9"):
    true
  case UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: ":"), 0x80...: true
  default: false
  }
}
