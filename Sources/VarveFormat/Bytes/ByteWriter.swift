// Bytes as files hold them: fixed integers little-endian, varints LEB128 (7 bits a byte, least first), signed
// varints zigzag. What a `ByteWriter` appends, a `ByteReader` reads back in the same order.

/// Growable bytes with the encodings of FORMAT.md, "Primitives".
package struct ByteWriter: Sendable {
  package private(set) var bytes: [UInt8] = []

  package init() {}

  package init(reserving byteCount: Int) { bytes.reserveCapacity(byteCount) }

  package var count: Int { bytes.count }

  package mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

  package mutating func append(byte: UInt8) { bytes.append(byte) }
  package mutating func append(u16 value: UInt16) { append(fixed: value) }
  package mutating func append(u32 value: UInt32) { append(fixed: value) }
  package mutating func append(u64 value: UInt64) { append(fixed: value) }
  package mutating func append(i64 value: Int64) { append(fixed: UInt64(bitPattern: value)) }

  private mutating func append<T: FixedWidthInteger>(fixed value: T) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }

  package mutating func append(varint value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(truncatingIfNeeded: rest))
  }

  package mutating func append(zigzag value: Int64) { append(varint: Zigzag.encode(UInt64(bitPattern: value))) }

  /// The length as a varint, then the bytes.
  package mutating func append(prefixed value: [UInt8]) {
    append(varint: UInt64(value.count))
    bytes.append(contentsOf: value)
  }

  package mutating func append(_ value: [UInt8]) { bytes.append(contentsOf: value) }
  package mutating func append(_ value: UnsafeRawBufferPointer) { bytes.append(contentsOf: value) }
  package mutating func append(zeros count: Int) { bytes += [UInt8](repeating: 0, count: count) }

  /// Appends `count` bytes that `fill` writes; they are zero before.
  package mutating func append(uninitialized count: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Void) {
    let start = bytes.count
    bytes.append(contentsOf: repeatElement(0, count: count))
    bytes.withUnsafeMutableBytes { fill(UnsafeMutableRawBufferPointer(rebasing: $0[start...])) }
  }

  /// Appends what `fill` writes into room for `byteCountLimit` bytes; it answers how many it wrote.
  package mutating func append(atMost byteCountLimit: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Int) {
    bytes += [UInt8](unsafeUninitializedCapacity: byteCountLimit) { room, written in
      written = fill(UnsafeMutableRawBufferPointer(room))
      precondition(written >= 0 && written <= byteCountLimit, "wrote past the room that was asked for")
    }
  }

  /// Overwrites four bytes that were appended before.
  package mutating func patch(u32 value: UInt32, at offset: Int) {
    precondition(offset >= 0 && offset + 4 <= bytes.count, "patches only what was written")
    bytes.withUnsafeMutableBytes { $0.storeBytes(of: value.littleEndian, toByteOffset: offset, as: UInt32.self) }
  }

  /// Bytes that `append(varint:)` takes for a value.
  @inline(__always)
  package static func varintByteCount(_ value: UInt64) -> Int {
    (70 &- (value | 1).leadingZeroBitCount) / 7
  }
}

/// Small magnitudes of either sign as small numbers: 0, -1, 1, -2 … become 0, 1, 2, 3 …
package enum Zigzag {
  @inline(__always)
  package static func encode(_ word: UInt64) -> UInt64 {
    word << 1 ^ UInt64(bitPattern: Int64(bitPattern: word) >> 63)
  }
  @inline(__always)
  package static func decode(_ word: UInt64) -> UInt64 { word >> 1 ^ (0 &- (word & 1)) }
}
