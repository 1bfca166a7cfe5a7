// How many rows a table has, exactly, and with as little reading as that takes.

import VarveCore
import VarveFormat

extension Snapshot {
  /// Partitions whose chunks share no row with anything else are counted by what the manifest says of them; the others
  /// are read. `check` is called between pieces, and throws to end it.
  package func rowCount(of table: TableSchema, check: () throws -> Void) throws -> Int {
    let chunks = Dictionary(grouping: state.chunks.chunks(of: table.id).map(\.metadata), by: \.partition)
    let heads = [state.sealing, state.active].compactMap { $0 }.flatMap(\.partitions.keys)
    let unsealed = Set(heads.filter { $0.table == table.id }.map(\.index))
    var count = 0
    for partition in unsealed.union(chunks.keys).sorted() {
      let own = chunks[partition] ?? []
      let isOneGeneration = Set(own.map { [$0.firstSequence, $0.lastSequence] }).count == 1
      let isWhole = own.allSatisfy { state.tombstones.exclusions(for: $0).isEmpty }
      if !unsealed.contains(partition), isOneGeneration, isWhole {
        count += own.reduce(0) { $0 + $1.rowCount }
        continue
      }
      let time = PartitionSplit.range(partition, width: table.partitionNanoseconds)
      let cursor = try scan(ScanRequest(table: table.id, time: time))
      while let batch = try cursor.next() {
        count += batch.count
        try check()
      }
    }
    return count
  }
}
