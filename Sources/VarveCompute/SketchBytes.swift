// How sketches are written: varints, and a reader that is total.

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
