// uuid: 32 hexadecimal digits, kept as PostgreSQL prints them, in lower case with hyphens. That form orders as the
// bytes do.

enum UUIDText {
  /// PostgreSQL's input: digits of any case, a hyphen after any group of four, braces around all of it. nil: no uuid.
  static func canonical(_ text: UnsafeBufferPointer<UInt8>) -> String? {
    var text = text[...]
    while let first = text.first, TypeText.isSpace(first) { text = text.dropFirst() }
    while let last = text.last, TypeText.isSpace(last) { text = text.dropLast() }
    if text.first == UInt8(ascii: "{") {
      guard text.last == UInt8(ascii: "}") else { return nil }
      text = text.dropFirst().dropLast()
    }
    var digits: [UInt8] = []
    var previousIsHyphen = true
    for c in text {
      if c == UInt8(ascii: "-") {
        guard !previousIsHyphen, digits.count % 4 == 0, digits.count < 32 else { return nil }
        previousIsHyphen = true
        continue
      }
      previousIsHyphen = false
      switch c {
      case 0x30...0x39, 0x61...0x66: digits.append(c)
      case 0x41...0x46: digits.append(c | 0x20)
      default: return nil
      }
    }
    guard digits.count == 32 else { return nil }
    return canonical(digits: digits)
  }

  static func canonical(digits: [UInt8]) -> String {
    var out: [UInt8] = []
    for (i, digit) in digits.enumerated() {
      if i == 8 || i == 12 || i == 16 || i == 20 { out.append(UInt8(ascii: "-")) }
      out.append(digit)
    }
    return String(decoding: out, as: UTF8.self)
  }

  /// The sixteen bytes of the canonical form.
  static func bytes(_ canonical: some Sequence<UInt8>) -> [UInt8] {
    let digits = canonical.filter { $0 != UInt8(ascii: "-") }.map { $0 <= 0x39 ? $0 - 0x30 : $0 - 0x57 }
    return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
  }

  static func canonical(bytes: UnsafeBufferPointer<UInt8>) -> String {
    let hexadecimal = Array("0123456789abcdef".utf8)
    return canonical(digits: bytes.flatMap { [hexadecimal[Int($0 >> 4)], hexadecimal[Int($0 & 15)]] })
  }
}
