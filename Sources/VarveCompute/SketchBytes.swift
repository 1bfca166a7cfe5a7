// How sketches are written: varints, and a reader that is total; and bytes as text, for text fields to hold.

import VarveCore

enum SketchBytes {
  static var invalid: VarveError { SQLError.make("XX001", "these bytes are not a sketch") }

  static func append(_ value: UInt64, to out: Buffer<UInt8>) {
    var rest = value
    while rest >= 0x80 {
      out.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    out.append(UInt8(rest))
  }
  static func append(signed value: Int64, to out: Buffer<UInt8>) {
    append(UInt64(bitPattern: (value << 1) ^ (value >> 63)), to: out)
  }

  struct Reader {
    let bytes: UnsafeBufferPointer<UInt8>
    private var at = 0

    init(bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

    var isAtEnd: Bool { at == bytes.count }

    mutating func byte() throws -> UInt8 {
      guard at < bytes.count else { throw SketchBytes.invalid }
      defer { at += 1 }
      return bytes[at]
    }
    mutating func varint() throws -> UInt64 {
      var result: UInt64 = 0
      var shift: UInt64 = 0
      while true {
        let next = try byte()
        guard shift < 63 || (shift == 63 && next <= 1) else { throw SketchBytes.invalid }
        result |= UInt64(next & 0x7F) << shift
        if next < 0x80 { return result }
        shift += 7
      }
    }
    mutating func signedVarint() throws -> Int64 {
      let word = try varint()
      return Int64(bitPattern: word >> 1) ^ -Int64(bitPattern: word & 1)
    }
    /// A number of rows; sums of them must not overflow.
    mutating func count() throws -> UInt64 {
      let value = try varint()
      guard value < 1 << 48 else { throw SketchBytes.invalid }
      return value
    }
    mutating func word() throws -> UInt64 {
      var result: UInt64 = 0
      for shift in 0..<8 { result |= UInt64(try byte()) << UInt64(8 * shift) }
      return result
    }
  }
}

extension SketchBytes {
  private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
  /// What each character stands for; 64: nothing.
  private static let values: [UInt8] = {
    var values = [UInt8](repeating: 64, count: 256)
    for (value, digit) in digits.enumerated() { values[Int(digit)] = UInt8(value) }
    return values
  }()

  /// Appends what is written as base64 without line breaks or padding (RFC 4648).
  static func appendText(to out: Buffer<UInt8>, _ write: (Buffer<UInt8>) -> Void) {
    let bytes = Buffer<UInt8>()
    write(bytes)
    out.reserve((bytes.count + 2) / 3 * 4)
    digits.withUnsafeBufferPointer { digits in
      for start in stride(from: 0, to: bytes.count, by: 3) {
        let count = min(3, bytes.count - start)
        var word: UInt32 = 0
        for k in 0..<3 { word = word << 8 | (k < count ? UInt32(bytes.base[start + k]) : 0) }
        for k in 0...count { out.append(digits[Int(word >> UInt32(18 - 6 * k) & 63)]) }
      }
    }
  }

  /// The bytes that text stands for.
  static func bytes(_ text: UnsafeBufferPointer<UInt8>) throws -> Buffer<UInt8> {
    guard text.count % 4 != 1 else { throw invalid }
    let out = Buffer<UInt8>(capacity: text.count / 4 * 3 + 2)
    var wrong: UInt8 = 0
    values.withUnsafeBufferPointer { values in
      for start in stride(from: 0, to: text.count, by: 4) {
        let count = min(4, text.count - start)
        var word: UInt32 = 0
        for k in 0..<4 {
          let value = k < count ? values[Int(text[start + k])] : 0
          wrong |= value & 64
          word = word << 6 | UInt32(value & 63)
        }
        for k in 0..<(count - 1) { out.append(UInt8(truncatingIfNeeded: word >> UInt32(16 - 8 * k))) }
      }
    }
    guard wrong == 0 else { throw invalid }
    return out
  }
}

extension QuantileSketch {
  /// Total: text that is no sketch throws.
  init(text: UnsafeBufferPointer<UInt8>) throws {
    let bytes = try SketchBytes.bytes(text)
    defer { withExtendedLifetime(bytes) {} }
    self = try QuantileSketch(decoding: bytes.span)
  }
}

extension DistinctSketch {
  /// Total: text that is no sketch throws.
  init(text: UnsafeBufferPointer<UInt8>) throws {
    let bytes = try SketchBytes.bytes(text)
    defer { withExtendedLifetime(bytes) {} }
    self = try DistinctSketch(decoding: bytes.span)
  }
}
