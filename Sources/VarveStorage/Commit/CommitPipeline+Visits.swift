// What others have to do on the committing thread: between two commits nobody else changes the store.

import VarveCore
import VarveIO

extension CommitPipeline {
  /// Called once, on the committing thread; or, with why not, when that has ended.
  typealias Visit = @Sendable (VarveError?) -> Void

  /// Runs `body` between two commits, and waits for it. No write goes on meanwhile, so it must be short.
  package func betweenCommits<T: Sendable>(_ body: @escaping @Sendable (Store) throws -> T) throws -> T {
    let outcome = Gate<Result<T, VarveError>?>(nil)
    let visit: Visit = { [store] refusal in
      let result = refusal.map { .failure($0) } ?? Result { try body(store) }.mapError(asVarveError)
      outcome.update { $0 = result }
    }
    let isAccepted = gate.update(waking: .committer) { state in
      if !state.committerDone { state.visits.append(visit) }
      return !state.committerDone
    }
    guard isAccepted else { throw Self.closed }
    guard let result = outcome.wait(until: { $0 }) else { preconditionFailure("waiting without a limit gives a value") }
    return try result.get()
  }

  /// On the committing thread.
  func receiveVisits() {
    let visits = gate.update(waking: []) { state in
      defer { state.visits = [] }
      return state.visits
    }
    for visit in visits { visit(nil) }
  }
}
