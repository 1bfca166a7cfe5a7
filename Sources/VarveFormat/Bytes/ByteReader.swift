// The total counterpart of `ByteWriter`: any bytes give a value or `.corruption`, never a trap.

import VarveCore

/// Reads bytes front to back. Every read beyond the end throws `VarveError(.corruption, …)`.
package struct ByteReader {
  /// Keeps copied bytes alive; nil when the caller does.
  private let owner: Buffer<UInt8>?
  private let base: UnsafeRawBufferPointer
  package private(set) var position = 0

  /// Reads bytes that the caller keeps alive and unchanged as long as the reader is used.
  package init(_ bytes: UnsafeRawBufferPointer) {
    owner = nil
    base = bytes
  }

  /// Reads a copy.
  package init(_ bytes: [UInt8]) {
    let copy = Buffer<UInt8>(capacity: bytes.count)
    bytes.withUnsafeBufferPointer { copy.append($0) }
    owner = copy
    base = UnsafeRawBufferPointer(copy.span)
  }

  package var remaining: Int { base.count - position }
  package var isAtEnd: Bool { position == base.count }

  static func beyondEnd(_ wanted: Int, _ remaining: Int) -> VarveError {
    VarveError(.corruption, "\(wanted) more bytes expected where \(remaining) are left")
  }

  /// The next `count` bytes, not copied: valid as long as the reader's bytes are.
  package mutating func readRaw(_ count: Int) throws -> UnsafeRawBufferPointer {
    guard count >= 0, count <= remaining else { throw Self.beyondEnd(count, remaining) }
    let result = UnsafeRawBufferPointer(rebasing: base[position..<(position + count)])
    position += count
    return result
  }

  /// All bytes that are left, not copied; the position stays. `skip` says how many were used.
  package var rest: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: base[position...]) }

  package mutating func skip(_ count: Int) throws {
    guard count >= 0, count <= remaining else { throw Self.beyondEnd(count, remaining) }
    position += count
  }

  package mutating func readBytes(_ count: Int) throws -> [UInt8] { Array(try readRaw(count)) }

  package mutating func readByte() throws -> UInt8 {
    guard position < base.count else { throw Self.beyondEnd(1, 0) }
    defer { position += 1 }
    return base[position]
  }

  private mutating func readFixed<T: FixedWidthInteger>(_: T.Type) throws -> T {
    T(littleEndian: try readRaw(MemoryLayout<T>.size).loadUnaligned(as: T.self))
  }

  package mutating func readUInt16() throws -> UInt16 { try readFixed(UInt16.self) }
  package mutating func readUInt32() throws -> UInt32 { try readFixed(UInt32.self) }
  package mutating func readUInt64() throws -> UInt64 { try readFixed(UInt64.self) }
  package mutating func readInt64() throws -> Int64 { Int64(bitPattern: try readFixed(UInt64.self)) }

  package mutating func readVarint() throws -> UInt64 {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while true {
      let byte = try readByte()
      // The tenth byte holds bit 63 alone.
      guard shift < 63 || byte <= 1 else { throw VarveError(.corruption, "a varint does not fit 64 bits") }
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
      shift += 7
    }
  }

  package mutating func readZigzag() throws -> Int64 { Int64(bitPattern: Zigzag.decode(try readVarint())) }

  package mutating func readUInt16Varint() throws -> UInt16 {
    guard let value = UInt16(exactly: try readVarint()) else {
      throw VarveError(.corruption, "a number is beyond 16 bits")
    }
    return value
  }

  package mutating func readUInt32Varint() throws -> UInt32 {
    guard let value = UInt32(exactly: try readVarint()) else {
      throw VarveError(.corruption, "a number is beyond 32 bits")
    }
    return value
  }

  /// A varint that must fit a non-negative `Int`. Says nothing about how much may be allocated for it.
  package mutating func readLength() throws -> Int {
    guard let value = Int(exactly: try readVarint()) else {
      throw VarveError(.corruption, "a length is beyond 63 bits")
    }
    return value
  }

  /// A count of things that take at least `minimumByteCount` bytes each, so that the bytes left can hold them.
  package mutating func readCount(minimumByteCount: Int) throws -> Int {
    let count = try readLength()
    guard minimumByteCount == 0 || count <= remaining / minimumByteCount else {
      throw VarveError(.corruption, "\(count) entries are claimed where \(remaining) bytes are left")
    }
    return count
  }

  /// A varint length, then that many bytes.
  package mutating func readPrefixed() throws -> [UInt8] { try readBytes(try readLength()) }

  package func expectEnd() throws {
    guard isAtEnd else { throw VarveError(.corruption, "\(remaining) bytes too many") }
  }
}
