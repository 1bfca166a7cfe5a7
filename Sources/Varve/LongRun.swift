// Something long (a backup, a run of the archive) on a thread of its own, and who waits for it.

import VarveCore
import VarveIO
import VarveStorage

final class LongRun<Outcome: Sendable, Progress: Sendable>: Sendable {
  fileprivate struct State: Sendable {
    var isStopped = false
    var progress: Progress?
    var outcome: Result<Outcome, VarveError>?
  }
  private let state = Gate(State())

  /// What the run is told, and tells. Used by its thread.
  struct Turn {
    fileprivate let state: Gate<State>
    fileprivate let pacer: Pacer?

    /// To be called now and then. Throws `cancelled` when the run has to end.
    func check() throws {
      if state.read({ $0.isStopped }) { throw Self.cancelled }
    }

    func pause(milliseconds: Int) throws {
      if state.wait(milliseconds: milliseconds, until: { $0.isStopped ? true : nil }) != nil { throw Self.cancelled }
    }

    /// So many bytes more are done: waits as long as the rate wants.
    func pace(_ byteCount: Int) throws {
      let wait = Int((pacer?.delayNanoseconds(behind: byteCount) ?? 0) / 1_000_000)
      if wait > 0 { try pause(milliseconds: wait) } else { try check() }
    }

    func isAt(_ progress: Progress) { state.update(waking: []) { $0.progress = progress } }

    private static var cancelled: VarveError { VarveError(.cancelled, "this was cancelled") }
  }

  /// Ends soon.
  func stop() { state.update { $0.isStopped = true } }

  /// `bytesPerSecond`: 0 is as fast as it goes. One that stands back does so behind ingest and queries, and behind sealing and
  /// compaction, on which ingest waits in the end.
  func start(
    _ name: String, bytesPerSecond: Int = 0, standsBack: Bool = true,
    _ body: @escaping @Sendable (Turn) throws -> Outcome
  ) {
    _ = WorkerThread(name: name, priority: standsBack ? .patient(niceness: 19) : .normal) { [state] in
      let pacer = bytesPerSecond > 0 ? Pacer(SystemClock(), bytesPerSecond: bytesPerSecond) : nil
      let outcome = Result { try body(Turn(state: state, pacer: pacer)) }.mapError(asVarveError)
      state.update { $0.outcome = outcome }
    }
  }

  /// Waits for the thread to be done in any case. Throws what `check` threw, if it did.
  func wait(check: () throws -> Void, progress: (Progress) -> Void = { _ in }) throws -> Outcome {
    var refusal: (any Error)?
    while true {
      if let outcome = state.wait(milliseconds: 100, until: { $0.outcome }) {
        if let refusal { throw refusal }
        return try outcome.get()
      }
      if let known = state.read({ $0.progress }) { progress(known) }
      if refusal == nil {
        do { try check() } catch {
          refusal = error
          stop()
        }
      }
    }
  }
}
