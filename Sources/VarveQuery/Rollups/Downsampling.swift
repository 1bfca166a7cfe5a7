// Downsampling as one call says it: {"raw": "30 days", "1 minute": "1 year", "1 hour": "forever"}. Each member but raw is a
// rollup of buckets that wide, made from the one below it and kept so long.

import VarveCompute
import VarveCore

struct Downsampling {
  struct Level {
    let bucket: Interval
    /// As the rollup's name ends: `1_minute`.
    let suffix: String
    /// nil: for ever.
    let dropAfter: Interval?
  }
  let rawDropAfter: Interval?
  /// From fine to coarse; not empty.
  let levels: [Level]

  /// Throws 22023 for what could not be kept, or would be no use.
  init(_ json: String, at now: Int64) throws {
    guard let members = try JSONFunctions.textMembers(json) else {
      throw Self.wrong("levels are an object of texts", Self.example)
    }
    var raw: Interval?
    var levels: [Level] = []
    for (key, value) in members {
      let dropAfter = try value.flatMap { try Self.age($0) }
      if key.lowercased() == "raw" {
        raw = dropAfter
      } else {
        let bucket = try Self.interval(key)
        guard let suffix = Self.suffix(bucket) else {
          throw Self.wrong("\"\(key)\" is no width of buckets", "A width is so many of one unit: 15 minutes, 1 day.")
        }
        levels.append(Level(bucket: bucket, suffix: suffix, dropAfter: dropAfter))
      }
    }
    func length(_ interval: Interval) throws -> Int64 { now - (try interval.before(now)) }
    let widths = try levels.map { try length($0.bucket) }
    self.levels = zip(levels, widths).sorted { $0.1 < $1.1 }.map(\.0)
    rawDropAfter = raw
    guard !levels.isEmpty else { throw Self.wrong("there is no level beside raw", Self.example) }
    try checkBuckets()
    try checkAges(length)
  }

  /// Whether a rollup of that name can come from a call for that table.
  static func isName(_ name: String, of table: String) -> Bool {
    guard name.hasPrefix(table + "_") else { return false }
    let parts = name.dropFirst(table.count + 1).split(separator: "_", omittingEmptySubsequences: false)
    return parts.count == 2 && Int(parts[0]) != nil && units.contains { parts[1] == $0 || parts[1] == $0 + "s" }
  }

  private static let units = ["second", "minute", "hour", "day", "month", "year"]
  private static let example = #"Write '{"raw": "30 days", "1 minute": "1 year", "1 hour": "forever"}'."#

  // MARK: Reading

  private static func wrong(_ message: String, _ hint: String) -> VarveError {
    SQLError.make("22023", message, hint: hint)
  }

  private static func interval(_ text: String) throws -> Interval {
    guard case .interval(let interval) = try TypeText.parse(text, as: .interval, context: EvaluationContext(now: 0))
    else { preconditionFailure("the text of an interval is one") }
    return interval
  }

  private static func age(_ text: String) throws -> Interval? {
    if ["forever", "for ever", "infinity"].contains(text.lowercased()) { return nil }
    return try interval(text)
  }

  /// nil for what is not positive, finer than a second, or of several units.
  private static func suffix(_ width: Interval) -> String? {
    func named(_ count: Int64, _ unit: String) -> String { count == 1 ? "1_\(unit)" : "\(count)_\(unit)s" }
    switch (Int64(width.months), Int64(width.days), width.microseconds) {
    case (1..., 0, 0):
      let months = Int64(width.months)
      return months % 12 == 0 ? named(months / 12, "year") : named(months, "month")
    case (0, 1..., 0): return named(Int64(width.days), "day")
    case (0, 0, 1...):
      for (unit, length) in [("hour", 3_600_000_000), ("minute", 60_000_000), ("second", 1_000_000)]
        as [(String, Int64)]
      where width.microseconds % length == 0 { return named(width.microseconds / length, unit) }
      return nil
    default: return nil
    }
  }

  // MARK: Checks

  private func checkBuckets() throws {
    for (fine, coarse) in zip(levels, levels.dropFirst()) {
      let day: Int64 = 86_400_000_000_000
      let fits: Bool
      switch (fine.bucket.fixedNanoseconds, coarse.bucket.fixedNanoseconds) {
      case (let fine?, let coarse?): fits = fine < coarse && coarse % fine == 0
      case (let fine?, nil): fits = day % fine == 0
      case (nil, nil): fits = fine.bucket != coarse.bucket && coarse.bucket.months % fine.bucket.months == 0
      case (nil, _?): fits = false
      }
      guard fits else {
        throw Self.wrong(
          "buckets of \(Self.words(coarse)) are not made of buckets of \(Self.words(fine))",
          "Each width has to be a multiple of the one before; months are made of what divides a day.")
      }
    }
  }

  private func checkAges(_ length: (Interval) throws -> Int64) throws {
    let ages = [("raw", rawDropAfter)] + levels.map { (Self.words($0), $0.dropAfter) }
    for (place, (name, age)) in ages.enumerated() {
      guard let age else { continue }
      // What a level is made of has to stay until its bucket is over.
      let bucket = place < levels.count ? levels[place].bucket : levels[place - 1].bucket
      guard try length(age) >= length(bucket), try length(age) > 0 else {
        throw Self.wrong(
          "\(name) has to be kept for \(Self.words(bucket)) at least", "Buckets that wide are made of it, or are it.")
      }
      guard place > 0 else { continue }
      let (finer, finerAge) = ages[place - 1]
      guard let finerAge, try length(finerAge) < length(age) else {
        throw Self.wrong("\(name) has to be kept longer than \(finer)", "It is what stays of it.")
      }
    }
  }

  private static func words(_ level: Level) -> String { level.suffix.split(separator: "_").joined(separator: " ") }
  private static func words(_ width: Interval) -> String {
    (suffix(width) ?? "").split(separator: "_").joined(separator: " ")
  }
}
