// How a page's values are written, in words: the codec and what stands within it. What `varve inspect` and the codec
// benchmark print.

import VarveCore

package enum PageDescription {
  /// For instance "delta", "alp(split(delta))", "dictionary(packed) + zstd". Checks the page's checksum and reads no
  /// further than the heads of its streams. Total.
  package static func label(_ page: UnsafeRawBufferPointer, file: FileID, offset: Int) throws -> String {
    let header = try PageHeader.decode(page, file: file, offset: offset)
    let compression = header.compression == .none ? "" : " + \(header.compression.label)"
    let codec = try PageDecoder.withPayload(page, header, isWhole: false) { reader -> String in
      if header.presence != .all {
        _ = try Presence.decode(header.presence, count: header.rowCount, from: &reader)
      }
      return try label(header.codec, header.valueCount, &reader)
    }
    return codec + compression
  }

  /// Deeper than this nothing sound is nested; a damaged page may be, without end.
  private static let depthLimit = 3

  private static func label(
    _ codec: ValueCodec, _ count: Int, _ reader: inout ByteReader, depth: Int = 0
  ) throws -> String {
    guard depth < depthLimit else { return codec.label }
    switch codec {
    case .split:
      switch try reader.readByte() >> 6 {
      case 0: return "split(packed)"
      case 1: return "split(delta)"
      default: return "split(delta-of-delta)"
      }
    case .integral: return "integral(\(try stream(count, &reader, depth: depth + 1)))"
    case .decimal:
      _ = try reader.readByte()
      _ = try reader.readVarint()
      return "alp(\(try stream(count, &reader, depth: depth + 1)))"
    case .runs:
      let runCount = try reader.readLength()
      return "runs(\(try stream(runCount, &reader, depth: depth + 1)))"
    default: return codec.label
    }
  }

  private static func stream(_ count: Int, _ reader: inout ByteReader, depth: Int) throws -> String {
    let tag = try reader.readByte()
    guard let codec = ValueCodec(rawValue: tag) else {
      throw VarveError(.corruption, "an integer stream has an unknown codec (\(tag))")
    }
    return try label(codec, count, &reader, depth: depth)
  }
}
