// `["a", 1.5, true, null]`: an array of JSON's plain values, as texts (RFC 8259).

package enum JSONScalars {
  /// nil inside: null; nil: it is no such array. Numbers and booleans are as they stand.
  package static func array(_ text: String) -> [String?]? {
    var reader = Reader(bytes: Array(text.utf8)[...])
    return reader.array()
  }

  private struct Reader {
    var bytes: ArraySlice<UInt8>

    private mutating func skipBlanks() { bytes = bytes.drop { [0x20, 0x09, 0x0A, 0x0D].contains($0) } }

    private mutating func take(_ byte: UInt8) -> Bool {
      skipBlanks()
      guard bytes.first == byte else { return false }
      bytes.removeFirst()
      return true
    }

    mutating func array() -> [String?]? {
      guard take(0x5B) else { return nil }
      var values: [String?] = []
      if !take(0x5D) {
        repeat {
          guard let value = value() else { return nil }
          values.append(value)
        } while take(0x2C)
        guard take(0x5D) else { return nil }
      }
      skipBlanks()
      return bytes.isEmpty ? values : nil
    }

    private mutating func value() -> String?? {
      skipBlanks()
      if bytes.first == 0x22 {
        bytes.removeFirst()
        return string().map { .some($0) }
      }
      let word = bytes.prefix { $0 > 0x20 && $0 != 0x2C && $0 != 0x5D }
      bytes = bytes.dropFirst(word.count)
      let text = String(decoding: word, as: UTF8.self)
      switch text {
      case "null": return .some(nil)
      case "true", "false": return text
      default: return Self.isNumber(word) ? .some(text) : String??.none
      }
    }

    private static func isNumber(_ word: ArraySlice<UInt8>) -> Bool {
      var rest = word.first == 0x2D ? word.dropFirst() : word
      func digits() -> Int {
        let count = rest.prefix { (0x30...0x39).contains($0) }.count
        rest = rest.dropFirst(count)
        return count
      }
      let leading = rest.first
      let whole = digits()
      guard whole > 0, whole == 1 || leading != 0x30 else { return false }
      if rest.first == 0x2E {
        rest.removeFirst()
        guard digits() > 0 else { return false }
      }
      if let letter = rest.first, letter | 0x20 == 0x65 {
        rest.removeFirst()
        if rest.first == 0x2B || rest.first == 0x2D { rest.removeFirst() }
        guard digits() > 0 else { return false }
      }
      return rest.isEmpty
    }

    /// Behind the opening quote.
    private mutating func string() -> String? {
      var text: [UInt8] = []
      while let byte = bytes.popFirst() {
        switch byte {
        case 0x22: return String(validating: text, as: UTF8.self)
        case 0x5C:
          guard let scalar = escape() else { return nil }
          text += Array(String(scalar).utf8)
        case 0x00..<0x20: return nil
        default: text.append(byte)
        }
      }
      return nil
    }

    private mutating func escape() -> Unicode.Scalar? {
      switch bytes.popFirst() {
      case UInt8(ascii: "\""): return "\""
      case UInt8(ascii: "\\"): return "\\"
      case UInt8(ascii: "/"): return "/"
      case UInt8(ascii: "b"): return "\u{8}"
      case UInt8(ascii: "f"): return "\u{C}"
      case UInt8(ascii: "n"): return "\n"
      case UInt8(ascii: "r"): return "\r"
      case UInt8(ascii: "t"): return "\t"
      case UInt8(ascii: "u"):
        guard let unit = hexadecimal() else { return nil }
        // Half of a surrogate pair stands for a character with the other half only.
        if !(0xD800...0xDFFF).contains(unit) { return Unicode.Scalar(unit) }
        guard unit < 0xDC00, bytes.starts(with: [0x5C, 0x75]) else { return nil }
        bytes = bytes.dropFirst(2)
        guard let low = hexadecimal(), (0xDC00...0xDFFF).contains(low) else { return nil }
        return Unicode.Scalar(0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00))
      default: return nil
      }
    }

    private mutating func hexadecimal() -> UInt32? {
      guard bytes.count >= 4 else { return nil }
      let digits = bytes.prefix(4)
      bytes = bytes.dropFirst(4)
      guard digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }) else { return nil }
      return UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
    }
  }
}
