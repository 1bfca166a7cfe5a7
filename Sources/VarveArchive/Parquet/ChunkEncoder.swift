// One column of one row group as pages. The encoding is the one that came out smallest on samples of the column's own
// values, compressed as they will be; pages have so many rows at most, and texts so many bytes.
//
//   dictionary page, if any · data page · data page …

import CZlib
import VarveCore
import VarveFormat

/// How the values of a column chunk are laid out.
enum ValueForm: Hashable {
  case plain
  /// `isAligned`: indices take 4, 8 or 16 bits, which an entropy coder behind makes less of.
  case dictionary(isAligned: Bool)
  case delta(DeltaLayout)
  case split

  var encoding: ParquetEncoding {
    switch self {
    case .plain: .plain
    case .dictionary: .dictionary
    case .delta: .deltaBinaryPacked
    case .split: .byteStreamSplit
    }
  }
}

/// A column chunk whose offsets count from the file's start, and what stands behind the row groups about it.
struct EncodedChunk {
  var chunk = ParquetColumnChunk()
  var pages: [ParquetPageLocation] = []
  /// nil: a page has values that are in no order.
  var index: ParquetColumnIndex?
  var hasNonZero = false
}

struct ChunkEncoder {
  private let values: ColumnValues
  private let options: ParquetWriter.Options
  private let dictionary: (codes: Buffer<UInt64>, values: Buffer<UInt64>)?
  private var column: ParquetColumn { values.column }

  init(_ values: ColumnValues, _ options: ParquetWriter.Options) {
    self.values = values
    self.options = options
    let isCandidate = values.column.type != .boolean && values.areTextsInterned
    dictionary = isCandidate ? WordTable.encode(values.words.span) : nil
  }

  /// Appends the chunk to `out`, whose first byte stands at `offset` of the file.
  func encode(into out: inout ByteWriter, offset: Int) -> EncodedChunk {
    let form = chooseForm()
    var result = EncodedChunk()
    let start = out.count
    var chunk = ParquetColumnChunk()
    chunk.valueCount = values.rowCount
    // Levels are runs; so it stands in the list first, and the data's last.
    chunk.encodings = [.runLength]
    if case .dictionary = form, let dictionary {
      chunk.dictionaryOffset = offset + out.count
      var body = ByteWriter()
      PlainValues.encode(dictionary.values.span, column, bytes: values.bytes, into: &body)
      let size = append(body.bytes, .dictionary, .plain, valueCount: dictionary.values.count, to: &out)
      chunk.uncompressedByteCount += size
      chunk.encodings.append(.plain)
    }
    chunk.encodings.append(form.encoding)
    chunk.dataOffset = offset + out.count

    var total = ValueRange(column, bytes: values.bytes)
    var ranges: [ValueRange] = []
    var statistics: [ParquetStatistics] = []
    var firstValue = 0
    for rows in pageRows(form) {
      let count = valueCount(rows)
      let taken = firstValue..<(firstValue + count)
      let pageStart = out.count
      let size = append(page(rows, taken, form), .data, form.encoding, valueCount: rows.count, to: &out)
      chunk.uncompressedByteCount += size
      result.pages.append(
        ParquetPageLocation(offset: offset + pageStart, byteCount: out.count - pageStart, firstRow: rows.lowerBound))
      var range = ValueRange(column, bytes: values.bytes)
      range.add(UnsafeBufferPointer(rebasing: values.words.span[taken]))
      total.add(range)
      ranges.append(range)
      statistics.append(range.statistics(nullCount: rows.count - count))
      firstValue += count
    }
    chunk.count(form.encoding, pages: result.pages.count)
    chunk.compressedByteCount = out.count - start
    chunk.statistics = total.statistics(nullCount: values.rowCount - values.words.count)
    result.index = Self.index(statistics, ranges, rows: result.pages.map(\.firstRow) + [values.rowCount])
    result.hasNonZero = values.words.span.contains { $0 != 0 }
    result.chunk = chunk
    return result
  }

  // MARK: Pages

  private func valueCount(_ rows: Range<Int>) -> Int {
    guard let presence = values.presence else { return rows.count }
    var count = 0
    for row in rows { count += Int(presence.base[row]) }
    return count
  }

  /// Rows of each page.
  private func pageRows(_ form: ValueForm) -> [Range<Int>] {
    var pages: [Range<Int>] = []
    var start = 0
    var value = 0
    while start < values.rowCount {
      var end = min(start + options.pageRowCount, values.rowCount)
      if form == .plain, column.type == .bytes { end = textEnd(start, limit: end, &value) }
      pages.append(start..<end)
      start = end
    }
    return pages
  }

  /// The row behind the last one whose text has room in a page that begins at `start`.
  private func textEnd(_ start: Int, limit: Int, _ value: inout Int) -> Int {
    var size = 0
    for row in start..<limit where values.presence.map({ $0.base[row] != 0 }) ?? true {
      size += TextRef(word: values.words.base[value]).length + 4
      if size > options.pageByteCount, row > start { return row }
      value += 1
    }
    return limit
  }

  private func page(_ rows: Range<Int>, _ taken: Range<Int>, _ form: ValueForm) -> [UInt8] {
    var out = ByteWriter()
    if !column.isRequired {
      out.append(u32: 0)
      appendLevels(rows, to: &out)
      out.patch(u32: UInt32(out.count - 4), at: 0)
    }
    encode(taken, form, into: &out)
    return out.bytes
  }

  private func appendLevels(_ rows: Range<Int>, to out: inout ByteWriter) {
    guard let presence = values.presence else {
      out.append(varint: UInt64(rows.count) << 1)
      return out.append(byte: 1)
    }
    let levels = Buffer<UInt64>(capacity: rows.count)
    for row in rows { levels.append(UInt64(presence.base[row])) }
    HybridRuns.encode(levels.span, width: 1, into: &out)
  }

  private func encode(_ taken: Range<Int>, _ form: ValueForm, into out: inout ByteWriter) {
    let words = UnsafeBufferPointer(rebasing: values.words.span[taken])
    switch form {
    case .plain: PlainValues.encode(words, column, bytes: values.bytes, into: &out)
    case .split: PlainValues.split(words, byteWidth: column.plainByteCount ?? 8, into: &out)
    case .delta(let layout): DeltaIntegers.encode(words, isNarrow: column.type == .int32, layout, into: &out)
    case .dictionary(let isAligned):
      guard let dictionary else { preconditionFailure("a form that is none of the candidates") }
      let width = Self.indexWidth(dictionary.values.count, isAligned: isAligned)
      out.append(byte: UInt8(width))
      HybridRuns.encode(UnsafeBufferPointer(rebasing: dictionary.codes.span[taken]), width: width, into: &out)
    }
  }

  private static func indexWidth(_ valueCount: Int, isAligned: Bool) -> Int {
    // Readers expect a bit even where there is one value alone.
    let width = max(1, HybridRuns.width(max(0, valueCount - 1)))
    guard isAligned else { return width }
    return width <= 2 ? width : width <= 4 ? 4 : (width + 7) / 8 * 8
  }

  /// Appends a page with its header, and gives its size uncompressed, with the header.
  private func append(
    _ body: [UInt8], _ type: ParquetPageType, _ encoding: ParquetEncoding, valueCount: Int, to out: inout ByteWriter
  ) -> Int {
    let packed = Zstd.compress(body, level: options.compressionLevel)
    var header = ParquetPageHeader(
      type: type, encoding: encoding, valueCount: valueCount, uncompressedByteCount: body.count,
      compressedByteCount: packed.count)
    header.checksum = packed.withUnsafeBufferPointer {
      UInt32(truncatingIfNeeded: crc32_z(0, $0.baseAddress, $0.count))
    }
    let bytes = header.bytes
    out.append(bytes)
    out.append(packed)
    return bytes.count + body.count
  }

  private static func index(_ pages: [ParquetStatistics], _ ranges: [ValueRange], rows: [Int]) -> ParquetColumnIndex? {
    var isAscending = true
    var isDescending = true
    var last: ValueRange?
    for (page, (statistics, range)) in zip(pages, ranges).enumerated() {
      guard !range.isEmpty else {
        // Without bounds the index can say that all is NULL, and nothing else.
        if statistics.nullCount != rows[page + 1] - rows[page] { return nil }
        continue
      }
      if let last {
        let order = ValueRange.isOrdered(last, range)
        isAscending = isAscending && order.ascending
        isDescending = isDescending && order.descending
      }
      last = range
    }
    return ParquetColumnIndex(
      pages: pages, boundaries: isAscending ? .ascending : isDescending ? .descending : .unordered)
  }

  // MARK: Choice

  /// Values of a sample; two of them stand for the column.
  private static let sampleCount = 16 * 1024

  private func chooseForm() -> ValueForm {
    let candidates = self.candidates
    guard candidates.count > 1, !values.words.span.isEmpty else { return candidates[0] }
    let count = values.words.count
    let length = min(Self.sampleCount, count)
    let starts = count > 4 * length ? [count / 4, count - count / 4 - length] : [0]
    var best = (form: candidates[0], size: Double.infinity)
    for form in candidates {
      var size = 0
      for start in starts {
        var out = ByteWriter()
        encode(start..<(start + length), form, into: &out)
        size += Zstd.compress(out.bytes, level: options.compressionLevel).count
      }
      var total = Double(size) * Double(count) / Double(length * starts.count)
      if case .dictionary = form { total += Double(dictionaryByteCount) }
      if total < best.size { best = (form, total) }
    }
    return best.form
  }

  /// A dictionary hardly shrinks; that it may is not counted on.
  private var dictionaryByteCount: Int {
    guard let values = dictionary?.values else { return 0 }
    if let width = column.plainByteCount { return values.count * width }
    return values.span.reduce(0) { $0 + TextRef(word: $1).length + 4 }
  }

  private var candidates: [ValueForm] {
    var forms: [ValueForm] = []
    switch column.type {
    case .int32, .int64: forms = [.delta(.wide), .delta(.aligned), .delta(.packed), .plain]
    case .float, .double: forms = [.plain, .split]
    case .boolean, .int96, .bytes, .fixedBytes: forms = [.plain]
    }
    guard let dictionary, dictionary.values.count <= values.words.count / 2 else { return forms }
    let isSame =
      Self.indexWidth(dictionary.values.count, isAligned: true)
      == Self.indexWidth(dictionary.values.count, isAligned: false)
    forms.append(.dictionary(isAligned: false))
    if !isSame { forms.append(.dictionary(isAligned: true)) }
    return forms
  }
}
