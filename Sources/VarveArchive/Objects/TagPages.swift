// A tag's column of an object: one index a run of rows, whatever its length. Values stand in the row group's dictionary,
// once each; where they become too many, the rest of the row group has them plain.

import VarveCore
import VarveFormat

struct TagPages {
  private(set) var pages: ObjectPages
  private let bytes = Buffer<UInt8>()
  private var texts = TextTable()
  private var indices: [UInt64: UInt64] = [:]
  private var values: [UInt64] = []
  private var isDictionaryFull = false

  init(_ column: ParquetColumn) { pages = ObjectPages(column) }

  /// The tag of each run of a row block; nil: it has none.
  mutating func append(_ cells: [(value: String?, count: Int)], level: Int32) {
    let rowCount = cells.reduce(0) { $0 + $1.count }
    let held = Buffer<UInt8>()
    var refs: [(word: UInt64, count: Int)] = []
    var levels: [IndexRun] = []
    for cell in cells {
      Self.extend(&levels, cell.value == nil ? 0 : 1, cell.count)
      guard var value = cell.value else { continue }
      let start = held.count
      value.withUTF8 { held.append($0) }
      refs.append((TextRef(offset: start, length: held.count - start).word, cell.count))
    }
    var range = ValueRange(pages.column, bytes: held)
    let words = Buffer(refs.map(\.word))
    range.add(words.span)
    let statistics = range.statistics(nullCount: rowCount - refs.reduce(0) { $0 + $1.count })

    var out = ByteWriter()
    out.append(RunEncoding.levels(levels))
    let runs = refs.isEmpty || isDictionaryFull ? nil : indexed(refs, held)
    if let runs {
      let width = RunEncoding.indexWidth(values.count)
      out.append(byte: UInt8(width))
      RunEncoding.encode(runs, width: width, into: &out)
    } else {
      let words = Buffer<UInt64>(capacity: rowCount)
      for ref in refs { words.append(repeating: ref.word, count: ref.count) }
      PlainValues.encode(words.span, pages.column, bytes: held, into: &out)
    }
    out.bytes.withUnsafeBytes {
      _ = pages.append($0, runs == nil ? .plain : .dictionary, rowCount: rowCount, level: level, statistics)
    }
  }

  mutating func endRowGroup() {
    var body = ByteWriter()
    let words = Buffer(values)
    PlainValues.encode(words.span, pages.column, bytes: bytes, into: &body)
    pages.endRowGroup(dictionary: values.isEmpty ? nil : (body.bytes, values.count))
    bytes.count = 0
    texts = TextTable()
    indices = [:]
    values = []
    isDictionaryFull = false
  }

  /// nil: there are too many values.
  private mutating func indexed(_ refs: [(word: UInt64, count: Int)], _ held: Buffer<UInt8>) -> [IndexRun]? {
    var runs: [IndexRun] = []
    let known = values.count
    for (word, count) in refs {
      let ref = TextRef(word: word)
      let text = UnsafeBufferPointer(start: held.base + ref.offset, count: ref.length)
      guard let value = texts.ref(text, in: bytes) else {
        isDictionaryFull = true
        values.removeLast(values.count - known)
        return nil
      }
      var index = indices[value]
      if index == nil {
        index = UInt64(values.count)
        indices[value] = index
        values.append(value)
      }
      Self.extend(&runs, index ?? 0, count)
    }
    return runs
  }

  private static func extend(_ runs: inout [IndexRun], _ index: UInt64, _ count: Int) {
    if let last = runs.last, last.index == index {
      runs[runs.count - 1].count += count
    } else {
      runs.append(IndexRun(index: index, count: count))
    }
  }
}
