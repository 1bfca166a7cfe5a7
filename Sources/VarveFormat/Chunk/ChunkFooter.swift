// The last 96 bytes of a chunk. FORMAT.md, "Chunk".
//
//    0  u32  CRC-32C, salted with file id and the footer's offset: bytes 4..<96
//    4  u32  CRC-32C of the index, salted with file id and the index's offset
//    8  u32  format version
//   12  u32  row blocks
//   16  u64  file id
//   24  u64  index offset
//   32  u64  index length; the footer follows it
//   40  u64  rows
//   48  u64  values (cells with one)
//   56  i64  least time
//   64  i64  greatest time
//   72  u32  first series
//   76  u32  last series
//   80  u64  zero
//   88  u64  magic "VARVEEND"

import VarveCore

package struct ChunkFooter: Sendable, Hashable {
  package static let byteCount = 96
  static let magic: UInt64 = 0x444E_4545_5652_4156  // "VARVEEND"
  /// A chunk of more bytes is refused: offsets stay far from overflow.
  static let fileByteCountLimit = 1 << 48

  package var file: FileID
  package var rowBlockCount: Int
  package var indexOffset: Int
  package var indexByteCount: Int
  package var rowCount: Int
  package var valueCount: Int
  /// Empty for a chunk without rows.
  package var time: TimeRange
  package var firstSeries: SeriesID
  package var lastSeries: SeriesID
  package var indexChecksum: UInt32

  func encoded() -> [UInt8] {
    var out = ByteWriter(reserving: Self.byteCount)
    out.append(u32: 0)
    out.append(u32: indexChecksum)
    out.append(u32: ChunkHeader.version)
    out.append(u32: UInt32(rowBlockCount))
    out.append(u64: file.rawValue)
    out.append(u64: UInt64(indexOffset))
    out.append(u64: UInt64(indexByteCount))
    out.append(u64: UInt64(rowCount))
    out.append(u64: UInt64(valueCount))
    out.append(i64: time.lower)
    out.append(i64: time.upper)
    out.append(u32: firstSeries.rawValue)
    out.append(u32: lastSeries.rawValue)
    out.append(u64: 0)
    out.append(u64: Self.magic)
    let crc = out.bytes.withUnsafeBytes {
      CRC32C.salted(
        UnsafeRawBufferPointer(rebasing: $0[4...]), file: file, offset: indexOffset + indexByteCount)
    }
    out.patch(u32: crc, at: 0)
    return out.bytes
  }

  /// The footer at the end of `tail`, which are the last bytes of a file of `fileByteCount` whose header says `version`.
  /// Total.
  package static func decode(
    _ tail: UnsafeRawBufferPointer, fileByteCount: Int, file: FileID, version: UInt32, place: String
  ) throws -> ChunkFooter {
    try placed(place) {
      guard tail.count >= byteCount, fileByteCount >= ChunkHeader.byteCount + byteCount, tail.count <= fileByteCount,
        fileByteCount <= fileByteCountLimit
      else { throw VarveError(.corruption, "a chunk is shorter than its header and footer") }
      let raw = UnsafeRawBufferPointer(rebasing: tail[(tail.count - byteCount)...])
      let offset = fileByteCount - byteCount
      var reader = ByteReader(raw)
      let stored = try reader.readUInt32()
      guard stored == CRC32C.salted(UnsafeRawBufferPointer(rebasing: raw[4...]), file: file, offset: offset) else {
        throw VarveError(.corruption, "a chunk's footer fails its checksum")
      }
      let indexChecksum = try reader.readUInt32()
      let foundVersion = try reader.readUInt32()
      let rowBlockCount = Int(try reader.readUInt32())
      let found = try reader.readUInt64()
      let (indexOffset, indexByteCount) = (try reader.readUInt64(), try reader.readUInt64())
      let (rows, values) = (try reader.readUInt64(), try reader.readUInt64())
      let time = TimeRange(lower: try reader.readInt64(), upper: try reader.readInt64())
      let (first, last) = (try reader.readUInt32(), try reader.readUInt32())
      let (zero, magic) = (try reader.readUInt64(), try reader.readUInt64())
      let limit = UInt64(offset)
      guard foundVersion == version, found == file.rawValue, zero == 0, magic == Self.magic,
        indexOffset >= UInt64(ChunkHeader.byteCount), indexOffset <= limit, indexByteCount == limit - indexOffset,
        rows <= UInt64(rowBlockCount) * UInt64(ChunkHeader.rowBlockRowCount(version: version)),
        values <= rows * UInt64(Limits.columnsPerTable), first <= last
      else { throw VarveError(.corruption, "a chunk's footer holds impossible values") }
      return ChunkFooter(
        file: file, rowBlockCount: rowBlockCount, indexOffset: Int(indexOffset), indexByteCount: Int(indexByteCount),
        rowCount: Int(rows), valueCount: Int(values), time: time, firstSeries: SeriesID(rawValue: first),
        lastSeries: SeriesID(rawValue: last), indexChecksum: indexChecksum)
    }
  }
}
