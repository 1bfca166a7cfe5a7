// A request's path and query, percent-decoded.

struct RequestTarget {
  typealias Parameters = [String: String]

  let path: String
  private let parameters: Parameters

  /// nil when an escape or the text it makes is malformed.
  init?(uri: String) {
    let (path, query) = RequestTarget.split(uri, at: "?")
    guard let decoded = RequestTarget.decode(path, plusIsSpace: false),
      let parameters = RequestTarget.parameters(query ?? "")
    else { return nil }
    // Clients that end a base address in '/' make paths with two.
    var cleaned = ""
    for character in decoded where character != "/" || cleaned.last != "/" { cleaned.append(character) }
    self.path = cleaned
    self.parameters = parameters
  }

  subscript(name: String) -> String? { parameters[name] }

  /// `application/x-www-form-urlencoded`; the first of several values of a name counts.
  static func parameters(_ text: String) -> Parameters? {
    var found = Parameters()
    for pair in text.split(separator: "&") {
      let (name, value) = split(String(pair), at: "=")
      guard let name = decode(name, plusIsSpace: true), let value = decode(value ?? "", plusIsSpace: true) else {
        return nil
      }
      if found[name] == nil { found[name] = value }
    }
    return found
  }

  private static func split(_ text: String, at separator: Character) -> (String, String?) {
    guard let index = text.firstIndex(of: separator) else { return (text, nil) }
    return (String(text[..<index]), String(text[text.index(after: index)...]))
  }

  private static func decode(_ text: String, plusIsSpace: Bool) -> String? {
    var bytes: [UInt8] = []
    var input = Array(text.utf8)[...]
    while let byte = input.popFirst() {
      if byte == 0x25 {
        guard let high = input.popFirst().flatMap(digit), let low = input.popFirst().flatMap(digit) else { return nil }
        bytes.append(high << 4 | low)
      } else {
        bytes.append(byte == 0x2B && plusIsSpace ? 0x20 : byte)
      }
    }
    return String(validating: bytes, as: UTF8.self)
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46: byte - 0x37
    case 0x61...0x66: byte - 0x57
    default: nil
    }
  }
}
