// A few threads for calls that block (queries, opening, closing), so that none runs on Swift concurrency's own. One that
// waits for other threads of the database is stood in for meanwhile.

import VarveCore
import VarveIO

package final class BlockingWorkers: Sendable {
  private struct Job: Sendable {
    let number: Int
    let run: @Sendable () -> Void
    let drop: @Sendable () -> Void
  }

  private struct State: Sendable {
    var next = 0
    var jobs: [Job] = []
    var stopped = false
    /// Threads that end before they take another job: those they stood in for are back.
    var surplus = 0
  }

  private let gate = Gate(State())
  private let priority: ThreadPriority

  package init(count: Int, priority: ThreadPriority = .normal) {
    self.priority = priority
    for number in 1...count { addThread("varve-work-\(number)") }
  }

  private func addThread(_ name: String) {
    _ = WorkerThread(name: name, priority: priority) { [gate] in
      while let job = gate.wait(until: { Self.next(&$0) }) ?? nil { job.run() }
    }
  }

  /// Runs `body` on the calling thread, which may be one of these; as it will wait for long, another takes the jobs.
  package func standingIn<T>(_ body: () throws -> T) rethrows -> T {
    addThread("varve-work-also")
    defer { gate.update { $0.surplus += 1 } }
    return try body()
  }

  /// Runs `body` on one of the threads. Where the task is cancelled before its turn comes, `body` is not run and this
  /// throws `cancelled`, unless it must run in any case; once it runs, stopping it is `body`'s own matter.
  package func run<T: Sendable>(evenIfCancelled: Bool = false, _ body: @escaping @Sendable () throws -> T) async throws
    -> T
  {
    let number = gate.update { state in
      state.next += 1
      return state.next
    }
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let job = Job(
          number: number, run: { continuation.resume(with: Result { try body() }) },
          drop: {
            continuation.resume(throwing: VarveError(.cancelled, "cancelled before it began", sqlState: "57014"))
          })
        let isStopped = gate.update { state in
          if !state.stopped { state.jobs.append(job) }
          return state.stopped
        }
        // After the end there is nobody to run it but the caller.
        if isStopped { return job.run() }
        // The handler may have come too early to find it.
        if !evenIfCancelled, Task.isCancelled { drop(number) }
      }
    } onCancel: {
      if !evenIfCancelled { drop(number) }
    }
  }

  /// Runs `body` on one of the threads, sometime; after the end not at all.
  func begin(_ body: @escaping @Sendable () -> Void) {
    gate.update { state in
      guard !state.stopped else { return }
      state.next += 1
      state.jobs.append(Job(number: state.next, run: body, drop: {}))
    }
  }

  /// Lets the threads end once the queue is empty.
  package func stop() { gate.update { $0.stopped = true } }

  /// Takes a job that has not begun out of the queue.
  private func drop(_ number: Int) {
    let job = gate.update { state in
      state.jobs.firstIndex { $0.number == number }.map { state.jobs.remove(at: $0) }
    }
    job?.drop()
  }

  /// A job; nil inside: the thread ends; nil: wait on.
  private static func next(_ state: inout State) -> Job?? {
    if state.surplus > 0 {
      state.surplus -= 1
      return .some(nil)
    }
    if !state.jobs.isEmpty { return .some(state.jobs.removeFirst()) }
    return state.stopped ? .some(nil) : nil
  }
}
