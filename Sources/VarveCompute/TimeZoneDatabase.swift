// Zones by name. Reading files is I/O, so the bytes come from a loader that a layer above gives; parsed zones are
// kept. UTC, fixed offsets, POSIX strings and the usual abbreviations need no files.

import Synchronization
import VarveCore

package final class TimeZoneDatabase: Sendable {
  /// The TZif bytes of an IANA name (`Europe/Berlin`), already checked to be a plain relative path; nil: unknown.
  package typealias Loader = @Sendable (_ name: String) -> [UInt8]?

  private let loader: Loader
  private let cache = Mutex<[String: TimeZone]>([:])
  private let unknown = Mutex<Set<String>>([])
  /// Names come from users: a bound on what they can make us keep.
  private static let keptNames = 2048

  package init(loader: @escaping Loader) { self.loader = loader }

  /// Only what needs no files.
  package static let builtIn = TimeZoneDatabase { _ in nil }

  /// The zone of a setting or function argument. Plain offsets (`+02`, `-05:30`) count east as ISO 8601 has it,
  /// unless `posixSign`: AT TIME ZONE '+02' is two hours west, as in PostgreSQL. Throws 22023.
  package func zone(named name: String, posixSign: Bool = false) throws -> TimeZone {
    let key = posixSign ? "posix:" + name : name
    if let known = cache.withLock({ $0[key] }) { return known }
    guard let zone = load(name, posixSign: posixSign) else { throw SQLError.unknownZone(name) }
    cache.withLock {
      if $0.count >= Self.keptNames { $0.removeAll() }
      $0[key] = zone
    }
    return zone
  }

  /// The zone, if there is one of this name. Asked of any text, most of which are none: that is remembered too.
  package func known(_ name: String) -> TimeZone? {
    if unknown.withLock({ $0.contains(name) }) { return nil }
    // What it throws is that there is none.
    if let zone = try? zone(named: name) { return zone }
    unknown.withLock {
      if $0.count >= Self.keptNames { $0.removeAll() }
      $0.insert(name)
    }
    return nil
  }

  private func load(_ name: String, posixSign: Bool) -> TimeZone? {
    let bytes = Array(name.utf8)
    guard !bytes.isEmpty, bytes.count <= 64 else { return nil }
    let lower = name.lowercased()
    switch lower {
    case "utc", "gmt", "z", "zulu", "etc/utc", "etc/gmt", "uct", "etc/uct", "universal", "greenwich":
      return TimeZone(name: lower == "z" ? "UTC" : name, fixedOffset: 0)
    default: break
    }
    if let seconds = Self.fixedOffset(bytes) {
      return TimeZone(name: name, fixedOffset: posixSign ? -seconds : seconds)
    }
    if Self.isPlainPath(bytes) {
      if let data = loader(name), let zone = TimeZone(name: name, tzif: data) { return zone }
      // PostgreSQL takes names of any case.
      let titled = Self.titleCase(bytes)
      if titled != name, let data = loader(titled), let zone = TimeZone(name: titled, tzif: data) { return zone }
    }
    if let seconds = Self.abbreviations[lower] { return TimeZone(name: name, fixedOffset: seconds) }
    if let rule = PosixZoneRule(bytes) {
      return TimeZone(name: name, transitions: [], offsets: [rule.standardOffset], rule: rule)
    }
    return nil
  }

  private static func isPlainPath(_ bytes: [UInt8]) -> Bool {
    guard bytes[0] != UInt8(ascii: "/"), bytes[0] != UInt8(ascii: ".") else { return false }
    return bytes.allSatisfy { c in
      switch c {
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "/"), UInt8(ascii: "_"), UInt8(ascii: "-"),
        UInt8(ascii: "+"):
        true
      default: false
      }
    }
  }

  private static func titleCase(_ bytes: [UInt8]) -> String {
    var start = true
    let result = bytes.map { c -> UInt8 in
      defer { start = !((c | 0x20) >= UInt8(ascii: "a") && (c | 0x20) <= UInt8(ascii: "z")) }
      if c >= 0x61 && c <= 0x7A && start { return c - 0x20 }
      if c >= 0x41 && c <= 0x5A && !start { return c + 0x20 }
      return c
    }
    return String(decoding: result, as: UTF8.self)
  }

  /// `+02`, `-0530`, `+05:30`, `+05:30:15`: seconds east by ISO 8601's sign. nil: no such text.
  static func fixedOffset(_ bytes: [UInt8]) -> Int? {
    guard let sign = bytes.first, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") else { return nil }
    var parts: [Int] = []
    var digits: [UInt8] = []
    func push() -> Bool {
      guard digits.count == 1 || digits.count == 2 else {
        if digits.count == 4 || digits.count == 6, parts.isEmpty {
          for i in stride(from: 0, to: digits.count, by: 2) {
            parts.append(Int(digits[i] - 0x30) * 10 + Int(digits[i + 1] - 0x30))
          }
          digits = []
          return true
        }
        return false
      }
      parts.append(digits.reduce(0) { $0 * 10 + Int($1 - 0x30) })
      digits = []
      return true
    }
    for c in bytes.dropFirst() {
      if c >= 0x30 && c <= 0x39 {
        digits.append(c)
      } else if c == UInt8(ascii: ":") {
        guard push() else { return nil }
      } else {
        return nil
      }
    }
    guard push(), parts.count <= 3, parts[0] <= 15, parts.dropFirst().allSatisfy({ $0 < 60 }) else { return nil }
    let seconds = parts[0] * 3600 + (parts.count > 1 ? parts[1] * 60 : 0) + (parts.count > 2 ? parts[2] : 0)
    return sign == UInt8(ascii: "-") ? -seconds : seconds
  }

  /// Fixed meanings of abbreviations, PostgreSQL's Default set in part.
  static let abbreviations: [String: Int] = [
    "est": -18_000, "edt": -14_400, "cst": -21_600, "cdt": -18_000, "mst": -25_200, "mdt": -21_600, "pst": -28_800,
    "pdt": -25_200, "akst": -32_400, "akdt": -28_800, "hst": -36_000, "ast": -14_400, "adt": -10_800, "nst": -12_600,
    "ndt": -9_000, "wet": 0, "west": 3_600, "bst": 3_600, "cet": 3_600, "cest": 7_200, "met": 3_600, "mest": 7_200,
    "eet": 7_200, "eest": 10_800, "msk": 10_800, "msd": 14_400, "sast": 7_200, "ist": 7_200, "jst": 32_400,
    "kst": 32_400, "aest": 36_000, "aedt": 39_600, "acst": 34_200, "acdt": 37_800, "awst": 28_800, "nzst": 43_200,
    "nzdt": 46_800,
  ]
}
