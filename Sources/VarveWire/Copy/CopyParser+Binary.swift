// The binary format ("COPY", Binary Format, PostgreSQL 15): a signature, flags, an extension that is skipped; then rows,
// each a count of fields and for each field its length (-1: NULL) and its bytes as the type's receive function takes
// them, big-endian; then a count of -1.

import VarveCore

extension CopyParser {
  private static let signature: [UInt8] = [0x50, 0x47, 0x43, 0x4F, 0x50, 0x59, 0x0A, 0xFF, 0x0D, 0x0A, 0x00]
  private static let headerByteCount = 19
  /// Microseconds from 1970 to 2000.
  private static let epochMicroseconds: Int64 = 946_684_800_000_000

  @inline(__always)
  private static func int32(_ p: UnsafePointer<UInt8>) -> Int32 {
    Int32(bigEndian: UnsafeRawPointer(p).loadUnaligned(as: Int32.self))
  }

  /// The signature, flags and length, then the extension in whatever pieces it comes.
  mutating func binaryHeader(_ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> Outcome {
    if headerByteCount > 0 {
      let skipped = min(headerByteCount, end - start)
      headerByteCount -= skipped
      if headerByteCount == 0 { awaitsHeader = false }
      cursor = start + skipped
      return .nothing
    }
    guard end - start >= Self.headerByteCount else { return .incomplete }
    guard checkHeader(start, Self.headerByteCount) else { return .failed }
    headerByteCount = Int(Self.int32(start + 15))
    if headerByteCount == 0 { awaitsHeader = false }
    cursor = start + Self.headerByteCount
    return .nothing
  }

  /// As much of a header as there is. An error within it has no line.
  private mutating func checkHeader(_ start: UnsafePointer<UInt8>, _ count: Int) -> Bool {
    func bad(_ message: String) -> VarveError {
      VarveError(.syntax, message, hint: "Is the data of COPY's binary format?", sqlState: "22P04")
    }
    if count < 11 || !Self.signature.withUnsafeBufferPointer({ equalBytes($0.baseAddress!, start, 11) }) {
      failure = bad("COPY file signature not recognized")
    } else if count < 15 {
      failure = bad("invalid COPY file header (missing flags)")
    } else if Self.int32(start + 11) & 1 << 16 != 0 {
      failure = bad("invalid COPY file header (WITH OIDS)")
    } else if Self.int32(start + 11) >> 16 != 0 {
      failure = bad("unrecognized critical flags in COPY file header")
    } else if count < 19 || Self.int32(start + 15) < 0 {
      failure = bad("invalid COPY file header (missing length)")
    } else {
      return true
    }
    return false
  }

  /// The data is over, with these bytes left. The mark of its end may be missing, or cut, as PostgreSQL takes it.
  mutating func finishBinary(_ rest: UnsafePointer<UInt8>, _ count: Int) {
    if isEnded { return }
    if awaitsHeader {
      if headerByteCount > 0 {
        failure = VarveError(.syntax, "invalid COPY file header (wrong length)", sqlState: "22P04")
      } else if checkHeader(rest, count) {
        preconditionFailure("a complete header was taken before")
      }
      return
    }
    if count < 2 { return }
    line += 1
    // The field that is not complete.
    var column = 0
    var at = 2
    while count - at >= 4, column < columnCount - 1 {
      let length = max(0, Int(Self.int32(rest + at)))
      guard count - at - 4 >= length else { break }
      at += 4 + length
      column += 1
    }
    fields[column].count = 0
    fail("22P04", "unexpected EOF in COPY data", column: column)
  }

  mutating func binaryRow(_ start: UnsafePointer<UInt8>, _ end: UnsafePointer<UInt8>) -> Outcome {
    guard end - start >= 2 else { return .incomplete }
    line &+= 1
    let count = Int(Int16(bigEndian: UnsafeRawPointer(start).loadUnaligned(as: Int16.self)))
    guard count == columnCount else { return endOrMismatch(start, count) }
    var p = start + 2
    var entry: Int32 = -1
    let run = layout.tagRun ?? (-1 ..< -1)
    var column = 0
    while column < columnCount {
      if column == run.lowerBound, let behind = predicted(p, end) {
        p = behind
        entry = predictedEntry
        column = run.upperBound
        continue
      }
      guard end - p >= 4 else { return .incomplete }
      let length = Int(Self.int32(p))
      let value = p + 4
      if length == 8, end - value >= 8 {
        // Nearly all values are of eight bytes.
        let word = UInt64(bigEndian: UnsafeRawPointer(value).loadUnaligned(as: UInt64.self))
        let kind = slots[column].kind
        if kind == TypeCode.int64 || kind == TypeCode.float64 {
          put(word, column: column)
          p = value + 8
          column &+= 1
          continue
        }
        if kind == CopyKind.time {
          fields[column].count = 8
          guard putTime(Int64(bitPattern: word), column: column) else { return .failed }
          p = value + 8
          column &+= 1
          continue
        }
      }
      let outcome = binaryField(column, p, length, end)
      if outcome != .row { return outcome }
      p = cursor
      column &+= 1
    }
    if !layout.makesBatches {
      cursor = p
      return putRow(inLine: nil)
    }
    if isTimeNull {
      fail(nullTime)
      return .failed
    }
    if entry < 0 {
      guard let found = findSeries() else { return .failed }
      entry = found
    }
    cursor = p
    return endRow(entry)
  }

  private mutating func endOrMismatch(_ start: UnsafePointer<UInt8>, _ count: Int) -> Outcome {
    if count == -1 {
      cursor = start + 2
      return .ended
    }
    fail("22P04", "row field count is \(count), expected \(columnCount)")
    return .failed
  }

  /// Any field, its length at `p`; `cursor` is behind it then.
  private mutating func binaryField(
    _ column: Int, _ p: UnsafePointer<UInt8>, _ length: Int, _ end: UnsafePointer<UInt8>
  ) -> Outcome {
    if length == -1 {
      fields[column].rawStart = p
      fields[column].rawCount = 4
      cursor = p + 4
      guard layout.makesBatches else {
        fields[column].count = -1
        return putValue(column: column) ? .row : .failed
      }
      putNull(column: column)
      return .row
    }
    let value = p + 4
    fields[column] = CopyField(start: value, count: max(0, length), rawStart: p, rawCount: 4 + max(0, length))
    if length < 0 { return bad("22P04", "invalid field size", column) }
    guard end - value >= length else { return .incomplete }
    let kind = slots[column].kind
    switch kind {
    case TypeCode.text, CopyKind.tag: break
    case CopyKind.value:
      guard putValue(column: column) else { return .failed }
    case TypeCode.uint64:
      if let word = Self.wholeNumeric(value, length) {
        put(word, column: column)
      } else if !convert(column, binary: true) {
        return .failed
      }
    case TypeCode.bool:
      guard length == 1 else { return wrongLength(length < 1, column) }
      put(value[0] == 0 ? 0 : 1, column: column)
    default:
      guard length == 8 else { return wrongLength(length < 8, column) }
      let word = UInt64(bigEndian: UnsafeRawPointer(value).loadUnaligned(as: UInt64.self))
      if kind == TypeCode.timestamp {
        guard let time = nanoseconds(since2000: Int64(bitPattern: word), column) else { return .failed }
        put(UInt64(bitPattern: time), column: column)
      } else if kind == CopyKind.time {
        guard putTime(Int64(bitPattern: word), column: column) else { return .failed }
      } else {
        put(word, column: column)
      }
    }
    cursor = value + length
    return .row
  }

  private mutating func wrongLength(_ isShort: Bool, _ column: Int) -> Outcome {
    isShort
      ? bad(
        "08P01", slots[column].kind == TypeCode.bool ? "no data left in message" : "insufficient data left in message",
        column)
      : bad("22P03", "incorrect binary data format", column)
  }

  private mutating func bad(_ sqlState: String, _ message: String, _ column: Int) -> Outcome {
    fail(sqlState, message, column: column)
    return .failed
  }

  @inline(__always)
  private mutating func putTime(_ microseconds: Int64, column: Int) -> Bool {
    guard let nanoseconds = nanoseconds(since2000: microseconds, column) else { return false }
    time = nanoseconds
    if nanoseconds > options.latestTime || nanoseconds == .min { return refuseTime(column) }
    return true
  }

  /// The first and the last of 64 bits stand for the infinities.
  @inline(__always)
  private mutating func nanoseconds(since2000 microseconds: Int64, _ column: Int) -> Int64? {
    let (since1970, overflow) = microseconds.addingReportingOverflow(Self.epochMicroseconds)
    let (nanoseconds, overflow2) = since1970.multipliedReportingOverflow(by: 1000)
    if !overflow, !overflow2 { return nanoseconds }
    if microseconds == .max || microseconds == .min { return microseconds }
    fail("22008", "timestamp out of range", column: column)
    return nil
  }

  /// A numeric without a fraction that 64 bits hold; nil: another one, or none at all.
  private static func wholeNumeric(_ p: UnsafePointer<UInt8>, _ count: Int) -> UInt64? {
    func int16(_ offset: Int) -> Int { Int(p[offset]) << 8 | Int(p[offset + 1]) }
    guard count >= 8 else { return nil }
    let digits = int16(0)
    let weight = int16(2)
    // Digits of base 10,000, the first of them worth 10,000 to the power of `weight`.
    if digits == 0, count == 8, int16(4) == 0, int16(6) < 0x8000 { return 0 }
    guard digits >= 1, digits <= 5, digits <= weight + 1, weight <= 4, int16(4) == 0, count == 8 + 2 * digits,
      int16(6) < 0x8000
    else { return nil }
    var value: UInt64 = 0
    for index in 0...weight {
      let digit = index < digits ? int16(8 + 2 * index) : 0
      guard digit < 10_000 else { return nil }
      let (product, overflow) = value.multipliedReportingOverflow(by: 10_000)
      let (sum, overflow2) = product.addingReportingOverflow(UInt64(digit))
      if overflow || overflow2 { return nil }
      value = sum
    }
    return value
  }
}
