// Which tombstones the store and its manifest keep: those that some chunk, or the head being sealed, may hold rows of.
//
//   a delete      takes its rows out of the active head; its tombstone is kept if anything else may hold such rows
//   a seal        the manifest takes over the tombstones of the commits it declares flushed
//   a compaction  makes tombstones real; those that no chunk is left for go, here and in the manifest

import VarveCore
import VarveFormat

extension Store {
  /// Lets the edit say which tombstones come and go with its chunks. To be called once all else in it is said.
  func addTombstones(to edit: inout ManifestEdit, _ state: ManifestState) {
    let known = published.withLock { $0.tombstones }
    guard !state.tombstones.isEmpty || !known.byTable.isEmpty else { return }
    let dropped = Set(edit.changes.compactMap { if case .dropTable(let table) = $0 { table } else { nil } })
    let removed = Set(edit.removedChunks)
    let kept = state.chunks.values.filter { !removed.contains($0.file) && !dropped.contains($0.table) }
    let live = Dictionary(grouping: kept + edit.addedChunks, by: \.table)
    func isNeeded(_ tombstone: Tombstone) -> Bool {
      live[tombstone.deletion.table]?.contains { tombstone.mayCover($0) } ?? false
    }
    edit.removedTombstones = state.tombstones.keys.sorted().filter { key in
      !dropped.contains(key.table) && !(state.tombstones[key]?.contains(where: isNeeded) ?? false)
    }
    edit.addedTombstones = known.all.filter {
      $0.sequence > state.flushed && $0.sequence <= edit.flushed && isNeeded($0)
    }
  }
}

extension Store {
  /// The tombstones with those of a commit's deletions that something may need: chunks, and the head being sealed, whose
  /// rows are read past them. Made without the lock: the committing thread, whose call this is, alone changes any of it.
  func tombstones(with deletions: [Deletion], sequence: Sequence) -> TombstoneSet {
    var (state, added) = (published.withLock { $0 }, TombstoneSet())
    for deletion in deletions { added.add(Tombstone(deletion, sequence: sequence)) }
    for tombstone in added.needed(by: state.chunks, sealing: state.sealing, state.sealingSequence).all {
      state.tombstones.add(tombstone)
    }
    return state.tombstones
  }

  /// Publishes what the chunks become, without the tombstones that nothing is left for then. Likewise.
  func publishChunks(endingSeal: Bool = false, _ change: (inout ChunkSet) -> Void) {
    // Held to the end: what goes is released without the lock.
    let before = published.withLock { $0 }
    var state = before
    change(&state.chunks)
    if endingSeal { state.sealing = nil }
    state.tombstones = state.tombstones.needed(by: state.chunks, sealing: state.sealing, state.sealingSequence)
    published.withLock { current in
      current.chunks = state.chunks
      current.tombstones = state.tombstones
      current.sealing = state.sealing
    }
    withExtendedLifetime(before) {}
  }

  /// Lets everybody know how large the log is. Likewise.
  func publishLogSize() {
    let byteCount = log?.byteCount ?? 0
    published.withLock { $0.logByteCount = byteCount }
  }
}
