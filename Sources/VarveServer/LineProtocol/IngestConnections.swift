// The connections of one listener: counted, limited, and waited for when the listener stops.

import NIOConcurrencyHelpers
import NIOCore

/// Sent into the pipelines of a listener's connections when it stops: take no more input, make durable, close.
struct ListenerStops: Sendable {}

/// Sockets that listeners share: each has a limit of its own, and together they take no more than there are.
package final class SocketBudget: Sendable {
  private let left: NIOLockedValueBox<Int>

  package init(_ count: Int) { left = NIOLockedValueBox(count) }

  func take() -> Bool {
    left.withLockedValue { left in
      guard left > 0 else { return false }
      left -= 1
      return true
    }
  }

  func giveBack() { left.withLockedValue { $0 += 1 } }
}

final class IngestConnections: Sendable {
  private struct State {
    var channels: [ObjectIdentifier: any Channel] = [:]
    var submissions = 0
    var refusals = 0
    var isStopping = false
    var waiting: [CheckedContinuation<Void, Never>] = []
  }

  private let state = NIOLockedValueBox(State())
  private let limit: Int
  private let budget: SocketBudget
  private static let refusalLimit = 64

  init(limit: Int, budget: SocketBudget = SocketBudget(.max)) {
    self.limit = limit
    self.budget = budget
  }

  /// False when the listener is stopping or has too many connections already.
  func add(_ channel: any Channel) -> Bool {
    let added = state.withLockedValue { state in
      guard !state.isStopping, state.channels.count < limit, budget.take() else { return false }
      state.channels[ObjectIdentifier(channel)] = channel
      return true
    }
    if added { channel.closeFuture.whenComplete { _ in self.remove(channel) } }
    return added
  }

  /// For one that `add` refused: whether it gets an answer. Not while the listener stops, nor when many get one already:
  /// who comes again and again without a pause is closed without a word.
  func addRefusal(_ channel: any Channel) -> Bool {
    let added = state.withLockedValue { state in
      guard !state.isStopping, state.refusals < Self.refusalLimit else { return false }
      state.refusals += 1
      return true
    }
    if added { channel.closeFuture.whenComplete { _ in self.state.withLockedValue { $0.refusals -= 1 } } }
    return added
  }

  private func remove(_ channel: any Channel) {
    budget.giveBack()
    wake { $0.channels[ObjectIdentifier(channel)] = nil }
  }

  /// Batches that are with the store count until their completion has been handled, whatever became of the client.
  func submissionBegins() { state.withLockedValue { $0.submissions += 1 } }
  func submissionEnds() { wake { $0.submissions -= 1 } }

  var count: Int { state.withLockedValue { $0.channels.count } }
  var isStopping: Bool { state.withLockedValue { $0.isStopping } }

  /// From now on no connection is added; gives those that there are.
  func beginStopping() -> [any Channel] {
    state.withLockedValue { state in
      state.isStopping = true
      return Array(state.channels.values)
    }
  }

  /// Returns once there is no connection and no submission.
  func waitUntilAllHaveEnded() async {
    await withCheckedContinuation { continuation in
      let isEmpty = state.withLockedValue { state in
        if state.channels.isEmpty, state.submissions == 0 { return true }
        state.waiting.append(continuation)
        return false
      }
      if isEmpty { continuation.resume() }
    }
  }

  private func wake(_ change: (inout State) -> Void) {
    let waiting = state.withLockedValue { state in
      change(&state)
      guard state.channels.isEmpty, state.submissions == 0 else { return [CheckedContinuation<Void, Never>]() }
      defer { state.waiting = [] }
      return state.waiting
    }
    for continuation in waiting { continuation.resume() }
  }
}
