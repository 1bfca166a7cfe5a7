// A row of a dimension table: varint count of values, then one for each column by id, dropped ones included (as NULL).
// A row that was written before a column was added has fewer. FORMAT.md, "Dimension row".
//
//   value: u8 tag (0 null, 1 false, 2 true, 3 integer, 4 double, 5 bytes), then for 3 zigzag, 4 u64 bits, 5 prefixed

import VarveCore

/// A value where it lies.
package enum DimensionCell {
  case null
  case boolean(Bool)
  case integer(Int64)
  case float(UInt64)
  case bytes(UnsafeRawBufferPointer)
}

package enum DimensionRow {
  package static func encoded(_ values: [DimensionValue]) -> [UInt8] {
    var out = ByteWriter(reserving: 16 * values.count + 1)
    out.append(varint: UInt64(values.count))
    for value in values { append(value, to: &out) }
    return out.bytes
  }

  static func append(_ value: DimensionValue, to out: inout ByteWriter) {
    switch value {
    case .null: out.append(byte: 0)
    case .boolean(let flag): out.append(byte: flag ? 2 : 1)
    case .integer(let number):
      out.append(byte: 3)
      out.append(zigzag: number)
    case .float(let bits):
      out.append(byte: 4)
      out.append(u64: bits)
    case .bytes(let bytes):
      out.append(byte: 5)
      out.append(prefixed: bytes)
    }
  }

  static func readValue(from reader: inout ByteReader) throws -> DimensionValue {
    DimensionValue(try readCell(from: &reader))
  }

  fileprivate static func readCell(from reader: inout ByteReader) throws -> DimensionCell {
    switch try reader.readByte() {
    case 0: return .null
    case 1: return .boolean(false)
    case 2: return .boolean(true)
    case 3: return .integer(try reader.readZigzag())
    case 4: return .float(try reader.readUInt64())
    case 5: return .bytes(try reader.readRaw(try reader.readLength()))
    case let tag: throw VarveError(.corruption, "a dimension table's value has an unknown tag (\(tag))")
    }
  }

  /// All values of a row. Total.
  package static func values(_ row: UnsafeRawBufferPointer) throws -> [DimensionValue] {
    var reader = try DimensionRowReader(row)
    var values: [DimensionValue] = []
    values.reserveCapacity(reader.count)
    for _ in 0..<reader.count { values.append(DimensionValue(try reader.next())) }
    try reader.expectEnd()
    return values
  }
}

extension DimensionValue {
  package init(_ cell: DimensionCell) {
    switch cell {
    case .null: self = .null
    case .boolean(let flag): self = .boolean(flag)
    case .integer(let number): self = .integer(number)
    case .float(let bits): self = .float(bits)
    case .bytes(let bytes): self = .bytes(Array(bytes))
    }
  }
}

/// Reads the values of one row, front to back, from bytes that the caller keeps alive. Total.
package struct DimensionRowReader {
  package let count: Int
  private var reader: ByteReader

  package init(_ row: UnsafeRawBufferPointer) throws {
    reader = ByteReader(row)
    count = try reader.readCount(minimumByteCount: 1)
  }

  package mutating func next() throws -> DimensionCell { try DimensionRow.readCell(from: &reader) }

  package func expectEnd() throws { try reader.expectEnd() }
}
