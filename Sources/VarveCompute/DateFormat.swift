// Templates of to_char, to_timestamp and to_date: PostgreSQL's formatting.c. A template is fields, with what modifies
// them, and text between.

import VarveCore

struct DateFormat {
  enum Field: String, CaseIterable, Sendable {
    case AMDots = "A.M.", PMDots = "P.M.", ADDots = "A.D.", BCDots = "B.C."
    case AM, PM, AD, BC, CC
    case DAY, Day, day, DDD, DD, DY, Dy, dy, D
    case FF1, FF2, FF3, FF4, FF5, FF6
    case HH24, HH12, HH
    case IDDD, ID, IW, IYYY, IYY, IY, I
    case J
    case MI, MM, MONTH, Month, month, MON, Mon, mon, MS
    case OF
    case Q
    case RM
    case SSSSS, SSSS, SS
    case TZH, TZM, TZ
    case US
    case WW, W
    case YYYYComma = "Y,YYY", YYYY, YYY, YY, Y

    /// Digits: one behind another they need no separator.
    var isDigits: Bool {
      switch self {
      case .AMDots, .PMDots, .ADDots, .BCDots, .AM, .PM, .AD, .BC, .DAY, .Day, .day, .DY, .Dy, .dy, .MONTH, .Month,
        .month, .MON, .Mon, .mon, .OF, .RM, .TZH, .TZ:
        false
      default: true
      }
    }
  }

  struct Item {
    enum Kind {
      case field(Field, isLower: Bool)
      case text(String)
      /// A space or a sign that separates.
      case separator(Unicode.Scalar)
    }
    let kind: Kind
    /// FM: as short as it goes.
    var isFilled = false
    /// th or TH.
    var ordinal: Bool?

    var isDigits: Bool {
      switch kind {
      case .field(let field, _): field.isDigits
      case .text(let text): text.unicodeScalars.first.map { $0.value >= 0x30 && $0.value <= 0x39 } ?? false
      case .separator: false
      }
    }
  }

  private(set) var items: [Item] = []
  /// FX: separators must be as in the template.
  private(set) var isExact = false

  /// Longest first, so that the first that fits is the field.
  private static let fields: [(scalars: [Unicode.Scalar], field: Field)] = Field.allCases
    .map { (Array($0.rawValue.unicodeScalars), $0) }
    .sorted { $0.scalars.count > $1.scalars.count }

  init(_ template: String) {
    let text = Array(template.unicodeScalars)
    var i = 0
    func starts(_ word: String) -> Bool {
      let scalars = Array(word.unicodeScalars)
      return i + scalars.count <= text.count && text[i..<(i + scalars.count)].elementsEqual(scalars)
    }
    while i < text.count {
      if starts("\"") {
        i += 1
        var literal = String.UnicodeScalarView()
        while i < text.count, text[i] != "\"" {
          if text[i] == "\\", i + 1 < text.count { i += 1 }
          literal.append(text[i])
          i += 1
        }
        i += 1
        for scalar in literal { items.append(Item(kind: .text(String(scalar)))) }
        continue
      }
      if starts("FX") || starts("fx") {
        isExact = true
        i += 2
        continue
      }
      var isFilled = false
      while starts("FM") || starts("fm") || starts("TM") || starts("tm") {
        if starts("FM") || starts("fm") { isFilled = true }
        i += 2
      }
      if let (field, isLower, count) = Self.field(text, i) {
        i += count
        var ordinal: Bool?
        if starts("TH") || starts("th") {
          ordinal = starts("TH")
          i += 2
        } else if starts("SP") || starts("sp") {
          i += 2
        }
        items.append(Item(kind: .field(field, isLower: isLower), isFilled: isFilled, ordinal: ordinal))
        continue
      }
      guard i < text.count else { break }
      if text[i] == "\\", i + 1 < text.count {
        i += 1
        items.append(Item(kind: .text(String(text[i]))))
      } else if Self.isSeparator(text[i]) || text[i].properties.isWhitespace {
        items.append(Item(kind: .separator(text[i])))
      } else {
        items.append(Item(kind: .text(String(text[i]))))
      }
      i += 1
    }
  }

  private static func field(_ text: [Unicode.Scalar], _ at: Int) -> (Field, isLower: Bool, count: Int)? {
    guard at < text.count, text[at].isASCII, text[at].properties.isAlphabetic else { return nil }
    func fits(_ scalars: [Unicode.Scalar], folding: Bool) -> Bool {
      guard at + scalars.count <= text.count else { return false }
      return zip(scalars, text[at...]).allSatisfy { want, have in
        have == want || (folding && have.isASCII && have.properties.isLowercase && have.value & 0xDF == want.value)
      }
    }
    for (scalars, field) in fields where fits(scalars, folding: false) { return (field, false, scalars.count) }
    // In lower case all the way, or mixed: the same field.
    for (scalars, field) in fields where fits(scalars, folding: true) {
      return (field, text[at].properties.isLowercase, scalars.count)
    }
    return nil
  }

  /// ASCII that is no letter, digit or control character.
  static func isSeparator(_ c: Unicode.Scalar) -> Bool {
    c.value > 0x20 && c.value < 0x7F && !c.properties.isAlphabetic && !(c.value >= 0x30 && c.value <= 0x39)
  }

  static let monthNames = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
  ]
  static let dayNames = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
  static let romanMonths = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"]
}

/// What a time says to a template.
struct DateFields {
  var year = 0
  var month = 0
  var day = 0
  var hour = 0
  var minute = 0
  var second = 0
  var microsecond = 0
  /// Days since 1970; nil for an interval, which has no calendar.
  var days: Int?
  /// Seconds east, and the zone's short name; nil without zone.
  var zone: (offset: Int, name: String)?

  /// A local time.
  init(local seconds: Int, nanoseconds: Int, zone: (offset: Int, name: String)?) {
    let days = floorDivide(seconds, 86_400)
    let date = CivilDate(days: days)
    let inDay = seconds - days * 86_400
    (year, month, day) = (date.year, date.month, date.day)
    (hour, minute, second) = (inDay / 3600, inDay / 60 % 60, inDay % 60)
    microsecond = nanoseconds / 1000
    self.days = days
    self.zone = zone
  }

  init(_ interval: Interval) {
    (year, month, day) = (Int(interval.months) / 12, Int(interval.months) % 12, Int(interval.days))
    let seconds = Int(interval.microseconds / 1_000_000)
    (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60)
    microsecond = Int(interval.microseconds % 1_000_000)
  }
}

extension DateFormat {
  /// Throws 22007 for a field that an interval does not have.
  func string(_ fields: DateFields) throws -> String {
    var out = ""
    for item in items {
      switch item.kind {
      case .text(let text): out += text
      case .separator(let scalar): out.unicodeScalars.append(scalar)
      case .field(let field, let isLower):
        var text = try DateFormat.text(field, isLower: isLower, item.isFilled, fields)
        if let upper = item.ordinal, field.isDigits { text += NumberFormat.ordinal(Array(text.utf8), upper: upper) }
        out += text
      }
    }
    return out
  }

  private static func number(_ value: Int, _ width: Int, _ isFilled: Bool) -> String {
    let digits = String(value.magnitude)
    let padding = isFilled ? 0 : max(width - digits.utf8.count, 0)
    return (value < 0 ? "-" : "") + String(repeating: "0", count: padding) + digits
  }

  private static func cased(_ name: String, _ field: Field, isLower: Bool) -> String {
    let first = field.rawValue.unicodeScalars.dropFirst().first
    if isLower || field.rawValue.unicodeScalars.first?.properties.isLowercase == true { return name.lowercased() }
    return first?.properties.isUppercase == true ? name.uppercased() : name
  }

  private static func text(_ field: Field, isLower: Bool, _ isFilled: Bool, _ f: DateFields) throws -> String {
    func padded(_ name: String) -> String {
      isFilled ? name : name + String(repeating: " ", count: max(9 - name.utf8.count, 0))
    }
    func calendar() throws -> Int {
      guard let days = f.days else {
        throw SQLError.make(
          "22007", "invalid format specification for an interval value",
          hint: "Intervals are not tied to specific calendar dates.")
      }
      return days
    }
    /// The last digits of a year, which before Christ count from 1 BC.
    func year(_ value: Int, _ width: Int, _ modulus: Int?) -> String {
      let shown = f.days == nil || value > 0 ? value : 1 - value
      return number(modulus.map { shown % $0 } ?? shown, width, isFilled)
    }
    func half(_ am: String, _ pm: String) -> String {
      let word = f.hour % 24 >= 12 ? pm : am
      return isLower ? word.lowercased() : word
    }
    func era(_ after: String, _ before: String) throws -> String {
      _ = try calendar()
      let word = f.year <= 0 ? before : after
      return isLower ? word.lowercased() : word
    }
    /// Negative parts of an interval have a sign more; of days it counts as one of the digits.
    func part(_ value: Int, _ width: Int = 2) -> String { number(value, width, isFilled) }
    func signed(_ value: Int, _ width: Int) -> String { number(value, value < 0 ? width - 1 : width, isFilled) }
    switch field {
    case .AM, .PM: return half("AM", "PM")
    case .AMDots, .PMDots: return half("A.M.", "P.M.")
    case .AD, .BC: return try era("AD", "BC")
    case .ADDots, .BCDots: return try era("A.D.", "B.C.")
    case .HH24: return part(f.hour)
    case .HH12, .HH:
      let hour = f.hour % 12
      return part(hour == 0 ? 12 : hour)
    case .MI: return part(f.minute)
    case .SS: return part(f.second)
    case .MS: return number(f.microsecond / 1000, 3, false)
    case .US: return number(f.microsecond, 6, false)
    case .FF1, .FF2, .FF3, .FF4, .FF5, .FF6:
      let count = Int(field.rawValue.utf8.last ?? 0x36) - 0x30
      var value = f.microsecond
      for _ in count..<6 { value /= 10 }
      return number(value, count, false)
    case .SSSS, .SSSSS: return String(f.hour * 3600 + f.minute * 60 + f.second)
    case .TZ, .TZH, .TZM, .OF:
      _ = try calendar()
      guard let zone = f.zone else { return field == .TZ ? "" : (field == .TZM ? "00" : "+00") }
      let magnitude = abs(zone.offset)
      let hours = (zone.offset < 0 ? "-" : "+") + number(magnitude / 3600, 2, field == .OF && isFilled)
      let minutes = number(magnitude / 60 % 60, 2, false)
      switch field {
      case .TZ: return isLower ? zone.name.lowercased() : zone.name
      case .TZH: return hours
      case .TZM: return minutes
      default: return magnitude / 60 % 60 == 0 ? hours : hours + ":" + minutes
      }
    case .MONTH, .Month, .month:
      _ = try calendar()
      return padded(cased(monthNames[f.month - 1], field, isLower: isLower))
    case .MON, .Mon, .mon:
      _ = try calendar()
      return cased(String(monthNames[f.month - 1].prefix(3)), field, isLower: isLower)
    case .MM: return part(f.month)
    case .DAY, .Day, .day:
      return padded(cased(dayNames[CivilDate.weekday(days: try calendar())], field, isLower: isLower))
    case .DY, .Dy, .dy:
      let name = dayNames[CivilDate.weekday(days: try calendar())].prefix(3)
      return cased(String(name), field, isLower: isLower)
    case .DDD:
      // Of an interval: its days, with months of 30.
      if f.days == nil { return signed((f.year * 12 + f.month) * 30 + f.day, 3) }
      return number(try dayOfYear(f, calendar()), 3, isFilled)
    case .IDDD:
      let days = try calendar()
      let (isoYear, _) = CivilDate.isoWeek(days: days)
      let fourth = CivilDate(year: isoYear, month: 1, day: 4).days
      return number(days - (fourth - floorModulo(fourth + 3, 7)) + 1, 3, isFilled)
    case .DD: return signed(f.day, 2)
    case .D: return String(CivilDate.weekday(days: try calendar()) + 1)
    case .ID:
      let weekday = CivilDate.weekday(days: try calendar())
      return String(weekday == 0 ? 7 : weekday)
    case .WW: return number((try dayOfYear(f, calendar()) - 1) / 7 + 1, 2, isFilled)
    case .W:
      _ = try calendar()
      return String((f.day - 1) / 7 + 1)
    case .IW: return number(CivilDate.isoWeek(days: try calendar()).week, 2, isFilled)
    case .Q: return f.month == 0 ? "" : String((f.month - 1) / 3 + 1)
    case .CC:
      // Years before Christ count downwards; the year 2000 is the last of the twentieth century.
      if f.days == nil { return number(f.year / 100, 2, isFilled) }
      return number(f.year > 0 ? (f.year - 1) / 100 + 1 : f.year / 100 - 1, 2, isFilled)
    case .YYYYComma:
      let shown = f.days == nil || f.year > 0 ? f.year : 1 - f.year
      return String(shown / 1000) + "," + number(shown % 1000, 3, false)
    case .YYYY: return year(f.year, 4, nil)
    case .YYY: return year(f.year, 3, 1000)
    case .YY: return year(f.year, 2, 100)
    case .Y: return year(f.year, 1, 10)
    case .IYYY: return year(CivilDate.isoWeek(days: try calendar()).year, 4, nil)
    case .IYY: return year(CivilDate.isoWeek(days: try calendar()).year, 3, 1000)
    case .IY: return year(CivilDate.isoWeek(days: try calendar()).year, 2, 100)
    case .I: return year(CivilDate.isoWeek(days: try calendar()).year, 1, 10)
    case .RM:
      if f.month == 0 && f.year == 0 { return "" }
      let place = f.month == 0 ? 11 : (f.month > 0 ? f.month - 1 : 12 + f.month - 1)
      let name = isLower ? romanMonths[place].lowercased() : romanMonths[place]
      return isFilled ? name : name + String(repeating: " ", count: 4 - name.utf8.count)
    case .J: return String(try calendar() + 2_440_588)
    }
  }

  private static func dayOfYear(_ f: DateFields, _ days: Int) -> Int {
    days - CivilDate(year: f.year, month: 1, day: 1).days + 1
  }
}
