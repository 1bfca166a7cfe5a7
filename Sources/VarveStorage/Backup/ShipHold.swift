// Log that is kept because it is yet to be sent to where backups are: segments that nothing else needs, behind what was
// sent, as far as they take no more than a bound. Nothing on disk says so; segments that lead to the log are found again
// by the next open, which keeps them as long as a hold may want them.
//
// The database comes first: what is beyond the bound goes, and so does all of it where a write finds no room. Whoever
// sends finds the gap by itself, since commits are numbered.

import Synchronization
import VarveCore
import VarveFormat

final class ShipHold: Sendable {
  private struct State {
    /// All before it was sent; zero: that is not known yet.
    var shipped = LogPosition.zero
    /// For telling of it once.
    var isBeyondBound = false
  }
  private let state = Mutex(State())
  /// 0: nothing is shipped, and nothing kept.
  private let byteLimit: Int

  init(byteLimit: Int) { self.byteLimit = byteLimit }

  func shipped(to position: LogPosition) {
    state.withLock {
      $0.shipped = position
      $0.isBeyondBound = false
    }
  }

  /// Bytes of the newest of these segments that have to stay. `isNews`: not all can that should, for the first time since
  /// something was sent.
  func keptByteCount(of segments: [WriteAheadLog.Used]) -> (byteCount: Int, isNews: Bool) {
    guard byteLimit > 0 else { return (0, false) }
    return state.withLock { state in
      let shipped = state.shipped
      let wanted = segments.lazy.filter { $0.end > shipped }.reduce(0) { $0 + $1.byteCount }
      guard wanted > byteLimit else { return (wanted, false) }
      defer { state.isBeyondBound = true }
      return (byteLimit, !state.isBeyondBound)
    }
  }
}
