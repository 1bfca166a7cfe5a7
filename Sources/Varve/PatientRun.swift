// Something long, on a thread of its own which stands back behind all others, and who waits for it.

import VarveCore
import VarveIO
import VarveStorage

final class PatientRun<Outcome: Sendable>: Sendable {
  private struct State: Sendable {
    var isStopped = false
    var outcome: Result<Outcome, VarveError>?
  }
  private let state = Gate(State())

  /// Ends soon.
  func stop() { state.update { $0.isStopped = true } }

  /// `body` gets what it calls now and then, and which throws `cancelled` to end it.
  func start(name: String, _ body: @escaping @Sendable (_ check: @escaping () throws -> Void) throws -> Outcome) {
    _ = WorkerThread(name: name, priority: .patient(niceness: 10)) { [state] in
      let outcome = Result {
        try body { if state.read({ $0.isStopped }) { throw VarveError(.cancelled, "this was cancelled") } }
      }.mapError(asVarveError)
      state.update { $0.outcome = outcome }
    }
  }

  /// Waits for the thread to be done in any case. Throws what `check` threw, if it did.
  func wait(check: () throws -> Void) throws -> Outcome {
    var refusal: (any Error)?
    while true {
      if let outcome = state.wait(milliseconds: 100, until: { $0.outcome }) {
        if let refusal { throw refusal }
        return try outcome.get()
      }
      if refusal == nil {
        do { try check() } catch {
          refusal = error
          stop()
        }
      }
    }
  }
}
