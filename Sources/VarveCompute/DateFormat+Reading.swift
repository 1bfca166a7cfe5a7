// to_timestamp and to_date: DCH_from_char and do_to_timestamp of formatting.c.

import VarveCore

extension DateFormat {
  /// What a text said, field by field.
  struct Reading {
    var year: Int?
    var yearDigits = 4
    var month: Int?
    var day: Int?
    var dayOfYear: Int?
    var julian: Int?
    var century: Int?
    var week: Int?
    var weekOfMonth: Int?
    var isoYear: Int?
    var isoWeek: Int?
    /// 1 is Monday.
    var isoDay: Int?
    var hour: Int?
    var hasTwelveHours = false
    var isAfternoon: Bool?
    var minute = 0
    var second = 0
    var secondOfDay: Int?
    var microsecond = 0
    var isBeforeChrist = false
    var zoneHours: Int?
    var zoneMinutes = 0
  }

  static func invalid(_ message: String, hint: String? = nil) -> VarveError {
    SQLError.make("22007", message, hint: hint)
  }

  func read(_ text: String) throws -> Reading {
    var reader = Reader(text: Array(text.unicodeScalars))
    var result = Reading()
    for (i, item) in items.enumerated() {
      // What the text does not get to stays as it is.
      if reader.at >= reader.text.count { break }
      switch item.kind {
      case .separator(let scalar): reader.skipSeparator(scalar, isExact: isExact)
      case .text: reader.skipCharacter(isExact: isExact)
      case .field(let field, _):
        if !isExact { reader.skipSpaces() }
        let isOpen =
          item.isFilled || item.ordinal != nil || i + 1 == items.count || !items[i + 1].isDigits
        try reader.take(field, isOpen: isOpen, into: &result)
        if item.ordinal != nil { reader.at = min(reader.at + 2, reader.text.count) }
      }
    }
    return result
  }

  private struct Reader {
    let text: [Unicode.Scalar]
    var at = 0
    /// Spaces and signs skipped that the template did not ask for.
    private var extra = 0

    init(text: [Unicode.Scalar]) { self.text = text }

    private var peek: Unicode.Scalar? { at < text.count ? text[at] : nil }

    mutating func skipSpaces() {
      while let c = peek, c.properties.isWhitespace {
        at += 1
        extra += 1
      }
    }

    mutating func skipSeparator(_ scalar: Unicode.Scalar, isExact: Bool) {
      if isExact {
        if at < text.count { at += 1 }
        return
      }
      extra -= 1
      if let c = peek, c.properties.isWhitespace || DateFormat.isSeparator(c) {
        at += 1
        extra += 1
      }
    }

    mutating func skipCharacter(isExact: Bool) {
      if !isExact, extra > 0 { extra -= 1 } else if at < text.count { at += 1 }
    }

    /// A number of at most `width` digits, of exactly so many where digits follow.
    private mutating func number(_ field: Field, _ width: Int, isOpen: Bool) throws -> (value: Int, digits: Int) {
      while let c = peek, c.properties.isWhitespace { at += 1 }
      let start = at
      let limit = isOpen ? text.count : min(at + width, text.count)
      if !isOpen, text.count - at < width {
        throw DateFormat.invalid("source string too short for \"\(field.rawValue)\" formatting field")
      }
      var sign = 1
      if at < limit, text[at] == "-" || text[at] == "+" {
        sign = text[at] == "-" ? -1 : 1
        at += 1
      }
      var value = 0
      var digits = 0
      while at < limit, text[at].value >= 0x30, text[at].value <= 0x39 {
        value = min(value * 10 + Int(text[at].value - 0x30), 1 << 40)
        digits += 1
        at += 1
      }
      let shown = String(String.UnicodeScalarView(text[start..<min(start + width, text.count)]))
      guard digits > 0 else {
        throw DateFormat.invalid(
          "invalid value \"\(shown)\" for \"\(field.rawValue)\"", hint: "Value must be an integer.")
      }
      if !isOpen, at - start < width {
        throw DateFormat.invalid(
          "invalid value \"\(shown)\" for \"\(field.rawValue)\"",
          hint: "If your source string is not fixed-width, try using the \"FM\" modifier.")
      }
      guard value <= Int(Int32.max) else {
        throw SQLError.make("22008", "value for \"\(field.rawValue)\" in source string is out of range")
      }
      return (sign * value, digits)
    }

    /// Which of some words stands here.
    private mutating func word(_ words: [String], _ field: Field) throws -> Int {
      var best: (index: Int, count: Int)?
      for (index, word) in words.enumerated() {
        let scalars = Array(word.lowercased().unicodeScalars)
        guard at + scalars.count <= text.count, scalars.count > best?.count ?? 0 else { continue }
        let have = String(String.UnicodeScalarView(text[at..<(at + scalars.count)])).lowercased()
        if Array(have.unicodeScalars) == scalars { best = (index, scalars.count) }
      }
      guard let best else {
        throw DateFormat.invalid(
          "invalid value \"\(String(String.UnicodeScalarView(text[at...].prefix(9))))\" for \"\(field.rawValue)\"",
          hint: "The given value did not match any of the allowed values for this field.")
      }
      at += best.count
      return best.index
    }

    private static func set(_ place: inout Int?, _ value: Int, _ field: Field) throws {
      if let known = place, known != value {
        throw DateFormat.invalid(
          "conflicting values for \"\(field.rawValue)\" field in formatting string",
          hint: "This value contradicts a previous setting for the same field type.")
      }
      place = value
    }

    mutating func take(_ field: Field, isOpen: Bool, into result: inout Reading) throws {
      func plain(_ reader: inout Reader, _ width: Int) throws -> Int {
        try reader.number(field, width, isOpen: isOpen).value
      }
      /// A fraction of a second: digits count from the point on.
      func fraction(_ reader: inout Reader, _ width: Int) throws -> Int {
        let (value, digits) = try reader.number(field, width, isOpen: isOpen)
        var result = value
        for _ in digits..<max(digits, 6) { result *= 10 }
        for _ in 6..<max(digits, 6) { result /= 10 }
        return result
      }
      switch field {
      case .AM, .PM: result.isAfternoon = try word(["am", "pm"], field) == 1
      case .AMDots, .PMDots: result.isAfternoon = try word(["a.m.", "p.m."], field) == 1
      case .AD, .BC: result.isBeforeChrist = try word(["ad", "bc"], field) == 1
      case .ADDots, .BCDots: result.isBeforeChrist = try word(["a.d.", "b.c."], field) == 1
      case .HH24: result.hour = try plain(&self, 2)
      case .HH12, .HH:
        result.hour = try plain(&self, 2)
        result.hasTwelveHours = true
      case .MI: result.minute = try plain(&self, 2)
      case .SS: result.second = try plain(&self, 2)
      case .MS: result.microsecond += try fraction(&self, 3) / 1000 * 1000
      case .US, .FF6: result.microsecond += try fraction(&self, 6)
      case .FF1, .FF2, .FF3, .FF4, .FF5:
        result.microsecond += try fraction(&self, Int(field.rawValue.utf8.last ?? 0x36) - 0x30)
      case .SSSS, .SSSSS: result.secondOfDay = try plain(&self, 5)
      case .TZH:
        let isNegative = peek == "-"
        if peek == "-" || peek == "+" || peek == " " { at += 1 }
        let hours = try plain(&self, 2)
        result.zoneHours = isNegative ? -hours : hours
        if isNegative { result.zoneMinutes = -abs(result.zoneMinutes) }
      case .TZM:
        let minutes = try plain(&self, 2)
        result.zoneMinutes = (result.zoneHours ?? 0) < 0 ? -minutes : minutes
        if result.zoneHours == nil { result.zoneHours = 0 }
      case .TZ, .OF:
        throw SQLError.make("0A000", "formatting field \"\(field.rawValue)\" is only supported in to_char")
      case .MONTH, .Month, .month: try Self.set(&result.month, word(DateFormat.monthNames, field) + 1, field)
      case .MON, .Mon, .mon:
        try Self.set(&result.month, word(DateFormat.monthNames.map { String($0.prefix(3)) }, field) + 1, field)
      case .MM: try Self.set(&result.month, plain(&self, 2), field)
      case .DAY, .Day, .day: _ = try word(DateFormat.dayNames, field)
      case .DY, .Dy, .dy: _ = try word(DateFormat.dayNames.map { String($0.prefix(3)) }, field)
      case .DDD: try Self.set(&result.dayOfYear, plain(&self, 3), field)
      case .IDDD: throw SQLError.unsupported("\"IDDD\" is supported in to_char only")
      case .DD: try Self.set(&result.day, plain(&self, 2), field)
      case .D: _ = try plain(&self, 1)
      case .ID: try Self.set(&result.isoDay, plain(&self, 1), field)
      case .WW: try Self.set(&result.week, plain(&self, 2), field)
      case .W: try Self.set(&result.weekOfMonth, plain(&self, 1), field)
      case .IW: try Self.set(&result.isoWeek, plain(&self, 2), field)
      case .Q: _ = try plain(&self, 1)
      case .CC: try Self.set(&result.century, plain(&self, 2), field)
      case .YYYYComma:
        let thousands = try number(field, 2, isOpen: true).value
        guard peek == "," else { throw DateFormat.invalid("invalid input string for \"Y,YYY\"") }
        at += 1
        try Self.set(&result.year, thousands * 1000 + number(field, 3, isOpen: false).value, field)
      case .YYYY, .YYY, .YY, .Y:
        let width = field.rawValue.utf8.count
        let (value, digits) = try number(field, width, isOpen: isOpen)
        try Self.set(&result.year, width < 4 && digits < 4 ? DateFormat.full(value) : value, field)
        result.yearDigits = width
      case .IYYY, .IYY, .IY, .I:
        let width = field.rawValue.utf8.count
        let (value, digits) = try number(field, width, isOpen: isOpen)
        try Self.set(&result.isoYear, width < 4 && digits < 4 ? DateFormat.full(value) : value, field)
      case .RM: try Self.set(&result.month, word(DateFormat.romanMonths, field) + 1, field)
      case .J: try Self.set(&result.julian, plain(&self, 7), field)
      }
    }
  }

  /// A year of fewer than four digits: the one nearest to 2020.
  private static func full(_ year: Int) -> Int {
    if year < 70 { return year + 2000 }
    if year < 100 { return year + 1900 }
    if year < 520 { return year + 2000 }
    return year < 1000 ? year + 1000 : year
  }
}

extension DateFormat.Reading {
  private func outOfRange(_ text: String) -> VarveError {
    SQLError.make("22008", "date/time field value out of range: \"\(text)\"")
  }

  /// Days since 1970. Throws 22008 for a day that there is not.
  func days(_ text: String) throws -> Int {
    if let julian { return julian - 2_440_588 }
    if let isoYear, let isoWeek {
      guard isoWeek >= 1, isoWeek <= 53 else { throw outOfRange(text) }
      let fourth = CivilDate(year: isoYear, month: 1, day: 4).days
      return fourth - floorModulo(fourth + 3, 7) + (isoWeek - 1) * 7 + (isoDay ?? 1) - 1
    }
    var year = year ?? (century.map { ($0 - 1) * 100 + 1 } ?? 0)
    if let century, let given = self.year, yearDigits <= 2 {
      let short = given % 100
      year = short == 0 ? century * 100 : (century - 1) * 100 + short
    }
    if isBeforeChrist || year < 0 { year = 1 - abs(year) } else if self.year == nil, century == nil { year = 0 }
    guard abs(year) < 300_000 else { throw outOfRange(text) }
    if let dayOfYear = dayOfYear ?? week.map({ ($0 - 1) * 7 + 1 }) {
      guard dayOfYear >= 1, dayOfYear <= (CivilDate.isLeap(year) ? 366 : 365) else { throw outOfRange(text) }
      return CivilDate(year: year, month: 1, day: 1).days + dayOfYear - 1
    }
    let month = month ?? 1
    let day = day ?? weekOfMonth.map { ($0 - 1) * 7 + 1 } ?? 1
    guard month >= 1, month <= 12, day >= 1, day <= CivilDate.dayCount(year: year, month: month) else {
      throw outOfRange(text)
    }
    return CivilDate(year: year, month: month, day: day).days
  }

  /// Seconds after midnight.
  func seconds(_ text: String) throws -> Int {
    if let secondOfDay {
      guard secondOfDay >= 0, secondOfDay < 86_400 else { throw outOfRange(text) }
      return secondOfDay
    }
    var hour = hour ?? 0
    if hasTwelveHours {
      guard hour >= 1, hour <= 12 else {
        throw DateFormat.invalid(
          "hour \"\(hour)\" is invalid for the 12-hour clock",
          hint: "Use the 24-hour clock, or give an hour between 1 and 12.")
      }
      if isAfternoon == true, hour < 12 { hour += 12 }
      if isAfternoon == false, hour == 12 { hour = 0 }
    }
    guard hour >= 0, hour < 24, minute >= 0, minute < 60, second >= 0, second < 60 else { throw outOfRange(text) }
    return hour * 3600 + minute * 60 + second
  }
}
