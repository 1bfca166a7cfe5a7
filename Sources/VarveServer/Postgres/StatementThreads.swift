// The threads on which statements run. The one that came back last is given the next job, so that a client that asks one
// short question after another meets a thread whose caches know it; a job that finds none is taken in its turn. Threads
// are started as they are needed, up to a limit, and stay.
//
// With `goFirst`, a job goes before everything else in the process for its first milliseconds, in which most are done. One
// that is not has its share of the processors from then on, like the threads that ingest: a thread that watches sees to
// that, whatever the job does.

import NIOCore
import VarveIO

final class StatementThreads: Sendable {
  private struct Job: Sendable {
    let run: @Sendable () -> Void
    let goesFirst: Bool
  }

  private struct State: Sendable {
    /// Numbers of threads that wait; the last is the one that came last.
    var idle: [Int] = []
    var waiting = CircularBuffer<Job>()
    var threads: [Thread] = []
    var openCount = 0
    var isWatched = false
    var isStopping = false
  }

  private struct Thread: Sendable {
    let orders: Gate<Order?>
    var id: ThreadID
    /// Of the job at hand; nil: there is none, or it goes first no longer.
    var goesFirstSince: NIODeadline?
  }

  private enum Order: Sendable {
    case run(Job)
    case end
  }

  private enum Watch: Sendable {
    case asleep, awake, ended
  }

  private static let firstMilliseconds = 5
  private static let idleLooks = 200

  private let state = Gate(State())
  private let watching = Gate(Watch.asleep)
  private let limit: Int
  private let goFirst: Bool

  init(limit: Int, goFirst: Bool) {
    self.limit = limit
    self.goFirst = goFirst
    if goFirst { _ = WorkerThread(name: "varve-watch") { [self] in watch() } }
  }

  /// `goingFirst`: as far as these threads do. Not after `stop`.
  func submit(goingFirst: Bool = true, _ run: @escaping @Sendable () -> Void) {
    let job = Job(run: run, goesFirst: goFirst && goingFirst)
    let mustStart = state.update(waking: []) { state in
      precondition(!state.isStopping, "no statement runs on a server that has stopped")
      if let number = state.idle.popLast() {
        state.threads[number].orders.update { $0 = .run(job) }
      } else if state.openCount < limit {
        state.openCount += 1
        return true
      } else {
        state.waiting.append(job)
      }
      return false
    }
    guard mustStart else { return }
    _ = WorkerThread(name: "varve-statement") { [self] in work(first: job) }
  }

  /// Ends the threads, once what was submitted is done. Blocks until then.
  func stop() {
    state.update { state in
      state.isStopping = true
      for number in state.idle { state.threads[number].orders.update { $0 = .end } }
      state.idle = []
    }
    _ = state.wait { $0.openCount == 0 ? true : nil }
    watching.update { $0 = .ended }
  }

  // MARK: A thread

  private func work(first: Job) {
    let mayGoFirst = goFirst && ThreadPriority.preferred.give() && ThreadPriority.immediate.give()
    let orders = Gate<Order?>(nil)
    let number = state.update(waking: []) { state in
      state.threads.append(Thread(orders: orders, id: .current))
      return state.threads.count - 1
    }
    var job = first
    while true {
      if mayGoFirst { if job.goesFirst { begin(number) } else { ThreadPriority.preferred.give() } }
      job.run()
      // Given up, or taken away by the watch.
      if mayGoFirst, !end(number) { ThreadPriority.immediate.give() }
      guard let next = next(number, orders) else { break }
      job = next
    }
    state.update { $0.openCount -= 1 }
  }

  /// nil: the thread ends.
  private func next(_ number: Int, _ orders: Gate<Order?>) -> Job? {
    let order = state.update(waking: []) { state -> Order? in
      if let job = state.waiting.popFirst() { return .run(job) }
      if state.isStopping { return .end }
      state.idle.append(number)
      return nil
    }
    switch order ?? orders.wait(until: { $0.take() }) {
    case .run(let job): return job
    case .end, nil: return nil
    }
  }

  // MARK: The watch

  private func begin(_ number: Int) {
    let mustWake = state.update(waking: []) { state in
      state.threads[number].goesFirstSince = .now()
      defer { state.isWatched = true }
      return !state.isWatched
    }
    if mustWake { watching.update { if $0 != .ended { $0 = .awake } } }
  }

  /// Whether the job still went first.
  private func end(_ number: Int) -> Bool {
    state.update(waking: []) { $0.threads[number].goesFirstSince.take() != nil }
  }

  /// While jobs come, looks at them every few milliseconds; sleeps when none came for a while.
  private func watch() {
    ThreadPriority.overseeing.give()
    while watching.wait(until: { $0 == .asleep ? nil : $0 }) == .awake {
      var idleLooks = 0
      while idleLooks < Self.idleLooks {
        let isEnded = watching.wait(milliseconds: Self.firstMilliseconds, waking: []) { $0 == .ended ? true : nil }
        if isEnded == true { return }
        idleLooks = look() ? 0 : idleLooks + 1
      }
      state.update(waking: []) { state in
        // Under the lock: whoever begins from here on wakes it again.
        guard !state.threads.contains(where: { $0.goesFirstSince != nil }) else { return }
        state.isWatched = false
        watching.update { if $0 == .awake { $0 = .asleep } }
      }
    }
  }

  /// Whether any job goes first. One that did for long enough does so no more.
  private func look() -> Bool {
    state.update(waking: []) { state in
      let limit = NIODeadline.now() - .milliseconds(Int64(Self.firstMilliseconds))
      var isBusy = false
      for number in state.threads.indices {
        guard let since = state.threads[number].goesFirstSince else { continue }
        isBusy = true
        guard since < limit else { continue }
        ThreadPriority.preferred.give(to: state.threads[number].id)
        state.threads[number].goesFirstSince = nil
      }
      return isBusy
    }
  }
}
