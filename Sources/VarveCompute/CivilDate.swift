// The proleptic Gregorian calendar in integers: days since 1970-01-01 and back (Howard Hinnant, "chrono-compatible
// low-level date algorithms"). Total for every Int64 day count that a timestamp, date or interval can lead to
// (callers stay within ±2^40 days).

@usableFromInline package struct CivilDate: Equatable, Sendable {
  /// Astronomical: year 0 is 1 BC.
  @usableFromInline package var year: Int
  @usableFromInline package var month: Int
  @usableFromInline package var day: Int

  @inlinable package init(year: Int, month: Int, day: Int) {
    self.year = year
    self.month = month
    self.day = day
  }

  @inlinable package init(days: Int) {
    let z = days + 719_468
    let era = (z >= 0 ? z : z - 146_096) / 146_097
    let dayOfEra = z - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shifted = (5 * dayOfYear + 2) / 153
    day = dayOfYear - (153 * shifted + 2) / 5 + 1
    month = shifted < 10 ? shifted + 3 : shifted - 9
    year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  }

  @inlinable package var days: Int {
    let y = month <= 2 ? year - 1 : year
    let era = (y >= 0 ? y : y - 399) / 400
    let yearOfEra = y - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
  }

  @inlinable package static func isLeap(_ year: Int) -> Bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
  }

  @inlinable package static func dayCount(year: Int, month: Int) -> Int {
    switch month {
    case 2: isLeap(year) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  /// 0 is Sunday.
  @inlinable package static func weekday(days: Int) -> Int { floorModulo(days + 4, 7) }

  /// ISO 8601 week and the year it belongs to.
  package static func isoWeek(days: Int) -> (year: Int, week: Int) {
    let monday = days - floorModulo(days + 3, 7)
    let thursday = monday + 3
    let year = CivilDate(days: thursday).year
    let first = CivilDate(year: year, month: 1, day: 4).days
    let firstMonday = first - floorModulo(first + 3, 7)
    return (year, (monday - firstMonday) / 7 + 1)
  }
}

@inlinable package func floorDivide(_ a: Int, _ b: Int) -> Int {
  let q = a / b
  return (a % b != 0 && (a < 0) != (b < 0)) ? q - 1 : q
}
@inlinable package func floorModulo(_ a: Int, _ b: Int) -> Int {
  let r = a % b
  return r != 0 && (r < 0) != (b < 0) ? r + b : r
}

/// Nanoseconds in the units of time.
package enum Nanoseconds {
  package static let microsecond = 1_000
  package static let millisecond = 1_000_000
  package static let second = 1_000_000_000
  package static let minute = 60 * second
  package static let hour = 3600 * second
  package static let day = 86_400 * second
}
