// A time zone: offsets from UTC over time, from a TZif file (RFC 8536) or a POSIX TZ string.
//
// Transitions stand in the file up to some year; later ones follow from its footer's rule. Where a local time
// happens twice or never, PostgreSQL's choice holds: standard time's reading (DetermineTimeZoneOffset).

package final class TimeZone: Sendable {
  package let name: String
  /// Seconds since 1970 UTC, ascending.
  let transitions: [Int]
  /// Seconds east of UTC; `offsets[0]` before the first transition, `offsets[i + 1]` from transition i on.
  let offsets: [Int]
  let rule: PosixZoneRule?
  /// Abbreviations beside the offsets; none where they are not known.
  let abbreviations: [String]

  init(name: String, transitions: [Int], offsets: [Int], rule: PosixZoneRule?, abbreviations: [String] = []) {
    precondition(offsets.count == transitions.count + 1, "one offset more than transitions")
    precondition(abbreviations.isEmpty || abbreviations.count == offsets.count, "one abbreviation an offset")
    self.abbreviations = abbreviations
    self.name = name
    self.transitions = transitions
    self.offsets = offsets
    self.rule = rule
  }

  package convenience init(name: String, fixedOffset seconds: Int) {
    self.init(name: name, transitions: [], offsets: [seconds], rule: nil)
  }

  package static let utc = TimeZone(name: "UTC", fixedOffset: 0)

  /// The one offset, when it never changes.
  package var fixedOffset: Int? {
    guard transitions.isEmpty else { return nil }
    guard let rule else { return offsets[0] }
    return rule.daylight == nil ? rule.standardOffset : nil
  }

  /// A span of UTC seconds with one offset: [from, until).
  package struct Segment: Sendable {
    package var from: Int
    package var until: Int
    package var offset: Int
  }

  /// The segment that `second` is in.
  package func segment(at second: Int) -> Segment {
    if let last = transitions.last, second < last {
      // The first transition behind `second`.
      var low = 0
      var high = transitions.count
      while low < high {
        let middle = (low + high) / 2
        if transitions[middle] > second { high = middle } else { low = middle + 1 }
      }
      return Segment(from: low == 0 ? Int.min : transitions[low - 1], until: transitions[low], offset: offsets[low])
    }
    let start = transitions.last ?? Int.min
    guard let rule else { return Segment(from: start, until: Int.max, offset: offsets[offsets.count - 1]) }
    var segment = rule.segment(at: second)
    segment.from = max(segment.from, start)
    return segment
  }

  /// The zone's short name at a UTC second, `CET`; an offset where it has none.
  package func abbreviation(at second: Int) -> String {
    if let rule, second >= transitions.last ?? Int.min {
      return rule.daylight?.offset == segment(at: second).offset ? rule.daylightName : rule.standardName
    }
    if !abbreviations.isEmpty {
      return abbreviations[transitions.firstIndex { $0 > second } ?? abbreviations.count - 1]
    }
    let offset = offsets[0]
    if offset == 0 { return name.lowercased().contains("gmt") ? "GMT" : "UTC" }
    let minutes = abs(offset) / 60
    func two(_ value: Int) -> String { value < 10 ? "0\(value)" : String(value) }
    return (offset < 0 ? "-" : "+") + two(minutes / 60) + (minutes % 60 == 0 ? "" : ":" + two(minutes % 60))
  }

  /// Seconds east of UTC at a UTC second.
  package func offset(at second: Int) -> Int { segment(at: second).offset }

  /// The UTC second that a local one means.
  package func utc(fromLocal local: Int) -> Int {
    if let fixedOffset { return local - fixedOffset }
    let before = segment(at: local - 86_400)
    if before.until == Int.max { return local - before.offset }
    let after = segment(at: before.until)
    let early = local - before.offset
    let late = local - after.offset
    if early < before.until && late < before.until { return early }
    if early >= before.until && late >= before.until {
      // More than one change within a day is rare but real; look on from the second one.
      if late < after.until { return late }
      return local - offset(at: late)
    }
    return early > late ? early : late
  }

  /// Remembers the segment of the last look-up: neighbours mostly share it.
  package struct Cursor {
    let zone: TimeZone
    var segment: Segment
    package init(_ zone: TimeZone) {
      self.zone = zone
      segment = Segment(from: 0, until: 0, offset: 0)
    }
    @inline(__always)
    package mutating func offset(at second: Int) -> Int {
      if second >= segment.from && second < segment.until { return segment.offset }
      segment = zone.segment(at: second)
      return segment.offset
    }
  }
}
