// The columns of a Parquet file: what is stored, and what it means
// (https://github.com/apache/parquet-format/blob/master/LogicalTypes.md).

import VarveCore

package enum ParquetPhysicalType: Int, Sendable {
  case boolean = 0
  case int32 = 1
  case int64 = 2
  /// Times of old writers: nanoseconds of the day, then the Julian day. Read as nanoseconds since 1970; never written.
  case int96 = 3
  case float = 4
  case double = 5
  case bytes = 6
  case fixedBytes = 7

  /// Values are `TextRef`s into a vector's bytes.
  package var isBytes: Bool { self == .bytes || self == .fixedBytes }
}

package enum ParquetTimeUnit: Int, Sendable {
  case milliseconds = 1
  case microseconds = 2
  case nanoseconds = 3

  package var nanoseconds: Int64 {
    switch self {
    case .milliseconds: 1_000_000
    case .microseconds: 1_000
    case .nanoseconds: 1
    }
  }
}

package enum ParquetMeaning: Hashable, Sendable {
  /// The physical type says all; or what it means is not known here.
  case plain
  case text
  case json
  case integer(bitWidth: Int, isSigned: Bool)
  case decimal(precision: Int, scale: Int)
  /// Days since 1970.
  case date
  case time(ParquetTimeUnit, isUTC: Bool)
  case timestamp(ParquetTimeUnit, isUTC: Bool)
  case uuid
}

package struct ParquetColumn: Hashable, Sendable {
  package var name: String
  package var type: ParquetPhysicalType
  package var meaning: ParquetMeaning
  /// Of `fixedBytes`: bytes a value.
  package var byteWidth: Int
  /// No row is without a value.
  package var isRequired: Bool

  package init(
    _ name: String, _ type: ParquetPhysicalType, _ meaning: ParquetMeaning = .plain, byteWidth: Int = 0,
    isRequired: Bool = false
  ) {
    self.name = name
    self.type = type
    self.meaning = meaning
    self.byteWidth = byteWidth
    self.isRequired = isRequired
  }

  /// An exact number as the fewest bytes that hold it, most significant first.
  package static func decimal(_ name: String, precision: Int, scale: Int, isRequired: Bool = false) -> ParquetColumn {
    ParquetColumn(
      name, .fixedBytes, .decimal(precision: precision, scale: scale), byteWidth: decimalByteWidth(precision),
      isRequired: isRequired)
  }

  /// Bytes of the smallest two's complement number that holds `precision` ≤ 38 digits.
  static func decimalByteWidth(_ precision: Int) -> Int {
    var limit = Int128(1)
    for _ in 0..<precision { limit *= 10 }
    var byteCount = 1
    while byteCount < 16, (limit - 1) >> Int128(byteCount * 8 - 1) != 0 { byteCount += 1 }
    return byteCount
  }

  /// Smaller values have smaller bytes, as statistics compare them.
  var order: ParquetOrder {
    switch (type, meaning) {
    case (.float, _), (.double, _): .floating
    case (.int32, .integer(_, isSigned: false)), (.int64, .integer(_, isSigned: false)): .unsigned
    case (.bytes, .decimal), (.fixedBytes, .decimal): .signedBytes
    case (.bytes, _), (.fixedBytes, _): .bytes
    case (.int96, _): .none
    default: .signed
    }
  }
}

enum ParquetOrder { case signed, unsigned, floating, bytes, signedBytes, none }

/// Values of one column, a word a row: bits of a double, bits of a float (the low 32), an integer with its sign, 0 or 1, or
/// a `TextRef` into `bytes`. Words of rows without a value are 0.
package struct ParquetVector: Sendable {
  package let words: Buffer<UInt64>
  package let bytes: Buffer<UInt8>?
  /// 1 where the row has a value; nil: all have.
  package let presence: Buffer<UInt8>?

  package init(words: Buffer<UInt64>, bytes: Buffer<UInt8>? = nil, presence: Buffer<UInt8>? = nil) {
    precondition(presence.map { $0.count == words.count } ?? true, "presence is told of each row")
    self.words = words
    self.bytes = bytes
    self.presence = presence
  }

  package var count: Int { words.count }

  package func isPresent(_ row: Int) -> Bool { presence.map { $0[row] != 0 } ?? true }

  package func bytes(_ row: Int) -> UnsafeBufferPointer<UInt8> {
    let ref = TextRef(word: words[row])
    guard let bytes else { preconditionFailure("bytes of a column that has none") }
    precondition(ref.offset + ref.length <= bytes.count, "a reference past its bytes")
    return UnsafeBufferPointer(start: bytes.base + ref.offset, count: ref.length)
  }
}
