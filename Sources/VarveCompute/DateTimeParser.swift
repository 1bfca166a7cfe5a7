// Dates and times as people and programs write them: ISO 8601 and PostgreSQL's forms of it, names of months,
// `1/8/1999` as month/day/year (DateStyle MDY), `now`, `today`, `infinity`, zones by offset, name or abbreviation.
// Nine fractional digits count; further ones round.

import VarveCore

struct DateTimeParser {
  private let text: UnsafeBufferPointer<UInt8>
  private let typeName: String
  private var at = 0

  // What has been read so far.
  private var year: Int?
  private var month: Int?
  private var day: Int?
  /// Seconds after midnight.
  private var time: Int?
  private var nanoseconds = 0
  private var offset: Int?
  private var zone: TimeZone?
  private var beforeChrist = false
  private var hourOfDay = 0
  private var needsDate = true

  private enum Special { case now, today, tomorrow, yesterday, epoch, infinity, minusInfinity }
  private var special: Special?

  static func timestamp(_ text: UnsafeBufferPointer<UInt8>, zoned: Bool, context: EvaluationContext) throws -> Int64 {
    var parser = DateTimeParser(text: text, typeName: (zoned ? SQLType.timestamptz : .timestamp).name)
    try parser.read(context)
    let session = try context.sessionZone()
    if let special = parser.special {
      switch special {
      case .infinity: return .max
      case .minusInfinity: return .min
      case .epoch: return 0
      case .now:
        if zoned { return context.now }
        return try TimeMath.local(context.now, in: session)
      case .today, .tomorrow, .yesterday:
        let local = try TimeMath.local(context.now, in: session)
        var days = floorDivide(Int(local), Nanoseconds.day)
        days += special == .tomorrow ? 1 : (special == .yesterday ? -1 : 0)
        var seconds = days * 86_400 + (parser.time ?? 0)
        if zoned { seconds = (parser.zone ?? session).utc(fromLocal: seconds) - (parser.offset ?? 0) }
        return try parser.instant(seconds)
      }
    }
    let days = try parser.days()
    guard abs(days) < 200_000 else { throw parser.outOfRange }
    var seconds = days * 86_400 + (parser.time ?? 0)
    if zoned {
      if let offset = parser.offset {
        seconds -= offset
      } else {
        seconds = (parser.zone ?? session).utc(fromLocal: seconds)
      }
    }
    return try parser.instant(seconds)
  }

  static func date(_ text: UnsafeBufferPointer<UInt8>, context: EvaluationContext) throws -> Int32 {
    var parser = DateTimeParser(text: text, typeName: "date")
    try parser.read(context)
    if let special = parser.special {
      switch special {
      case .infinity: return .max
      case .minusInfinity: return .min
      case .epoch: return 0
      case .now, .today, .tomorrow, .yesterday:
        let local = try TimeMath.local(context.now, in: try context.sessionZone())
        let days = floorDivide(Int(local), Nanoseconds.day)
        return Int32(clamping: days + (special == .tomorrow ? 1 : (special == .yesterday ? -1 : 0)))
      }
    }
    let days = try parser.days()
    guard DateTimeText.isDate(days) else { throw parser.outOfRange }
    return Int32(days)
  }

  /// Microseconds after midnight; a date before the time and a zone behind it are read and do not matter.
  static func time(_ text: UnsafeBufferPointer<UInt8>, context: EvaluationContext) throws -> Int64 {
    var parser = DateTimeParser(text: text, typeName: SQLType.time.name)
    parser.needsDate = false
    try parser.read(context)
    if parser.special == .now {
      let local = try TimeMath.local(context.now, in: try context.sessionZone())
      return Int64(floorModulo(Int(local), Nanoseconds.day) / 1000)
    }
    guard let time = parser.time else { throw parser.syntax }
    return Int64(time) * 1_000_000 + Int64((parser.nanoseconds + 500) / 1000)
  }

  private init(text: UnsafeBufferPointer<UInt8>, typeName: String) {
    self.text = text
    self.typeName = typeName
  }

  private var syntax: VarveError {
    SQLError.make("22007", "invalid input syntax for type \(typeName): \"\(TypeText.string(text))\"")
  }
  private var outOfRange: VarveError {
    SQLError.make("22008", "date/time field value out of range: \"\(TypeText.string(text))\"")
  }

  private func instant(_ seconds: Int) throws -> Int64 {
    // The two ends stand for infinity.
    guard let sum = Int64(exactly: Int128(seconds) * 1_000_000_000 + Int128(nanoseconds)), !TimeMath.isInfinite(sum)
    else {
      throw SQLError.make("22008", "timestamp out of range: \"\(TypeText.string(text))\"")
    }
    return sum
  }

  private func days() throws -> Int {
    guard var year, let month, let day else { throw syntax }
    if beforeChrist {
      guard year >= 1 else { throw outOfRange }
      year = 1 - year
    } else if year == 0 {
      throw outOfRange
    }
    guard month >= 1, month <= 12, day >= 1, day <= CivilDate.dayCount(year: year, month: month),
      abs(year) < 6_000_000
    else { throw outOfRange }
    return CivilDate(year: year, month: month, day: day).days
  }

  // MARK: Reading

  private var peek: UInt8? { at < text.count ? text[at] : nil }
  private func isDigit(_ c: UInt8?) -> Bool { c.map { $0 >= 0x30 && $0 <= 0x39 } ?? false }
  private func isLetter(_ c: UInt8?) -> Bool {
    c.map { ($0 | 0x20) >= 0x61 && ($0 | 0x20) <= 0x7A } ?? false
  }

  /// Digits at the place; nil if there are none or too many to mean anything.
  private mutating func digits() -> (value: Int, count: Int)? {
    let start = at
    var value = 0
    while let c = peek, isDigit(c) {
      if at - start >= 14 { return nil }
      value = value * 10 + Int(c - 0x30)
      at += 1
    }
    return at > start ? (value, at - start) : nil
  }

  private mutating func read(_ context: EvaluationContext) throws {
    var end = text.count
    while end > 0, TypeText.isSpace(text[end - 1]) { end -= 1 }
    guard end > 0, end <= 128 else { throw syntax }
    var sawDate = false
    while at < text.count {
      guard let c = peek else { break }
      if TypeText.isSpace(c) || c == UInt8(ascii: ",") {
        at += 1
      } else if isDigit(c) {
        if try number(sawDate: sawDate) { sawDate = true }
      } else if isLetter(c) {
        try word(context, sawDate: &sawDate)
      } else if c == UInt8(ascii: "+") || c == UInt8(ascii: "-") {
        if time == nil, special == nil, c == UInt8(ascii: "-") || c == UInt8(ascii: "+"),
          isLetter(at + 1 < text.count ? text[at + 1] : nil)
        {
          at += 1
          let name = letters()
          guard name == "infinity" || name == "inf", c == UInt8(ascii: "-") || name == "infinity" else { throw syntax }
          special = c == UInt8(ascii: "-") ? .minusInfinity : .infinity
        } else {
          guard time != nil || sawDate else { throw syntax }
          try readOffset()
        }
      } else {
        throw syntax
      }
    }
    guard sawDate || special != nil || !needsDate else { throw syntax }
    if special != nil, year != nil { throw syntax }
  }

  private mutating func letters() -> String {
    let start = at
    while isLetter(peek) { at += 1 }
    return String(decoding: text[start..<at], as: UTF8.self).lowercased()
  }

  private mutating func readOffset() throws {
    let start = at
    at += 1
    while isDigit(peek) || peek == UInt8(ascii: ":") { at += 1 }
    guard offset == nil, zone == nil, let value = TimeZoneDatabase.fixedOffset(Array(text[start..<at])) else {
      throw syntax
    }
    offset = value
  }

  /// A token that begins with a digit; true if it was a date.
  private mutating func number(sawDate: Bool) throws -> Bool {
    guard let first = digits() else { throw outOfRange }
    switch peek {
    case UInt8(ascii: ":"):
      try readTime(hours: first.value)
      return false
    case UInt8(ascii: "-"), UInt8(ascii: "/"), UInt8(ascii: "."):
      if sawDate, time == nil, peek == UInt8(ascii: "-") || peek == UInt8(ascii: "."), first.count >= 4 {
        // 20200101 101500-05 and 101500.25: a time without colons.
        try compactTime(first)
        return false
      }
      guard !sawDate, let separator = peek else { throw syntax }
      at += 1
      if isLetter(peek) {
        // 8-Jan-1999, 1999-Jan-08
        guard let m = Self.month(letters()) else { throw syntax }
        guard peek == separator else { throw syntax }
        at += 1
        guard let last = digits() else { throw syntax }
        month = m
        if first.count >= 3 {
          year = first.value
          day = last.value
        } else {
          day = first.value
          year = Self.fullYear(last)
        }
        return true
      }
      guard let second = digits() else { throw syntax }
      guard peek == separator else {
        // 1999.008: a year and its day.
        if separator == UInt8(ascii: "."), first.count == 4, second.count == 3 {
          return try ordinal(year: first.value, day: second.value)
        }
        if separator == UInt8(ascii: "-"), first.count == 4, second.count == 3 {
          return try ordinal(year: first.value, day: second.value)
        }
        throw syntax
      }
      at += 1
      guard let third = digits() else { throw syntax }
      if first.count >= 3 {
        (year, month, day) = (first.value, second.value, third.value)
      } else {
        (month, day, year) = (first.value, second.value, Self.fullYear(third))
      }
      return true
    default:
      if !needsDate, !sawDate, time == nil, first.count == 4 || first.count == 6 {
        try compactTime(first)
        return false
      }
      if !sawDate {
        if first.count == 8 {
          (year, month, day) = (first.value / 10_000, first.value / 100 % 100, first.value % 100)
          return true
        }
        if first.count == 6, month == nil {
          (year, month, day) = (
            Self.fullYear((first.value / 10_000, 2)), first.value / 100 % 100, first.value % 100
          )
          return true
        }
        if month != nil, day == nil, first.count <= 2 {
          day = first.value
          return year != nil
        }
        if month != nil, year == nil {
          year = Self.fullYear(first)
          return true
        }
        if month == nil, day == nil, first.count <= 2 {
          day = first.value
          return false
        }
        throw syntax
      }
      if year == nil {
        year = Self.fullYear(first)
        return true
      }
      if time == nil, first.count == 4 || first.count == 6 {
        try compactTime(first)
        return false
      }
      throw syntax
    }
  }

  private mutating func ordinal(year: Int, day ordinal: Int) throws -> Bool {
    guard ordinal >= 1, ordinal <= (CivilDate.isLeap(year) ? 366 : 365) else { throw outOfRange }
    let date = CivilDate(days: CivilDate(year: year, month: 1, day: 1).days + ordinal - 1)
    (self.year, month, day) = (date.year, date.month, date.day)
    return true
  }

  private mutating func compactTime(_ value: (value: Int, count: Int)) throws {
    guard time == nil else { throw syntax }
    let full = value.count == 4 ? value.value * 100 : value.value
    guard value.count == 4 || value.count == 6 else { throw syntax }
    try setTime(full / 10_000, full / 100 % 100, full % 100)
    if peek == UInt8(ascii: ".") { try readFraction() }
  }

  private mutating func setTime(_ hours: Int, _ minutes: Int, _ seconds: Int) throws {
    guard hours <= 24, minutes <= 59, seconds <= 60, hours < 24 || (minutes == 0 && seconds == 0) else {
      throw outOfRange
    }
    hourOfDay = hours
    time = hours * 3600 + minutes * 60 + seconds
  }

  private mutating func readTime(hours: Int) throws {
    guard time == nil else { throw syntax }
    at += 1
    guard let minutes = digits(), minutes.count <= 2 else { throw syntax }
    var seconds = 0
    if peek == UInt8(ascii: ":") {
      at += 1
      guard let value = digits(), value.count <= 2 else { throw syntax }
      seconds = value.value
      try setTime(hours, minutes.value, seconds)
      if peek == UInt8(ascii: ".") { try readFraction() }
      if hours == 24, nanoseconds > 0 { throw outOfRange }
    } else {
      try setTime(hours, minutes.value, 0)
    }
  }

  private mutating func readFraction() throws {
    at += 1
    var value = 0
    var count = 0
    var roundUp = false
    while let c = peek, isDigit(c) {
      if count < 9 {
        value = value * 10 + Int(c - 0x30)
      } else if count == 9 {
        roundUp = c >= 0x35
      }
      count += 1
      at += 1
    }
    while count < 9 {
      value *= 10
      count += 1
    }
    nanoseconds = value + (roundUp ? 1 : 0)
  }

  private mutating func word(_ context: EvaluationContext, sawDate: inout Bool) throws {
    let start = at
    let name = letters()
    switch name {
    case "t" where sawDate && time == nil && isDigit(peek): return
    case "now": special = .now
    case "today": special = .today
    case "tomorrow": special = .tomorrow
    case "yesterday": special = .yesterday
    case "epoch": special = .epoch
    case "infinity": special = .infinity
    case "ad": break
    case "bc":
      guard sawDate else { throw syntax }
      beforeChrist = true
    case "am", "pm":
      guard let value = time, hourOfDay >= 1, hourOfDay <= 12 else { throw outOfRange }
      if name == "pm", hourOfDay < 12 { time = value + 43_200 }
      if name == "am", hourOfDay == 12 { time = value - 43_200 }
    case "allballs": time = 0
    case "mon", "tue", "tues", "wed", "weds", "thu", "thur", "thurs", "fri", "sat", "sun", "monday", "tuesday",
      "wednesday", "thursday", "friday", "saturday", "sunday":
      if peek == UInt8(ascii: ".") { at += 1 }
    case "z":
      guard offset == nil, zone == nil else { throw syntax }
      offset = 0
    default:
      if month == nil, let m = Self.month(name) {
        month = m
        if peek == UInt8(ascii: ".") || peek == UInt8(ascii: "-") { at += 1 }
        // 8 January 1999 has its day already.
        if day != nil, year != nil { sawDate = true }
        return
      }
      guard sawDate || special != nil || (!needsDate && time != nil), offset == nil, zone == nil else { throw syntax }
      while let c = peek,
        isLetter(c) || isDigit(c) || c == UInt8(ascii: "/") || c == UInt8(ascii: "_") || c == UInt8(ascii: "-")
          || c == UInt8(ascii: "+")
      {
        at += 1
      }
      let full = String(decoding: text[start..<at], as: UTF8.self)
      zone = try context.zones.zone(named: full)
    }
  }

  private static func fullYear(_ value: (value: Int, count: Int)) -> Int {
    guard value.count <= 2 else { return value.value }
    return value.value < 70 ? 2000 + value.value : 1900 + value.value
  }

  private static func month(_ name: String) -> Int? {
    let names = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
    let whole = [
      "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
      "december",
    ]
    if name == "sept" { return 9 }
    if let i = names.firstIndex(of: name) ?? whole.firstIndex(of: name) { return i + 1 }
    return nil
  }
}
