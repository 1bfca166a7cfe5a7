// Tails of chunks, within a limit: what was used longest ago goes. A chunk never changes, so neither does its tail; the
// one of a chunk that is gone is not asked for any more, and goes as others come.
//
// Once a table's tails were asked for, they are made of its chunks as these are written (`collector`), so that a query
// finds them though chunks come and go.

import Synchronization
import VarveCore
import VarveFormat

package final class TailCache: Sendable {
  package struct Statistics: Sendable {
    package var byteCount = 0
    package var chunks = 0
    /// Chunks whose tails were at hand, and such as had to be read.
    package var hits = 0
    package var reads = 0
  }

  private struct Entry: Sendable {
    let tail: ChunkTail
    let byteCount: Int
    var lastUse: Int
  }

  private struct State: Sendable {
    var entries: [FileID: Entry] = [:]
    var uses = 0
    var statistics = Statistics()
    /// Tables whose tails were asked for.
    var tables = Set<TableID>()
  }

  private let state = Mutex(State())
  private let byteLimit: Int

  package init(byteLimit: Int) { self.byteLimit = byteLimit }

  package var statistics: Statistics {
    state.withLock { state in
      var statistics = state.statistics
      statistics.chunks = state.entries.count
      return statistics
    }
  }

  /// The chunk's tail with these fields; nil if it is too large to be kept.
  func tail(
    of chunk: ChunkHandle, _ fields: [(id: ColumnID, type: FieldType)], _ statistics: inout ScanStatistics
  ) throws -> ChunkTail? {
    let known = find(chunk.metadata)
    let missing = fields.filter { known?.columns[$0.id] == nil }
    if let known, missing.isEmpty {
      state.withLock { $0.statistics.hits += 1 }
      return known
    }
    guard try chunk.contents().index.seriesCount <= seriesLimit(missing.count) else { return nil }
    let (read, added) = try ChunkTail.read(chunk, missing)
    statistics.add(added)
    let tail = known?.adding(read) ?? read
    state.withLock { $0.statistics.reads += 1 }
    keep(tail, of: chunk.metadata.file)
    return tail
  }

  /// What makes the tail of a chunk of the table while that is written; nil if nobody has asked for any.
  func collector(_ table: TableID, _ fields: [(id: ColumnID, type: FieldType)]) -> TailCollector? {
    guard state.withLock({ $0.tables.contains(table) }) else { return nil }
    return TailCollector(fields, seriesLimit: seriesLimit(fields.count))
  }

  private func seriesLimit(_ fieldCount: Int) -> Int { byteLimit / 4 / (24 + 9 * fieldCount) }

  /// Whether a tail with these fields is at hand.
  func has(_ file: FileID, _ fields: [(id: ColumnID, type: FieldType)]) -> Bool {
    state.withLock { state in
      guard let tail = state.entries[file]?.tail else { return false }
      return fields.allSatisfy { tail.columns[$0.id] != nil }
    }
  }

  private func find(_ chunk: ChunkMetadata) -> ChunkTail? {
    let file = chunk.file
    return state.withLock { state in
      state.tables.insert(chunk.table)
      state.uses += 1
      state.entries[file]?.lastUse = state.uses
      return state.entries[file]?.tail
    }
  }

  func keep(_ tail: ChunkTail, of file: FileID) {
    let byteCount = tail.byteCount
    // What goes is released without the lock.
    let gone = state.withLock { state -> [Entry] in
      var gone: [Entry] = []
      func remove(_ file: FileID) {
        guard let entry = state.entries.removeValue(forKey: file) else { return }
        state.statistics.byteCount -= entry.byteCount
        gone.append(entry)
      }
      remove(file)
      guard byteCount <= byteLimit / 4 else { return gone }
      while state.statistics.byteCount + byteCount > byteLimit,
        let oldest = state.entries.min(by: { $0.value.lastUse < $1.value.lastUse })
      {
        remove(oldest.key)
      }
      state.uses += 1
      state.entries[file] = Entry(tail: tail, byteCount: byteCount, lastUse: state.uses)
      state.statistics.byteCount += byteCount
      return gone
    }
    withExtendedLifetime(gone) {}
  }
}
