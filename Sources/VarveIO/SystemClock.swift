import Glibc

/// The system's clocks.
package struct SystemClock: Clock {
  package init() {}
  package func wallNanoseconds() -> Int64 { Self.read(CLOCK_REALTIME) }
  package func monotonicNanoseconds() -> Int64 { Self.read(CLOCK_MONOTONIC) }

  private static func read(_ id: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(id, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}
