// Intervals in text: `1 day 02:00:00`, `1 year 2 mons ago`, `@ 3 hours`, `1-2`, `P1DT2H30M`, `1.5 days`.
// Fractions spill downwards as in PostgreSQL 15: of a month into days of 30, of a day into time.

import VarveCore

enum IntervalParser {
  private struct Sum {
    var months = 0
    var days = 0
    var microseconds = 0
    var overflow = false
    /// Units seen: each may come once.
    var seen: Set<String> = []

    mutating func add(months value: Int, _ factor: Int) { Self.add(value, factor, &months, &overflow) }
    mutating func add(days value: Int, _ factor: Int) { Self.add(value, factor, &days, &overflow) }
    mutating func add(microseconds value: Int, _ factor: Int) { Self.add(value, factor, &microseconds, &overflow) }
    private static func add(_ value: Int, _ factor: Int, _ total: inout Int, _ overflow: inout Bool) {
      let (product, o1) = value.multipliedReportingOverflow(by: factor)
      let (sum, o2) = total.addingReportingOverflow(product)
      if o1 || o2 { overflow = true } else { total = sum }
    }
    mutating func add(fraction: Double, ofDays factor: Double) {
      let exact = fraction * factor
      let whole = exact.rounded(.towardZero)
      add(days: Int(whole), 1)
      add(fraction: exact - whole, ofMicroseconds: 86_400_000_000)
    }
    mutating func add(fraction: Double, ofMicroseconds factor: Double) {
      add(microseconds: Int((fraction * factor).rounded(.toNearestOrEven)), 1)
    }
    /// `unit` as written; false: no such unit.
    mutating func add(_ value: Int, _ fraction: Double, unit: String) -> Bool {
      switch unit {
      case "microsecond", "microseconds", "us", "usec", "usecs", "usecond", "useconds", "microsecon":
        add(microseconds: value, 1)
        add(fraction: fraction, ofMicroseconds: 1)
      case "millisecond", "milliseconds", "ms", "msec", "msecs", "msecond", "mseconds", "millisecon":
        add(microseconds: value, 1000)
        add(fraction: fraction, ofMicroseconds: 1000)
      case "second", "seconds", "s", "sec", "secs":
        add(microseconds: value, 1_000_000)
        add(fraction: fraction, ofMicroseconds: 1_000_000)
      case "minute", "minutes", "m", "min", "mins":
        add(microseconds: value, 60_000_000)
        add(fraction: fraction, ofMicroseconds: 60_000_000)
      case "hour", "hours", "h", "hr", "hrs":
        add(microseconds: value, 3_600_000_000)
        add(fraction: fraction, ofMicroseconds: 3_600_000_000)
      case "day", "days", "d":
        add(days: value, 1)
        add(fraction: fraction, ofMicroseconds: 86_400_000_000)
      case "week", "weeks", "w":
        add(days: value, 7)
        add(fraction: fraction, ofDays: 7)
      case "month", "months", "mon", "mons":
        add(months: value, 1)
        add(fraction: fraction, ofDays: 30)
      case "year", "years", "y", "yr", "yrs": years(value, fraction, 1)
      case "decade", "decades", "dec", "decs": years(value, fraction, 10)
      case "century", "centuries", "c", "cent": years(value, fraction, 100)
      case "millennium", "millennia", "mil", "mils", "millenniums": years(value, fraction, 1000)
      default: return false
      }
      return true
    }
    private mutating func years(_ value: Int, _ fraction: Double, _ count: Int) {
      add(months: value, 12 * count)
      add(months: Int((fraction * Double(12 * count)).rounded()), 1)
    }
  }

  static func parse(_ text: UnsafeBufferPointer<UInt8>) throws -> Interval {
    func syntax() -> VarveError {
      SQLError.make("22007", "invalid input syntax for type interval: \"\(TypeText.string(text))\"")
    }
    func range() -> VarveError {
      SQLError.make("22015", "interval field value out of range: \"\(TypeText.string(text))\"")
    }
    /// Spellings of one unit, told apart from other units' as far as repetition matters.
    func canonical(_ unit: String) -> String {
      switch unit {
      case "us", "usec", "usecs", "usecond", "useconds", "microsecon", "microseconds": "microsecond"
      case "ms", "msec", "msecs", "msecond", "mseconds", "millisecon", "milliseconds": "millisecond"
      case "s", "sec", "secs", "seconds": "second"
      case "m", "min", "mins", "minutes": "minute"
      case "h", "hr", "hrs", "hours": "hour"
      case "d", "days": "day"
      case "w", "weeks": "week"
      case "mon", "mons", "months": "month"
      case "y", "yr", "yrs", "years": "year"
      default: unit
      }
    }
    guard text.count <= 256 else { throw syntax() }
    var sum = Sum()
    var i = 0
    func skipSpace() { while i < text.count, TypeText.isSpace(text[i]) || text[i] == UInt8(ascii: ",") { i += 1 } }
    func digits() -> Int? {
      let start = i
      var value = 0
      while i < text.count, text[i] >= 0x30, text[i] <= 0x39 {
        let (product, o1) = value.multipliedReportingOverflow(by: 10)
        let (next, o2) = product.addingReportingOverflow(Int(text[i] - 0x30))
        if o1 || o2 { sum.overflow = true } else { value = next }
        i += 1
      }
      return i > start ? value : nil
    }
    func fraction() -> Double {
      guard i < text.count, text[i] == UInt8(ascii: ".") else { return 0 }
      i += 1
      var value = 0.0
      var scale = 1.0
      var taken = 0
      while i < text.count, text[i] >= 0x30, text[i] <= 0x39 {
        if taken < 15 {
          value = value * 10 + Double(text[i] - 0x30)
          scale *= 10
        }
        taken += 1
        i += 1
      }
      return value / scale
    }
    func letters() -> String {
      let start = i
      while i < text.count, (text[i] | 0x20) >= 0x61, (text[i] | 0x20) <= 0x7A { i += 1 }
      return String(decoding: text[start..<i], as: UTF8.self).lowercased()
    }

    skipSpace()
    if i < text.count, text[i] == UInt8(ascii: "P") {
      i += 1
      var inTime = false
      var fields = 0
      while i < text.count {
        if text[i] == UInt8(ascii: "T") {
          inTime = true
          i += 1
          continue
        }
        var sign = 1
        if text[i] == UInt8(ascii: "-") || text[i] == UInt8(ascii: "+") {
          sign = text[i] == UInt8(ascii: "-") ? -1 : 1
          i += 1
        }
        guard let value = digits() else { throw syntax() }
        let part = fraction()
        guard i < text.count else { throw syntax() }
        let unit: String
        switch (text[i], inTime) {
        case (UInt8(ascii: "Y"), false): unit = "year"
        case (UInt8(ascii: "M"), false): unit = "month"
        case (UInt8(ascii: "W"), false): unit = "week"
        case (UInt8(ascii: "D"), false): unit = "day"
        case (UInt8(ascii: "H"), true): unit = "hour"
        case (UInt8(ascii: "M"), true): unit = "minute"
        case (UInt8(ascii: "S"), true): unit = "second"
        default: throw syntax()
        }
        i += 1
        _ = sum.add(sign * value, Double(sign) * part, unit: unit)
        fields += 1
      }
      if fields == 0 { throw syntax() }
    } else {
      var ago = false
      var fields = 0
      if i < text.count, text[i] == UInt8(ascii: "@") { i += 1 }
      while true {
        skipSpace()
        guard i < text.count else { break }
        if (text[i] | 0x20) >= 0x61, (text[i] | 0x20) <= 0x7A {
          guard letters() == "ago", fields > 0 else { throw syntax() }
          ago = true
          skipSpace()
          guard i == text.count else { throw syntax() }
          break
        }
        var sign = 1
        if text[i] == UInt8(ascii: "-") || text[i] == UInt8(ascii: "+") {
          sign = text[i] == UInt8(ascii: "-") ? -1 : 1
          i += 1
          skipSpace()
        }
        let whole = digits()
        if whole == nil, i >= text.count || text[i] != UInt8(ascii: ".") { throw syntax() }
        let value = whole ?? 0
        fields += 1
        if i < text.count, text[i] == UInt8(ascii: ":") {
          // hours:minutes[:seconds[.fraction]]
          i += 1
          guard let second = digits() else { throw syntax() }
          var hours = value
          var minutes = second
          var seconds = 0
          var part = 0.0
          if i < text.count, text[i] == UInt8(ascii: ":") {
            i += 1
            guard let third = digits() else { throw syntax() }
            seconds = third
            part = fraction()
          } else if i < text.count, text[i] == UInt8(ascii: ".") {
            // minutes:seconds.fraction
            part = fraction()
            (hours, minutes, seconds) = (0, value, second)
          }
          guard minutes < 60, seconds <= 60 else { throw range() }
          for unit in ["hour", "minute", "second"] {
            guard sum.seen.insert(unit).inserted else { throw syntax() }
          }
          sum.add(microseconds: sign * hours, 3_600_000_000)
          sum.add(microseconds: sign * (minutes * 60 + seconds), 1_000_000)
          sum.add(fraction: Double(sign) * part, ofMicroseconds: 1_000_000)
          continue
        }
        if i + 1 < text.count, text[i] == UInt8(ascii: "-"), text[i + 1] >= 0x30, text[i + 1] <= 0x39 {
          // years-months
          i += 1
          guard let months = digits(), months < 12 else { throw range() }
          sum.add(months: sign * value, 12)
          sum.add(months: sign * months, 1)
          continue
        }
        let part = fraction()
        skipSpace()
        let mark = i
        let unit = letters()
        if unit == "ago" || unit.isEmpty {
          i = mark
          // A bare number before a time is days (SQL's `1 02:03:04`), else seconds.
          var ahead = i
          if ahead < text.count, text[ahead] == UInt8(ascii: "-") || text[ahead] == UInt8(ascii: "+") { ahead += 1 }
          while ahead < text.count, text[ahead] >= 0x30, text[ahead] <= 0x39 { ahead += 1 }
          let beforeTime = ahead > i && ahead < text.count && text[ahead] == UInt8(ascii: ":")
          let implied = beforeTime ? "day" : "second"
          guard sum.seen.insert(implied).inserted else { throw syntax() }
          _ = sum.add(sign * value, Double(sign) * part, unit: implied)
        } else {
          guard sum.add(sign * value, Double(sign) * part, unit: unit), sum.seen.insert(canonical(unit)).inserted else {
            throw syntax()
          }
        }
      }
      if fields == 0 { throw syntax() }
      if ago {
        sum.months = 0 &- sum.months
        sum.days = 0 &- sum.days
        sum.microseconds = 0 &- sum.microseconds
      }
    }
    guard !sum.overflow, let months = Int32(exactly: sum.months), let days = Int32(exactly: sum.days) else {
      throw range()
    }
    return Interval(months: months, days: days, microseconds: Int64(sum.microseconds))
  }
}
