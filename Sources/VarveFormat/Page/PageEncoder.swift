// Values in, a page's bytes out. Every page is decoded before it is handed over and compared bit by bit; what does
// not come back is written raw, so a codec's bug costs room and never a value.

import VarveCore

package enum PageEncoder {
  /// A field's rows as they stand; at most `Limits.rowBlockRowCount`. Throws `.limitExceeded` if the strings of a
  /// page are beyond `PageHeader.payloadByteCountLimit`.
  package static func encode(_ column: FieldColumn, file: FileID, offset: Int) throws -> (page: [UInt8], zone: ZoneMap)
  {
    precondition(column.count <= Limits.rowBlockRowCount, "a page holds one row block's rows")
    let states = column.states?.span
    let values = compacted(column)
    var nulls = 0
    if let states { for state in states where state == CellState.null.rawValue { nulls += 1 } }
    let zone = ZoneMap(type: column.type, values: values.span, nullCount: nulls)

    var presence = ByteWriter()
    let presenceCodec = Presence.encode(states, to: &presence)
    if column.type == .text {
      var total = 0
      for word in values.span { total += TextRef(word: word).length }
      guard total <= PageHeader.payloadByteCountLimit - (1 << 20) else {
        throw VarveError(
          .limitExceeded, "the strings of one page have \(total) bytes; the limit is 1 GiB",
          hint: "cut row blocks of long strings shorter")
      }
    }
    var body = ByteWriter(reserving: values.count * 2 + 64)
    body.append(presence.bytes)
    var codec: ValueCodec
    switch column.type {
    case .float64: codec = DoubleCodec.encode(values.span, to: &body)
    case .int64, .uint64, .timestamp: codec = IntegerCodec.encode(values.span, to: &body)
    case .bool: codec = BooleanCodec.encode(values.span, to: &body)
    case .text:
      guard let text = column.text else { preconditionFailure("a text column carries text bytes") }
      codec = TextCodec.encode(values.span, text: text.span, to: &body)
    }
    if column.type != .text && !comesBack(values, column.type, codec, body.bytes, skipping: presence.count) {
      body = presence
      codec = .raw
      IntegerCodec.appendRaw(values.span, to: &body)
    }
    let page = seal(
      body.bytes, .field(column.type), codec, presenceCodec, rowCount: column.count, valueCount: values.count,
      file: file, offset: offset)
    if column.type == .text { try verifyText(page, column, values, file: file, offset: offset) }
    return (page, zone)
  }

  package static func encode(times: UnsafeBufferPointer<Int64>, file: FileID, offset: Int) -> [UInt8] {
    precondition(times.count <= Limits.rowBlockRowCount, "a page holds one row block's rows")
    let words = Buffer<UInt64>(capacity: times.count)
    for time in times { words.append(UInt64(bitPattern: time)) }
    var body = ByteWriter()
    var codec = IntegerCodec.encode(words.span, to: &body)
    if !comesBack(words, .timestamp, codec, body.bytes, skipping: 0) {
      body.removeAll()
      codec = .raw
      IntegerCodec.appendRaw(words.span, to: &body)
    }
    return seal(
      body.bytes, .times, codec, .all, rowCount: times.count, valueCount: times.count, file: file, offset: offset)
  }

  package static func encode(series runs: [SeriesRun], rowCount: Int, file: FileID, offset: Int) throws -> [UInt8] {
    var body = ByteWriter()
    SeriesCodec.encode(runs, to: &body)
    var reader = ByteReader(body.bytes)
    let back = try SeriesCodec.decode(runCount: runs.count, rowCount: rowCount, from: &reader)
    precondition(back == runs, "a series page does not come back as it was written")
    return seal(
      body.bytes, .series, .seriesRuns, .all, rowCount: rowCount, valueCount: runs.count, file: file, offset: offset)
  }

  /// The words of rows that have a value; the column's own buffer when all have.
  private static func compacted(_ column: FieldColumn) -> Buffer<UInt64> {
    guard let states = column.states else { return column.words }
    let values = Buffer<UInt64>(capacity: column.count)
    for row in 0..<column.count where states.base[row] == CellState.value.rawValue {
      values.append(column.words.base[row])
    }
    return values
  }

  private static func comesBack(
    _ values: Buffer<UInt64>, _ type: FieldType, _ codec: ValueCodec, _ body: [UInt8], skipping: Int
  ) -> Bool {
    let back = Buffer<UInt64>(capacity: values.count)
    return body.withUnsafeBytes { raw in
      var reader = ByteReader(UnsafeRawBufferPointer(rebasing: raw[skipping...]))
      do {
        try PageDecoder.decodeWords(codec, type: type, count: values.count, from: &reader, into: back.base)
        try reader.expectEnd()
      } catch {
        // The codec cannot read what it wrote: the caller writes raw.
        return false
      }
      var different: UInt64 = 0
      for i in 0..<values.count { different |= back.base[i] ^ values.base[i] }
      return different == 0
    }
  }

  private static func verifyText(
    _ page: [UInt8], _ column: FieldColumn, _ values: Buffer<UInt64>, file: FileID, offset: Int
  ) throws {
    let back = try page.withUnsafeBytes { try PageDecoder.decode($0, file: file, offset: offset) }
    for row in 0..<column.count {
      let state = column.state(row)
      precondition(back.state(row) == state, "a text page does not come back as it was written")
      guard state == .value else { continue }
      precondition(
        back.bytes(row).elementsEqual(column.bytes(row)), "a text page does not come back as it was written")
    }
  }

  private static func seal(
    _ body: [UInt8], _ content: PageContent, _ codec: ValueCodec, _ presence: PresenceCodec, rowCount: Int,
    valueCount: Int, file: FileID, offset: Int
  ) -> [UInt8] {
    var compression = PageCompression.none
    var payload = body
    // Only text gains from a general compressor over these codecs.
    if content == .field(.text) && body.count >= 64 {
      let lz4 = LZ4.compress(body)
      if lz4.count < body.count - body.count / 16 { (compression, payload) = (.lz4, lz4) }
      // Zstandard decodes at a quarter of LZ4's speed: it has to be a fifth smaller.
      let zstd = Zstd.compress(body)
      if zstd.count < payload.count - payload.count / 5 { (compression, payload) = (.zstd, zstd) }
    }
    let header = PageHeader(
      content: content, codec: codec, presence: presence, compression: compression, rowCount: rowCount,
      valueCount: valueCount, payloadByteCount: payload.count, uncompressedByteCount: body.count)
    return header.page(payload: payload, file: file, offset: offset)
  }
}
