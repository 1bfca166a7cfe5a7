// Headers, footers and indexes of chunks as read, kept for the next scan within a limit: thousands of chunks must not
// hold all their indexes for ever.
//
// Two generations: what is used is in, or moves to, the young one; when that holds half the limit the old one goes and
// the young one takes its place. So what goes was not used for at least as long as half the limit took to fill. The
// index just read stays whatever its size; a scan holds its own for as long as it lasts.

import Synchronization
import VarveCore
import VarveFormat

package final class ChunkIndexCache: Sendable {
  private struct Generation: Sendable {
    var entries: [FileID: (contents: ChunkContents, byteCount: Int)] = [:]
    var byteCount = 0
  }

  private struct State: Sendable {
    var young = Generation()
    var old = Generation()
  }

  private let state = Mutex(State())
  private let byteLimit: Int

  package init(byteLimit: Int) { self.byteLimit = byteLimit }

  package var byteCount: Int { state.withLock { $0.young.byteCount + $0.old.byteCount } }

  package func find(_ file: FileID) -> ChunkContents? {
    let (found, _) = state.withLock { state -> (ChunkContents?, Generation?) in
      if let entry = state.young.entries[file] { return (entry.contents, nil) }
      guard let entry = state.old.entries.removeValue(forKey: file) else { return (nil, nil) }
      state.old.byteCount -= entry.byteCount
      return (entry.contents, add(entry, file, &state))
    }
    return found
  }

  package func insert(_ contents: ChunkContents, of file: FileID) {
    let entry = (contents, Self.byteCount(of: contents))
    // What goes is released without the lock.
    _ = state.withLock { state -> Generation? in
      guard state.young.entries[file] == nil else { return nil }
      if let known = state.old.entries.removeValue(forKey: file) { state.old.byteCount -= known.byteCount }
      return add(entry, file, &state)
    }
  }

  /// Gives what goes for it.
  private func add(_ entry: (ChunkContents, byteCount: Int), _ file: FileID, _ state: inout State) -> Generation? {
    var gone: Generation?
    if state.young.byteCount > 0, state.young.byteCount + entry.byteCount > byteLimit / 2 {
      gone = state.old
      state.old = state.young
      state.young = Generation()
    }
    state.young.entries[file] = entry
    state.young.byteCount += entry.byteCount
    return gone
  }

  /// Memory that the contents take: arrays at their capacity.
  package static func byteCount(of contents: ChunkContents) -> Int {
    var total = MemoryLayout<ChunkContents>.stride + 128
    total += contents.index.columns.capacity * MemoryLayout<(ColumnID, FieldType)>.stride
    total += contents.index.rowBlocks.capacity * MemoryLayout<RowBlockEntry>.stride
    for block in contents.index.rowBlocks { total += 32 + block.fields.capacity * MemoryLayout<FieldPage>.stride }
    return total
  }
}
