// SAVEPOINT, RELEASE and ROLLBACK TO. What a transaction has written is a value, so a savepoint is a copy of it, and going
// back is taking the copy.

import VarveCompute
import VarveCore
import VarveStorage

/// What ROLLBACK TO brings back.
struct Savepoint {
  let name: String
  let writes: PendingWrites
  let settings: SessionState.SettingsMark
  let isReadOnly: Bool
  /// Cursors that were open then; those that were opened since are closed.
  let cursors: Set<Name>
}

extension QuerySession {
  func setSavepoint(_ name: String) throws {
    try checkInBlock("SAVEPOINT")
    savepoints.append(
      Savepoint(
        name: name, writes: pending, settings: state.mark(), isReadOnly: isReadOnly, cursors: Set(cursors.keys)))
  }

  /// Forgets the savepoint and those set since; what was written stays.
  func releaseSavepoint(_ name: String) throws {
    try checkInBlock("RELEASE SAVEPOINT")
    savepoints.removeSubrange(try place(ofSavepoint: name)...)
  }

  /// The savepoint itself stays, and a failed transaction goes on from it.
  func rollback(toSavepoint name: String) throws {
    try checkInBlock("ROLLBACK TO SAVEPOINT")
    let place = try place(ofSavepoint: name)
    let savepoint = savepoints[place]
    savepoints.removeSubrange((place + 1)...)
    pending.goBack(to: savepoint.writes)
    isReadOnly = savepoint.isReadOnly
    for cursor in cursors.values where !savepoint.cursors.contains(Name(cursor.plan.name)) { close(cursor) }
    state.rollback(to: savepoint.settings)
    transactionStatus = .inBlock
  }

  /// The latest of that name.
  private func place(ofSavepoint name: String) throws -> Int {
    guard let place = savepoints.lastIndex(where: { $0.name.isSameName(as: name) }) else {
      throw SQLError.make("3B001", "savepoint \"\(name)\" does not exist")
    }
    return place
  }

  private func checkInBlock(_ what: String) throws {
    if transactionStatus == .idle {
      throw SQLError.make("25P01", "\(what) can only be used in transaction blocks", hint: "BEGIN first.")
    }
  }
}
