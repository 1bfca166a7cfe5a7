// Reading columns: single values, and flat views for loops.

import VarveCore

extension Column {
  package static func constant(_ datum: Datum, type: SQLType, count: Int) -> Column {
    Column(type: type, count: count, storage: .constant(datum))
  }
  package static func null(_ type: SQLType, count: Int) -> Column { constant(.null, type: type, count: count) }

  package init(type: SQLType, data: [Datum]) throws {
    var builder = ColumnBuilder(type, capacity: data.count)
    for datum in data { try builder.append(datum) }
    self = builder.finish()
  }

  /// The value of every row, if the column says it is the same.
  package var constantValue: Datum? {
    if case .constant(let datum) = storage { return datum }
    return nil
  }

  @inline(__always) package func isNull(at row: Int) -> Bool {
    switch storage {
    case .constant(let datum): return datum.isNull
    case .data(let data): return data[row].isNull
    default:
      guard let nulls else { return false }
      return nulls.base[row] != 0
    }
  }

  /// Whether any row is NULL.
  package var hasNulls: Bool {
    switch storage {
    case .constant(let datum): return datum.isNull && count > 0
    case .data(let data): return data.contains { $0.isNull }
    default:
      guard let nulls else { return false }
      return nulls.span.contains { $0 != 0 }
    }
  }

  package func datum(at row: Int) -> Datum {
    precondition(row >= 0 && row < count, "row of a column out of bounds")
    switch storage {
    case .constant(let datum): return datum
    case .data(let data): return data[row]
    case .words(let words): return isNull(at: row) ? .null : Column.datum(word: words[row], type: type)
    case .text(let refs, let bytes):
      if isNull(at: row) { return .null }
      let ref = TextRef(word: refs[row])
      return .text(
        String(decoding: UnsafeBufferPointer(start: bytes.base + ref.offset, count: ref.length), as: UTF8.self))
    case .dictionary(let codes, let dictionary):
      return isNull(at: row) ? .null : .text(dictionary.values[Int(codes[row])])
    }
  }

  package static func datum(word: UInt64, type: SQLType) -> Datum {
    switch type {
    case .bool: .bool(word != 0)
    case .float4, .float8: .float(Double(bitPattern: word))
    case .timestamptz, .timestamp: .timestamp(Int64(bitPattern: word))
    case .date: .date(Int32(truncatingIfNeeded: Int64(bitPattern: word)))
    default: .int(Int64(bitPattern: word))
    }
  }

  /// The same values under another type of the same representation.
  package func relabelled(_ type: SQLType) -> Column {
    Column(type: type, count: count, storage: storage, nulls: nulls)
  }

  /// The same values without `.constant` and `.dictionary`. Text shares the dictionary's bytes.
  package func materialized() -> Column {
    switch storage {
    case .words, .text, .data: return self
    case .dictionary(let codes, let dictionary):
      let refs = Buffer<UInt64>(repeating: 0, count: count)
      for i in 0..<count {
        let code = Int(codes.base[i])
        if code < dictionary.refs.count { refs.base[i] = dictionary.refs.base[code] }
      }
      return Column(type: type, count: count, storage: .text(refs, bytes: dictionary.bytes), nulls: nulls)
    case .constant(let datum):
      if type.isWord {
        if datum.isNull {
          return Column(
            type: type, count: count, storage: .words(Buffer(repeating: 0, count: count)),
            nulls: Buffer(repeating: 1, count: count))
        }
        return Column(
          type: type, count: count, storage: .words(Buffer(repeating: ColumnBuilder.word(datum), count: count)))
      }
      if type.isText {
        guard case .text(let text) = datum else {
          return Column(
            type: type, count: count, storage: .text(Buffer(repeating: 0, count: count), bytes: Buffer()),
            nulls: Buffer(repeating: 1, count: count))
        }
        let bytes = Buffer<UInt8>(Array(text.utf8))
        precondition(bytes.count < 1 << 24, "a text constant within what a column can refer to")
        let ref = TextRef(offset: 0, length: bytes.count).word
        return Column(type: type, count: count, storage: .text(Buffer(repeating: ref, count: count), bytes: bytes))
      }
      return Column(type: type, count: count, storage: .data(Array(repeating: datum, count: count)))
    }
  }

  /// The words of a column that is not constant. The buffer must outlive its use: keep the column.
  package var wordBuffer: Buffer<UInt64> {
    switch storage {
    case .words(let words): return words
    case .text(let refs, _): return refs
    case .constant:
      guard case .words(let words) = materialized().storage else { preconditionFailure("a column of words") }
      return words
    default: preconditionFailure("a column of words")
    }
  }
}

/// Text columns of any storage as bytes a row. Holds what it points into.
package struct TextView {
  private let refs: Buffer<UInt64>
  private let bytes: Buffer<UInt8>
  private let step: Int
  private let codes: Buffer<UInt32>?

  package init(_ column: Column) {
    switch column.storage {
    case .text(let refs, let bytes):
      self.refs = refs
      self.bytes = bytes
      step = 1
      codes = nil
    case .dictionary(let codes, let dictionary):
      refs = dictionary.refs
      bytes = dictionary.bytes
      step = 1
      self.codes = column.nulls == nil ? codes : TextView.clearing(codes, column.nulls, dictionary.refs.count)
    case .constant:
      let one = Column(type: column.type, count: 1, storage: column.storage).materialized()
      guard case .text(let refs, let bytes) = one.storage else { preconditionFailure("a text view of text") }
      self.refs = refs
      self.bytes = bytes
      step = 0
      codes = nil
    case .words, .data: preconditionFailure("a text view of text")
    }
  }

  // Codes of NULL rows may be anything.
  private static func clearing(_ codes: Buffer<UInt32>, _ nulls: Buffer<UInt8>?, _ limit: Int) -> Buffer<UInt32> {
    guard let nulls, limit > 0 else { return codes }
    let clean = Buffer<UInt32>(codes.span)
    for i in 0..<clean.count where nulls.base[i] != 0 { clean.base[i] = 0 }
    return clean
  }

  @inline(__always) package func bytes(_ row: Int) -> UnsafeBufferPointer<UInt8> {
    let index: Int
    if let codes {
      index = Int(codes.base[row])
      if index >= refs.count { return UnsafeBufferPointer(start: bytes.base, count: 0) }
    } else {
      index = row &* step
    }
    let word = refs.base[index]
    return UnsafeBufferPointer(start: bytes.base + Int(word >> 24), count: Int(word & 0xFF_FFFF))
  }
}
