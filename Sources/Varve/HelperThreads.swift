// Threads that help queries on the other processors. A piece of work is a row of calls that are counted down: whoever is
// free takes the next one. The thread that asks takes part, so work that nobody else has time for gets done, too, and
// waits only for calls that others have begun.

import Synchronization
import VarveIO
import VarveQuery

package final class HelperThreads: QueryHelpers {
  private final class Work: Sendable {
    private let count: Int
    private let body: @Sendable (Int) -> Void
    private let next = Atomic<Int>(0)
    private let returned = Gate(0)

    init(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
      self.count = count
      self.body = body
    }

    /// Whether calls are left that nobody has begun.
    var isOpen: Bool { next.load(ordering: .relaxed) < count }

    func takePart() {
      while true {
        let number = next.add(1, ordering: .relaxed).oldValue
        guard number < count else { return }
        body(number)
        returned.update { $0 += 1 }
      }
    }

    func wait() { _ = returned.wait { [count] in $0 == count ? true : nil } }
  }

  private struct State: Sendable {
    var open: [Work] = []
    var areStarted = false
    var isStopped = false
  }

  private let state = Gate(State())
  private let threadCount: Int
  private let priority: ThreadPriority

  /// The threads are started when there is work for the first time.
  package init(threadCount: Int, priority: ThreadPriority = .normal) {
    self.threadCount = threadCount
    self.priority = priority
  }

  package func run(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    let work = Work(count, body)
    let mustStart = state.update { state in
      guard !state.isStopped, count > 1 else { return false }
      state.open.append(work)
      defer { state.areStarted = true }
      return !state.areStarted
    }
    if mustStart { for number in 0..<threadCount { addThread("varve-help-\(number + 1)") } }
    work.takePart()
    state.update { $0.open.removeAll { $0 === work } }
    work.wait()
  }

  /// Lets the threads end.
  package func stop() { state.update { $0.isStopped = true } }

  private func addThread(_ name: String) {
    _ = WorkerThread(name: name, priority: priority) { [state] in
      while let work = state.wait(until: { Self.next(&$0) }) ?? nil { work.takePart() }
    }
  }

  /// Work to take part in; nil inside: the thread ends; nil: wait on.
  private static func next(_ state: inout State) -> Work?? {
    if let work = state.open.first(where: \.isOpen) { return .some(work) }
    return state.isStopped ? .some(nil) : nil
  }
}
