// The values of a batch row by row, as DataRow messages and binary COPY hold them: four bytes of length before each, -1
// for NULL. And one by one without, as lines of text hold them.
//
// For each column it is decided once where its values stand and how they are written; the loop over a row branches on
// that alone. Its memory is plain: nothing is retained or released a value. Texts are copied from the column's memory,
// integers and times are written in place, and only rare types go through a Datum.

import VarveCore

/// Used by one thread at a time. Holds the batch. A class: a copy would retain all that it holds.
package final class RowValues {
  private enum Kind: UInt8, BitwiseCopyable {
    /// Texts, which are the same in both formats, at `words`, or at `words` by `codes`.
    case text, dictionary
    /// Words as text.
    case integer, timestamp, zonedTimestamp
    /// Through `writers`: words, whose NULLs are known, and anything else.
    case formatted, otherText
    /// Words in binary format: integers of that width, and times in microseconds since 2000.
    case bytes1, bytes2, bytes4, bytes8, microseconds
    case otherBinary
    /// The same bytes in every row, with their length before them.
    case constant
  }

  /// Points into the batch, or into `constants`.
  private struct Lane: BitwiseCopyable {
    var kind: Kind
    var nulls: UnsafePointer<UInt8>?
    var words: UnsafePointer<UInt64>?
    var wordCount = 0
    var codes: UnsafePointer<UInt32>?
    var bytes: UnsafePointer<UInt8>?
    var byteCount = 0
  }

  private let batch: ColumnBatch
  private let context: EvaluationContext
  private let lanes: Buffer<Lane>
  /// One a column.
  private var writers: [ColumnTextWriter] = []
  private var cursor: TimeZone.Cursor
  private var constants: [Buffer<UInt8>] = []
  /// What a row's lengths and values of bounded width take at most.
  private let room: Int

  package init(_ batch: ColumnBatch, context: EvaluationContext, isBinary: (_ column: Int) -> Bool) throws {
    self.batch = batch
    self.context = context
    lanes = Buffer(capacity: batch.columns.count)
    cursor = TimeZone.Cursor(
      batch.columns.contains { $0.type == .timestamptz } ? try context.sessionZone() : TimeZone.utc)
    var room = 0
    for (index, column) in batch.columns.enumerated() {
      writers.append(try ColumnTextWriter(column, context: context))
      let isBinary = isBinary(index)
      if let value = column.constantValue { constants.append(try Self.bytes(value, column.type, isBinary, context)) }
      let lane = Self.lane(column, isBinary, constants.last)
      lanes.append(lane)
      // No integer has more than 20 bytes, no time more than 40.
      room += lane.kind == .constant ? lane.byteCount : 4 + 40
    }
    self.room = room
  }

  package var rowCount: Int { batch.count }

  private static func lane(_ column: Column, _ isBinary: Bool, _ constant: Buffer<UInt8>?) -> Lane {
    let nulls = column.nulls.map { UnsafePointer($0.base) }
    switch column.storage {
    case .text where isBinary && column.type.isTextInTextFormatOnly,
      .dictionary where isBinary && column.type.isTextInTextFormatOnly:
      return Lane(kind: .otherBinary)
    case .text(let refs, let bytes):
      return Lane(
        kind: .text, nulls: nulls, words: refs.base, wordCount: refs.count, bytes: bytes.base, byteCount: bytes.count)
    case .dictionary(let codes, let dictionary):
      return Lane(
        kind: .dictionary, nulls: nulls, words: dictionary.refs.base, wordCount: dictionary.refs.count,
        codes: codes.base, bytes: dictionary.bytes.base, byteCount: dictionary.bytes.count)
    case .words(let words):
      return Lane(
        kind: isBinary ? kind(ofBinary: column.type) : kind(ofText: column.type), nulls: nulls, words: words.base,
        wordCount: words.count)
    case .data: return Lane(kind: isBinary ? .otherBinary : .otherText)
    case .constant:
      guard let constant else { preconditionFailure("a constant column has its bytes") }
      return Lane(kind: .constant, bytes: constant.base, byteCount: constant.count)
    }
  }

  private static func kind(ofText type: SQLType) -> Kind {
    switch type {
    case .int2, .int4, .int8, .oid: .integer
    case .timestamp: .timestamp
    case .timestamptz: .zonedTimestamp
    default: .formatted
    }
  }

  private static func kind(ofBinary type: SQLType) -> Kind {
    switch type {
    case .bool: .bytes1
    case .int2: .bytes2
    case .int4, .oid, .regclass, .regtype, .regproc: .bytes4
    case .int8, .float8: .bytes8
    case .timestamp, .timestamptz: .microseconds
    default: .otherBinary
    }
  }

  private static func bytes(
    _ value: Datum, _ type: SQLType, _ isBinary: Bool, _ context: EvaluationContext
  ) throws -> Buffer<UInt8> {
    let out = Buffer<UInt8>()
    out.append(repeating: 0xFF, count: 4)
    if value.isNull { return out }
    if isBinary {
      try TypeBinary.append(value, type: type, to: out, context: context)
    } else {
      try TypeText.append(value, type: type, to: out, context: context)
    }
    setLength(out, from: 0)
    return out
  }

  // MARK: With lengths

  /// Appends all values of a row. Where it throws, the buffer may end with some of them.
  package func append(_ row: Int, to out: Buffer<UInt8>) throws {
    precondition(row >= 0 && row < batch.count, "a row of the batch")
    out.reserve(room)
    var at = out.base + out.count
    for index in 0..<lanes.count {
      let lane = lanes.base + index
      if let nulls = lane.pointee.nulls, nulls[row] != 0 {
        Self.setLength(-1, at: at)
        at += 4
        continue
      }
      switch lane.pointee.kind {
      case .text, .dictionary:
        let bytes = Self.text(lane, row)
        if out.base + out.capacity - at < bytes.count + room {
          out.count = at - out.base
          out.reserve(bytes.count + room)
          at = out.base + out.count
        }
        Self.setLength(bytes.count, at: at)
        at += 4
        if let base = bytes.baseAddress {
          at.update(from: base, count: bytes.count)
          at += bytes.count
        }
      case .integer:
        let length = IntegerText.write(signed: Self.word(lane, row), at: at + 4)
        Self.setLength(length, at: at)
        at += 4 + length
      case .timestamp, .zonedTimestamp:
        let length = DateTimeText.write(
          timestamp: Self.word(lane, row), cursor: &cursor, zoned: lane.pointee.kind == .zonedTimestamp, at: at + 4)
        Self.setLength(length, at: at)
        at += 4 + length
      case .bytes1: at = Self.store(Self.word(lane, row) == 0 ? 0 as UInt8 : 1, length: 1, at: at)
      case .bytes2: at = Self.store(Int16(truncatingIfNeeded: Self.word(lane, row)), length: 2, at: at)
      case .bytes4: at = Self.store(Int32(truncatingIfNeeded: Self.word(lane, row)), length: 4, at: at)
      case .bytes8: at = Self.store(Self.word(lane, row), length: 8, at: at)
      case .microseconds: at = Self.store(TypeBinary.microseconds(Self.word(lane, row)), length: 8, at: at)
      case .constant:
        if let bytes = lane.pointee.bytes { at.update(from: bytes, count: lane.pointee.byteCount) }
        at += lane.pointee.byteCount
      case .formatted, .otherText, .otherBinary:
        out.count = at - out.base
        try appendOther(row, index, lane.pointee.kind, to: out)
        out.reserve(room)
        at = out.base + out.count
      }
    }
    out.count = at - out.base
  }

  private func appendOther(_ row: Int, _ index: Int, _ kind: Kind, to out: Buffer<UInt8>) throws {
    let start = out.count
    out.append(repeating: 0xFF, count: 4)
    if kind == .otherBinary {
      guard try TypeBinary.append(batch.columns[index], row: row, to: out, context: context) else { return }
    } else {
      if kind == .otherText, batch.columns[index].isNull(at: row) { return }
      try writers[index].append(row, to: out)
    }
    Self.setLength(out, from: start)
  }

  // MARK: Without

  package func isNull(_ row: Int, column: Int) -> Bool {
    let lane = lanes.base + column
    switch lane.pointee.kind {
    case .otherText, .otherBinary, .constant: return batch.columns[column].isNull(at: row)
    default: return lane.pointee.nulls.map { $0[row] != 0 } ?? false
    }
  }

  /// Appends a value as text; not for NULL, nor for columns in binary format.
  package func appendText(_ row: Int, column: Int, to out: Buffer<UInt8>) throws {
    precondition(row >= 0 && row < batch.count && column >= 0 && column < lanes.count, "a value of the batch")
    let lane = lanes.base + column
    switch lane.pointee.kind {
    case .text, .dictionary: out.append(Self.text(lane, row))
    case .integer:
      out.reserve(20)
      out.count += IntegerText.write(signed: Self.word(lane, row), at: out.base + out.count)
    case .timestamp, .zonedTimestamp:
      DateTimeText.append(
        timestamp: Self.word(lane, row), cursor: &cursor, zoned: lane.pointee.kind == .zonedTimestamp, to: out)
    case .constant:
      if let bytes = lane.pointee.bytes {
        out.append(UnsafeBufferPointer(start: bytes + 4, count: lane.pointee.byteCount - 4))
      }
    case .formatted, .otherText: try writers[column].append(row, to: out)
    case .bytes1, .bytes2, .bytes4, .bytes8, .microseconds, .otherBinary:
      preconditionFailure("text of a column that is written in binary format")
    }
  }

  // MARK: Of lanes

  @inline(__always) private static func word(_ lane: UnsafeMutablePointer<Lane>, _ row: Int) -> Int64 {
    Int64(bitPattern: lane.pointee.words.unsafelyUnwrapped[row])
  }

  @inline(__always)
  private static func text(_ lane: UnsafeMutablePointer<Lane>, _ row: Int) -> UnsafeBufferPointer<UInt8> {
    let index = lane.pointee.codes.map { Int($0[row]) } ?? row
    precondition(index < lane.pointee.wordCount, "a text beyond its column")
    let ref = TextRef(word: lane.pointee.words.unsafelyUnwrapped[index])
    precondition(ref.offset + ref.length <= lane.pointee.byteCount, "text reference past its bytes")
    return UnsafeBufferPointer(start: lane.pointee.bytes.unsafelyUnwrapped + ref.offset, count: ref.length)
  }

  @inline(__always) private static func setLength(_ length: Int, at place: UnsafeMutablePointer<UInt8>) {
    UnsafeMutableRawPointer(place).storeBytes(of: Int32(truncatingIfNeeded: length).bigEndian, as: Int32.self)
  }

  /// Of all that stands behind the four bytes at `start`.
  private static func setLength(_ out: Buffer<UInt8>, from start: Int) {
    setLength(out.count - start - 4, at: out.base + start)
  }

  /// A value of fixed width with its length; what stands behind it.
  @inline(__always)
  private static func store<Value: FixedWidthInteger & BitwiseCopyable>(
    _ value: Value, length: Int, at place: UnsafeMutablePointer<UInt8>
  ) -> UnsafeMutablePointer<UInt8> {
    setLength(length, at: place)
    UnsafeMutableRawPointer(place + 4).storeBytes(of: value.bigEndian, as: Value.self)
    return place + 4 + length
  }
}
