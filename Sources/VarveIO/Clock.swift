// Time is injected: the engine asks a `Clock`, never the system, so that a simulator can drive it.

/// Wall time for stamps and ages people see, monotonic time for durations.
package protocol Clock: Sendable {
  /// Nanoseconds since 1970-01-01T00:00:00Z; may jump either way.
  func wallNanoseconds() -> Int64
  /// Nanoseconds from some fixed point; never goes back.
  func monotonicNanoseconds() -> Int64
}
