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

extension Store.Published {
  /// Rows leave the heads as the deletion says, and chunks are read past it from now on. `active` is the active head
  /// without the rows: made outside of the lock.
  mutating func apply(_ deletions: [Deletion], sequence: Sequence, active: Head) {
    self.active = active
    if active.isEmpty { activeSince = nil }
    for deletion in deletions {
      let tombstone = Tombstone(deletion, sequence: sequence)
      if isNeeded(tombstone) { tombstones.add(tombstone) }
    }
  }

  /// Forgets tombstones that nothing is left for.
  mutating func dropUnneededTombstones() {
    for table in tombstones.byTable.keys { tombstones.keep(in: table, isNeeded) }
  }

  private func isNeeded(_ tombstone: Tombstone) -> Bool {
    let table = tombstone.deletion.table
    if let sealing, tombstone.sequence > sealingSequence, sealing.partitions.keys.contains(where: { $0.table == table })
    {
      return true
    }
    return chunks.chunks(of: table).contains { tombstone.mayCover($0.metadata) }
  }
}
