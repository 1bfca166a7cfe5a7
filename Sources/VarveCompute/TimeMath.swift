// Arithmetic on single instants: local time, intervals with months and days. Nanoseconds inside; what leaves the
// range of Int64 (1677 to 2262) throws 22008. Int64.max and .min are infinity and stay so.

import VarveCore

enum TimeMath {
  @inline(__always) static func isInfinite(_ t: Int64) -> Bool { t == .max || t == .min }

  /// Seconds and the nanoseconds within the second.
  @inline(__always) static func split(_ t: Int64) -> (seconds: Int, nanoseconds: Int) {
    let seconds = floorDivide(Int(t), Nanoseconds.second)
    return (seconds, Int(t) &- seconds &* Nanoseconds.second)
  }

  static func join(_ seconds: Int, _ nanoseconds: Int) throws -> Int64 {
    // Just above Int64.min the whole seconds alone leave the range, though the sum does not: wide, then checked.
    guard let sum = Int64(exactly: Int128(seconds) * 1_000_000_000 + Int128(nanoseconds)), !isInfinite(sum) else {
      throw SQLError.outOfRange(.timestamptz)
    }
    return sum
  }

  /// timestamptz → timestamp.
  static func local(_ t: Int64, in zone: TimeZone) throws -> Int64 {
    if isInfinite(t) { return t }
    let (seconds, rest) = split(t)
    return try join(seconds + zone.offset(at: seconds), rest)
  }

  /// timestamp → timestamptz.
  static func utc(_ local: Int64, in zone: TimeZone) throws -> Int64 {
    if isInfinite(local) { return local }
    let (seconds, rest) = split(local)
    return try join(zone.utc(fromLocal: seconds), rest)
  }

  static func fromDate(_ days: Int32) throws -> Int64 {
    if days == .max { return .max }
    if days == .min { return .min }
    let (product, overflow) = Int64(days).multipliedReportingOverflow(by: Int64(Nanoseconds.day))
    guard !overflow, !isInfinite(product) else { throw SQLError.make("22008", "date out of range for timestamp") }
    return product
  }

  /// The day of a local time.
  static func toDate(_ local: Int64) -> Int32 {
    if local == .max { return .max }
    if local == .min { return .min }
    return Int32(truncatingIfNeeded: floorDivide(Int(local), Nanoseconds.day))
  }

  /// Calendar months after a day, cut to the month's length.
  static func addMonths(_ days: Int, _ months: Int) -> Int {
    var date = CivilDate(days: days)
    let total = date.year * 12 + date.month - 1 + months
    date.year = floorDivide(total, 12)
    date.month = total - date.year * 12 + 1
    date.day = min(date.day, CivilDate.dayCount(year: date.year, month: date.month))
    return date.days
  }

  /// A local time plus an interval.
  static func add(local t: Int64, _ interval: Interval) throws -> Int64 {
    if isInfinite(t) { return t }
    var (seconds, rest) = split(t)
    if interval.months != 0 || interval.days != 0 {
      var days = floorDivide(seconds, 86_400)
      let inDay = seconds - days * 86_400
      if interval.months != 0 { days = addMonths(days, Int(interval.months)) }
      days += Int(interval.days)
      seconds = days * 86_400 + inDay
    }
    return try addTime(seconds, rest, interval.microseconds)
  }

  private static func addTime(_ seconds: Int, _ rest: Int, _ microseconds: Int64) throws -> Int64 {
    let whole = floorDivide(Int(microseconds), 1_000_000)
    var nanoseconds = rest + (Int(microseconds) - whole * 1_000_000) * 1000
    var total = seconds + whole
    if nanoseconds >= Nanoseconds.second {
      nanoseconds -= Nanoseconds.second
      total += 1
    }
    return try join(total, nanoseconds)
  }

  /// An instant plus an interval: months and days by the clock on the wall of `zone`, time by the true clock.
  static func add(_ t: Int64, _ interval: Interval, in zone: TimeZone) throws -> Int64 {
    if isInfinite(t) { return t }
    var (seconds, rest) = split(t)
    if interval.months != 0 || interval.days != 0 {
      let local = seconds + zone.offset(at: seconds)
      var days = floorDivide(local, 86_400)
      let inDay = local - days * 86_400
      if interval.months != 0 {
        // PostgreSQL settles the zone after the months, then again after the days.
        days = addMonths(days, Int(interval.months))
        if interval.days != 0 {
          let between = zone.utc(fromLocal: days * 86_400 + inDay)
          let again = between + zone.offset(at: between)
          days = floorDivide(again, 86_400) + Int(interval.days)
          seconds = zone.utc(fromLocal: days * 86_400 + (again - floorDivide(again, 86_400) * 86_400))
        } else {
          seconds = zone.utc(fromLocal: days * 86_400 + inDay)
        }
      } else {
        seconds = zone.utc(fromLocal: (days + Int(interval.days)) * 86_400 + inDay)
      }
    }
    return try addTime(seconds, rest, interval.microseconds)
  }

  /// a - b: days of 24 hours and the rest, microseconds floored.
  static func difference(_ a: Int64, _ b: Int64) throws -> Interval {
    if isInfinite(a) || isInfinite(b) { throw SQLError.make("22008", "cannot subtract infinite timestamps") }
    let nanoseconds = Int128(a) - Int128(b)
    let quotient = nanoseconds / 1000
    let microseconds = Int64(nanoseconds % 1000 < 0 ? quotient - 1 : quotient)
    let days = microseconds / 86_400_000_000
    return Interval(days: Int32(days), microseconds: microseconds % 86_400_000_000)
  }
}
