// Values in, a page's bytes out. Everything in a page is decoded before it is handed over and compared bit by bit; what
// does not come back is written in the plainest form, so a codec's bug costs room and never a value.

import CVarve
import VarveCore

package enum PageEncoder {
  /// A field's rows as they stand; at most `Limits.rowBlockRowCount`. Throws `.limitExceeded` if the strings of a
  /// page are beyond `PageHeader.payloadByteCountLimit`.
  package static func encode(
    _ column: FieldColumn, effort: PageEffort = .light, file: FileID, offset: Int
  ) throws -> (page: [UInt8], zone: ZoneMap) {
    precondition(column.count <= Limits.rowBlockRowCount, "a page holds one row block's rows")
    let states = column.states?.span
    let values = compacted(column)
    var nulls = 0
    if let states { for state in states where state == CellState.null.rawValue { nulls += 1 } }
    let zone = ZoneMap(type: column.type, values: values.span, nullCount: nulls)

    let (presence, presenceCodec) = presence(states, effort: effort)
    if column.type == .text {
      var total = 0
      for word in values.span { total += TextRef(word: word).length }
      guard total <= PageHeader.payloadByteCountLimit - (1 << 20) else {
        throw VarveError(
          .limitExceeded, "the strings of one page have \(total) bytes; the limit is 1 GiB",
          hint: "cut row blocks of long strings shorter")
      }
    }
    var candidates = [body(of: column, values, effort: effort)]
    // A general compressor sees repetitions where an entropy stage leaves none.
    if effort == .smallest {
      switch column.type {
      // Beside a byte a value and less there is nothing worth its decoding time.
      case .float64 where candidates[0].bytes.count <= values.count || !WordDictionary.mayRepeat(values.span): break
      case .float64, .text: candidates.append(body(of: column, values, effort: .light))
      default: break
      }
    }
    var sealed: (payload: Payload, codec: ValueCodec)?
    for candidate in candidates {
      let payload = payload(presence + candidate.bytes, .field(column.type), effort)
      // What decodes faster stands first: what follows has to be a tenth smaller.
      let isSmaller = sealed.map { payload.bytes.count < $0.payload.bytes.count - $0.payload.bytes.count / 10 } ?? true
      if isSmaller { sealed = (payload, candidate.codec) }
    }
    guard let sealed else { preconditionFailure("a page has one candidate at least") }
    let page = seal(
      sealed.payload, .field(column.type), sealed.codec, presenceCodec, rowCount: column.count,
      valueCount: values.count, file: file, offset: offset)
    if column.type == .text, !comesBack(page, column, file: file, offset: offset) {
      precondition(effort != .light, "a text page does not come back as it was written")
      return try encode(column, effort: .light, file: file, offset: offset)
    }
    return (page, zone)
  }

  private static func presence(
    _ states: UnsafeBufferPointer<UInt8>?, effort: PageEffort
  ) -> (bytes: [UInt8], codec: PresenceCodec) {
    var written = ByteWriter()
    let codec = Presence.encode(states, effort: effort, to: &written)
    guard let states, codec != .all else { return (written.bytes, codec) }
    var reader = ByteReader(written.bytes)
    // Whatever keeps it from being read, it is not written so.
    if let back = try? Presence.decode(codec, count: states.count, from: &reader), reader.isAtEnd,
      back.span.elementsEqual(states)
    {
      return (written.bytes, codec)
    }
    precondition(effort != .light, "which rows have a value does not come back as it was written")
    return presence(states, effort: .light)
  }

  /// The values written by a codec that is known to bring them back.
  private static func body(
    of column: FieldColumn, _ values: Buffer<UInt64>, effort: PageEffort
  ) -> (bytes: [UInt8], codec: ValueCodec) {
    var body = ByteWriter(reserving: values.count * 2 + 64)
    let codec: ValueCodec
    switch column.type {
    case .float64: codec = DoubleCodec.encode(values.span, effort: effort, to: &body)
    case .int64, .uint64, .timestamp: codec = WordCodec.encode(values.span, effort: effort, to: &body)
    case .bool: codec = BooleanCodec.encode(values.span, effort: effort, to: &body)
    case .text:
      guard let text = column.text else { preconditionFailure("a text column carries text bytes") }
      codec = TextCodec.encode(values.span, text: text.span, effort: effort, to: &body)
      return (body.bytes, codec)
    }
    return comesBack(values, column.type, codec, body.bytes) ? (body.bytes, codec) : rawBody(values)
  }

  private static func rawBody(_ values: Buffer<UInt64>) -> (bytes: [UInt8], codec: ValueCodec) {
    var body = ByteWriter(reserving: values.count * 8)
    IntegerCodec.appendRaw(values.span, to: &body)
    return (body.bytes, .raw)
  }

  package static func encode(
    times: UnsafeBufferPointer<Int64>, effort: PageEffort = .light, file: FileID, offset: Int
  ) -> [UInt8] {
    precondition(times.count <= Limits.rowBlockRowCount, "a page holds one row block's rows")
    let words = Buffer<UInt64>(capacity: times.count)
    words.count = times.count
    let base = words.base
    for i in 0..<times.count { base[i] = UInt64(bitPattern: times[i]) }
    var written = ByteWriter()
    var codec = IntegerCodec.encode(words.span, effort: effort, to: &written)
    var body = written.bytes
    if !comesBack(words, .timestamp, codec, body) { (body, codec) = rawBody(words) }
    return seal(
      payload(body, .times, effort), .times, codec, .all, rowCount: times.count, valueCount: times.count, file: file,
      offset: offset)
  }

  package static func encode(
    series runs: [SeriesRun], rowCount: Int, effort: PageEffort = .light, file: FileID, offset: Int
  ) throws -> [UInt8] {
    var body = ByteWriter()
    SeriesCodec.encode(runs, effort: effort, to: &body)
    var reader = ByteReader(body.bytes)
    let back = try SeriesCodec.decode(runCount: runs.count, rowCount: rowCount, from: &reader)
    precondition(back == runs, "a series page does not come back as it was written")
    return seal(
      payload(body.bytes, .series, effort), .series, .seriesRuns, .all, rowCount: rowCount, valueCount: runs.count,
      file: file, offset: offset)
  }

  /// The words of rows that have a value; the column's own buffer when all have.
  private static func compacted(_ column: FieldColumn) -> Buffer<UInt64> {
    guard let states = column.states else { return column.words }
    let values = Buffer<UInt64>(capacity: column.count)
    let (held, words, kept) = (states.base, column.words.base, values.base)
    var count = 0
    for row in 0..<column.count {
      kept[count] = words[row]
      count &+= held[row] == CellState.value.rawValue ? 1 : 0
    }
    values.count = count
    return values
  }

  private static func comesBack(
    _ values: Buffer<UInt64>, _ type: FieldType, _ codec: ValueCodec, _ body: [UInt8]
  ) -> Bool {
    body.withUnsafeBytes { raw in
      var reader = ByteReader(raw)
      do {
        let isSame =
          type != .float64 && type != .bool && codec != .dictionary
          ? try comesBackByVectors(values, codec, &reader) : try comesBackAtOnce(values, type, codec, &reader)
        return isSame && reader.isAtEnd
      } catch {
        // The codec cannot read what it wrote: the caller writes raw.
        return false
      }
    }
  }

  private static func comesBackAtOnce(
    _ values: Buffer<UInt64>, _ type: FieldType, _ codec: ValueCodec, _ reader: inout ByteReader
  ) throws -> Bool {
    let back = Buffer<UInt64>(capacity: values.count)
    try PageDecoder.decodeWords(codec, type: type, count: values.count, from: &reader, into: back.base)
    return cvarve_memcmp(back.base, values.base, values.count * 8) == 0
  }

  /// As `PageDecoder` reads them, compared while they are in the first cache.
  private static func comesBackByVectors(
    _ values: Buffer<UInt64>, _ codec: ValueCodec, _ reader: inout ByteReader
  ) throws -> Bool {
    var vectors = try IntegerVectors(codec, count: values.count, .outermost, reader)
    let isSame = try withUnsafeTemporaryAllocation(of: UInt64.self, capacity: BitPacking.vectorValueCount) { held in
      guard let back = held.baseAddress else { return false }
      while vectors.remaining > 0 {
        let written = values.base + vectors.position
        let count = try vectors.next(into: back)
        guard cvarve_memcmp(back, written, count * 8) == 0 else { return false }
      }
      return true
    }
    reader = vectors.reader
    return isSame
  }

  private static func comesBack(_ page: [UInt8], _ column: FieldColumn, file: FileID, offset: Int) -> Bool {
    // What cannot be read does not come back.
    guard let back = try? page.withUnsafeBytes({ try PageDecoder.decode($0, file: file, offset: offset) }) else {
      return false
    }
    for row in 0..<column.count {
      let state = column.state(row)
      guard back.state(row) == state else { return false }
      if state == .value, !back.bytes(row).elementsEqual(column.bytes(row)) { return false }
    }
    return true
  }

  /// A payload as it is stored.
  private struct Payload {
    var bytes: [UInt8]
    var compression: PageCompression
    var uncompressedByteCount: Int
  }

  private static func payload(_ body: [UInt8], _ content: PageContent, _ effort: PageEffort) -> Payload {
    var payload = Payload(bytes: body, compression: .none, uncompressedByteCount: body.count)
    guard body.count >= 64 else { return payload }
    switch content {
    case .field(.text):
      let lz4 = LZ4.compress(body)
      if lz4.count < body.count - body.count / 16 { (payload.compression, payload.bytes) = (.lz4, lz4) }
      // Zstandard decodes at a quarter of LZ4's speed: it has to be a fifth smaller, unless size is all.
      let zstd = Zstd.compress(body, level: effort == .smallest ? 9 : 1)
      let margin = effort == .smallest ? 0 : payload.bytes.count / 5
      if zstd.count < payload.bytes.count - margin { (payload.compression, payload.bytes) = (.zstd, zstd) }
    // The other codecs leave little to a general compressor; where they leave a tenth, it is worth its time.
    case .field(.float64) where effort == .smallest && body.count > 1024:
      let zstd = Zstd.compress(body, level: 3)
      if zstd.count < body.count - body.count / 10, isCompressed(body, zstd) {
        (payload.compression, payload.bytes) = (.zstd, zstd)
      }
    default: break
    }
    return payload
  }

  /// Whether the frame gives the bytes back; one that cannot be read does not.
  private static func isCompressed(_ bytes: [UInt8], _ frame: [UInt8]) -> Bool {
    (try? frame.withUnsafeBytes { try Zstd.decompress($0, byteCount: bytes.count) }) == bytes
  }

  private static func seal(
    _ payload: Payload, _ content: PageContent, _ codec: ValueCodec, _ presence: PresenceCodec, rowCount: Int,
    valueCount: Int, file: FileID, offset: Int
  ) -> [UInt8] {
    let header = PageHeader(
      content: content, codec: codec, presence: presence, compression: payload.compression, rowCount: rowCount,
      valueCount: valueCount, payloadByteCount: payload.bytes.count,
      uncompressedByteCount: payload.uncompressedByteCount)
    return header.page(payload: payload.bytes, file: file, offset: offset)
  }
}
