// When a request is tried again, and after which pause: exponential back-off with jitter, longer where the store says
// that it has too much to do.

import VarveCore
import VarveIO

package struct RetryPolicy: Sendable {
  package var attempts = Limits.objectAttempts
  package var firstPauseMilliseconds = Limits.objectFirstPauseMilliseconds
  package var longestPauseMilliseconds = Limits.objectLongestPauseMilliseconds
  /// From 0 to 1.
  package var chance: @Sendable () -> Double = { Double.random(in: 0...1) }
  /// Blocks the thread.
  package var pause: @Sendable (_ milliseconds: Int) -> Void = { milliseconds in
    let gate = Gate(())
    _ = gate.wait(milliseconds: milliseconds) { _ in nil as Void? }
  }

  package init() {}

  /// Behind the `attempt`th try, from 1: between half of the whole and the whole.
  package func pauseMilliseconds(after attempt: Int, isThrottled: Bool) -> Int {
    let first = isThrottled ? 5 * firstPauseMilliseconds : firstPauseMilliseconds
    let whole = min(longestPauseMilliseconds, first << min(attempt - 1, 16))
    return whole / 2 + Int(Double(whole - whole / 2) * chance())
  }
}
