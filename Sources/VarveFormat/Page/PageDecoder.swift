// A page's bytes in, values out. Total: any bytes give values or `.corruption`; memory taken is bounded by the row
// block's size and, for text, by what the payload can hold. That holds for verified bytes too, whose checksum is known
// to be right and not computed again.

import VarveCore

package enum PageDecoder {
  /// A field page. Rows without a value have word 0. Of those from `end` on, if less than all rows are asked for, the
  /// words may be anything.
  package static func decode(
    _ page: UnsafeRawBufferPointer, file: FileID, offset: Int, isVerified: Bool = false, upTo end: Int = .max
  ) throws -> FieldColumn {
    let header = try PageHeader.decode(page, file: file, offset: offset, isVerified: isVerified)
    guard case .field(let type) = header.content else {
      throw VarveError(.corruption, "a page holds no field where one is expected")
    }
    guard end < header.rowCount, header.presence == .all, header.valueCount == header.rowCount,
      [.int64, .uint64, .timestamp].contains(type), header.codec != .dictionary
    else { return try withPayload(page, header) { try decodeField(header, type: type, from: &$0) } }
    return try withPayload(page, header, isWhole: false) { reader in
      let words = Buffer<UInt64>(capacity: header.rowCount)
      words.count = header.rowCount
      try IntegerCodec.decodeFirst(end, header.codec, count: header.rowCount, from: reader, into: words.base)
      return FieldColumn(type: type, words: words)
    }
  }

  package static func decodeTimes(
    _ page: UnsafeRawBufferPointer, file: FileID, offset: Int, isVerified: Bool = false
  ) throws -> Buffer<Int64> {
    let header = try PageHeader.decode(page, file: file, offset: offset, isVerified: isVerified)
    guard header.content == .times, header.presence == .all, header.valueCount == header.rowCount else {
      throw VarveError(.corruption, "a page holds no times where they are expected")
    }
    return try withPayload(page, header) { reader in
      let times = Buffer<Int64>(capacity: header.rowCount)
      times.count = header.rowCount
      try times.base.withMemoryRebound(to: UInt64.self, capacity: header.rowCount) { words in
        try IntegerCodec.decode(header.codec, count: header.rowCount, from: &reader, into: words)
      }
      return times
    }
  }

  package static func decodeSeries(
    _ page: UnsafeRawBufferPointer, file: FileID, offset: Int, isVerified: Bool = false
  ) throws -> [SeriesRun] {
    let header = try PageHeader.decode(page, file: file, offset: offset, isVerified: isVerified)
    guard header.content == .series, header.codec == .seriesRuns, header.presence == .all else {
      throw VarveError(.corruption, "a page holds no series where they are expected")
    }
    return try withPayload(page, header) { reader in
      try SeriesCodec.decode(runCount: header.valueCount, rowCount: header.rowCount, from: &reader)
    }
  }

  /// `isWhole`: whether `body` reads all of the payload, so that bytes behind it are an error.
  static func withPayload<T>(
    _ page: UnsafeRawBufferPointer, _ header: PageHeader, isWhole: Bool = true,
    _ body: (inout ByteReader) throws -> T
  ) throws -> T {
    let stored = UnsafeRawBufferPointer(rebasing: page[PageHeader.byteCount...])
    func read(_ payload: UnsafeRawBufferPointer) throws -> T {
      var reader = ByteReader(payload)
      let result = try body(&reader)
      if isWhole { try reader.expectEnd() }
      return result
    }
    switch header.compression {
    case .none: return try read(stored)
    case .lz4: return try LZ4.decompress(stored, byteCount: header.uncompressedByteCount).withUnsafeBytes(read)
    case .zstd: return try Zstd.decompress(stored, byteCount: header.uncompressedByteCount).withUnsafeBytes(read)
    }
  }

  /// The uncompressed payload of a field page. The header's row count is bounded by whoever made it.
  static func decodeField(_ header: PageHeader, type: FieldType, from reader: inout ByteReader) throws -> FieldColumn {
    let states = try Presence.decode(header.presence, count: header.rowCount, from: &reader)
    var present = header.rowCount
    if let states {
      present = 0
      for state in states.span { present += state == CellState.value.rawValue ? 1 : 0 }
    }
    guard present == header.valueCount else {
      throw VarveError(.corruption, "a page has \(present) rows with a value instead of \(header.valueCount)")
    }
    let words = Buffer<UInt64>(capacity: header.rowCount)
    words.count = header.rowCount
    var text: Buffer<UInt8>?
    if type == .text {
      text = try TextCodec.decode(header.codec, count: present, from: &reader, into: words.base)
    } else {
      try decodeWords(header.codec, type: type, count: present, from: &reader, into: words.base)
    }
    if let states { expand(words, count: present, states) }
    return FieldColumn(type: type, words: words, text: text, states: states)
  }

  /// Spreads `count` values at the front of `words` over the rows that have one; from the back, so in place.
  private static func expand(_ words: Buffer<UInt64>, count: Int, _ states: Buffer<UInt8>) {
    var next = count
    for row in stride(from: words.count - 1, through: 0, by: -1) {
      if states.base[row] == CellState.value.rawValue {
        next -= 1
        words.base[row] = words.base[next]
      } else {
        words.base[row] = 0
      }
    }
  }

  static func decodeWords(
    _ codec: ValueCodec, type: FieldType, count: Int, from reader: inout ByteReader,
    into out: UnsafeMutablePointer<UInt64>
  ) throws {
    switch type {
    case .float64: try DoubleCodec.decode(codec, count: count, from: &reader, into: out)
    case .int64, .uint64, .timestamp: try WordCodec.decode(codec, count: count, from: &reader, into: out)
    case .bool: try BooleanCodec.decode(codec, count: count, from: &reader, into: out)
    case .text: throw VarveError(.corruption, "text is not words")
    }
  }
}
