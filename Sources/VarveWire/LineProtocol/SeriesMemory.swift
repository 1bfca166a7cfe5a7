// Memory in which connections remember the series they have sent: one amount for all of them.
//
// Each connection may remember a little in any case. What it wants beyond that it takes from the common amount in steps;
// where nothing is left, or its own limit is reached, it forgets and learns anew, which costs time and nothing else.

import Synchronization

package final class SeriesMemory: Sendable {
  private let byteLimit: Int
  private let taken = Atomic<Int>(0)

  package init(byteLimit: Int) { self.byteLimit = byteLimit }

  /// Bytes that connections have taken.
  package var byteCount: Int { taken.load(ordering: .relaxed) }

  fileprivate func take(_ byteCount: Int) -> Bool {
    let before = taken.add(byteCount, ordering: .relaxed).oldValue
    if before + byteCount <= byteLimit { return true }
    give(back: byteCount)
    return false
  }

  fileprivate func give(back byteCount: Int) { taken.subtract(byteCount, ordering: .relaxed) }
}

/// One connection's part of it.
struct SeriesMemoryShare: ~Copyable {
  /// What a connection has without asking.
  static let floorByteCount = 64 * 1024

  private let memory: SeriesMemory?
  private var taken = 0

  /// Without a common amount there is only the connection's own limit.
  init(of memory: SeriesMemory?) { self.memory = memory }

  deinit { memory?.give(back: taken) }

  /// Whether the connection may remember so much. Takes more than is needed now, so that this is rare.
  mutating func covers(_ byteCount: Int) -> Bool {
    guard let memory, byteCount > taken + Self.floorByteCount else { return true }
    let step = max(byteCount - taken - Self.floorByteCount, Self.floorByteCount, taken / 4)
    guard memory.take(step) else { return false }
    taken += step
    return true
  }

  mutating func giveBack() {
    memory?.give(back: taken)
    taken = 0
  }
}
