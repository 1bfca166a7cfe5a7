import Glibc
import Synchronization
import Testing

@testable import VarveIO
@testable import VarveServer

@Suite struct StatementThreadTests {
  @Test(arguments: [false, true]) func allJobsAreDoneByNoMoreThreadsThanAllowed(goFirst: Bool) async throws {
    let threads = StatementThreads(limit: 3, goFirst: goFirst)
    let counts = Mutex((running: 0, most: 0, done: 0))
    for _ in 0..<200 {
      threads.submit {
        counts.withLock { counts in
          counts.running += 1
          counts.most = max(counts.most, counts.running)
        }
        usleep(100)
        counts.withLock { counts in
          counts.running -= 1
          counts.done += 1
        }
      }
    }
    threads.stop()
    #expect(counts.withLock { $0.done == 200 && $0.running == 0 && (1...3).contains($0.most) })
  }

  @Test func oneJobAfterTheOtherIsDoneByTheSameThread() async throws {
    let threads = StatementThreads(limit: 8, goFirst: false)
    let seen = Mutex<Set<Int32>>([])
    for round in 1...50 {
      let done = Gate(false)
      threads.submit {
        seen.withLock { _ = $0.insert(ThreadID.current.rawValue) }
        done.update { $0 = true }
      }
      _ = done.wait { $0 ? true : nil }
      // The thread goes back to its place behind the job's last act.
      if round < 50 { usleep(2000) }
    }
    threads.stop()
    #expect(seen.withLock { $0.count } < 8, "threads are not taken in turns")
  }

  /// Of the calling thread, without the mark that its children are as any other.
  private static func policy() -> Int32 { sched_getscheduler(0) & 0xFF }

  /// Whether this process may have what it takes.
  private static let mayGoFirst: Bool = {
    let granted = Gate<Bool?>(nil)
    _ = WorkerThread(name: "test") {
      let isGranted = ThreadPriority.preferred.give() && ThreadPriority.immediate.give()
      granted.update { $0 = isGranted }
    }
    return granted.wait { $0 } ?? false
  }()

  @Test(.enabled(if: mayGoFirst)) func aJobGoesFirstForItsFirstMillisecondsOnly() async throws {
    let threads = StatementThreads(limit: 1, goFirst: true)
    for _ in 0..<3 {
      let policies = Gate<(first: Int32, last: Int32)?>(nil)
      threads.submit {
        let first = Self.policy()
        // Busy, so that nobody but the watch can take it away.
        let deadline = time(nil) + 20
        while Self.policy() == SCHED_RR, time(nil) < deadline {}
        let last = Self.policy()
        policies.update { $0 = (first, last) }
      }
      let found = try #require(policies.wait { $0 })
      #expect(found.first == SCHED_RR && found.last == SCHED_OTHER)
    }
    let later = Gate<Int32?>(nil)
    threads.submit(goingFirst: false) { later.update { $0 = Self.policy() } }
    #expect(later.wait { $0 } == SCHED_OTHER)
    let next = Gate<Int32?>(nil)
    threads.submit { next.update { $0 = Self.policy() } }
    #expect(next.wait { $0 } == SCHED_RR)
    // What a job starts does not go first.
    let child = Gate<Int32?>(nil)
    threads.submit { _ = WorkerThread(name: "test") { child.update { $0 = Self.policy() } } }
    #expect(child.wait { $0 } == SCHED_OTHER)
    threads.stop()
  }
}
