// The live chunks of all tables. A value: snapshots copy it, the handles are shared.

import VarveCore
import VarveFormat

struct ChunkSet: Sendable {
  private(set) var byTable: [TableID: TableChunks] = [:]

  subscript(table: TableID) -> TableChunks { byTable[table] ?? TableChunks() }

  mutating func add(_ chunk: ChunkHandle) { byTable[chunk.metadata.table, default: TableChunks()].add(chunk) }

  /// Gives the handles that went.
  mutating func replace(_ files: [FileID], with added: [ChunkHandle], in key: PartitionKey) -> [ChunkHandle] {
    let removed = byTable[key.table]?.remove(Set(files), in: key.index) ?? []
    for chunk in added { add(chunk) }
    return removed
  }

  mutating func remove(table: TableID) { byTable[table] = nil }

  func chunks(of table: TableID) -> [ChunkHandle] { self[table].partitions.flatMap(\.chunks) }
  var all: [ChunkHandle] { byTable.keys.flatMap { chunks(of: $0) } }
}
