// Writes one chunk file, front to back, and syncs it. Its name is its id, so it is written in place: until the
// manifest names it, it is an orphan that the next open sweeps.

import VarveCore
import VarveFormat
import VarveIO

struct ChunkFileWriter {
  let options: StoreOptions
  let paths: StorePaths
  let ids: FileIDs
  /// The commits whose rows the chunk holds.
  let sequences: ClosedRange<Sequence>

  private static let bufferByteCount = 1 << 20

  func write(_ blocks: [HeadBlock], partition: PartitionKey, table: TableSchema) throws -> ChunkMetadata {
    let id = try ids.take()
    let path = paths.chunk(id)
    let file = try options.fileSystem.open(path, .createNew)
    do {
      defer { file.close() }
      return try fill(file, id, blocks, partition, table)
    } catch {
      do { try options.fileSystem.remove(path) } catch let removal {
        options.log(.warning, "cannot remove unfinished chunk \(id.rawValue): \(removal)")
      }
      throw error
    }
  }

  private func fill(
    _ file: any File, _ id: FileID, _ blocks: [HeadBlock], _ partition: PartitionKey, _ table: TableSchema
  ) throws -> ChunkMetadata {
    var builder = ChunkBuilder(
      identity: ChunkIdentity(
        file: id, table: table.id, partition: partition.index, partitionNanoseconds: table.partitionNanoseconds,
        firstSequence: sequences.lowerBound, lastSequence: sequences.upperBound,
        wallNanoseconds: options.clock.wallNanoseconds()))
    var pending: [UInt8] = []
    var written = 0
    func append(_ bytes: [UInt8], atLeast threshold: Int) throws {
      pending += bytes
      guard pending.count >= threshold else { return }
      try file.write(pending, at: written)
      written += pending.count
      pending.removeAll(keepingCapacity: true)
    }
    let fields = Self.fields(of: blocks, table)
    try SealedPartition(blocks, fields).forEachRowBlock { rows in
      let block = RowBlock(runs: rows.runs, times: rows.times, fields: zip(fields, rows.fields).map { ($0.id, $1) })
      try append(builder.appendRowBlock(block), atLeast: Self.bufferByteCount)
    }
    try append(builder.finish(), atLeast: 1)
    try file.sync()
    guard let first = builder.firstSeries, let last = builder.lastSeries else {
      preconditionFailure("a partition of the head has rows")
    }
    return ChunkMetadata(
      file: id, table: table.id, partition: partition.index, byteCount: written, rowCount: builder.rowCount,
      valueCount: builder.valueCount, time: builder.time, firstSeries: first, lastSeries: last,
      firstSequence: sequences.lowerBound, lastSequence: sequences.upperBound)
  }

  /// The fields that any of the blocks has, by id.
  private static func fields(of blocks: [HeadBlock], _ table: TableSchema) -> [(id: ColumnID, type: FieldType)] {
    var ids = Set<ColumnID>()
    for block in blocks { for field in block.fields { ids.insert(field.id) } }
    return ids.sorted().compactMap { id in
      guard case .field(let type) = table.column(id)?.kind else { return nil }
      return (id, type)
    }
  }
}
