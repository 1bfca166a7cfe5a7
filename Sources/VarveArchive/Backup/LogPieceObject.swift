// The object of a piece of the log: a header that says which piece it is, and the segment's bytes, compressed where that
// makes them fewer. FORMAT.md, "Backups".

import VarveCore
import VarveFormat

package struct LogPieceObject: Sendable, Equatable {
  package let piece: LogPiece
  /// What was acknowledged up to then is in it or before it. Wall time.
  package let wallNanoseconds: Int64
  private let isCompressed: Bool
  private let byteCount: Int
  /// CRC-32C of the segment's bytes.
  package let checksum: UInt32

  static let headerByteCount = 96
  static let version: UInt32 = 1
  private static let magic: UInt64 = 0x474F_4C45_5652_4156  // "VARVELOG"

  /// No object of the piece is longer.
  static func byteLimit(_ piece: LogPiece) -> Int { headerByteCount + piece.byteCount }

  /// `content`: the bytes of the segment that the piece stands for.
  static func encode(_ piece: LogPiece, wallNanoseconds: Int64, _ content: UnsafeRawBufferPointer) -> [UInt8] {
    let packed = Zstd.compress(content, level: 3)
    let isCompressed = packed.count < content.count
    var out = ByteWriter(reserving: byteLimit(piece))
    out.append(u64: magic)
    out.append(u32: version)
    out.append(u32: 0)
    out.append(u64: UInt64(headerByteCount + (isCompressed ? packed.count : content.count)))
    out.append(u64: piece.segment.rawValue)
    out.append(u64: piece.fingerprint)
    out.append(u64: UInt64(piece.offset))
    out.append(u64: UInt64(piece.byteCount))
    out.append(u64: piece.previous.rawValue)
    out.append(u64: piece.last.rawValue)
    out.append(i64: wallNanoseconds)
    out.append(u32: isCompressed ? 1 : 0)
    out.append(u32: CRC32C.checksum(content))
    out.append(u64: 0)
    out.patch(u32: headerChecksum(out.bytes), at: 12)
    if isCompressed { out.append(packed) } else { out.append(content) }
    return out.bytes
  }

  /// Of the object's first bytes. Throws `.corruption`, or `.unsupportedVersion` for what a newer Varve wrote.
  static func header(_ bytes: [UInt8], of piece: LogPiece) throws -> LogPieceObject {
    guard bytes.count >= headerByteCount else {
      throw VarveError(.corruption, "an object of the log is shorter than its header")
    }
    var reader = ByteReader(Array(bytes[..<headerByteCount]))
    guard try reader.readUInt64() == magic else {
      throw VarveError(.corruption, "not an object of the log: the magic does not match")
    }
    let version = try reader.readUInt32()
    guard try reader.readUInt32() == headerChecksum(bytes) else {
      throw VarveError(.corruption, "the header of an object of the log fails its checksum")
    }
    guard version == Self.version else {
      throw VarveError(
        version > Self.version ? .unsupportedVersion : .corruption,
        "an object of the log has format version \(version); this Varve reads \(Self.version)",
        hint: "restore it with the Varve that wrote it, or a later one")
    }
    let byteCount = try reader.readUInt64()
    let segment = FileID(rawValue: try reader.readUInt64())
    let fingerprint = try reader.readUInt64()
    let (offset, length) = (try reader.readUInt64(), try reader.readUInt64())
    let previous = Sequence(rawValue: try reader.readUInt64())
    let last = Sequence(rawValue: try reader.readUInt64())
    let wall = try reader.readInt64()
    let compression = try reader.readUInt32()
    let checksum = try reader.readUInt32()
    guard segment == piece.segment, fingerprint == piece.fingerprint, offset == UInt64(piece.offset),
      length == UInt64(piece.byteCount), previous == piece.previous, last == piece.last
    else { throw VarveError(.corruption, "an object of the log is that of another part") }
    guard compression <= 1, byteCount <= UInt64(byteLimit(piece)) else {
      throw VarveError(.corruption, "the header of an object of the log says what cannot be")
    }
    return LogPieceObject(
      piece: piece, wallNanoseconds: wall, isCompressed: compression == 1, byteCount: Int(byteCount), checksum: checksum
    )
  }

  /// The bytes of the segment in the whole object. Throws as `header` does.
  static func content(_ bytes: [UInt8], of piece: LogPiece) throws -> [UInt8] {
    let header = try header(bytes, of: piece)
    guard bytes.count == header.byteCount else {
      throw VarveError(.corruption, "an object of the log has \(bytes.count) bytes instead of \(header.byteCount)")
    }
    let content = try bytes.withUnsafeBytes { raw -> [UInt8] in
      let payload = UnsafeRawBufferPointer(rebasing: raw[headerByteCount...])
      if header.isCompressed { return try Zstd.decompress(payload, byteCount: piece.byteCount) }
      return Array(payload)
    }
    guard content.count == piece.byteCount, CRC32C.checksum(content) == header.checksum else {
      throw VarveError(.corruption, "an object of the log fails its checksum")
    }
    return content
  }

  /// Over the header but itself.
  private static func headerChecksum(_ bytes: [UInt8]) -> UInt32 {
    bytes.withUnsafeBytes { raw in
      let first = CRC32C.checksum(UnsafeRawBufferPointer(rebasing: raw[..<12]))
      return CRC32C.checksum(UnsafeRawBufferPointer(rebasing: raw[16..<headerByteCount]), seed: first)
    }
  }
}
