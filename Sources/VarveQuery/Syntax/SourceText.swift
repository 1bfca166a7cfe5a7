// The text a statement was read from, and where in it an error points.

import VarveCore

final class SourceText: Sendable {
  let text: String
  init(_ text: String) { self.text = text }

  /// PostgreSQL's position of a byte offset: characters from 1; nil for "nowhere".
  func position(_ byteOffset: Int) -> Int? {
    guard byteOffset >= 0 else { return nil }
    var position = 1
    for byte in text.utf8.prefix(byteOffset) where byte & 0xC0 != 0x80 { position += 1 }
    return position
  }

  /// The integer at a place where one that is not positive stands, as `-3`, `- 3` or `-(3)`; 0 if it is 0.
  func negativeInteger(at byteOffset: Int) -> Int {
    guard byteOffset >= 0 else { return 0 }
    let bytes = text.utf8.dropFirst(byteOffset)
    guard bytes.first == UInt8(ascii: "-") else { return 0 }
    var value = 0
    var hasDigits = false
    for byte in bytes {
      if (0x30...0x39).contains(byte) {
        hasDigits = true
        value = value &* 10 &+ Int(byte - 0x30)
        if value > 1 << 40 { return 0 }
      } else if hasDigits {
        break
      } else if byte != UInt8(ascii: "-"), byte != UInt8(ascii: "("), byte > 0x20 {
        return 0
      }
    }
    return -value
  }

  func error(_ sqlState: String, _ message: String, at location: Int, hint: String? = nil) -> VarveError {
    VarveError(
      sqlState == "0A000" ? .unsupported : sqlState == "42601" ? .syntax : .query, message, hint: hint,
      sqlState: sqlState, position: position(location))
  }

  func unsupported(_ what: String, at location: Int, hint: String? = nil) -> VarveError {
    error("0A000", "\(what) is not supported", at: location, hint: hint)
  }
}
