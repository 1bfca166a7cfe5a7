// The kinds of values that settings take, and their texts: the same in a flag, a variable and the file.

/// Where a listener listens.
package struct ListenAddress: Sendable, Equatable, CustomStringConvertible {
  package var host: String
  /// 0: a free one.
  package var port: Int

  package init(host: String, port: Int) {
    self.host = host
    self.port = port
  }

  /// `HOST:PORT`, `[::1]:PORT`; nil if it is not.
  package init?(_ text: String) {
    guard let colon = text.lastIndex(of: ":") else { return nil }
    let digits = text[text.index(after: colon)...]
    guard !digits.isEmpty, digits.utf8.allSatisfy({ (48...57).contains($0) }), let port = UInt16(digits) else {
      return nil
    }
    var host = text[..<colon]
    if host.hasPrefix("[") && host.hasSuffix("]") {
      host = host.dropFirst().dropLast()
    } else if host.contains(":") {
      return nil
    }
    guard !host.isEmpty else { return nil }
    self.init(host: String(host), port: Int(port))
  }

  package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

  /// Reached by this machine only.
  package var isLoopback: Bool {
    if host == "localhost" || host == "::1" { return true }
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
  }
}

package enum SettingValue: Sendable, Equatable {
  case text(String)
  case address(ListenAddress)
  case sync(SyncSetting)
  case byteCount(Int)
  case duration(milliseconds: Int)
  case count(Int)
  case choice(String)
  case flag(Bool)
}

package enum SyncSetting: Sendable, Equatable {
  case always
  case interval(milliseconds: Int)
  case off
}

package enum SettingKind: Sendable, Equatable {
  case text
  /// Empty: none.
  case textOrNone
  case address
  case sync
  case byteCount(minimum: Int)
  case duration
  /// A duration, or the choice `off`.
  case durationOrOff
  case count(ClosedRange<Int>)
  /// How many, for how long, or the choice `all`.
  case countOrDurationOrAll
  case choice([String])
  case flag

  /// Why a text is not a value of a setting.
  package struct Refusal: Error, Equatable { package let reason: String }

  package func value(of text: String) -> Result<SettingValue, Refusal> {
    func refuse(_ reason: String) -> Result<SettingValue, Refusal> { .failure(Refusal(reason: reason)) }
    switch self {
    case .text: return text.isEmpty ? refuse("must not be empty") : .success(.text(text))
    case .textOrNone: return .success(.text(text))
    case .address:
      guard let address = ListenAddress(text) else {
        return refuse("must be HOST:PORT, such as 127.0.0.1:9009 or [::1]:9009")
      }
      return .success(.address(address))
    case .sync:
      if text == "always" { return .success(.sync(.always)) }
      if text == "off" { return .success(.sync(.off)) }
      if text.hasPrefix("interval="), let milliseconds = Int(text.dropFirst(9)), (1...60_000).contains(milliseconds) {
        return .success(.sync(.interval(milliseconds: milliseconds)))
      }
      return refuse("must be always, off, or interval=MS with 1 to 60000 milliseconds")
    case .byteCount(let minimum):
      guard let count = Self.byteCount(text) else {
        return refuse("must be a number of bytes, such as 67108864, 64MB or 4GB (units are powers of 1024)")
      }
      return count >= minimum
        ? .success(.byteCount(count)) : refuse("must be at least \(Self.text(byteCount: minimum))")
    case .duration:
      guard let milliseconds = Self.milliseconds(text) else {
        return refuse("must be a duration with its unit, such as 500ms, 90s, 15m, 24h or 1d")
      }
      return milliseconds <= Self.longestMilliseconds
        ? .success(.duration(milliseconds: milliseconds)) : refuse("must be at most \(Self.longestDays)d")
    case .durationOrOff: return text == "off" ? .success(.choice(text)) : SettingKind.duration.value(of: text)
    case .countOrDurationOrAll:
      if text == "all" { return .success(.choice(text)) }
      if let count = Int(text) { return count >= 1 ? .success(.count(count)) : refuse("must be at least 1") }
      return SettingKind.duration.value(of: text)
    case .count(let range):
      guard let count = Int(text), range.contains(count) else {
        return refuse("must be a whole number from \(range.lowerBound) to \(range.upperBound)")
      }
      return .success(.count(count))
    case .choice(let choices):
      return choices.contains(text)
        ? .success(.choice(text)) : refuse("must be one of \(choices.joined(separator: ", "))")
    case .flag:
      switch text {
      case "true", "1", "yes", "on": return .success(.flag(true))
      case "false", "0", "no", "off": return .success(.flag(false))
      default: return refuse("must be true or false")
      }
    }
  }

  private static let byteUnits = [
    "b": 0, "": 0, "k": 10, "kb": 10, "kib": 10, "m": 20, "mb": 20, "mib": 20, "g": 30, "gb": 30, "gib": 30, "t": 40,
    "tb": 40, "tib": 40,
  ]

  private static func byteCount(_ text: String) -> Int? {
    guard let (number, unit) = split(text), let shift = byteUnits[unit.lowercased()] else { return nil }
    let (product, overflow) = number.multipliedReportingOverflow(by: 1 << shift)
    return overflow ? nil : product
  }

  private static let durationUnits = [
    "ms": 1, "s": 1000, "second": 1000, "seconds": 1000, "m": 60_000, "min": 60_000, "minute": 60_000,
    "minutes": 60_000, "h": 3_600_000, "hour": 3_600_000, "hours": 3_600_000, "d": 86_400_000, "day": 86_400_000,
    "days": 86_400_000,
  ]

  // In whole days, what a word of nanoseconds holds: 292 years.
  private static let longestDays = Int(Int64.max / 86_400_000_000_000)
  private static let longestMilliseconds = longestDays * 86_400_000

  /// `Int.max` for what is more.
  private static func milliseconds(_ text: String) -> Int? {
    guard let (number, unit) = split(text), let factor = durationUnits[unit] else { return nil }
    let (product, overflow) = number.multipliedReportingOverflow(by: factor)
    return overflow ? .max : product
  }

  private static func split(_ text: String) -> (Int, String)? {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    guard let number = Int(digits) else { return nil }
    return (number, String(text.dropFirst(digits.count).drop { $0 == " " }))
  }

  static func text(byteCount: Int) -> String {
    for (unit, shift) in [("GB", 30), ("MB", 20), ("kB", 10)]
    where byteCount >= 1 << shift && byteCount % (1 << shift) == 0 {
      return "\(byteCount >> shift)\(unit)"
    }
    return String(byteCount)
  }
}

extension SettingValue {
  /// As `SettingKind.value(of:)` reads it.
  package var text: String {
    switch self {
    case .text(let text), .choice(let text): return text
    case .address(let address): return address.description
    case .sync(.always): return "always"
    case .sync(.off): return "off"
    case .sync(.interval(let milliseconds)): return "interval=\(milliseconds)"
    case .byteCount(let count): return SettingKind.text(byteCount: count)
    case .duration(let milliseconds):
      for (unit, factor) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)]
      where milliseconds >= factor && milliseconds % factor == 0 {
        return "\(milliseconds / factor)\(unit)"
      }
      return "\(milliseconds)ms"
    case .count(let count): return String(count)
    case .flag(let flag): return flag ? "true" : "false"
    }
  }

  /// As a value of TOML.
  package var toml: String {
    switch self {
    case .count, .flag: return text
    default:
      var quoted = "\""
      for scalar in text.unicodeScalars {
        switch scalar {
        case "\"": quoted += "\\\""
        case "\\": quoted += "\\\\"
        case "\n": quoted += "\\n"
        case "\t": quoted += "\\t"
        case _ where scalar.value < 0x20 || scalar.value == 0x7F:
          let digits = String(scalar.value, radix: 16)
          quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        default: quoted.unicodeScalars.append(scalar)
        }
      }
      return quoted + "\""
    }
  }
}
