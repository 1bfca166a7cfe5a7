// The frame that log segments, manifests and series files share: a 32-byte header, a payload, zeros up to a
// multiple of 8. FORMAT.md, "Record frame".
//
//    0  u32  magic "VREC"
//    4  u32  CRC-32C, salted: over file id (u64), offset of the frame in the file (u64), bytes 8..<32+length
//    8  u32  payload length
//   12  u8   kind        (of the file's own kinds)
//   13  u8×3 zero
//   16  u64  sequence    (of the commit or edit; 0 where the kind has none)
//   24  u64  durable     (position up to which this log was known to be synced when the frame was written)
//
// The salt makes a stale frame (a recycled segment's earlier life) or a misplaced one fail its checksum. `durable`
// tells a torn tail from damage: see `FrameLog`.

import CVarve
import VarveCore

package struct RecordFrame: Sendable {
  package static let magic: UInt32 = 0x4345_5256  // "VREC" little-endian
  package static let headerByteCount = 32
  package static let alignment = 8

  package let kind: UInt8
  package let sequence: Sequence
  package let durable: UInt64
  /// Where the payload lies in the bytes that were decoded.
  package let payload: Range<Int>
  /// Header, payload and padding.
  package let frameByteCount: Int

  package static func frameByteCount(payload: Int) -> Int {
    (headerByteCount + payload + alignment - 1) / alignment * alignment
  }

  /// Completes a frame in place: `bytes` holds `headerByteCount` bytes of room, then the payload; the header is
  /// filled in and the padding added.
  package static func seal(
    _ bytes: inout [UInt8], kind: UInt8, sequence: Sequence, durable: UInt64, file: FileID, offset: Int
  ) {
    let payload = bytes.count - headerByteCount
    precondition(payload >= 0 && payload <= Int(UInt32.max), "a frame has a header and at most 4 GiB")
    store(magic, in: &bytes, at: 0)
    store(UInt32(payload), in: &bytes, at: 8)
    store(UInt32(kind), in: &bytes, at: 12)
    store(sequence.rawValue, in: &bytes, at: 16)
    store(durable, in: &bytes, at: 24)
    let crc = bytes.withUnsafeBytes { checksum($0, count: headerByteCount + payload, file: file, offset: offset) }
    store(crc, in: &bytes, at: 4)
    bytes.append(contentsOf: repeatElement(0, count: frameByteCount(payload: payload) - bytes.count))
  }

  /// The frame at `position` of `bytes`, which are the file's bytes from `base` on; nil when there is no whole,
  /// valid frame there. Total.
  package static func decode(_ bytes: UnsafeRawBufferPointer, at position: Int, base: Int = 0, file: FileID)
    -> RecordFrame?
  {
    guard position >= 0, position + headerByteCount <= bytes.count else { return nil }
    let header = UnsafeRawBufferPointer(rebasing: bytes[position..<(position + headerByteCount)])
    guard UInt32(littleEndian: header.loadUnaligned(fromByteOffset: 0, as: UInt32.self)) == magic else { return nil }
    let length = Int(UInt32(littleEndian: header.loadUnaligned(fromByteOffset: 8, as: UInt32.self)))
    let total = frameByteCount(payload: length)
    guard total <= bytes.count - position else { return nil }
    let whole = UnsafeRawBufferPointer(rebasing: bytes[position..<(position + headerByteCount + length)])
    let stored = UInt32(littleEndian: header.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
    guard checksum(whole, count: whole.count, file: file, offset: base + position) == stored else { return nil }
    guard bytes[(position + whole.count)..<(position + total)].allSatisfy({ $0 == 0 }) else { return nil }
    return RecordFrame(
      kind: header[12],
      sequence: Sequence(rawValue: UInt64(littleEndian: header.loadUnaligned(fromByteOffset: 16, as: UInt64.self))),
      durable: UInt64(littleEndian: header.loadUnaligned(fromByteOffset: 24, as: UInt64.self)),
      payload: (position + headerByteCount)..<(position + headerByteCount + length), frameByteCount: total)
  }

  private static func checksum(_ bytes: UnsafeRawBufferPointer, count: Int, file: FileID, offset: Int) -> UInt32 {
    guard let base = bytes.baseAddress else { return 0 }
    var crc = Self.salt(file: file, offset: offset)
    crc = cvarve_crc32c(crc, base + 8, count - 8)
    return crc
  }

  /// The checksum's beginning for something at `offset` of `file`.
  package static func salt(file: FileID, offset: Int) -> UInt32 {
    var salt = (file.rawValue.littleEndian, UInt64(offset).littleEndian)
    return withUnsafeBytes(of: &salt) { cvarve_crc32c(0, $0.baseAddress, 16) }
  }

  private static func store<T: FixedWidthInteger>(_ value: T, in bytes: inout [UInt8], at offset: Int) {
    bytes.withUnsafeMutableBytes { $0.storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self) }
  }
}
