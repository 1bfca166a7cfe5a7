// date_trunc, date_part and extract.

import VarveCore

/// The fields of date_trunc and extract.
enum TimeField: String, Sendable {
  case microseconds, milliseconds, second, minute, hour, day, week, month, quarter, year, decade, century, millennium
  case dow, isodow, doy, isoyear, epoch, timezone, timezone_hour, timezone_minute

  init?(text: String) {
    switch text.lowercased() {
    case "microsecond", "microseconds", "us", "usec", "usecs": self = .microseconds
    case "millisecond", "milliseconds", "ms", "msec", "msecs": self = .milliseconds
    case "second", "seconds", "s", "sec", "secs": self = .second
    case "minute", "minutes", "m", "min", "mins": self = .minute
    case "hour", "hours", "h", "hr", "hrs": self = .hour
    case "day", "days", "d": self = .day
    case "week", "weeks", "w": self = .week
    case "month", "months", "mon", "mons": self = .month
    case "quarter", "qtr": self = .quarter
    case "year", "years", "y", "yr", "yrs": self = .year
    case "decade", "decades", "dec", "decs": self = .decade
    case "century", "centuries", "c", "cent": self = .century
    case "millennium", "millennia", "mil", "mils": self = .millennium
    case "dow": self = .dow
    case "isodow": self = .isodow
    case "doy": self = .doy
    case "isoyear": self = .isoyear
    case "epoch": self = .epoch
    case "timezone": self = .timezone
    case "timezone_hour", "timezone_h": self = .timezone_hour
    case "timezone_minute", "timezone_m": self = .timezone_minute
    default: return nil
    }
  }

  static func unknown(_ text: String, _ type: SQLType) -> VarveError {
    TimeField(text: text) == nil
      ? SQLError.make("22023", "unit \"\(text)\" not recognized for type \(type.name)")
      : SQLError.make("0A000", "unit \"\(text)\" not supported for type \(type.name)")
  }

  /// The first day of the field's period.
  func start(ofDay days: Int) -> Int? {
    if self == .day { return days }
    if self == .week { return days - floorModulo(days + 3, 7) }
    let date = CivilDate(days: days)
    func first(_ year: Int, _ month: Int = 1) -> Int { CivilDate(year: year, month: month, day: 1).days }
    switch self {
    case .month: return first(date.year, date.month)
    case .quarter: return first(date.year, (date.month - 1) / 3 * 3 + 1)
    case .year: return first(date.year)
    case .decade: return first(floorDivide(date.year, 10) * 10)
    case .century: return first(floorDivide(date.year - 1, 100) * 100 + 1)
    case .millennium: return first(floorDivide(date.year - 1, 1000) * 1000 + 1)
    default: return nil
    }
  }

  /// Nanoseconds of the units below a day; nil for others.
  var step: Int? {
    switch self {
    case .microseconds: Nanoseconds.microsecond
    case .milliseconds: Nanoseconds.millisecond
    case .second: Nanoseconds.second
    case .minute: Nanoseconds.minute
    case .hour: Nanoseconds.hour
    default: nil
    }
  }
}

package enum CalendarUnit {
  /// How long a unit lasts that date_trunc takes, in nanoseconds, with months of thirty days; nil: it is none.
  package static func nanoseconds(_ text: String) -> Double? {
    guard let field = TimeField(text: text) else { return nil }
    if let step = field.step { return Double(step) }
    let days: Double? =
      switch field {
      case .day: 1
      case .week: 7
      case .month: 30
      case .quarter: 91
      case .year: 365
      case .decade: 3652
      case .century: 36_524
      case .millennium: 365_242
      default: nil
      }
    return days.map { $0 * Double(Nanoseconds.day) }
  }
}

extension FunctionTable {
  mutating func addTimeParts() {
    add("date_trunc", [.text, .timestamp], .timestamp) { columns, n, _ in
      try DateTrunc.run(columns[0], columns[1], n, zone: .utc)
    }
    add("date_trunc", [.text, .timestamptz], .timestamptz, volatility: .stable) { columns, n, context in
      try DateTrunc.run(columns[0], columns[1], n, zone: context.sessionZone())
    }
    add("date_trunc", [.text, .timestamptz, .text], .timestamptz, volatility: .stable) { columns, n, context in
      if case .text(let name)? = columns[2].constantValue {
        return try DateTrunc.run(columns[0], columns[1], n, zone: context.zones.zone(named: name, posixSign: true))
      }
      return try Evaluation.rows(columns, n, .timestamptz) { row in
        let zone = try context.zones.zone(named: row[2].text, posixSign: true)
        return .timestamp(try DateTrunc.one(row[0].text, row[1].timestamp, zone, .timestamptz))
      }
    }
    add("date_trunc", [.text, .interval], .interval) { columns, n, _ in
      try Evaluation.rows2(columns[0], columns[1], n, .interval) {
        .interval(try DateTrunc.interval($0.text, $1.interval))
      }
    }
    for type in [SQLType.timestamptz, .timestamp, .date, .interval] {
      let volatility: ScalarFunction.Volatility = type == .timestamptz ? .stable : .immutable
      add("extract", [.text, type], .numeric, volatility: volatility) { columns, n, context in
        let zone = type == .timestamptz ? try context.sessionZone() : .utc
        return try Evaluation.rows2(columns[0], columns[1], n, .numeric) {
          guard let value = try TimePart.extract($0.text, $1, type, zone) else { return .null }
          return .numeric(value)
        }
      }
      add("date_part", [.text, type], .float8, volatility: volatility) { columns, n, context in
        let zone = type == .timestamptz ? try context.sessionZone() : .utc
        return try Evaluation.rows2(columns[0], columns[1], n, .float8) {
          if type != .interval, $0.text.lowercased() == "epoch", let infinite = TimePart.infinity($1) {
            return .float(infinite)
          }
          guard let value = try TimePart.extract($0.text, $1, type, zone) else { return .null }
          return .float(value.double)
        }
      }
    }
  }
}

enum DateTrunc {
  static func run(_ fields: Column, _ times: Column, _ n: Int, zone: TimeZone) throws -> Column {
    if Evaluation.isConstantNull(fields) || Evaluation.isConstantNull(times) { return .null(times.type, count: n) }
    guard case .text(let text)? = fields.constantValue else {
      return try Evaluation.rows2(fields, times, n, times.type) {
        .timestamp(try one($0.text, $1.timestamp, zone, times.type))
      }
    }
    guard let field = TimeField(text: text), field.step != nil || field.start(ofDay: 0) != nil else {
      throw TimeField.unknown(text, times.type)
    }
    // Sorted times mostly stay in the period of the one before: [lower, upper) with its start.
    var lower = Int64.max
    var upper = Int64.min
    var start: Int64 = 0
    return try Evaluation.throwingWords1(times, n, times.type) {
      let t = Int64(bitPattern: $0)
      if t >= lower && t < upper { return TimeKernels.bits(start) }
      if TimeMath.isInfinite(t) { return $0 }
      start = try truncate(t, field, zone)
      (lower, upper) = sharing(t, field, zone)
      return TimeKernels.bits(start)
    }
  }

  /// The times around `t` that surely have the same start: of its unit, or of its day for units of days and more,
  /// as far as the zone's offset holds.
  private static func sharing(_ t: Int64, _ field: TimeField, _ zone: TimeZone) -> (Int64, Int64) {
    let unit = (field.step ?? Nanoseconds.day) / Nanoseconds.second
    if unit == 0 { return (.max, .min) }
    let (seconds, _) = TimeMath.split(t)
    let segment = zone.segment(at: seconds)
    let low = seconds - floorModulo(seconds + segment.offset, unit)
    let bound = Int(Int64.max) / Nanoseconds.second
    let lower = min(max(low, segment.from, -bound), bound)
    let upper = max(min(low + unit, segment.until, bound), -bound)
    return (Int64(lower * Nanoseconds.second), Int64(upper * Nanoseconds.second))
  }

  static func one(_ text: String, _ t: Int64, _ zone: TimeZone, _ type: SQLType) throws -> Int64 {
    guard let field = TimeField(text: text), field.step != nil || field.start(ofDay: 0) != nil else {
      throw TimeField.unknown(text, type)
    }
    return TimeMath.isInfinite(t) ? t : try truncate(t, field, zone)
  }

  static func truncate(_ t: Int64, _ field: TimeField, _ zone: TimeZone) throws -> Int64 {
    let (seconds, rest) = TimeMath.split(t)
    let offset = zone.offset(at: seconds)
    if let step = field.step {
      // Below an hour only the offset's own minutes and seconds matter; the offset stays what it is.
      if step <= Nanoseconds.second { return try TimeMath.join(seconds, rest - rest % step) }
      let unit = step / Nanoseconds.second
      let local = seconds + offset
      return try TimeMath.join(local - floorModulo(local, unit) - offset, 0)
    }
    guard let day = field.start(ofDay: floorDivide(seconds + offset, 86_400)) else {
      throw TimeField.unknown(field.rawValue, .timestamptz)
    }
    return try TimeMath.join(zone.utc(fromLocal: day * 86_400), 0)
  }

  static func interval(_ text: String, _ interval: Interval) throws -> Interval {
    guard let field = TimeField(text: text) else { throw TimeField.unknown(text, .interval) }
    func months(_ unit: Int32) -> Interval { Interval(months: interval.months / unit * unit) }
    switch field {
    case .millennium: return months(12_000)
    case .century: return months(1200)
    case .decade: return months(120)
    case .year: return months(12)
    case .quarter: return months(3)
    case .month: return months(1)
    case .day: return Interval(months: interval.months, days: interval.days)
    case .microseconds: return interval
    default:
      guard let step = field.step else { throw TimeField.unknown(text, .interval) }
      let unit = Int64(step / 1000)
      return Interval(
        months: interval.months, days: interval.days, microseconds: interval.microseconds / unit * unit)
    }
  }
}

enum TimePart {
  static func infinity(_ datum: Datum) -> Double? {
    switch datum {
    case .timestamp(.max), .date(.max): .infinity
    case .timestamp(.min), .date(.min): -.infinity
    default: nil
    }
  }

  /// Days since 4714-11-24 BC, with the part of the day that has passed. nil for what has no date.
  private static func julian(_ datum: Datum, _ type: SQLType, _ zone: TimeZone) throws -> Numeric? {
    switch datum {
    case .date(.max), .timestamp(.max): return .infinity
    case .date(.min), .timestamp(.min): return .negativeInfinity
    case .date(let days): return Numeric(Int64(days) + 2_440_588)
    case .timestamp(let t):
      let (seconds, rest) = TimeMath.split(t)
      let local = seconds + (type == .timestamptz ? zone.offset(at: seconds) : 0)
      let day = Numeric(Int64(floorDivide(local, 86_400) + 2_440_588))
      let passed = Numeric(mantissa: Int128(floorModulo(local, 86_400)) * 1_000_000 + Int128(rest / 1000), scale: 6)
      return try Numeric.adding(day, Numeric.dividing(passed, Numeric(mantissa: 86_400_000_000, scale: 6)))
    default: return nil
    }
  }

  /// nil: NULL, for fields that an infinite time does not have.
  static func extract(_ text: String, _ datum: Datum, _ type: SQLType, _ zone: TimeZone) throws -> Numeric? {
    guard let field = TimeField(text: text) else {
      if text.lowercased() == "julian", let value = try julian(datum, type, zone) { return value }
      throw TimeField.unknown(text, type)
    }
    func whole(_ value: Int) -> Numeric { Numeric(Int64(value)) }
    if case .interval(let interval) = datum { return try extract(text, field, interval) }
    if infinity(datum) != nil {
      switch field {
      case .year, .decade, .century, .millennium, .isoyear, .epoch:
        return infinity(datum) == .infinity ? .infinity : .negativeInfinity
      default: return nil
      }
    }
    let seconds: Int
    let rest: Int
    var offset = 0
    switch datum {
    case .date(let days):
      if field.step != nil || field == .timezone || field == .timezone_hour || field == .timezone_minute {
        throw TimeField.unknown(text, type)
      }
      (seconds, rest) = (Int(days) * 86_400, 0)
    default:
      (seconds, rest) = TimeMath.split(datum.timestamp)
      if type == .timestamptz { offset = zone.offset(at: seconds) }
    }
    let local = seconds + offset
    let days = floorDivide(local, 86_400)
    let inDay = local - days * 86_400
    let date = CivilDate(days: days)
    switch field {
    case .microseconds: return whole(inDay % 60 * 1_000_000 + rest / 1000)
    case .milliseconds: return Numeric(mantissa: Int128(inDay % 60 * 1_000_000 + rest / 1000), scale: 3)
    case .second: return Numeric(mantissa: Int128(inDay % 60 * 1_000_000 + rest / 1000), scale: 6)
    case .minute: return whole(inDay / 60 % 60)
    case .hour: return whole(inDay / 3600)
    case .day: return whole(date.day)
    case .month: return whole(date.month)
    case .quarter: return whole((date.month - 1) / 3 + 1)
    case .week: return whole(CivilDate.isoWeek(days: days).week)
    case .isoyear:
      let year = CivilDate.isoWeek(days: days).year
      return whole(year > 0 ? year : year - 1)
    case .year: return whole(date.year > 0 ? date.year : date.year - 1)
    case .decade: return whole(floorDivide(date.year, 10))
    case .century: return whole(date.year > 0 ? (date.year + 99) / 100 : -((99 - (date.year - 1)) / 100))
    case .millennium: return whole(date.year > 0 ? (date.year + 999) / 1000 : -((999 - (date.year - 1)) / 1000))
    case .dow: return whole(CivilDate.weekday(days: days))
    case .isodow: return whole(floorModulo(days + 3, 7) + 1)
    case .doy: return whole(days - CivilDate(year: date.year, month: 1, day: 1).days + 1)
    case .epoch:
      if type == .date { return whole(seconds) }
      // A timestamp's epoch is of its own reading, a timestamptz's of the instant: both are the stored number.
      return Numeric(mantissa: Int128(seconds) * 1_000_000 + Int128(rest / 1000), scale: 6)
    case .timezone, .timezone_hour, .timezone_minute:
      guard type == .timestamptz else { throw TimeField.unknown(text, type) }
      if field == .timezone { return whole(offset) }
      return whole(field == .timezone_hour ? offset / 3600 : offset / 60 % 60)
    }
  }

  private static func extract(_ text: String, _ field: TimeField, _ interval: Interval) throws -> Numeric {
    let months = Int(interval.months)
    let micro = Int(interval.microseconds)
    func whole(_ value: Int) -> Numeric { Numeric(Int64(value)) }
    switch field {
    case .microseconds: return whole(micro % 60_000_000)
    case .milliseconds: return Numeric(mantissa: Int128(micro % 60_000_000), scale: 3)
    case .second: return Numeric(mantissa: Int128(micro % 60_000_000), scale: 6)
    case .minute: return whole(micro / 60_000_000 % 60)
    case .hour: return whole(micro / 3_600_000_000)
    case .day: return whole(Int(interval.days))
    case .month: return whole(months % 12)
    case .quarter: return whole(months % 12 / 3 + 1)
    case .year: return whole(months / 12)
    case .decade: return whole(months / 120)
    case .century: return whole(months / 1200)
    case .millennium: return whole(months / 12_000)
    case .epoch:
      // Years of 365.25 days, months of 30.
      let seconds = Int128(months / 12) * 31_557_600 + Int128(months % 12) * 2_592_000 + Int128(interval.days) * 86_400
      return Numeric(mantissa: seconds * 1_000_000 + Int128(micro), scale: 6)
    default: throw TimeField.unknown(text, .interval)
    }
  }
}
