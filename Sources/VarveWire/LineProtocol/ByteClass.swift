// Which bytes may stand where, as masks of a 256-entry table; and words of eight bytes looked at in one step.

/// Sets of bytes, one bit each.
enum ByteClass {
  /// Ends a measurement unless escaped: comma, space, control characters.
  static let endsMeasurement: UInt8 = 1
  /// Ends a tag key, tag value or field key unless escaped: also the equals sign.
  static let endsKey: UInt8 = 2
  /// Ends a value that is not a string: comma, space, CR, LF.
  static let endsValue: UInt8 = 4
  /// Not allowed in a comment: control characters (0–31 and 127).
  static let control: UInt8 = 8
  /// Part of a time stamp: digits and minus.
  static let stamp: UInt8 = 16

  /// Ends a tag key or value, or begins an escape in it.
  static let endsPlainValue: UInt8 = 32

  /// Lives as long as the process.
  nonisolated(unsafe) static let table: UnsafePointer<UInt8> = {
    let table = UnsafeMutablePointer<UInt8>.allocate(capacity: 256)
    table.initialize(repeating: 0, count: 256)
    for byte in 0..<256 {
      let isControl = byte < 32 || byte == 127
      if isControl { table[byte] |= endsMeasurement | endsKey | control }
      if byte == 0x2C || byte == 0x20 { table[byte] |= endsMeasurement | endsKey | endsValue }
      if byte == 0x3D { table[byte] |= endsKey }
      if table[byte] & endsKey != 0 || byte == 0x5C { table[byte] |= endsPlainValue }
      if byte == 0x0D || byte == 0x0A { table[byte] |= endsValue }
      if (0x30...0x39).contains(byte) || byte == 0x2D { table[byte] |= stamp }
    }
    return UnsafePointer(table)
  }()
}

/// Eight bytes at once; the first byte in memory is the lowest.
enum Word {
  @inline(__always) static func load(_ p: UnsafePointer<UInt8>) -> UInt64 {
    UInt64(littleEndian: UnsafeRawPointer(p).loadUnaligned(as: UInt64.self))
  }

  static let ones: UInt64 = 0x0101_0101_0101_0101
  static let highs: UInt64 = 0x8080_8080_8080_8080

  /// The high bit of each byte that is zero; exact up to and including the lowest one set.
  @inline(__always) static func zeros(_ w: UInt64) -> UInt64 { (w &- ones) & ~w & highs }

  /// The high bit of each byte that is `byte` (spread by `spread`); exact up to and including the lowest.
  @inline(__always) static func matches(_ w: UInt64, _ pattern: UInt64) -> UInt64 { zeros(w ^ pattern) }

  @inline(__always) static func spread(_ byte: UInt8) -> UInt64 { ones &* UInt64(byte) }

  /// The high bit of each byte below 0x21; exact up to and including the lowest.
  @inline(__always) static func blanks(_ w: UInt64) -> UInt64 { (w &- (ones &* 0x21)) & ~w & highs }

  /// The high bit of each byte that is no decimal digit; exact up to and including the lowest.
  @inline(__always) static func nonDigits(_ w: UInt64) -> UInt64 {
    let x = w ^ 0x3030_3030_3030_3030
    return ((x &+ 0x7676_7676_7676_7676) | x) & highs
  }

  /// The value of the first `count` (1...8) digits of `w`.
  @inline(__always) static func decimal(_ w: UInt64, count: Int) -> UInt64 {
    var x = (w ^ 0x3030_3030_3030_3030) << UInt64(truncatingIfNeeded: 64 &- 8 &* count)
    x = (x &* 10) &+ (x >> 8)
    return
      (((x & 0x0000_00FF_0000_00FF) &* 0x000F_4240_0000_0064)
      &+ (((x >> 16) & 0x0000_00FF_0000_00FF) &* 0x0000_2710_0000_0001)) >> 32
  }

  /// How many bytes stand below the lowest bit set of a mask made by the functions above.
  @inline(__always) static func index(_ mask: UInt64) -> Int { mask.trailingZeroBitCount >> 3 }
}

/// A hash of bytes for tables inside a process: 64 × 64 → 128 bit multiplications over seeded words.
@inline(__always) func hashBytes(_ bytes: UnsafePointer<UInt8>, _ count: Int, seed: UInt64) -> UInt64 {
  @inline(__always) func mix(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let product = a.multipliedFullWidth(by: b)
    return product.high ^ product.low
  }
  let k0: UInt64 = 0xA076_1D64_78BD_642F
  let k1: UInt64 = 0xE703_7ED1_A0B4_28DB
  let k2: UInt64 = 0x8EBC_6AF0_9C88_C6E3
  var a = seed ^ k0
  var b = seed ^ k1
  var p = bytes
  var left = count
  while left > 32 {
    a = mix(Word.load(p) ^ k1, Word.load(p + 8) ^ a)
    b = mix(Word.load(p + 16) ^ k2, Word.load(p + 24) ^ b)
    p += 32
    left -= 32
  }
  var tail: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
  if count >= 8 {
    // The last words overlap what was read before instead of reading past the end.
    if left > 24 { tail.0 = Word.load(p) }
    if left > 16 { tail.1 = Word.load(p + (left > 24 ? 8 : 0)) }
    if left > 8 { tail.2 = Word.load(bytes + count - 16 < p ? p : bytes + count - 16) }
    tail.3 = Word.load(bytes + count - 8)
  } else {
    for i in 0..<count { tail.3 |= UInt64(bytes[i]) << UInt64(8 * i) }
  }
  a = mix(tail.0 ^ k1, tail.1 ^ a)
  b = mix(tail.2 ^ k2, tail.3 ^ b)
  return mix(a ^ k0 ^ UInt64(count), b ^ k1)
}
