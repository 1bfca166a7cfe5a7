// The distinct values of a column's row group while its pages are written: each gets the next index when it comes first.

import VarveCore
import VarveFormat

struct GrowingDictionary {
  /// A narrow read fetches the dictionary beside its page: it is not to be much larger than one.
  private static let byteLimit = 128 * 1024
  /// Words of texts that were looked up in the page at hand.
  private static let latelyCount = 1024

  private let column: ParquetColumn
  private var table = WordTable()
  private var texts = TextTable()
  private let bytes = Buffer<UInt8>()
  private let lately: (sources: Buffer<UInt64>, indices: Buffer<UInt64>)

  init(_ column: ParquetColumn) {
    self.column = column
    let count = column.type == .bytes ? Self.latelyCount : 0
    lately = (Buffer(repeating: .max, count: count), Buffer(repeating: 0, count: count))
  }

  /// Values that indices were given of, and their bytes as they are written, before they are packed.
  private(set) var valueCount = 0
  private(set) var byteCount = 0

  /// The index of each word; `bytes`: what words of texts refer to. nil: there would be too many different ones; then the
  /// dictionary stays as it was, and takes no more.
  mutating func indices(of words: UnsafeBufferPointer<UInt64>, bytes: Buffer<UInt8>?) -> Buffer<UInt64>? {
    let indices = Buffer<UInt64>(capacity: words.count)
    let isComplete = bytes.map { append(words, $0, to: indices) } ?? append(words, to: indices)
    let count = table.values.count
    let size = column.type == .bytes ? self.bytes.count + count * 4 : count * (column.plainByteCount ?? 8)
    guard isComplete, size <= Self.byteLimit else { return nil }
    (valueCount, byteCount) = (count, size)
    return indices
  }

  /// The values in order of their indices.
  var body: [UInt8] {
    var out = ByteWriter()
    let values = UnsafeBufferPointer(rebasing: table.values.span[..<valueCount])
    FieldValues.encodePlain(values, column, bytes: bytes, into: &out)
    return out.bytes
  }

  private mutating func append(_ words: UnsafeBufferPointer<UInt64>, to indices: Buffer<UInt64>) -> Bool {
    guard let first = words.first, var index = table.code(first) else { return words.isEmpty }
    var last = first
    let out = indices.base
    for row in 0..<words.count {
      let word = words[row]
      if word != last {
        guard let found = table.code(word) else { return false }
        (index, last) = (found, word)
      }
      out[row] = index
    }
    indices.count = words.count
    return true
  }

  private mutating func append(
    _ words: UnsafeBufferPointer<UInt64>, _ source: Buffer<UInt8>, to indices: Buffer<UInt64>
  ) -> Bool {
    // Another page's words refer to other texts. No word has all bits: it would end beyond all bytes.
    lately.sources.base.update(repeating: .max, count: Self.latelyCount)
    for word in words {
      let slot = Int(truncatingIfNeeded: (word &* 0x9E37_79B9_7F4A_7C15) >> 54)
      if lately.sources.base[slot] == word {
        indices.append(lately.indices.base[slot])
        continue
      }
      let ref = TextRef(word: word)
      let text = UnsafeBufferPointer(start: source.base + ref.offset, count: ref.length)
      guard let kept = texts.ref(text, in: bytes), let index = table.code(kept) else { return false }
      indices.append(index)
      lately.sources.base[slot] = word
      lately.indices.base[slot] = index
    }
    return true
  }
}
