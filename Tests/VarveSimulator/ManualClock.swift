import Synchronization
import VarveIO

/// A clock that moves when it is told to.
package final class ManualClock: Clock {
  private let state: Mutex<(wall: Int64, monotonic: Int64)>
  package init(wall: Int64 = 1_700_000_000_000_000_000) { state = Mutex((wall, 0)) }
  package func wallNanoseconds() -> Int64 { state.withLock { $0.wall } }
  package func monotonicNanoseconds() -> Int64 { state.withLock { $0.monotonic } }
  package func advance(nanoseconds: Int64) {
    state.withLock { state in
      state.wall += nanoseconds
      state.monotonic += nanoseconds
    }
  }
  package func set(wall: Int64) { state.withLock { $0.wall = wall } }
}
