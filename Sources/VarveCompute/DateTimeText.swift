// Dates, times and intervals as PostgreSQL's ISO style prints them.

import VarveCore

enum DateTimeText {
  /// The days PostgreSQL's date holds: 4714-11-24 BC to 5874897-12-31.
  static func isDate(_ days: Int) -> Bool { days >= -2_440_588 && days < 2_145_042_906 }

  static func append(date days: Int32, to out: Buffer<UInt8>) {
    if days == .max || days == .min { return TypeText.append(days == .max ? "infinity" : "-infinity", to: out) }
    let date = CivilDate(days: Int(days))
    append(date, to: out)
    if date.year <= 0 { TypeText.append(" BC", to: out) }
  }

  private static func append(_ date: CivilDate, to out: Buffer<UInt8>) {
    IntegerText.append(date.year > 0 ? date.year : 1 - date.year, width: 4, to: out)
    out.append(UInt8(ascii: "-"))
    IntegerText.append(date.month, width: 2, to: out)
    out.append(UInt8(ascii: "-"))
    IntegerText.append(date.day, width: 2, to: out)
  }

  /// At most six fractional digits, floored: what leaves by the wire.
  static func append(timestamp: Int64, cursor: inout TimeZone.Cursor, zoned: Bool, to out: Buffer<UInt8>) {
    out.reserve(40)
    out.count += write(timestamp: timestamp, cursor: &cursor, zoned: zoned, at: out.base + out.count)
  }

  /// The same at a place that has room for 40 bytes; how many it takes.
  static func write(
    timestamp: Int64, cursor: inout TimeZone.Cursor, zoned: Bool, at start: UnsafeMutablePointer<UInt8>
  ) -> Int {
    if timestamp == .max || timestamp == .min {
      let text: StaticString = timestamp == .max ? "infinity" : "-infinity"
      start.update(from: text.utf8Start, count: text.utf8CodeUnitCount)
      return text.utf8CodeUnitCount
    }
    let seconds = floorDivide(Int(timestamp), Nanoseconds.second)
    let fraction = (Int(timestamp) &- seconds &* Nanoseconds.second) / 1000
    let offset = zoned ? cursor.offset(at: seconds) : 0
    let local = seconds + offset
    let days = floorDivide(local, 86_400)
    let inDay = local - days * 86_400
    // Years of 64-bit nanoseconds have four digits: at most `2262-04-11 23:47:16.854775+15:59:59`.
    let date = CivilDate(days: days)
    var at = start
    func two(_ value: Int, _ mark: UInt8) {
      at[0] = UInt8(truncatingIfNeeded: value / 10 % 10) + 0x30
      at[1] = UInt8(truncatingIfNeeded: value % 10) + 0x30
      at[2] = mark
      at += 3
    }
    at[0] = UInt8(truncatingIfNeeded: date.year / 1000 % 10) + 0x30
    at[1] = UInt8(truncatingIfNeeded: date.year / 100 % 10) + 0x30
    at += 2
    two(date.year % 100, UInt8(ascii: "-"))
    two(date.month, UInt8(ascii: "-"))
    two(date.day, 0x20)
    two(inDay / 3600, UInt8(ascii: ":"))
    two(inDay / 60 % 60, UInt8(ascii: ":"))
    two(inDay % 60, UInt8(ascii: "."))
    if fraction == 0 {
      at -= 1
    } else {
      var rest = fraction
      var i = 5
      while i >= 0 {
        at[i] = UInt8(truncatingIfNeeded: rest % 10) + 0x30
        rest /= 10
        i -= 1
      }
      at += 6
      while at[-1] == 0x30 { at -= 1 }
    }
    if zoned {
      at.pointee = offset < 0 ? UInt8(ascii: "-") : UInt8(ascii: "+")
      at += 1
      let magnitude = abs(offset)
      two(magnitude / 3600, UInt8(ascii: ":"))
      if magnitude % 3600 != 0 {
        two(magnitude / 60 % 60, UInt8(ascii: ":"))
        if magnitude % 60 != 0 { two(magnitude % 60, UInt8(ascii: ":")) }
      }
      at -= 1
    }
    return at - start
  }

  /// Of a day: microseconds after midnight, of which 24:00:00 is one.
  static func append(time microseconds: Int64, to out: Buffer<UInt8>) {
    let seconds = Int(microseconds / 1_000_000)
    appendTime(
      hours: seconds / 3600, rest: seconds % 3600, microseconds: Int(microseconds % 1_000_000), to: out)
  }

  static func appendTime(hours: Int, rest: Int, microseconds: Int, to out: Buffer<UInt8>) {
    IntegerText.append(hours, width: 2, to: out)
    out.append(UInt8(ascii: ":"))
    IntegerText.append(rest / 60, width: 2, to: out)
    out.append(UInt8(ascii: ":"))
    IntegerText.append(rest % 60, width: 2, to: out)
    appendFraction(microseconds, to: out)
  }

  /// `.25`, or nothing.
  static func appendFraction(_ microseconds: Int, to out: Buffer<UInt8>) {
    if microseconds == 0 { return }
    out.append(UInt8(ascii: "."))
    var digits = microseconds
    var width = 6
    while digits % 10 == 0 {
      digits /= 10
      width -= 1
    }
    IntegerText.append(digits, width: width, to: out)
  }
}
