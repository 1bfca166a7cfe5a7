// Copies cells from columns of one type into a new one: the seal's gather, the scan's output, the joining of blocks.

import VarveCore

package final class FieldColumnBuilder {
  package let type: FieldType
  private let words: Buffer<UInt64>
  private let text: Buffer<UInt8>?
  private var states: Buffer<UInt8>?

  package init(type: FieldType, capacity: Int) {
    self.type = type
    words = Buffer(capacity: capacity)
    text = type == .text ? Buffer() : nil
    states = nil
  }

  package var count: Int { words.count }
  package var textByteCount: Int { text?.count ?? 0 }

  /// Rows `rows` of `source`, in order.
  package func append(_ source: FieldColumn, rows: Range<Int>) {
    precondition(source.type == type && rows.upperBound <= source.count, "cells of the column's own type")
    if let sourceStates = source.states {
      makeStates().append(UnsafeBufferPointer(rebasing: sourceStates.span[rows]))
    } else {
      states?.append(repeating: CellState.value.rawValue, count: rows.count)
    }
    if type == .text {
      for row in rows { appendText(source, row) }
    } else {
      words.append(UnsafeBufferPointer(rebasing: source.words.span[rows]))
    }
  }

  /// All `rows` rows of a column; nil: absent in all.
  package func append(_ source: FieldColumn?, rows: Int) {
    if let source { append(source, rows: 0..<rows) } else { appendAbsent(rows) }
  }

  /// Row `row` of `source`.
  package func append(_ source: FieldColumn, row: Int) {
    if let sourceStates = source.states {
      makeStates().append(sourceStates[row])
    } else {
      states?.append(CellState.value.rawValue)
    }
    if type == .text { appendText(source, row) } else { words.append(source.words[row]) }
  }

  /// The rows that `order` names, in that order; `start` is the number of the source's first row there.
  package func append(_ source: FieldColumn, order: UnsafeBufferPointer<UInt32>, start: Int = 0) {
    if let sourceStates = source.states {
      let own = makeStates()
      own.reserve(order.count)
      for row in order { own.append(sourceStates[Int(row) - start]) }
    } else {
      states?.append(repeating: CellState.value.rawValue, count: order.count)
    }
    if type == .text {
      for row in order { appendText(source, Int(row) - start) }
      return
    }
    words.reserve(order.count)
    let from = source.words.base
    let to = words.base + words.count
    for i in 0..<order.count { to[i] = from[Int(order[i]) &- start] }
    words.count += order.count
  }

  /// Makes room for `count` more words, all of rows with a value, which whoever calls writes there. Not for text.
  package func appendWords(_ count: Int) -> UnsafeMutablePointer<UInt64> {
    precondition(type != .text, "text is more than words")
    states?.append(repeating: CellState.value.rawValue, count: count)
    words.reserve(count)
    words.count += count
    return words.base + (words.count - count)
  }

  /// A value that is not text.
  package func append(_ word: UInt64) {
    precondition(type != .text, "a text is more than its word")
    states?.append(CellState.value.rawValue)
    words.append(word)
  }

  package func appendAbsent(_ count: Int) {
    makeStates().append(repeating: CellState.absent.rawValue, count: count)
    words.append(repeating: 0, count: count)
  }

  package func finish() -> FieldColumn { FieldColumn(type: type, words: words, text: text, states: states) }

  private func makeStates() -> Buffer<UInt8> {
    if let states { return states }
    let made = Buffer<UInt8>(repeating: CellState.value.rawValue, count: words.count)
    states = made
    return made
  }

  private func appendText(_ source: FieldColumn, _ row: Int) {
    guard let text, source.state(row) == .value else {
      words.append(0)
      return
    }
    let bytes = source.bytes(row)
    words.append(TextRef(offset: text.count, length: bytes.count).word)
    text.append(bytes)
  }
}
