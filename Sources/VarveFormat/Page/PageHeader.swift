// The first 24 bytes of a page. FORMAT.md, "Page".
//
//    0  u32  CRC-32C, salted with file id and the page's offset: bytes 4..<24 and the payload
//    4  u8   content: a field type, or 16 times, 17 series
//    5  u8   value codec
//    6  u8   presence codec
//    7  u8   compression of the payload: 0 none, 1 LZ4 block, 2 Zstandard frame
//    8  u32  rows
//   12  u32  values (rows that have one; for series: runs)
//   16  u32  payload bytes, as stored
//   20  u32  payload bytes, uncompressed
//
// Uncompressed, a payload is the rows' presence, then the values; nothing follows.

import VarveCore

/// What a page holds. The raw value is in files: never renumber.
package enum PageContent: Hashable, Sendable {
  case field(FieldType)
  case times
  case series

  package var rawValue: UInt8 {
    switch self {
    case .field(let type): type.rawValue
    case .times: 16
    case .series: 17
    }
  }

  package init?(rawValue: UInt8) {
    switch rawValue {
    case 16: self = .times
    case 17: self = .series
    default:
      guard let type = FieldType(rawValue: rawValue) else { return nil }
      self = .field(type)
    }
  }
}

/// A general compressor over a whole payload. The raw value is in files: never renumber.
package enum PageCompression: UInt8, Sendable, CaseIterable {
  case none = 0
  case lz4 = 1
  case zstd = 2

  package var label: String {
    switch self {
    case .none: "none"
    case .lz4: "lz4"
    case .zstd: "zstd"
    }
  }
}

package struct PageHeader: Sendable, Hashable {
  package static let byteCount = 24
  /// Payloads beyond this are refused, written or read.
  package static let payloadByteCountLimit = 1 << 30

  /// What a page without text may hold, uncompressed: far more than any codec makes of so many words, so that few bytes
  /// cannot ask for much memory.
  static func wordPayloadByteCountLimit(rows: Int) -> Int { rows * 32 + 4096 }

  package var content: PageContent
  package var codec: ValueCodec
  package var presence: PresenceCodec
  package var compression: PageCompression
  package var rowCount: Int
  package var valueCount: Int
  package var payloadByteCount: Int
  package var uncompressedByteCount: Int

  /// The page's bytes at `offset` of `file`.
  func page(payload: [UInt8], file: FileID, offset: Int) -> [UInt8] {
    var out = ByteWriter(reserving: Self.byteCount + payload.count)
    out.append(u32: 0)
    out.append(byte: content.rawValue)
    out.append(byte: codec.rawValue)
    out.append(byte: presence.rawValue)
    out.append(byte: compression.rawValue)
    out.append(u32: UInt32(rowCount))
    out.append(u32: UInt32(valueCount))
    out.append(u32: UInt32(payloadByteCount))
    out.append(u32: UInt32(uncompressedByteCount))
    out.append(payload)
    let crc = out.bytes.withUnsafeBytes {
      CRC32C.salted(UnsafeRawBufferPointer(rebasing: $0[4...]), file: file, offset: offset)
    }
    out.patch(u32: crc, at: 0)
    return out.bytes
  }

  /// Whether the page is as it was written, by its checksum. Total.
  package static func isIntact(_ page: UnsafeRawBufferPointer, file: FileID, offset: Int) -> Bool {
    page.count >= byteCount && UInt32(littleEndian: page.loadUnaligned(as: UInt32.self)) == checksum(page, file, offset)
  }

  /// Gives a whole page another place: its checksum is salted with it.
  static func place(_ page: inout [UInt8], file: FileID, offset: Int) {
    let crc = page.withUnsafeBytes { checksum($0, file, offset) }
    for byte in 0..<4 { page[byte] = UInt8(truncatingIfNeeded: crc >> UInt32(8 * byte)) }
  }

  private static func checksum(_ page: UnsafeRawBufferPointer, _ file: FileID, _ offset: Int) -> UInt32 {
    CRC32C.salted(UnsafeRawBufferPointer(rebasing: page[4...]), file: file, offset: offset)
  }

  /// Checks checksum, codes and counts of a whole page and nothing of its payload. Total. The checksum of verified
  /// bytes is known to be right.
  package static func decode(
    _ page: UnsafeRawBufferPointer, file: FileID, offset: Int, isVerified: Bool = false
  ) throws -> PageHeader {
    guard page.count >= byteCount else {
      throw VarveError(.corruption, "a page of \(page.count) bytes is shorter than its header")
    }
    var reader = ByteReader(page)
    let stored = try reader.readUInt32()
    guard isVerified || stored == checksum(page, file, offset) else {
      throw VarveError(.corruption, "a page fails its checksum")
    }
    let (content, codec) = (try reader.readByte(), try reader.readByte())
    let (presence, compression) = (try reader.readByte(), try reader.readByte())
    guard let content = PageContent(rawValue: content), let codec = ValueCodec(rawValue: codec),
      let presence = PresenceCodec(rawValue: presence), let compression = PageCompression(rawValue: compression)
    else {
      throw VarveError(
        .corruption,
        "a page has an unknown kind (content \(content), codec \(codec), presence \(presence), compression \(compression))"
      )
    }
    let header = PageHeader(
      content: content, codec: codec, presence: presence, compression: compression,
      rowCount: Int(try reader.readUInt32()), valueCount: Int(try reader.readUInt32()),
      payloadByteCount: Int(try reader.readUInt32()), uncompressedByteCount: Int(try reader.readUInt32()))
    guard header.rowCount <= Limits.rowBlockRowCount, header.valueCount <= header.rowCount,
      header.payloadByteCount == reader.remaining, header.uncompressedByteCount <= payloadByteCountLimit,
      compression != .none || header.uncompressedByteCount == header.payloadByteCount,
      header.content == .field(.text)
        || header.uncompressedByteCount <= wordPayloadByteCountLimit(rows: header.rowCount)
    else { throw VarveError(.corruption, "a page's header contradicts itself") }
    return header
  }
}
