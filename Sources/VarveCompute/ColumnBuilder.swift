// Builds a column row by row.

import VarveCore

package struct ColumnBuilder {
  package let type: SQLType
  private let words: Buffer<UInt64>
  private let bytes: Buffer<UInt8>
  private var data: [Datum] = []
  private var nulls: Buffer<UInt8>?
  private let kind: Kind
  private enum Kind { case words, text, data }

  package init(_ type: SQLType, capacity: Int = 0) {
    self.type = type
    kind = type.isWord ? .words : (type.isText ? .text : .data)
    words = Buffer(capacity: kind == .data ? 0 : capacity)
    bytes = Buffer()
    if kind == .data { data.reserveCapacity(capacity) }
  }

  package var count: Int { kind == .data ? data.count : words.count }

  @inline(__always) package mutating func append(word: UInt64) {
    words.append(word)
    nulls?.append(0)
  }
  package mutating func append(_ value: Int64) { append(word: UInt64(bitPattern: value)) }
  package mutating func append(_ value: Double) { append(word: value.bitPattern) }
  package mutating func append(_ value: Bool) { append(word: value ? 1 : 0) }

  /// Throws 54000 for a string beyond what a column can refer to.
  package mutating func append(text: UnsafeBufferPointer<UInt8>) throws {
    guard text.count < 1 << 24 else { throw SQLError.make("54000", "text of more than 16 MiB") }
    words.append(TextRef(offset: bytes.count, length: text.count).word)
    bytes.append(text)
    nulls?.append(0)
  }
  package mutating func append(text: String) throws {
    var text = text
    try text.withUTF8 { try append(text: $0) }
  }
  package mutating func append(text: [UInt8]) throws { try text.withUnsafeBufferPointer { try append(text: $0) } }

  package mutating func appendNull() {
    if kind == .data {
      data.append(.null)
      return
    }
    if nulls == nil { nulls = Buffer(repeating: 0, count: words.count) }
    words.append(0)
    nulls?.append(1)
  }

  /// The datum must be of the column's type or null.
  package mutating func append(_ datum: Datum) throws {
    if case .null = datum { return appendNull() }
    switch kind {
    case .words: append(word: ColumnBuilder.word(datum))
    case .text:
      guard case .text(let text) = datum else { preconditionFailure("a text column takes text") }
      try append(text: text)
    case .data: data.append(datum)
    }
  }

  /// The word of a datum whose type is held in words.
  package static func word(_ datum: Datum) -> UInt64 {
    switch datum {
    case .bool(let value): value ? 1 : 0
    case .int(let value), .timestamp(let value): UInt64(bitPattern: value)
    case .float(let value): value.bitPattern
    case .date(let value): UInt64(bitPattern: Int64(value))
    default: preconditionFailure("this datum is not held in a word")
    }
  }

  package consuming func finish() -> Column {
    if kind == .data { return Column(type: type, count: data.count, storage: .data(data)) }
    let storage: Column.Storage = kind == .words ? .words(words) : .text(words, bytes: bytes)
    return Column(type: type, count: words.count, storage: storage, nulls: nulls)
  }
}
