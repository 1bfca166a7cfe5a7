// Arithmetic on intervals, with PostgreSQL's cascade of fractions downwards (interval_mul).

import VarveCore

extension Interval {
  static var outOfRange: VarveError { SQLError.outOfRange(.interval) }

  /// Nanoseconds of an interval without months, days of 24 hours; nil when it does not fit.
  package var fixedNanoseconds: Int64? {
    guard months == 0 else { return nil }
    let total = (Int128(days) * 86_400_000_000 + Int128(microseconds)) * 1000
    return Int64(exactly: total)
  }

  package func negated() throws -> Interval {
    guard months != .min, days != .min, microseconds != .min else { throw Self.outOfRange }
    return Interval(months: -months, days: -days, microseconds: -microseconds)
  }

  /// The instant so long before another, by the calendar of UTC.
  package func before(_ time: Int64) throws -> Int64 { try TimeMath.add(local: time, try negated()) }

  package static func adding(_ a: Interval, _ b: Interval) throws -> Interval {
    let (months, o1) = a.months.addingReportingOverflow(b.months)
    let (days, o2) = a.days.addingReportingOverflow(b.days)
    let (microseconds, o3) = a.microseconds.addingReportingOverflow(b.microseconds)
    if o1 || o2 || o3 { throw outOfRange }
    return Interval(months: months, days: days, microseconds: microseconds)
  }

  package func multiplied(by factor: Double) throws -> Interval {
    guard factor.isFinite else { throw Self.outOfRange }
    return try scaled({ $0 * factor })
  }
  package func divided(by divisor: Double) throws -> Interval {
    if divisor == 0 { throw SQLError.divisionByZero }
    guard divisor.isFinite else { throw Self.outOfRange }
    return try scaled({ $0 / divisor })
  }

  private func scaled(_ op: (Double) -> Double) throws -> Interval {
    // TSROUND of timestamp.h: to microseconds.
    func settled(_ value: Double) -> Double { (value * 1e6).rounded(.toNearestOrEven) / 1e6 }
    let exactMonths = op(Double(months))
    let exactDays = op(Double(days))
    guard let wholeMonths = Int32(exactly: exactMonths.rounded(.towardZero)),
      let firstDays = Int32(exactly: exactDays.rounded(.towardZero))
    else { throw Self.outOfRange }
    var monthRest = settled((exactMonths - Double(wholeMonths)) * 30)
    var seconds = settled(
      (exactDays - Double(firstDays) + monthRest - monthRest.rounded(.towardZero)) * 86_400)
    var days = firstDays
    if seconds.magnitude >= 86_400 {
      let extra = (seconds / 86_400).rounded(.towardZero)
      let (sum, overflow) = days.addingReportingOverflow(Int32(extra))
      if overflow { throw Self.outOfRange }
      days = sum
      seconds -= extra * 86_400
    }
    monthRest = monthRest.rounded(.towardZero)
    let (allDays, overflow) = days.addingReportingOverflow(Int32(monthRest))
    let time = (op(Double(microseconds)) + seconds * 1e6).rounded(.toNearestOrEven)
    guard !overflow, let total = Int64(exactly: time) else { throw Self.outOfRange }
    return Interval(months: wholeMonths, days: allDays, microseconds: total)
  }
}
