// Intervals as text, in the styles that IntervalStyle names. PostgreSQL's sql_standard is not among them: in it signs mean
// something else when intervals are read, too.

import VarveCore

/// How intervals are written.
package enum IntervalStyle: String, Sendable {
  case postgres
  case verbose = "postgres_verbose"
  case iso8601 = "iso_8601"
}

enum IntervalText {
  static func append(_ interval: Interval, style: IntervalStyle, to out: Buffer<UInt8>) {
    switch style {
    case .postgres: appendPlain(interval, to: out)
    case .verbose: appendVerbose(interval, to: out)
    case .iso8601: appendISO(interval, to: out)
    }
  }

  /// `1 year 2 mons -3 days +04:05:06.7`
  private static func appendPlain(_ interval: Interval, to out: Buffer<UInt8>) {
    var empty = true
    var negativeBefore = false
    func part(_ value: Int, _ unit: StaticString) {
      if value == 0 { return }
      if !empty { out.append(0x20) }
      if negativeBefore && value > 0 { out.append(UInt8(ascii: "+")) }
      IntegerText.append(Int64(value), to: out)
      out.append(0x20)
      TypeText.append(unit, to: out)
      if value != 1 { out.append(UInt8(ascii: "s")) }
      negativeBefore = value < 0
      empty = false
    }
    part(Int(interval.months) / 12, "year")
    part(Int(interval.months) % 12, "mon")
    part(Int(interval.days), "day")
    if !empty && interval.microseconds == 0 { return }
    if !empty { out.append(0x20) }
    if interval.microseconds < 0 {
      out.append(UInt8(ascii: "-"))
    } else if negativeBefore {
      out.append(UInt8(ascii: "+"))
    }
    let magnitude = interval.microseconds.magnitude
    let seconds = Int(magnitude / 1_000_000)
    DateTimeText.appendTime(
      hours: seconds / 3600, rest: seconds % 3600, microseconds: Int(magnitude % 1_000_000), to: out)
  }

  /// `@ 1 year 2 mons -3 days 4 hours 5 mins 6.7 secs ago`: the first part gives the sign of all.
  private static func appendVerbose(_ interval: Interval, to out: Buffer<UInt8>) {
    let parts = Parts(interval)
    var isBefore = false
    var isEmpty = true
    out.append(UInt8(ascii: "@"))
    func part(_ value: Int, _ unit: StaticString) {
      if value == 0 { return }
      if isEmpty { isBefore = value < 0 }
      isEmpty = false
      let shown = isBefore ? -value : value
      out.append(0x20)
      IntegerText.append(Int64(shown), to: out)
      out.append(0x20)
      TypeText.append(unit, to: out)
      if shown != 1 { out.append(UInt8(ascii: "s")) }
    }
    part(parts.years, "year")
    part(parts.months, "mon")
    part(parts.days, "day")
    part(parts.hours, "hour")
    part(parts.minutes, "min")
    if parts.hasSeconds {
      if isEmpty { isBefore = parts.isSecondNegative }
      isEmpty = false
      out.append(0x20)
      if parts.isSecondNegative != isBefore { out.append(UInt8(ascii: "-")) }
      parts.appendSeconds(to: out)
      TypeText.append(parts.seconds == 1 && parts.microseconds == 0 ? " sec" : " secs", to: out)
    }
    if isEmpty { TypeText.append(" 0", to: out) }
    if isBefore { TypeText.append(" ago", to: out) }
  }

  /// `P1Y2M-3DT4H5M6.7S`
  private static func appendISO(_ interval: Interval, to out: Buffer<UInt8>) {
    let parts = Parts(interval)
    func part(_ value: Int, _ unit: Unicode.Scalar) {
      if value == 0 { return }
      IntegerText.append(Int64(value), to: out)
      out.append(UInt8(ascii: unit))
    }
    if interval.months == 0, interval.days == 0, interval.microseconds == 0 {
      return TypeText.append("PT0S", to: out)
    }
    out.append(UInt8(ascii: "P"))
    part(parts.years, "Y")
    part(parts.months, "M")
    part(parts.days, "D")
    if interval.microseconds == 0 { return }
    out.append(UInt8(ascii: "T"))
    part(parts.hours, "H")
    part(parts.minutes, "M")
    if parts.hasSeconds {
      if parts.isSecondNegative { out.append(UInt8(ascii: "-")) }
      parts.appendSeconds(to: out)
      out.append(UInt8(ascii: "S"))
    }
  }

  /// Seconds and their fraction without their sign, which is the time's.
  private struct Parts {
    let years: Int
    let months: Int
    let days: Int
    let hours: Int
    let minutes: Int
    let seconds: Int
    let microseconds: Int
    let isSecondNegative: Bool

    init(_ interval: Interval) {
      years = Int(interval.months) / 12
      months = Int(interval.months) % 12
      days = Int(interval.days)
      let time = Int(interval.microseconds)
      hours = time / 3_600_000_000
      minutes = time / 60_000_000 % 60
      seconds = Int((time / 1_000_000 % 60).magnitude)
      microseconds = Int((time % 1_000_000).magnitude)
      isSecondNegative = time < 0
    }

    var hasSeconds: Bool { seconds != 0 || microseconds != 0 }

    func appendSeconds(to out: Buffer<UInt8>) {
      IntegerText.append(Int64(seconds), to: out)
      DateTimeText.appendFraction(microseconds, to: out)
    }
  }
}
