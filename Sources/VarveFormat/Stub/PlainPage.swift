// Pages in their plainest form: what is made anew of an archived chunk's pages. A page has one plain form only, byte for
// byte and for ever, so that the checksum taken when it was archived tells whether it came back. FORMAT.md, "Stub".
//
//   presence: all rows, or a bitmap of those with a value (none is null) · words of 8 bytes, booleans as a bitmap, or
//   texts as a raw stream of their lengths and then their bytes · no compression

import VarveCore

package enum PlainPage {
  package static func encode(times: UnsafeBufferPointer<Int64>, file: FileID, offset: Int) -> [UInt8] {
    var body = ByteWriter(reserving: times.count * 8)
    body.append(uninitialized: times.count * 8) { raw in
      for i in 0..<times.count { raw.storeBytes(of: times[i].littleEndian, toByteOffset: i &* 8, as: Int64.self) }
    }
    return seal(body.bytes, .times, .raw, .all, rows: times.count, values: times.count, file, offset)
  }

  /// No cell is null. Throws `.limitExceeded` as `PageEncoder` does.
  package static func encode(_ column: FieldColumn, file: FileID, offset: Int) throws -> (page: [UInt8], zone: ZoneMap)
  {
    let values = self.values(of: column)
    var body = ByteWriter(reserving: column.count * 8 + 64)
    var presence = PresenceCodec.all
    if let states = column.states, values.count < column.count {
      presence = .values
      Bitmap.append(column.count, to: &body) { states.base[$0] == CellState.value.rawValue }
    }
    var codec = ValueCodec.raw
    switch column.type {
    case .float64, .int64, .uint64, .timestamp: IntegerCodec.appendRaw(values.span, to: &body)
    case .bool:
      codec = .bitmap
      Bitmap.append(values.count, to: &body) { values.base[$0] != 0 }
    case .text:
      codec = .text
      try append(texts: values, of: column, to: &body)
    }
    let page = seal(
      body.bytes, .field(column.type), codec, presence, rows: column.count, values: values.count, file, offset)
    return (page, ZoneMap(type: column.type, values: values.span, nullCount: 0))
  }

  private static func append(texts: Buffer<UInt64>, of column: FieldColumn, to body: inout ByteWriter) throws {
    guard let text = column.text else { preconditionFailure("a text column carries text bytes") }
    let lengths = Buffer<UInt64>(capacity: texts.count)
    var total = 0
    for word in texts.span {
      lengths.append(UInt64(TextRef(word: word).length))
      total += TextRef(word: word).length
    }
    guard total <= PageHeader.payloadByteCountLimit - (1 << 20) else {
      throw VarveError(
        .limitExceeded, "the strings of one page have \(total) bytes; the limit is 1 GiB",
        hint: "cut row blocks of long strings shorter")
    }
    body.append(byte: ValueCodec.raw.rawValue)
    IntegerCodec.appendRaw(lengths.span, to: &body)
    for word in texts.span {
      let ref = TextRef(word: word)
      body.append(UnsafeRawBufferPointer(start: text.base + ref.offset, count: ref.length))
    }
  }

  /// The words of rows that have a value.
  private static func values(of column: FieldColumn) -> Buffer<UInt64> {
    guard let states = column.states else { return column.words }
    let values = Buffer<UInt64>(capacity: column.count)
    let (held, words, kept) = (states.base, column.words.base, values.base)
    var count = 0
    for row in 0..<column.count {
      precondition(held[row] != CellState.null.rawValue, "what is archived has values, and no others")
      kept[count] = words[row]
      count &+= held[row] == CellState.value.rawValue ? 1 : 0
    }
    values.count = count
    return values
  }

  private static func seal(
    _ payload: [UInt8], _ content: PageContent, _ codec: ValueCodec, _ presence: PresenceCodec, rows: Int, values: Int,
    _ file: FileID, _ offset: Int
  ) -> [UInt8] {
    PageHeader(
      content: content, codec: codec, presence: presence, compression: .none, rowCount: rows, valueCount: values,
      payloadByteCount: payload.count, uncompressedByteCount: payload.count
    ).page(payload: payload, file: file, offset: offset)
  }
}

extension FieldColumn {
  /// The same with nulls as absent cells: where there is nothing older below, they are alike.
  package var withoutNulls: FieldColumn {
    guard let states, states.span.contains(CellState.null.rawValue) else { return self }
    let kept = Buffer<UInt8>(capacity: states.count)
    for state in states.span {
      kept.append(state == CellState.null.rawValue ? CellState.absent.rawValue : state)
    }
    var column = self
    column.states = kept
    return column
  }
}
