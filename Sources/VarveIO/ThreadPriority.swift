// How a thread stands among the others where processors are short. What the system does not grant is done without.

import CVarve

package enum ThreadPriority: Sendable {
  /// Goes before `immediate` threads, to see to it that these do not stay so for long.
  case overseeing
  /// Goes before all other threads of the machine (SCHED_RR), where the process may have that.
  case immediate
  /// Somebody waits for it: the larger share of a processor, in short turns, so that it gets one soon after it wakes.
  case preferred
  case normal
  /// Nobody waits. Nice values of 1 to 19: the higher, the more it leaves to others.
  case patient(niceness: Int32)

  /// Gives it to a thread of this process. False if the system refused some of it.
  @discardableResult
  package func give(to thread: ThreadID = .current) -> Bool {
    switch self {
    case .overseeing: cvarve_schedule_thread(thread.rawValue, -10, 2, 0)
    case .immediate: cvarve_schedule_thread(thread.rawValue, -10, 1, 0)
    case .preferred: cvarve_schedule_thread(thread.rawValue, -10, 0, 100_000)
    case .normal: cvarve_schedule_thread(thread.rawValue, 0, 0, 0)
    case .patient(let niceness): cvarve_schedule_thread(thread.rawValue, niceness, 0, 0)
    }
  }
}

/// The system's number of a thread.
package struct ThreadID: Sendable {
  let rawValue: Int32
  package static var current: ThreadID { ThreadID(rawValue: cvarve_this_thread()) }
}
