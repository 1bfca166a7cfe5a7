// A field's column of an object, or that of its times: a page a row block. The form of the values is the smallest of those
// tried on a page, and kept: trying costs as much as several pages do. It is chosen again for a row group behind one whose
// pages came out much larger than the one that it was chosen by.

import VarveCore
import VarveFormat

struct FieldPages {
  /// Fewer values say little of those to come: the next page is tried again.
  private static let telling = 1024
  /// What takes so much more room than when its form was chosen has changed.
  private static let growthLimit = 1.5

  private(set) var pages: ObjectPages
  private var column: ParquetColumn { pages.column }
  private var choice: (form: ValueForm, bytesPerValue: Double)?
  private var dictionary: GrowingDictionary?
  /// Values became too many for one.
  private var isDictionaryRuledOut: Bool
  /// Of the row group.
  private var written = (values: 0, bytes: 0)
  private var body = ByteWriter()
  /// Of remainders: there is something left of a time. The file has the column only then.
  var hasNonZero = false

  init(_ column: ParquetColumn, mayHaveDictionary: Bool = true) {
    pages = ObjectPages(column)
    isDictionaryRuledOut = !mayHaveDictionary || column.type == .boolean
  }

  /// Bytes of pages, and of the dictionary that is not written yet.
  var byteCount: Int { pages.byteCount + (dictionary?.byteCount ?? 0) }

  /// The values of a row block; `levels` say which rows have one, and are empty where the column has one in each.
  mutating func append(
    _ words: UnsafeBufferPointer<UInt64>, bytes: Buffer<UInt8>? = nil, levels: [UInt8], rowCount: Int, level: Int32
  ) {
    let statistics = FieldValues.statistics(words, column, bytes: bytes, nullCount: rowCount - words.count)
    body.removeAll()
    body.append(levels)
    guard !words.isEmpty else { return seal(.plain, 0, rowCount, level, statistics) }
    let form = choice?.form ?? choose(words, bytes, level)
    if case .dictionary(let isAligned) = form {
      var dictionary = self.dictionary ?? GrowingDictionary(column)
      self.dictionary = nil
      let indices = dictionary.indices(of: words, bytes: bytes)
      self.dictionary = dictionary
      guard let indices else {
        isDictionaryRuledOut = true
        let form = choose(words, bytes, level)
        FieldValues.encode(words, column, bytes: bytes, form, into: &body)
        return seal(form.encoding, words.count, rowCount, level, statistics)
      }
      Self.append(indices, valueCount: dictionary.valueCount, isAligned: isAligned, to: &body)
    } else {
      FieldValues.encode(words, column, bytes: bytes, form, into: &body)
    }
    seal(form.encoding, words.count, rowCount, level, statistics)
  }

  mutating func endRowGroup() {
    pages.endRowGroup(dictionary: dictionary.map { ($0.body, $0.valueCount) })
    dictionary = nil
    if let choice, Double(written.bytes) > Double(written.values) * choice.bytesPerValue * Self.growthLimit {
      self.choice = nil
    }
    written = (0, 0)
  }

  private mutating func seal(
    _ encoding: ParquetEncoding, _ valueCount: Int, _ rowCount: Int, _ level: Int32, _ statistics: ParquetStatistics
  ) {
    let size = body.bytes.withUnsafeBytes {
      pages.append($0, encoding, rowCount: rowCount, level: level, statistics)
    }
    written.values += valueCount
    written.bytes += size
  }

  private static func append(
    _ indices: Buffer<UInt64>, valueCount: Int, isAligned: Bool, to out: inout ByteWriter
  ) {
    let width = indexWidth(valueCount, isAligned: isAligned)
    out.append(byte: UInt8(width))
    HybridRuns.encode(indices.span, width: width, into: &out)
  }

  private static func indexWidth(_ valueCount: Int, isAligned: Bool) -> Int {
    let width = RunEncoding.indexWidth(valueCount)
    guard isAligned else { return width }
    return width <= 2 ? width : width <= 4 ? 4 : (width + 7) / 8 * 8
  }

  // MARK: Choice

  /// The form in which these values come out smallest, packed as they will be.
  private mutating func choose(
    _ words: UnsafeBufferPointer<UInt64>, _ bytes: Buffer<UInt8>?, _ level: Int32
  ) -> ValueForm {
    var best = (form: ValueForm.plain, size: Int.max)
    func consider(_ form: ValueForm, _ out: ByteWriter, beside byteCount: Int = 0) {
      let size = Zstd.compress(out.bytes, level: level).count + byteCount
      if size < best.size { best = (form, size) }
    }
    for form in FieldValues.forms(column) {
      var out = ByteWriter()
      FieldValues.encode(words, column, bytes: bytes, form, into: &out)
      consider(form, out)
    }
    if !isDictionaryRuledOut {
      var trial = GrowingDictionary(column)
      if let indices = trial.indices(of: words, bytes: bytes), trial.valueCount <= words.count / 2 {
        let widths = [false, true].map { Self.indexWidth(trial.valueCount, isAligned: $0) }
        for isAligned in widths[0] == widths[1] ? [false] : [false, true] {
          var out = ByteWriter()
          Self.append(indices, valueCount: trial.valueCount, isAligned: isAligned, to: &out)
          // Other pages of the row group share the dictionary; how many of its values are theirs too is not known.
          consider(.dictionary(isAligned: isAligned), out, beside: trial.byteCount / 4)
        }
      }
    }
    choice = words.count < Self.telling ? nil : (best.form, Double(best.size) / Double(words.count))
    return best.form
  }
}
