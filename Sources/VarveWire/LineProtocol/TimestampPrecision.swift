import VarveCore

/// The unit of line protocol's time stamps.
package enum TimestampPrecision: Sendable, CaseIterable {
  case nanoseconds, microseconds, milliseconds, seconds, minutes, hours

  /// The names that clients of the two HTTP interfaces use: `ns n us u µ ms s m h`; nil for any other.
  package init?(name: String) {
    switch name {
    case "ns", "n": self = .nanoseconds
    case "us", "u", "µ", "µs", "μ", "μs": self = .microseconds
    case "ms": self = .milliseconds
    case "s": self = .seconds
    case "m": self = .minutes
    case "h": self = .hours
    default: return nil
    }
  }

  package static let names = "ns, n, us, u, µ, ms, s, m, h"

  package var nanoseconds: Int64 {
    switch self {
    case .nanoseconds: 1
    case .microseconds: 1_000
    case .milliseconds: 1_000_000
    case .seconds: 1_000_000_000
    case .minutes: 60_000_000_000
    case .hours: 3_600_000_000_000
    }
  }

  /// `time` rounded down to this unit; saturates at the first representable unit.
  package func floor(_ time: Int64) -> Int64 {
    let unit = nanoseconds
    let remainder = time % unit
    if remainder == 0 { return time }
    let (floored, overflow) = time.subtractingReportingOverflow(remainder < 0 ? remainder + unit : remainder)
    return overflow ? time - remainder : floored
  }
}
