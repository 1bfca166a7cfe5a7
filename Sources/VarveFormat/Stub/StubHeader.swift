// The first 64 bytes of a stub. FORMAT.md, "Stub".
//
//    0  u64  magic "VARVESTB"
//    8  u32  format version
//   12  u32  CRC-32C, salted with file id and offset 0: bytes 0..<12 and 16..<64
//   16  u64  file id
//   24  u64  bytes of the chunk that it stands for
//   32  u64  where the chunk's tail begins: from there on it is kept
//   40  u64  length of the map, which follows
//   48  u32  CRC-32C of the map, salted with file id and offset 64
//   52  u32  zero
//   56  u64  zero

import VarveCore

package struct StubHeader: Sendable, Hashable {
  package static let byteCount = 64
  package static let version: UInt32 = 1
  package static let magic: UInt64 = 0x4254_5345_5652_4156  // "VARVESTB"

  package let file: FileID
  package let chunkByteCount: Int
  package let tailOffset: Int
  package let mapByteCount: Int
  let mapChecksum: UInt32

  package var tailByteCount: Int { chunkByteCount - tailOffset }

  func encoded() -> [UInt8] {
    var out = ByteWriter(reserving: Self.byteCount)
    out.append(u64: Self.magic)
    out.append(u32: Self.version)
    out.append(u32: 0)
    out.append(u64: file.rawValue)
    out.append(u64: UInt64(chunkByteCount))
    out.append(u64: UInt64(tailOffset))
    out.append(u64: UInt64(mapByteCount))
    out.append(u32: mapChecksum)
    out.append(zeros: 12)
    out.patch(u32: out.bytes.withUnsafeBytes { Self.checksum($0, file: file) }, at: 12)
    return out.bytes
  }

  private static func checksum(_ raw: UnsafeRawBufferPointer, file: FileID) -> UInt32 {
    let front = CRC32C.salted(UnsafeRawBufferPointer(rebasing: raw[0..<12]), file: file, offset: 0)
    return CRC32C.checksum(UnsafeRawBufferPointer(rebasing: raw[16..<byteCount]), seed: front)
  }

  /// Whether a file that begins with these bytes means to be a stub.
  package static func isStub(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.count >= 8 && UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self)) == magic
  }

  /// The header at the front of a stub of `fileByteCount` bytes. `file`, where given, is the id that it must have. Throws
  /// `.corruption`, or `.unsupportedVersion` for a stub that a newer Varve wrote. Total.
  package static func decode(
    _ bytes: UnsafeRawBufferPointer, fileByteCount: Int, file: FileID?, place: String
  ) throws -> StubHeader {
    try placed(place) {
      guard bytes.count >= byteCount else { throw VarveError(.corruption, "a stub is shorter than its header") }
      var reader = ByteReader(UnsafeRawBufferPointer(rebasing: bytes[..<byteCount]))
      guard try reader.readUInt64() == magic else {
        throw VarveError(.corruption, "not a stub: the magic does not match")
      }
      let version = try reader.readUInt32()
      let stored = try reader.readUInt32()
      let found = FileID(rawValue: try reader.readUInt64())
      guard stored == checksum(bytes, file: found) else {
        throw VarveError(.corruption, "a stub's header fails its checksum")
      }
      guard version == Self.version else {
        if version > Self.version {
          throw VarveError(
            .unsupportedVersion, "the stub has format version \(version); this Varve reads up to \(Self.version)",
            hint: "open it with the newer Varve that wrote it")
        }
        throw VarveError(.corruption, "a stub has an impossible format version \(version)")
      }
      guard file == nil || file == found else {
        throw VarveError(.corruption, "the file holds stub \(found.rawValue): it was swapped or renamed")
      }
      let (chunk, tail, map) = (try reader.readUInt64(), try reader.readUInt64(), try reader.readUInt64())
      let mapChecksum = try reader.readUInt32()
      let limit = UInt64(ChunkFooter.fileByteCountLimit)
      guard try reader.readUInt32() == 0, try reader.readUInt64() == 0, chunk <= limit, tail <= chunk, map <= limit,
        tail >= UInt64(ChunkHeader.byteCount), chunk - tail >= UInt64(ChunkFooter.byteCount),
        UInt64(byteCount) + map + UInt64(ChunkHeader.byteCount) + (chunk - tail) <= UInt64(max(0, fileByteCount))
      else { throw VarveError(.corruption, "a stub's header holds impossible values") }
      return StubHeader(
        file: found, chunkByteCount: Int(chunk), tailOffset: Int(tail), mapByteCount: Int(map),
        mapChecksum: mapChecksum)
    }
  }
}
