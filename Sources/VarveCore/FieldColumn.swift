/// One field's values over the rows of a batch: a word a row, whatever the type.
///
/// A word holds the bit pattern of a double, an integer, 0 or 1 for a boolean, nanoseconds for a time stamp, or
/// a `TextRef` into `text`. Words of rows without a value are 0.
@usableFromInline package struct FieldColumn: Sendable {
  package let type: FieldType
  @usableFromInline package let words: Buffer<UInt64>
  /// The bytes that `TextRef`s point into; UTF-8. Only for `.text`.
  @usableFromInline package let text: Buffer<UInt8>?
  /// A `CellState` a row; nil when every row has a value, which is the common case and costs nothing.
  @usableFromInline package var states: Buffer<UInt8>?

  package init(type: FieldType, words: Buffer<UInt64>, text: Buffer<UInt8>? = nil, states: Buffer<UInt8>? = nil) {
    precondition((type == .text) == (text != nil), "a text column, and only a text column, carries text bytes")
    self.type = type
    self.words = words
    self.text = text
    self.states = states
  }

  @inlinable package var count: Int { words.count }

  @inlinable package func state(_ row: Int) -> CellState {
    guard let states else { return .value }
    switch states[row] {
    case 0: return .absent
    case 1: return .value
    default: return .null
    }
  }

  /// The string of a row that has a value.
  package func string(_ row: Int) -> String {
    String(decoding: bytes(row), as: UTF8.self)
  }

  @inlinable package func bytes(_ row: Int) -> UnsafeBufferPointer<UInt8> {
    let ref = TextRef(word: words[row])
    guard let text else { preconditionFailure("bytes of a column that is not text") }
    precondition(ref.offset + ref.length <= text.count, "text reference past its bytes")
    return UnsafeBufferPointer(start: text.base + ref.offset, count: ref.length)
  }

  /// Memory held, in bytes.
  package var byteCount: Int { words.byteCount + (text?.byteCount ?? 0) + (states?.byteCount ?? 0) }
}
