// Somebody waits without a thread until something happens, or for so long. What happens before it waits is not lost.

import Synchronization

final class WakeSignal: Sendable {
  private struct State: Sendable {
    var isRaised = false
    var waiting: CheckedContinuation<Void, Never>?
  }

  private let state = Mutex(State())

  /// Any thread; returns at once.
  func raise() {
    let waiting = state.withLock { state -> CheckedContinuation<Void, Never>? in
      state.isRaised = true
      return state.waiting.take()
    }
    waiting?.resume()
  }

  /// Returns once it was raised since the last time, the time is over, or the task is cancelled. One waits at a time.
  func wait(atMost limit: Duration) async {
    if state.withLock({ $0.isRaised }) { return lower() }
    let timer = Task { [weak self] in
      // Cancelled, it has nothing to say.
      guard (try? await Task.sleep(for: limit)) != nil else { return }
      self?.raise()
    }
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isRaised = state.withLock { state in
          if !state.isRaised { state.waiting = continuation }
          return state.isRaised
        }
        if isRaised { continuation.resume() }
      }
    } onCancel: {
      raise()
    }
    timer.cancel()
    lower()
  }

  private func lower() { state.withLock { $0.isRaised = false } }
}
