// A POSIX TZ string: `CET-1CEST,M3.5.0,M10.5.0/3`, `<+05>-5`. Offsets in the text count west of Greenwich; here,
// as everywhere else, seconds east. Total: text that is no rule gives nil.

struct PosixZoneRule: Sendable, Equatable {
  struct Change: Sendable, Equatable {
    enum Day: Sendable, Equatable {
      /// 1...365, 29 February never counted.
      case julian(Int)
      /// 0...365, 29 February counted.
      case zeroBased(Int)
      /// Month, week (5: the last), weekday (0: Sunday).
      case weekday(month: Int, week: Int, day: Int)
    }
    var day: Day
    /// Seconds after local midnight; may be negative or beyond a day.
    var time: Int

    /// Seconds since 1970 of the change by the local clock.
    func localSecond(year: Int) -> Int {
      let first = CivilDate(year: year, month: 1, day: 1).days
      let days: Int
      switch day {
      case .julian(let n): days = first + n - 1 + (CivilDate.isLeap(year) && n >= 60 ? 1 : 0)
      case .zeroBased(let n): days = first + n
      case .weekday(let month, let week, let weekday):
        let start = CivilDate(year: year, month: month, day: 1).days
        var result = start + floorModulo(weekday - CivilDate.weekday(days: start), 7) + (week - 1) * 7
        if result >= start + CivilDate.dayCount(year: year, month: month) { result -= 7 }
        days = result
      }
      return days * 86_400 + time
    }
  }
  struct Daylight: Sendable, Equatable {
    var offset: Int
    var start: Change
    var end: Change
  }

  var standardOffset: Int
  var daylight: Daylight?
  /// Abbreviations.
  var standardName: String
  var daylightName = ""

  func segment(at second: Int) -> TimeZone.Segment {
    guard let daylight else { return TimeZone.Segment(from: Int.min, until: Int.max, offset: standardOffset) }
    // Beyond any timestamp the rule would only overflow.
    guard abs(second / 86_400) < 1 << 36 else {
      return TimeZone.Segment(from: Int.min, until: Int.max, offset: standardOffset)
    }
    let year = CivilDate(days: floorDivide(second, 86_400)).year
    var changes: [(at: Int, offset: Int)] = []
    for y in (year - 1)...(year + 1) {
      changes.append((daylight.start.localSecond(year: y) - standardOffset, daylight.offset))
      changes.append((daylight.end.localSecond(year: y) - daylight.offset, standardOffset))
    }
    changes.sort { $0.at < $1.at }
    var from = Int.min
    var offset = standardOffset
    for change in changes {
      if change.at > second { return TimeZone.Segment(from: from, until: change.at, offset: offset) }
      from = change.at
      offset = change.offset
    }
    return TimeZone.Segment(from: from, until: from + 86_400, offset: offset)
  }

  init?(_ text: [UInt8]) {
    var i = 0
    func peek() -> UInt8? { i < text.count ? text[i] : nil }
    func name() -> String? {
      let start = i
      if peek() == UInt8(ascii: "<") {
        while let c = peek(), c != UInt8(ascii: ">") { i += 1 }
        guard peek() != nil else { return nil }
        i += 1
        return String(decoding: text[(start + 1)..<(i - 1)], as: UTF8.self)
      }
      while let c = peek(), (c | 0x20) >= UInt8(ascii: "a"), (c | 0x20) <= UInt8(ascii: "z") { i += 1 }
      return i - start >= 3 ? String(decoding: text[start..<i], as: UTF8.self) : nil
    }
    func number(max: Int) -> Int? {
      var value = 0
      let start = i
      while let c = peek(), c >= 0x30, c <= 0x39, i - start < 4 {
        value = value * 10 + Int(c - 0x30)
        i += 1
      }
      return i > start && value <= max ? value : nil
    }
    func time() -> Int? {
      var sign = 1
      if peek() == UInt8(ascii: "-") {
        sign = -1
        i += 1
      } else if peek() == UInt8(ascii: "+") {
        i += 1
      }
      guard let hours = number(max: 167) else { return nil }
      var seconds = hours * 3600
      if peek() == UInt8(ascii: ":") {
        i += 1
        guard let minutes = number(max: 59) else { return nil }
        seconds += minutes * 60
        if peek() == UInt8(ascii: ":") {
          i += 1
          guard let extra = number(max: 60) else { return nil }
          seconds += extra
        }
      }
      return sign * seconds
    }
    func change() -> Change? {
      guard peek() == UInt8(ascii: ",") else { return nil }
      i += 1
      let day: Change.Day
      switch peek() {
      case UInt8(ascii: "J"):
        i += 1
        guard let n = number(max: 365), n >= 1 else { return nil }
        day = .julian(n)
      case UInt8(ascii: "M"):
        i += 1
        guard let month = number(max: 12), month >= 1, peek() == UInt8(ascii: ".") else { return nil }
        i += 1
        guard let week = number(max: 5), week >= 1, peek() == UInt8(ascii: ".") else { return nil }
        i += 1
        guard let weekday = number(max: 6) else { return nil }
        day = .weekday(month: month, week: week, day: weekday)
      default:
        guard let n = number(max: 365) else { return nil }
        day = .zeroBased(n)
      }
      guard peek() == UInt8(ascii: "/") else { return Change(day: day, time: 7200) }
      i += 1
      guard let seconds = time() else { return nil }
      return Change(day: day, time: seconds)
    }
    guard let standard = name(), let west = time() else { return nil }
    standardName = standard
    standardOffset = -west
    if i == text.count { return }
    guard let summer = name() else { return nil }
    daylightName = summer
    var offset = standardOffset + 3600
    if let c = peek(), c != UInt8(ascii: ",") {
      guard let west = time() else { return nil }
      offset = -west
    }
    // Without rules POSIX leaves the dates open; the United States' are the custom.
    var start = Change(day: .weekday(month: 3, week: 2, day: 0), time: 7200)
    var end = Change(day: .weekday(month: 11, week: 1, day: 0), time: 7200)
    if i < text.count {
      guard let first = change(), let second = change() else { return nil }
      start = first
      end = second
    }
    guard i == text.count else { return nil }
    daylight = Daylight(offset: offset, start: start, end: end)
  }
}
