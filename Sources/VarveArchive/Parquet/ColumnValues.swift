// The values of one column that wait for their row group to be written.

import VarveCore

final class ColumnValues {
  let column: ParquetColumn
  /// Of rows that have a value.
  let words = Buffer<UInt64>()
  private(set) var rowCount = 0
  /// 1 where a row has a value; nil: all have.
  private(set) var presence: Buffer<UInt8>?
  /// What the words of texts refer to.
  let bytes: Buffer<UInt8>?
  /// nil: not texts, or there are too many to be told apart. Then equal texts may have different words.
  private var texts: TextTable?
  private(set) var areTextsInterned: Bool
  /// Words that texts of the vector at hand had lately, and those that they have here.
  private let lately: (sources: Buffer<UInt64>, words: Buffer<UInt64>)
  private static let latelyCount = 1024

  init(_ column: ParquetColumn) {
    self.column = column
    bytes = column.type.isBytes ? Buffer() : nil
    areTextsInterned = true
    texts = column.type.isBytes ? TextTable() : nil
    let count = column.type.isBytes ? Self.latelyCount : 0
    lately = (Buffer(repeating: .max, count: count), Buffer(repeating: 0, count: count))
  }

  var byteCount: Int { words.count * 8 + (bytes?.count ?? 0) }

  func append(_ vector: ParquetVector, rows: Range<Int>) {
    precondition(rows.upperBound <= vector.count, "rows of the vector")
    appendPresence(vector.presence, rows)
    rowCount += rows.count
    if let bytes {
      appendTexts(vector, rows, to: bytes)
    } else if let presence = vector.presence {
      for row in rows where presence.base[row] != 0 { words.append(vector.words.base[row]) }
    } else {
      words.append(UnsafeBufferPointer(rebasing: vector.words.span[rows]))
    }
  }

  private func appendPresence(_ presence: Buffer<UInt8>?, _ rows: Range<Int>) {
    guard let presence else {
      self.presence?.append(repeating: 1, count: rows.count)
      return
    }
    if self.presence == nil {
      guard presence.span[rows].contains(0) else { return }
      precondition(!column.isRequired, "column \(column.name) has a value in each row")
      self.presence = Buffer(repeating: 1, count: rowCount)
    }
    self.presence?.append(UnsafeBufferPointer(rebasing: presence.span[rows]))
  }

  private func appendTexts(_ vector: ParquetVector, _ rows: Range<Int>, to bytes: Buffer<UInt8>) {
    // Rows of a series say the same again, and series take turns. No word has all bits: it would end beyond all bytes.
    lately.sources.base.update(repeating: .max, count: Self.latelyCount)
    for row in rows where vector.presence.map({ $0.base[row] != 0 }) ?? true {
      let source = vector.words.base[row]
      let slot = Int(truncatingIfNeeded: (source &* 0x9E37_79B9_7F4A_7C15) >> 54)
      if lately.sources.base[slot] == source {
        words.append(lately.words.base[slot])
        continue
      }
      let text = vector.bytes(row)
      precondition(column.type == .bytes || text.count == column.byteWidth, "values have the column's width")
      let word: UInt64
      if let known = texts?.ref(text, in: bytes) {
        word = known
      } else {
        texts = nil
        areTextsInterned = false
        word = TextRef(offset: bytes.count, length: text.count).word
        bytes.append(text)
      }
      words.append(word)
      lately.sources.base[slot] = source
      lately.words.base[slot] = word
    }
  }
}
