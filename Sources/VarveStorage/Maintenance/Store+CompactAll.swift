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

  /// Makes each partition of the table (nil: of all tables) one generation of the smallest form. Those for which there is
  /// no room, or that cannot be read, stay as they are, and the others are done; then this throws what the first of them
  /// failed with, and how many there are.
  package func compactWhole(
    _ table: TableID?, pace: (Int) throws -> Void, install: (CompactedChunks) throws -> Bool
  ) throws {
    retryUnreadableChunks()
    var pass = CompactionPass(self, table: table)
    var outcome = CompactionOutcome()
    while true {
      var picked: PartitionKey?
      let pick = {
        let task = self.pickFullCompaction(&pass)
        picked = task?.partition
        return task
      }
      do {
        guard let done = try compactOnce(pick, pace: pace, install: install) else { break }
        outcome.done.insert(done.compacted.partition)
        pass.didCompact()
      } catch {
        let error = asVarveError(error)
        // Behind damage of anything but a chunk nothing goes on.
        if let failure { throw failure }
        guard let picked, ![.closed, .cancelled].contains(error.code) else { throw error }
        outcome.leave(picked, error)
        if error.isDamage { pass.didMeetDamage() } else { pass.skip() }
      }
    }
    if let error = outcome.error({ published.withLock { $0.catalog }.tables[$0]?.name }) { throw error }
  }

  /// Seals everything, compacts whole, and lets go of the log: on the calling thread, for closed directories and tests.
  package func compactAll(table: TableID? = nil, pace: (Int) throws -> Void = { _ in }) throws {
    try sealAll()
    let outcome = Result { try compactWhole(table, pace: pace) { try self.install($0) } }
    if case .failure(let error) = outcome, !asVarveError(error).isDamage { throw error }
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
      let unshipped = shipHold.keptByteCount(of: log.kept + log.segments).byteCount
      try log.release(before: backupHold.logLimit(log.end), keepingSpares: 0, keeping: unshipped)
      try log.removeSpares()
      publishLogSize()
      feed.logHolds(log)
    } catch {
      let error = asVarveError(error)
      if !error.isWant { fail(error) }
      throw error
    }
  }
}
