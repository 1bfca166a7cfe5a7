// Values in text: the shapes that nearly all of them have are read here, the others by whoever knows all of SQL's.

import VarveCore

extension CopyParser {
  /// Reads the bytes of a field that is not NULL. Texts and tags are left where they are.
  mutating func putText(column: Int) -> Bool {
    let field = fields[column]
    let p = field.start
    let count = field.count
    switch slots[column].kind {
    case TypeCode.text, CopyKind.tag: return true
    case CopyKind.time: return putTimeText(column)
    case TypeCode.int64:
      if count <= 18, case .success(let value) = Number.signed(p, count) {
        put(UInt64(bitPattern: value), column: column)
        return true
      }
    case TypeCode.uint64:
      if count <= 19, case .success(let value) = Number.unsigned(p, count) {
        put(value, column: column)
        return true
      }
    case TypeCode.float64:
      if let value = Self.shortDecimal(p, count) {
        put(value.bitPattern, column: column)
        return true
      }
    case TypeCode.bool:
      if count == 1, p[0] == 0x74 || p[0] == 0x66 {
        put(p[0] == 0x74 ? 1 : 0, column: column)
        return true
      }
    default:
      if let value = Self.everydayTime(p, count, isUTC: options.isUTC) {
        put(UInt64(bitPattern: value), column: column)
        return true
      }
    }
    return convert(column, binary: false)
  }

  /// The long way.
  mutating func convert(_ column: Int, binary: Bool) -> Bool {
    guard let word = word(column, as: FieldType(rawValue: slots[column].kind) ?? .timestamp, binary: binary) else {
      return false
    }
    put(word, column: column)
    return true
  }

  private mutating func word(_ column: Int, as type: FieldType, binary: Bool) -> UInt64? {
    let bytes = UnsafeBufferPointer(start: fields[column].start, count: fields[column].count)
    if !binary, !isValid(fields[column].start, fields[column].count) { return nil }
    do throws(VarveError) {
      return binary ? try options.conversion.fromBinary(bytes, type) : try options.conversion.fromText(bytes, type)
    } catch {
      fail(error, column: column)
      return nil
    }
  }

  private mutating func putTimeText(_ column: Int) -> Bool {
    let field = fields[column]
    if field.count > 0, field.count == timeText.count, equalBytes(timeText.base, field.start, field.count) {
      time = lastTime
      return true
    }
    if let everyday = Self.everydayTime(field.start, field.count, isUTC: options.isUTC) {
      time = everyday
    } else if let word = word(column, as: .timestamp, binary: false) {
      time = Int64(bitPattern: word)
    } else {
      return false
    }
    if time > options.latestTime || time == .min { return refuseTime(column) }
    timeText.count = 0
    timeText.append(UnsafeBufferPointer(start: field.start, count: field.count))
    lastTime = time
    return true
  }

  mutating func refuseTime(_ column: Int) -> Bool {
    if time == .min {
      fail("22007", "the time stamp is the least that 64 bits hold, which stands for -infinity", column: column)
    } else {
      fail("22008", "the time stamp is further in the future than --max-future allows", column: column)
    }
    return false
  }

  /// A decimal of at most 15 digits, without an exponent: the quotient of two numbers that doubles hold exactly is the
  /// nearest double.
  static func shortDecimal(_ p: UnsafePointer<UInt8>, _ count: Int) -> Double? {
    guard count > 0, count <= 17 else { return nil }
    let isNegative = p[0] == 0x2D
    var index = isNegative ? 1 : 0
    var value: UInt64 = 0
    var digits = 0
    var fraction = -1
    while index < count {
      let digit = p[index] &- 0x30
      if digit < 10 {
        value = value &* 10 &+ UInt64(digit)
        digits &+= 1
        if fraction >= 0 { fraction &+= 1 }
      } else if p[index] == 0x2E, fraction < 0 {
        fraction = 0
      } else {
        return nil
      }
      index &+= 1
    }
    guard digits > 0, digits <= 15 else { return nil }
    let number = Double(value) / Number.powersOfTen[max(0, fraction)]
    return isNegative ? -number : number
  }

  /// `YYYY-MM-DD HH:MM:SS`, up to nine digits of a fraction, and a zone as PostgreSQL writes it; without a zone only if
  /// that means UTC. Years that surely fit.
  static func everydayTime(_ p: UnsafePointer<UInt8>, _ count: Int, isUTC: Bool) -> Int64? {
    guard count >= 19, count <= 40, p[10] == 0x20 || p[10] == 0x54, p[16] == 0x3A else { return nil }
    let year = Int(p[0] &- 0x30) * 1000 + Int(p[1] &- 0x30) * 100 + Int(p[2] &- 0x30) * 10 + Int(p[3] &- 0x30)
    guard (1700...2200).contains(year) else { return nil }
    var index = 19
    if index < count, p[index] == 0x2E {
      index += 1
      let start = index
      while index < count, p[index] &- 0x30 < 10 { index += 1 }
      guard index > start, index - start <= 9 else { return nil }
    }
    let zone = count - index
    switch zone {
    case 0: guard isUTC else { return nil }
    case 1: guard p[index] == 0x5A else { return nil }
    case 3, 6:
      guard p[index] == 0x2B || p[index] == 0x2D, p[index + 1] == 0x30 || p[index + 1] == 0x31, p[index + 2] <= 0x33,
        zone == 3 || p[index + 3] == 0x3A
      else { return nil }
    default: return nil
    }
    return parseTimeText(p, count)
  }
}
