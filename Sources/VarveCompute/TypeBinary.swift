// The binary form of values on the wire: PostgreSQL's send and receive functions. Big endian; times as
// microseconds since 2000, floored. Decoding is total: 22P03 for bytes that are not a value.

import VarveCore

package enum TypeBinary {
  /// Days from 1970-01-01 to 2000-01-01.
  static let epochDays = 10_957
  static let epochMicroseconds: Int64 = 946_684_800_000_000

  // MARK: Out

  static func append<T: FixedWidthInteger>(_ value: T, to out: Buffer<UInt8>) {
    let size = MemoryLayout<T>.size
    out.reserve(size)
    UnsafeMutableRawPointer(out.base + out.count).storeBytes(of: value.bigEndian, as: T.self)
    out.count += size
  }

  /// One row of a column; false when it is NULL and nothing was written. Without length prefix.
  package static func append(_ column: Column, row: Int, to out: Buffer<UInt8>, context: EvaluationContext) throws
    -> Bool
  {
    if column.isNull(at: row) { return false }
    switch column.storage {
    case .words(let words): appendWord(words[row], type: column.type, to: out)
    case .text, .dictionary: appendText(column.textBytes(row), type: column.type, to: out)
    default: try append(column.datum(at: row), type: column.type, to: out, context: context)
    }
    return true
  }

  static func appendWord(_ word: UInt64, type: SQLType, to out: Buffer<UInt8>) {
    let value = Int64(bitPattern: word)
    switch type {
    case .bool: out.append(word != 0 ? 1 : 0)
    case .int2: append(Int16(truncatingIfNeeded: value), to: out)
    case .int4, .oid, .regclass, .regproc, .regtype: append(Int32(truncatingIfNeeded: value), to: out)
    case .float8: append(word, to: out)
    case .float4: append(Float(Double(bitPattern: word)).bitPattern, to: out)
    case .timestamptz, .timestamp:
      append(microseconds(value), to: out)
    case .date:
      let days = Int32(truncatingIfNeeded: value)
      append(
        days == .max || days == .min ? days : Int32(clamping: Int(days) - epochDays), to: out)
    default: append(value, to: out)
    }
  }

  /// Since 2000, of nanoseconds since 1970; the ends stand for infinities.
  @inline(__always) static func microseconds(_ nanoseconds: Int64) -> Int64 {
    nanoseconds == .max || nanoseconds == .min
      ? nanoseconds : Int64(floorDivide(Int(nanoseconds), 1000)) - epochMicroseconds
  }

  /// Texts are their bytes, but for a uuid, which is sixteen, and jsonb, which has a version before it.
  private static func appendText(_ bytes: UnsafeBufferPointer<UInt8>, type: SQLType, to out: Buffer<UInt8>) {
    switch type {
    case .uuid: for byte in UUIDText.bytes(bytes) { out.append(byte) }
    case .jsonb:
      out.append(1)
      out.append(bytes)
    default: out.append(bytes)
    }
  }

  /// Not for NULL.
  package static func append(_ datum: Datum, type: SQLType, to out: Buffer<UInt8>, context: EvaluationContext) throws {
    switch datum {
    case .null: preconditionFailure("NULL has no binary form")
    case .bool, .int, .float, .timestamp, .date: appendWord(ColumnBuilder.word(datum), type: type, to: out)
    case .text(var text): text.withUTF8 { appendText($0, type: type, to: out) }
    case .bytea(let bytes): bytes.withUnsafeBufferPointer { out.append($0) }
    case .interval(let value):
      append(value.microseconds, to: out)
      append(value.days, to: out)
      append(value.months, to: out)
    case .numeric(let value): append(value, to: out)
    case .array where type == .timevector: throw SQLError.unsupported("a timevector has no binary form")
    case .array(let elements):
      let element = type.element ?? .text
      append(Int32(elements.isEmpty ? 0 : 1), to: out)
      append(Int32(elements.contains(.null) ? 1 : 0), to: out)
      append(element.oid, to: out)
      if elements.isEmpty { return }
      append(Int32(clamping: elements.count), to: out)
      append(Int32(type == .int2vector || type == .oidvector ? 0 : 1), to: out)
      for datum in elements {
        if datum.isNull {
          append(Int32(-1), to: out)
          continue
        }
        let at = out.count
        append(Int32(0), to: out)
        try append(datum, type: element, to: out, context: context)
        let size = Int32(clamping: out.count - at - 4)
        UnsafeMutableRawPointer(out.base + at).storeBytes(of: size.bigEndian, as: Int32.self)
      }
    }
  }

  /// ndigits, weight, sign, dscale, then base-10000 digits.
  static func append(_ value: Numeric, to out: Buffer<UInt8>) {
    guard value.isFinite else {
      append(Int16(0), to: out)
      append(Int16(0), to: out)
      append(value.isNaN ? 0xC000 : (value.isNegative ? 0xF000 : 0xD000) as UInt16, to: out)
      append(Int16(value.isNaN ? 0 : 0x20), to: out)
      return
    }
    // Digits of the whole and of the fraction, each in groups of four around the point.
    let decimal = Numeric.digits(of: value.wide)
    let whole = max(decimal.count - value.scale, 0)
    var groups: [Int16] = []
    let lead = (4 - whole % 4) % 4
    let zeros = max(value.scale - decimal.count, 0)
    let padded = [UInt8](repeating: 0, count: lead + zeros) + decimal
    let tail = (4 - padded.count % 4) % 4
    let all = padded + [UInt8](repeating: 0, count: tail)
    for i in stride(from: 0, to: all.count, by: 4) {
      groups.append(Int16(all[i]) * 1000 + Int16(all[i + 1]) * 100 + Int16(all[i + 2]) * 10 + Int16(all[i + 3]))
    }
    var weight = (lead + whole) / 4 - 1
    while groups.first == 0 {
      groups.removeFirst()
      weight -= 1
    }
    while groups.last == 0 { groups.removeLast() }
    if groups.isEmpty { weight = 0 }
    append(Int16(groups.count), to: out)
    append(Int16(clamping: weight), to: out)
    append(UInt16(value.isNegative ? 0x4000 : 0), to: out)
    append(Int16(clamping: value.scale), to: out)
    for group in groups { append(group, to: out) }
  }

  // MARK: In

  package static func decode(
    _ bytes: UnsafeBufferPointer<UInt8>, as type: SQLType, context: EvaluationContext
  ) throws -> Datum {
    var reader = Reader(bytes: bytes)
    let result = try decode(&reader, bytes.count, as: type, context: context, depth: 0)
    guard reader.at == bytes.count else { throw malformed }
    return result
  }

  private static var tooShort: VarveError { SQLError.make("08P01", "insufficient data left in message") }
  static var malformed: VarveError { SQLError.make("22P03", "incorrect binary data format") }

  struct Reader {
    let bytes: UnsafeBufferPointer<UInt8>
    var at = 0
    mutating func next<T: FixedWidthInteger>(_ type: T.Type) throws -> T {
      let size = MemoryLayout<T>.size
      guard bytes.count - at >= size else { throw tooShort }
      defer { at += size }
      return T(bigEndian: UnsafeRawBufferPointer(bytes).loadUnaligned(fromByteOffset: at, as: T.self))
    }
    mutating func take(_ count: Int) throws -> UnsafeBufferPointer<UInt8> {
      guard count >= 0, bytes.count - at >= count else { throw tooShort }
      defer { at += count }
      return UnsafeBufferPointer(rebasing: bytes[at..<(at + count)])
    }
  }

  private static func decode(
    _ reader: inout Reader, _ count: Int, as type: SQLType, context: EvaluationContext, depth: Int
  ) throws -> Datum {
    switch type {
    case .bool:
      guard count == 1 else { throw malformed }
      return .bool(try reader.next(UInt8.self) != 0)
    case .int2: return .int(Int64(try reader.next(Int16.self)))
    case .int4: return .int(Int64(try reader.next(Int32.self)))
    case .int8: return .int(try reader.next(Int64.self))
    case .oid, .regclass, .regproc, .regtype: return .int(Int64(try reader.next(UInt32.self)))
    case .float4: return .float(Double(Float(bitPattern: try reader.next(UInt32.self))))
    case .float8: return .float(Double(bitPattern: try reader.next(UInt64.self)))
    case .timestamptz, .timestamp:
      let value = try reader.next(Int64.self)
      if value == .max || value == .min { return .timestamp(value) }
      let (since1970, o1) = value.addingReportingOverflow(epochMicroseconds)
      let (nanoseconds, o2) = since1970.multipliedReportingOverflow(by: 1000)
      if o1 || o2 { throw SQLError.outOfRange(type) }
      return .timestamp(nanoseconds)
    case .date:
      let value = try reader.next(Int32.self)
      if value == .max || value == .min { return .date(value) }
      let (days, overflow) = value.addingReportingOverflow(Int32(epochDays))
      if overflow || !DateTimeText.isDate(Int(days)) { throw SQLError.outOfRange(.date) }
      return .date(days)
    case .interval:
      let microseconds = try reader.next(Int64.self)
      let days = try reader.next(Int32.self)
      return .interval(Interval(months: try reader.next(Int32.self), days: days, microseconds: microseconds))
    case .text, .varchar, .bpchar, .name, .char, .unknown:
      let text = try reader.take(count)
      // In text form a zero byte is none of the text's.
      guard !text.contains(0) else {
        throw SQLError.make("22021", "invalid byte sequence for encoding \"UTF8\": 0x00")
      }
      return try TypeText.parse(bytes: text, as: type, context: context)
    case .json: return try TypeText.parse(bytes: try reader.take(count), as: type, context: context)
    case .jsonb:
      guard try reader.next(UInt8.self) == 1 else { throw malformed }
      return try TypeText.parse(bytes: try reader.take(count - 1), as: type, context: context)
    case .uuid:
      guard count == 16 else { throw malformed }
      return .text(UUIDText.canonical(bytes: try reader.take(count)))
    case .time:
      let value = try reader.next(Int64.self)
      guard value >= 0, value <= 86_400_000_000 else { throw SQLError.outOfRange(.time) }
      return .int(value)
    case .timevector: throw SQLError.unsupported("a timevector has no binary form")
    case .bytea: return .bytea(Array(try reader.take(count)))
    case .numeric(let precision, let scale):
      let value = try numeric(&reader)
      guard let precision else { return .numeric(value) }
      return .numeric(try value.applying(precision: precision, scale: scale ?? 0))
    case .array, .int2vector, .oidvector:
      guard depth == 0, let element = type.element else { throw malformed }
      let dimensions = try reader.next(Int32.self)
      _ = try reader.next(Int32.self)
      guard try reader.next(UInt32.self) == element.oid else {
        throw SQLError.make("42804", "wrong element type in binary array")
      }
      if dimensions == 0 { return .array([]) }
      guard dimensions == 1 else {
        throw dimensions > 0 && dimensions <= 6
          ? SQLError.unsupported("arrays of several dimensions are not supported") : malformed
      }
      let length = try reader.next(Int32.self)
      _ = try reader.next(Int32.self)
      // Each element takes four bytes at least.
      guard length >= 0, Int(length) <= (reader.bytes.count - reader.at) / 4 else { throw malformed }
      var elements: [Datum] = []
      for _ in 0..<length {
        let size = Int(try reader.next(Int32.self))
        if size == -1 {
          elements.append(.null)
          continue
        }
        let part = try reader.take(size)
        var inner = Reader(bytes: part)
        elements.append(try decode(&inner, size, as: element, context: context, depth: 1))
        guard inner.at == size else { throw malformed }
      }
      return .array(elements)
    case .void: return .text("")
    }
  }

  private static func numeric(_ reader: inout Reader) throws -> Numeric {
    let count = Int(try reader.next(Int16.self))
    let weight = Int(try reader.next(Int16.self))
    let sign = try reader.next(UInt16.self)
    let scale = Int(try reader.next(Int16.self))
    guard count >= 0, scale >= 0 else { throw malformed }
    switch sign {
    case 0, 0x4000: break
    case 0xC000: return .nan
    case 0xD000: return .infinity
    case 0xF000: return .negativeInfinity
    default: throw malformed
    }
    var digits: [Int16] = []
    for _ in 0..<count {
      let digit = try reader.next(Int16.self)
      guard digit >= 0, digit < 10_000 else { throw malformed }
      digits.append(digit)
    }
    while digits.last == 0 { digits.removeLast() }
    let significant = digits.drop { $0 == 0 }
    if significant.isEmpty { return try Numeric(checking: 0, scale: scale) }
    var magnitude = WideInteger(0)
    for digit in significant { magnitude.multiply(by: 10_000, adding: UInt32(digit)) }
    // magnitude · 10^(4 · (weight - n + 1)), then to the display scale, beyond which digits are cut.
    let shift = 4 * (weight - digits.count + 1) + scale
    guard shift <= Numeric.maximumWholeDigits + Numeric.maximumScale else { throw SQLError.outOfRange(.numeric) }
    magnitude =
      shift >= 0
      ? magnitude * WideInteger.powerOfTen(shift)
      : magnitude.divided(by: WideInteger.powerOfTen(-shift)).quotient
    return try Numeric(negative: sign == 0x4000, magnitude: magnitude, scale: scale)
  }
}
