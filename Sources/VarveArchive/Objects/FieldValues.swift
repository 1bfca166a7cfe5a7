// Values of a page in each form that it may have. Words of `u` integers, DECIMAL(20, 0) in the file, are the integers
// themselves.

import VarveCore
import VarveFormat

enum FieldValues {
  /// Bytes of the two's complement number that holds 20 digits.
  static let decimalByteCount = 9

  static func encodePlain(
    _ words: UnsafeBufferPointer<UInt64>, _ column: ParquetColumn, bytes: Buffer<UInt8>?, into out: inout ByteWriter
  ) {
    guard column.type == .fixedBytes else {
      return PlainValues.encode(words, column, bytes: bytes, into: &out)
    }
    out.append(uninitialized: words.count * decimalByteCount) { room in
      for (index, word) in words.enumerated() {
        room.storeBytes(of: word.bigEndian, toByteOffset: index * decimalByteCount + 1, as: UInt64.self)
      }
    }
  }

  /// All but the dictionary's, whose indices the caller has.
  static func encode(
    _ words: UnsafeBufferPointer<UInt64>, _ column: ParquetColumn, bytes: Buffer<UInt8>?, _ form: ValueForm,
    into out: inout ByteWriter
  ) {
    switch form {
    case .plain: encodePlain(words, column, bytes: bytes, into: &out)
    case .split: PlainValues.split(words, byteWidth: column.plainByteCount ?? 8, into: &out)
    case .delta(let layout): DeltaIntegers.encode(words, isNarrow: column.type == .int32, layout, into: &out)
    case .dictionary: preconditionFailure("indices are encoded by who has the dictionary")
    }
  }

  static func statistics(
    _ words: UnsafeBufferPointer<UInt64>, _ column: ParquetColumn, bytes: Buffer<UInt8>?, nullCount: Int
  ) -> ParquetStatistics {
    guard column.type == .fixedBytes else {
      var range = ValueRange(column, bytes: bytes)
      range.add(words)
      return range.statistics(nullCount: nullCount)
    }
    var range = ValueRange(ParquetColumn("", .int64, .integer(bitWidth: 64, isSigned: false)), bytes: nil)
    range.add(words)
    var statistics = range.statistics(nullCount: nullCount)
    statistics.minimum = statistics.minimum.map { [0] + $0.reversed() }
    statistics.maximum = statistics.maximum.map { [0] + $0.reversed() }
    return statistics
  }

  /// Forms that values of the column may take, beside a dictionary.
  static func forms(_ column: ParquetColumn) -> [ValueForm] {
    switch column.type {
    case .int32, .int64: [.delta(.wide), .delta(.aligned), .delta(.narrow), .delta(.packed), .plain]
    case .float, .double: [.plain, .split]
    case .boolean, .int96, .bytes, .fixedBytes: [.plain]
    }
  }
}
