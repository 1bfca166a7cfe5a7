// Hashes for grouping and joining: 64 bits, the same for equal values however they are stored. Not for disk.

enum Hashing {
  static let null: UInt64 = 0x9E37_79B9_7F4A_7C15

  @inline(__always) static func word(_ x: UInt64) -> UInt64 {
    var h = x &+ 0x9E37_79B9_7F4A_7C15
    h = (h ^ (h >> 30)) &* 0xBF58_476D_1CE4_E5B9
    h = (h ^ (h >> 27)) &* 0x94D0_49BB_1331_11EB
    return h ^ (h >> 31)
  }
  @inline(__always) static func combine(_ a: UInt64, _ b: UInt64) -> UInt64 {
    (a &* 0xFF51_AFD7_ED55_8CCD) ^ (b &+ 0x9E37_79B9_7F4A_7C15 &+ (a << 6) &+ (a >> 2))
  }
  /// -0 and 0 are equal, and so are all NaNs.
  @inline(__always) static func canonicalDouble(_ bits: UInt64) -> UInt64 {
    let value = Double(bitPattern: bits)
    if value == 0 { return 0 }
    return value != value ? Double.nan.bitPattern : bits
  }
  static func bytes(_ text: UnsafeBufferPointer<UInt8>) -> UInt64 {
    var h: UInt64 = UInt64(truncatingIfNeeded: text.count) &* 0x9E37_79B9_7F4A_7C15
    var i = 0
    let raw = UnsafeRawBufferPointer(text)
    while i + 8 <= raw.count {
      h = word(h ^ raw.loadUnaligned(fromByteOffset: i, as: UInt64.self))
      i += 8
    }
    var tail: UInt64 = 0
    var shift: UInt64 = 0
    while i < raw.count {
      tail |= UInt64(raw[i]) << shift
      shift += 8
      i += 1
    }
    return word(h ^ tail)
  }
}
