// Who writes dimension tables: one session a table at a time, from its first statement that writes the table to the end of
// its transaction. So a statement always works on the newest rows, and what it has seen is still so when it commits: the
// second of two writers waits, then sees what the first has committed. Readers never wait.

import Synchronization
import VarveCore
import VarveIO

package final class DimensionLocks: Sendable {
  private struct State: Sendable {
    var owners: [TableID: UInt64] = [:]
    /// What each waiting owner waits for.
    var waits: [UInt64: TableID] = [:]
  }
  private let gate = Gate(State())
  private let lastOwner = Atomic<UInt64>(0)

  package init() {}

  /// A name for one session.
  package func makeOwner() -> UInt64 { lastOwner.add(1, ordering: .relaxed).newValue }

  /// False if another has it.
  package func tryAcquire(_ table: TableID, for owner: UInt64) -> Bool {
    gate.update { state in
      if let holder = state.owners[table], holder != owner { return false }
      state.owners[table] = owner
      return true
    }
  }

  /// Waits for the table. `check` is called now and then, and throws to end the wait. Throws 40P01 where the ones who
  /// hold what this waits for wait, in the end, for this one.
  package func acquire(_ table: TableID, for owner: UInt64, check: () throws -> Void) throws {
    defer { gate.update { $0.waits[owner] = nil } }
    while true {
      let isOwn = gate.wait(milliseconds: 50) { state -> Result<Void, VarveError>? in
        guard let holder = state.owners[table], holder != owner else {
          state.owners[table] = owner
          return .success(())
        }
        state.waits[owner] = table
        guard Self.isCircle(state, from: holder, to: owner) else { return nil }
        // At once, so that only this one is told.
        state.waits[owner] = nil
        return .failure(Self.deadlock)
      }
      if let isOwn { return try isOwn.get() }
      try check()
    }
  }

  package func release(_ tables: Set<TableID>, of owner: UInt64) {
    guard !tables.isEmpty else { return }
    gate.update { state in
      for table in tables where state.owners[table] == owner { state.owners[table] = nil }
    }
  }

  private static func isCircle(_ state: State, from holder: UInt64, to owner: UInt64) -> Bool {
    var next = holder
    for _ in 0...state.waits.count {
      guard let table = state.waits[next], let other = state.owners[table] else { return false }
      if other == owner { return true }
      next = other
    }
    return false
  }

  private static var deadlock: VarveError {
    VarveError(
      .query, "deadlock detected", hint: "Two transactions write the same tables in different order: try again.",
      sqlState: "40P01")
  }
}
