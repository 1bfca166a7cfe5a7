// Compaction from pick to install, one step or until nothing is left to do; and what a closed directory can do without.

import VarveCore
import VarveFormat
import VarveIO

extension Store {
  /// Does the step that `pick` gives; nil if it gives none. `install` has the chunks installed by the committing thread.
  package func compactOnce(
    _ pick: () -> CompactionTask?, pace: (Int) throws -> Void, install: (CompactedChunks) throws -> Bool
  ) throws -> (compacted: CompactedChunks, isInstalled: Bool)? {
    guard let compacted = try writeNext(pick, pace) else { return nil }
    do { return (compacted, try install(compacted)) } catch {
      let error = asVarveError(error)
      // Without room nothing names them; after any other failure the manifest may.
      if error.isWant || error.code == .closed { discard(compacted) }
      throw error
    }
  }

  /// The task and what it holds open are let go of here: what `install` removes is held by snapshots only.
  private func writeNext(_ pick: () -> CompactionTask?, _ pace: (Int) throws -> Void) throws -> CompactedChunks? {
    guard let task = pick() else { return nil }
    return try write(task, pace: pace)
  }

  /// Makes each partition of the table (nil: of all tables) one generation of the smallest form. Chunks that cannot be
  /// read stay as they are; the first one's error is thrown at the end.
  package func compactWhole(
    _ table: TableID?, pace: (Int) throws -> Void, install: (CompactedChunks) throws -> Bool
  ) throws {
    retryUnreadableChunks()
    var damage: VarveError?
    for id in table.map({ [$0] }) ?? published.withLock({ $0.catalog.tables.keys.sorted() }) {
      var isDone = false
      while !isDone {
        do {
          isDone = try compactOnce({ pickFullCompaction(of: id) }, pace: pace, install: install) == nil
        } catch let error as VarveError where [.corruption, .unsupportedVersion].contains(error.code) {
          // A chunk is not picked again; behind anything else that is damaged nothing goes on.
          if let failure { throw failure }
          damage = damage ?? error
        }
      }
    }
    if let damage { throw damage }
  }

  /// Seals everything, compacts whole, and lets go of the log: on the calling thread, for closed directories and tests.
  package func compactAll(table: TableID? = nil, pace: (Int) throws -> Void = { _ in }) throws {
    try sealAll()
    let outcome = Result { try compactWhole(table, pace: pace) { try self.install($0) } }
    if case .failure(let error) = outcome, ![.corruption, .unsupportedVersion].contains(asVarveError(error).code) {
      throw error
    }
    try releaseLog()
    try outcome.get()
  }

  /// Where everything is in chunks, no log has to be kept: removes it before the store is closed.
  package func releaseLog() throws {
    guard let log, let manifest, sequence == flushed, frozen == nil else { return }
    do {
      try log.rotate()
      if manifest.state.logStart < log.end {
        var edit = edit(behind: manifest.state)
        edit.logStart = log.end
        try manifest.commit(edit)
      }
      try log.release(before: log.end, keepingSpares: 0)
      try log.removeSpares()
      publishLogSize()
    } catch {
      let error = asVarveError(error)
      if !error.isWant { fail(error) }
      throw error
    }
  }
}
