// The live chunks, by table and partition, in order of sequence. A value: snapshots copy it, the handles are shared.

import VarveCore
import VarveFormat

struct ChunkSet: Sendable {
  private(set) var byTable: [TableID: [Int64: [ChunkHandle]]] = [:]

  mutating func add(_ chunk: ChunkHandle) {
    var list = byTable[chunk.metadata.table, default: [:]][chunk.metadata.partition] ?? []
    list.append(chunk)
    // Chunks of one merge have the same sequences, and no identity in common.
    list.sort { ($0.metadata.firstSequence, $0.metadata.file) < ($1.metadata.firstSequence, $1.metadata.file) }
    byTable[chunk.metadata.table, default: [:]][chunk.metadata.partition] = list
  }

  /// Gives the handles that went.
  mutating func replace(_ files: [FileID], with added: [ChunkHandle], in key: PartitionKey) -> [ChunkHandle] {
    let gone = Set(files)
    let list = byTable[key.table]?[key.index] ?? []
    let kept = list.filter { !gone.contains($0.metadata.file) }
    byTable[key.table, default: [:]][key.index] = kept.isEmpty ? nil : kept
    for chunk in added { add(chunk) }
    return list.filter { gone.contains($0.metadata.file) }
  }

  mutating func remove(table: TableID) { byTable[table] = nil }

  func chunks(of table: TableID) -> [ChunkHandle] { byTable[table, default: [:]].values.flatMap { $0 } }
  var all: [ChunkHandle] { byTable.keys.flatMap { chunks(of: $0) } }
}
