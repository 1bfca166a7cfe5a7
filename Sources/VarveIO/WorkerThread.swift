// Threads and waiting, for the layers above that run the engine: the engine itself has neither.

import CVarve
import Glibc

/// Which of those who wait for a gate are woken by a change: threads that wait for different things need not wake each
/// other, and a thread that wakes for nothing takes a processor from those that work.
package struct GateWaiters: OptionSet, Sendable {
  package let rawValue: UInt8
  package init(rawValue: UInt8) { self.rawValue = rawValue }

  /// Kinds, to be named by the gate's owner.
  package static let first = GateWaiters(rawValue: 1)
  package static let second = GateWaiters(rawValue: 2)
  package static let third = GateWaiters(rawValue: 4)
  package static let all: GateWaiters = [.first, .second, .third]

  fileprivate static let kindCount = 3
}

/// A lock with a condition for each kind of waiters: state that threads change and wait for.
package final class Gate<State>: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let conditions = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: GateWaiters.kindCount)
  private var state: State

  package init(_ state: State) {
    self.state = state
    pthread_mutex_init(mutex, nil)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    for kind in 0..<GateWaiters.kindCount { pthread_cond_init(conditions + kind, &attributes) }
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    for kind in 0..<GateWaiters.kindCount { pthread_cond_destroy(conditions + kind) }
    pthread_mutex_destroy(mutex)
    conditions.deallocate()
    mutex.deallocate()
  }

  /// Reads without waking anyone.
  package func read<T>(_ body: (borrowing State) -> T) -> T {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return body(state)
  }

  /// Changes the state and wakes those who wait; whoever names some knows that the change is nothing to the others.
  package func update<T>(waking waiters: GateWaiters = .all, _ body: (inout State) -> T) -> T {
    pthread_mutex_lock(mutex)
    defer {
      wake(waiters)
      pthread_mutex_unlock(mutex)
    }
    return body(&state)
  }

  /// Waits, as one of a kind, until `body` gives a value, trying after each change of the state that wakes this kind; nil
  /// after `milliseconds`. `waking`: those to whom what `body` changes with its value is something.
  package func wait<T>(
    as kind: GateWaiters = .first, milliseconds: Int? = nil, waking waiters: GateWaiters = .all,
    until body: (inout State) -> T?
  ) -> T? {
    let condition = conditions + kind.rawValue.trailingZeroBitCount
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    var deadline = timespec()
    if let milliseconds {
      clock_gettime(CLOCK_MONOTONIC, &deadline)
      let nanoseconds = deadline.tv_nsec + (milliseconds % 1000) * 1_000_000
      deadline.tv_sec += milliseconds / 1000 + nanoseconds / 1_000_000_000
      deadline.tv_nsec = nanoseconds % 1_000_000_000
    }
    while true {
      if let value = body(&state) {
        wake(waiters)
        return value
      }
      if milliseconds == nil {
        pthread_cond_wait(condition, mutex)
      } else if pthread_cond_timedwait(condition, mutex, &deadline) == ETIMEDOUT {
        return body(&state)
      }
    }
  }

  private func wake(_ waiters: GateWaiters) {
    for kind in 0..<GateWaiters.kindCount where waiters.rawValue & 1 << kind != 0 {
      pthread_cond_broadcast(conditions + kind)
    }
  }
}

/// A thread that runs one function to its end.
package final class WorkerThread: @unchecked Sendable {
  private let finished = Gate(false)

  package init(name: String, priority: ThreadPriority = .normal, _ body: @escaping @Sendable () -> Void) {
    let finished = self.finished
    let work = Work(name: name, priority: priority) {
      body()
      finished.update { $0 = true }
    }
    var thread = pthread_t()
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    pthread_attr_setstacksize(&attributes, 8 << 20)
    let status = pthread_create(
      &thread, &attributes,
      { argument in
        guard let argument else { return nil }
        let work = Unmanaged<Work>.fromOpaque(argument).takeRetainedValue()
        work.name.withCString { cvarve_name_this_thread($0) }
        if case .normal = work.priority {} else { work.priority.give() }
        work.body()
        return nil
      }, Unmanaged.passRetained(work).toOpaque())
    pthread_attr_destroy(&attributes)
    precondition(status == 0, "the system refuses another thread (error \(status))")
  }

  /// Waits for the function to return.
  package func join() { _ = finished.wait { $0 ? true : nil } }

  private final class Work {
    let name: String
    let priority: ThreadPriority
    let body: () -> Void
    init(name: String, priority: ThreadPriority, _ body: @escaping () -> Void) {
      self.name = String(name.prefix(15))
      self.priority = priority
      self.body = body
    }
  }
}
