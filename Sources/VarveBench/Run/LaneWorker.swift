// A thread that drives some connections: it goes round them as long as any has something to do, and waits when none has.

import Synchronization
import VarveCore
import VarveIO
import VarveServer

/// Set by whoever ends the load early: lanes send what is late already, and finish.
final class LoadStop: Sendable {
  private let flag = Atomic(false)
  var isSet: Bool { flag.load(ordering: .acquiring) }
  func set() { flag.store(true, ordering: .releasing) }
}

/// Lanes are made by one thread, driven by the worker's, and read again when that has ended; hence unchecked.
final class LaneWorker: @unchecked Sendable {
  /// Nobody waits longer, so that an early end is noticed.
  private static let longestWaitNanoseconds: Int64 = 20_000_000

  let lanes: [any Lane]
  private let stop: LoadStop
  private let clock: any Clock
  private let failure: Mutex<VarveError?> = Mutex(nil)

  init(_ lanes: [any Lane], stop: LoadStop, clock: any Clock) {
    self.lanes = lanes
    self.stop = stop
    self.clock = clock
  }

  /// Why it ended before everything was acknowledged.
  var error: VarveError? { failure.withLock { $0 } }

  func run() {
    do {
      try drive()
    } catch {
      failure.withLock { $0 = error as? VarveError ?? VarveError(.inputOutput, "\(error)") }
      stop.set()
    }
  }

  private func drive() throws {
    var active = lanes
    var wait = SocketWait()
    var isTold = false
    while !active.isEmpty {
      if !isTold, stop.isSet {
        isTold = true
        for lane in active { lane.feed.generator.end() }
      }
      var progressed = false
      var hasFinished = false
      for lane in active {
        if try lane.step() { progressed = true }
        if lane.isFinished { hasFinished = true }
        // Rows are refused: going on would only measure how fast.
        if lane.feed.rowsRejected > 0 { stop.set() }
      }
      if hasFinished { active.removeAll { $0.isFinished } }
      if !progressed, !active.isEmpty {
        let now = clock.monotonicNanoseconds()
        var next = now + Self.longestWaitNanoseconds
        for lane in active {
          if let due = lane.nextDue { next = min(next, due) }
          if let (socket, forSending) = lane.waiting { wait.add(socket, forSending: forSending) }
        }
        wait.wait(nanoseconds: next - now)
      }
    }
  }
}
