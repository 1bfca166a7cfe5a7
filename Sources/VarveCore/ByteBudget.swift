// An amount of memory that many connections share, such as that in which they remember the series they have sent.
//
// Each may hold a little in any case. What it wants beyond that it takes from the common amount in steps; where nothing is
// left, it gets along with less, in the way of its kind.

import Synchronization

package final class ByteBudget: Sendable {
  private let byteLimit: Int
  private let taken = Atomic<Int>(0)

  package init(byteLimit: Int) { self.byteLimit = byteLimit }

  /// Bytes that are taken.
  package var byteCount: Int { taken.load(ordering: .relaxed) }

  /// Whether not even a little is left.
  package var isExhausted: Bool { byteLimit - byteCount < ByteShare.floorByteCount }

  fileprivate func take(_ byteCount: Int) -> Bool {
    let before = taken.add(byteCount, ordering: .relaxed).oldValue
    if before + byteCount <= byteLimit { return true }
    give(back: byteCount)
    return false
  }

  fileprivate func give(back byteCount: Int) { taken.subtract(byteCount, ordering: .relaxed) }
}

/// One connection's part of it.
package struct ByteShare: ~Copyable {
  /// What a connection has without asking.
  package static let floorByteCount = 64 * 1024

  private let budget: ByteBudget?
  private var taken = 0

  /// Without a common amount there is only the connection's own limit.
  package init(of budget: ByteBudget?) { self.budget = budget }

  deinit { budget?.give(back: taken) }

  /// Whether the connection may hold so much. Takes more than is needed now, so that this is rare.
  package mutating func covers(_ byteCount: Int) -> Bool {
    guard let budget, byteCount > taken + Self.floorByteCount else { return true }
    let needed = byteCount - taken - Self.floorByteCount
    for step in [max(needed, Self.floorByteCount, taken / 4), needed] where budget.take(step) {
      taken += step
      return true
    }
    return false
  }

  package mutating func giveBack() {
    budget?.give(back: taken)
    taken = 0
  }
}
