// What the index says of a page's values, so that pages are skipped, and whole pages aggregated, unread.
// FORMAT.md, "Zone maps".

import CVarve
import VarveCore

/// Statistics of one field page.
package struct ZoneMap: Sendable, Hashable {
  /// Rows with a value.
  package var valueCount = 0
  /// Rows that are null (not: absent).
  package var nullCount = 0
  /// Doubles that are NaN; they count as values and are outside `minimum ... maximum`.
  package var nanCount = 0
  /// Least and greatest value as words of the field's type; for doubles of those that are not NaN, with -0 equal to
  /// 0. Meaningful if `hasRange`; never for text.
  package var minimum: UInt64 = 0
  package var maximum: UInt64 = 0
  /// The first and last row's value, as words. Meaningful if there is a value; never for text.
  package var first: UInt64 = 0
  package var last: UInt64 = 0
  /// Exact sum of integers, time stamps and booleans (true is 1); 0 for doubles and text.
  package var integerSum: Int128 = 0
  /// Sum of doubles in row order from 0; 0 for other types. Rounding is that of this order.
  package var doubleSum: Double = 0

  package init() {}

  /// Whether `minimum` and `maximum` say something.
  package func hasRange(_ type: FieldType) -> Bool { type != .text && valueCount > nanCount }

  /// Over words without gaps.
  package init(type: FieldType, values: UnsafeBufferPointer<UInt64>, nullCount: Int) {
    valueCount = values.count
    self.nullCount = nullCount
    guard type != .text, let base = values.baseAddress, values.count > 0 else { return }
    first = base[0]
    last = base[values.count - 1]
    switch type {
    case .text: break
    case .float64: scanDoubles(base, values.count)
    case .int64, .timestamp, .bool: scanIntegers(base, values.count, isSigned: true)
    case .uint64: scanIntegers(base, values.count, isSigned: false)
    }
  }

  private mutating func scanIntegers(_ base: UnsafePointer<UInt64>, _ count: Int, isSigned: Bool) {
    let range = cvarve_range_of(base, count, isSigned ? 1 : 0)
    minimum = range.least
    maximum = range.greatest
    // Inverting a sign adds 2^63.
    let added = isSigned ? Int128(count) << 63 : 0
    integerSum = Int128(range.high) << 32 + Int128(range.low) - added
  }

  private mutating func scanDoubles(_ base: UnsafePointer<UInt64>, _ count: Int) {
    var least = Double.infinity
    var greatest = -Double.infinity
    var nans = 0
    var sum = 0.0
    for i in 0..<count {
      let value = Double(bitPattern: base[i])
      nans += value == value ? 0 : 1
      // Comparisons with NaN are false: it moves neither bound.
      least = value < least ? value : least
      greatest = value > greatest ? value : greatest
      sum += value
    }
    nanCount = nans
    doubleSum = sum
    guard nans < count else { return }
    minimum = least.bitPattern
    maximum = greatest.bitPattern
  }

  /// Whether a value of the page may lie in `lower ... upper`, as doubles and rounded outwards. Nil is open. Pages
  /// with NaN may always match: SQL orders NaN above all numbers.
  package func mayOverlap(type: FieldType, lower: Double?, upper: Double?) -> Bool {
    guard type != .text else { return valueCount > 0 }
    guard hasRange(type) else { return valueCount > 0 && nanCount > 0 }
    if nanCount > 0 { return true }
    let (least, greatest) = (Self.double(minimum, type), Self.double(maximum, type))
    if let lower, greatest.nextUp < lower { return false }
    if let upper, least.nextDown > upper { return false }
    return true
  }

  private static func double(_ word: UInt64, _ type: FieldType) -> Double {
    switch type {
    case .float64: Double(bitPattern: word)
    case .uint64: Double(word)
    default: Double(Int64(bitPattern: word))
    }
  }
}

extension ZoneMap {
  /// varint values · varint nulls · if there are values and the type is not text:
  ///   doubles: varint NaNs · minimum, maximum, sum, first, last: f64 each
  ///   others: zigzag minimum · varints maximum, first and last, each less the minimum · u64, i64 sum
  func append(type: FieldType, to out: inout ByteWriter) {
    out.append(varint: UInt64(valueCount))
    out.append(varint: UInt64(nullCount))
    guard valueCount > 0, type != .text else { return }
    if type == .float64 {
      out.append(varint: UInt64(nanCount))
      for word in [minimum, maximum, doubleSum.bitPattern, first, last] { out.append(u64: word) }
    } else {
      out.append(zigzag: Int64(bitPattern: minimum))
      for word in [maximum, first, last] { out.append(varint: word &- minimum) }
      out.append(u64: UInt64(truncatingIfNeeded: integerSum))
      out.append(i64: Int64(truncatingIfNeeded: integerSum >> 64))
    }
  }

  static func read(type: FieldType, rowCount: Int, from reader: inout ByteReader) throws -> ZoneMap {
    var zone = ZoneMap()
    zone.valueCount = try reader.readLength()
    zone.nullCount = try reader.readLength()
    guard zone.valueCount <= rowCount, zone.nullCount <= rowCount - zone.valueCount else {
      throw VarveError(.corruption, "a zone map counts more values than rows")
    }
    guard zone.valueCount > 0, type != .text else { return zone }
    if type == .float64 {
      zone.nanCount = try reader.readLength()
      guard zone.nanCount <= zone.valueCount else {
        throw VarveError(.corruption, "a zone map counts more NaNs than values")
      }
      zone.minimum = try reader.readUInt64()
      zone.maximum = try reader.readUInt64()
      zone.doubleSum = Double(bitPattern: try reader.readUInt64())
      zone.first = try reader.readUInt64()
      zone.last = try reader.readUInt64()
    } else {
      zone.minimum = UInt64(bitPattern: try reader.readZigzag())
      zone.maximum = zone.minimum &+ (try reader.readVarint())
      zone.first = zone.minimum &+ (try reader.readVarint())
      zone.last = zone.minimum &+ (try reader.readVarint())
      let low = try reader.readUInt64()
      zone.integerSum = Int128(try reader.readInt64()) << 64 | Int128(low)
    }
    return zone
  }
}
