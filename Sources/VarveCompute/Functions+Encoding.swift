// encode and decode, digests, to_hex, conversion between bytes and text.

import VarveCore

extension FunctionTable {
  mutating func addEncodings() {
    add("encode", [.bytea, .text], .text) { columns, n, _ in
      try Evaluation.rows2(columns[0], columns[1], n, .text) { .text(try Encodings.encode($0.bytes, $1.text)) }
    }
    add("decode", [.text, .text], .bytea) { columns, n, _ in
      try Evaluation.rows2(columns[0], columns[1], n, .bytea) { .bytea(try Encodings.decode($0.text, $1.text)) }
    }
    add("md5", [.text], .text) { columns, n, _ in
      try Evaluation.rows1(columns[0], n, .text) { .text(Encodings.hexadecimal(Digests.md5(Array($0.text.utf8)))) }
    }
    add("md5", [.bytea], .text) { columns, n, _ in
      try Evaluation.rows1(columns[0], n, .text) { .text(Encodings.hexadecimal(Digests.md5($0.bytes))) }
    }
    add("sha256", [.bytea], .bytea) { columns, n, _ in
      try Evaluation.rows1(columns[0], n, .bytea) { .bytea(Digests.sha256($0.bytes)) }
    }
    for type in [SQLType.int4, .int8] {
      add("to_hex", [type], .text) { columns, n, _ in
        try Evaluation.rows1(columns[0], n, .text) {
          let bits = type == .int4 ? UInt64(UInt32(truncatingIfNeeded: $0.integer)) : UInt64(bitPattern: $0.integer)
          return .text(String(bits, radix: 16))
        }
      }
    }
    add("convert_to", [.text, .name], .bytea) { columns, n, _ in
      try Evaluation.rows2(columns[0], columns[1], n, .bytea) {
        try Encodings.checkUTF8($1.text)
        return .bytea(Array($0.text.utf8))
      }
    }
    add("convert_from", [.bytea, .name], .text) { columns, n, _ in
      try Evaluation.rows2(columns[0], columns[1], n, .text) {
        try Encodings.checkUTF8($1.text)
        guard let text = String(validating: $0.bytes, as: UTF8.self), !$0.bytes.contains(0) else {
          throw SQLError.make("22021", "invalid byte sequence for encoding \"UTF8\"")
        }
        return .text(text)
      }
    }
  }
}

enum Encodings {
  private static let hexDigits = Array("0123456789abcdef".utf8)
  private static let base64Digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  static func checkUTF8(_ name: String) throws {
    guard ["utf8", "utf-8", "unicode"].contains(name.lowercased()) else {
      throw SQLError.unsupported("encodings other than UTF8 are not supported")
    }
  }
  private static func unknown(_ name: String) -> VarveError {
    SQLError.make("22023", "unrecognized encoding: \"\(name)\"")
  }

  static func hexadecimal(_ bytes: [UInt8]) -> String {
    String(decoding: bytes.flatMap { [hexDigits[Int($0 >> 4)], hexDigits[Int($0 & 15)]] }, as: UTF8.self)
  }

  static func encode(_ bytes: [UInt8], _ form: String) throws -> String {
    switch form.lowercased() {
    case "hex": return hexadecimal(bytes)
    case "base64": return base64(bytes)
    case "escape":
      var out: [UInt8] = []
      for byte in bytes {
        if byte == 0 || byte >= 0x80 {
          out += [UInt8(ascii: "\\"), 0x30 + byte >> 6, 0x30 + byte >> 3 & 7, 0x30 + byte & 7]
        } else {
          if byte == UInt8(ascii: "\\") { out.append(byte) }
          out.append(byte)
        }
      }
      return String(decoding: out, as: UTF8.self)
    default: throw unknown(form)
    }
  }

  /// Lines of 76 digits, as RFC 2045.
  private static func base64(_ bytes: [UInt8]) -> String {
    var out: [UInt8] = []
    var column = 0
    for i in stride(from: 0, to: bytes.count, by: 3) {
      if column == 76 {
        out.append(0x0A)
        column = 0
      }
      let count = min(3, bytes.count - i)
      var word: UInt32 = 0
      for k in 0..<3 { word = word << 8 | (k < count ? UInt32(bytes[i + k]) : 0) }
      for k in 0..<4 {
        out.append(k <= count ? base64Digits[Int(word >> UInt32(18 - 6 * k) & 63)] : UInt8(ascii: "="))
      }
      column += 4
    }
    return String(decoding: out, as: UTF8.self)
  }

  static func decode(_ text: String, _ form: String) throws -> [UInt8] {
    let bytes = Array(text.utf8)
    switch form.lowercased() {
    case "hex":
      var digits: [UInt8] = []
      for c in bytes where !TypeText.isSpace(c) {
        guard let value = Character(UnicodeScalar(c)).hexDigitValue, c < 0x80 else {
          throw SQLError.make("22023", "invalid hexadecimal digit: \"\(Character(UnicodeScalar(c)))\"")
        }
        digits.append(UInt8(value))
      }
      guard digits.count % 2 == 0 else {
        throw SQLError.make("22023", "invalid hexadecimal data: odd number of digits")
      }
      return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    case "base64": return try base64(bytes)
    case "escape":
      return try bytes.withUnsafeBufferPointer { try TypeText.escaped($0) }
    default: throw unknown(form)
    }
  }

  private static func base64(_ text: [UInt8]) throws -> [UInt8] {
    func invalid(_ what: String) -> VarveError { SQLError.make("22023", what) }
    var out: [UInt8] = []
    var word: UInt32 = 0
    var count = 0
    var end = 0
    for c in text where !TypeText.isSpace(c) {
      if c == UInt8(ascii: "=") {
        if end == 0 {
          guard count >= 2 else { throw invalid("unexpected \"=\" while decoding base64 sequence") }
          end = count - 1
        }
        word <<= 6
      } else {
        guard end == 0, let value = base64Digits.firstIndex(of: c) else {
          throw invalid("invalid symbol \"\(Character(UnicodeScalar(c)))\" found while decoding base64 sequence")
        }
        word = word << 6 | UInt32(value)
      }
      count += 1
      if count == 4 {
        let full = [UInt8(word >> 16 & 255), UInt8(word >> 8 & 255), UInt8(word & 255)]
        out += full.prefix(end == 0 ? 3 : end)
        (word, count) = (0, 0)
      }
    }
    guard count == 0 else {
      throw SQLError.make(
        "22023", "invalid base64 end sequence",
        hint: "Input data is missing padding, is truncated, or is otherwise corrupted.")
    }
    return out
  }
}

/// MD5 (RFC 1321) and SHA-256 (FIPS 180-4).
enum Digests {
  private static func padded(_ bytes: [UInt8], bigEndian: Bool) -> [UInt8] {
    var message = bytes + [0x80]
    while message.count % 64 != 56 { message.append(0) }
    let bits = UInt64(bytes.count) * 8
    for i in 0..<8 { message.append(UInt8(truncatingIfNeeded: bits >> UInt64(8 * (bigEndian ? 7 - i : i)))) }
    return message
  }

  /// Four bytes, big endian.
  private static func word(_ message: [UInt8], _ at: Int) -> UInt32 {
    var result: UInt32 = 0
    for i in 0..<4 { result = result << 8 | UInt32(message[at + i]) }
    return result
  }

  private static let md5Shifts: [UInt32] = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21]
  private static let md5Constants: [UInt32] = [
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501, 0x698098d8,
    0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821, 0xf61e2562, 0xc040b340,
    0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8, 0x21e1cde6, 0xc33707d6, 0xf4d50d87,
    0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a, 0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c,
    0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70, 0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039,
    0xe6db99e5, 0x1fa27cf8, 0xc4ac5665, 0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92,
    0xffeff47d, 0x85845dd1, 0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb,
    0xeb86d391,
  ]

  static func md5(_ bytes: [UInt8]) -> [UInt8] {
    let message = padded(bytes, bigEndian: false)
    var state: [UInt32] = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476]
    for block in stride(from: 0, to: message.count, by: 64) {
      let words = (0..<16).map { word(message, block + 4 * $0).byteSwapped }
      var (a, b, c, d) = (state[0], state[1], state[2], state[3])
      for i in 0..<64 {
        let mix: UInt32
        let place: Int
        switch i / 16 {
        case 0: (mix, place) = ((b & c) | (~b & d), i)
        case 1: (mix, place) = ((d & b) | (~d & c), (5 * i + 1) % 16)
        case 2: (mix, place) = (b ^ c ^ d, (3 * i + 5) % 16)
        default: (mix, place) = (c ^ (b | ~d), 7 * i % 16)
        }
        let sum = a &+ mix &+ md5Constants[i] &+ words[place]
        let shift = md5Shifts[i / 16 * 4 + i % 4]
        (a, d, c, b) = (d, c, b, b &+ (sum << shift | sum >> (32 - shift)))
      }
      state = [state[0] &+ a, state[1] &+ b, state[2] &+ c, state[3] &+ d]
    }
    return state.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> UInt32(8 * $0)) } }
  }

  private static let sha256Constants: [UInt32] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
    0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
    0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
    0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
    0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
    0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
    0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
    0xc67178f2,
  ]

  static func sha256(_ bytes: [UInt8]) -> [UInt8] {
    func rotate(_ x: UInt32, _ n: UInt32) -> UInt32 { x >> n | x << (32 - n) }
    let message = padded(bytes, bigEndian: true)
    var state: [UInt32] = [
      0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
    ]
    for block in stride(from: 0, to: message.count, by: 64) {
      var w = (0..<16).map { word(message, block + 4 * $0) }
      for i in 16..<64 {
        let low = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3
        let high = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10
        w.append(w[i - 16] &+ low &+ w[i - 7] &+ high)
      }
      var v = state
      for i in 0..<64 {
        let high = rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25)
        let choice = (v[4] & v[5]) ^ (~v[4] & v[6])
        let first = v[7] &+ high &+ choice &+ sha256Constants[i] &+ w[i]
        let low = rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22)
        let majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2])
        v = [first &+ low &+ majority, v[0], v[1], v[2], v[3] &+ first, v[4], v[5], v[6]]
      }
      for i in 0..<8 { state[i] = state[i] &+ v[i] }
    }
    return state.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> UInt32(24 - 8 * $0)) } }
  }
}
