// A few threads for calls that block (queries, opening, closing), so that none runs on Swift concurrency's own.

import VarveIO

package final class BlockingWorkers: Sendable {
  private struct State: Sendable {
    var jobs: [@Sendable () -> Void] = []
    var stopped = false
  }

  private let gate = Gate(State())

  package init(count: Int) {
    for number in 1...count {
      _ = WorkerThread(name: "varve-work-\(number)") { [gate] in
        while let job = gate.wait(until: { Self.next(&$0) }) ?? nil { job() }
      }
    }
  }

  /// Runs `body` on one of the threads.
  package func run<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
    try await withCheckedThrowingContinuation { continuation in
      let job: @Sendable () -> Void = { continuation.resume(with: Result { try body() }) }
      let isStopped = gate.update { state in
        if !state.stopped { state.jobs.append(job) }
        return state.stopped
      }
      // After the end there is nobody to run it but the caller.
      if isStopped { job() }
    }
  }

  /// Lets the threads end once the queue is empty.
  package func stop() { gate.update { $0.stopped = true } }

  /// A job; nil inside: the thread ends; nil: wait on.
  private static func next(_ state: inout State) -> (@Sendable () -> Void)?? {
    if !state.jobs.isEmpty { return .some(state.jobs.removeFirst()) }
    return state.stopped ? .some(nil) : nil
  }
}
