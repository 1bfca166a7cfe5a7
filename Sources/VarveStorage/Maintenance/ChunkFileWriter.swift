// Writes the rows of one partition to a chunk file, or to several where one would grow too large, each front to back,
// and syncs them; memory held is a column of a row block, a buffer, and perhaps the chunk's tail (`TailCache`). A chunk's
// name is its id, so it is written in place: until the manifest names it, it is an orphan that the next open sweeps.

import VarveCore
import VarveFormat
import VarveIO

struct ChunkFileWriter {
  let options: StoreOptions
  let paths: StorePaths
  let ids: FileIDs
  /// The commits whose rows the chunks hold.
  let sequences: ClosedRange<Sequence>
  let tails: TailCache
  var level = ChunkLevel.sealed
  /// No tombstone up to here covers any of the rows; nil: the last of the commits.
  var deletedThrough: Sequence?
  /// A file of this size is ended, and the rows behind go to another.
  var byteLimit = Int.max

  /// Files in order of (series, time), which have no identity in common; none without rows. After a throw there is none.
  /// `progress` is called with the bytes of each row block, and may throw to end it.
  func write(
    _ rows: some SortedRows, partition: PartitionKey, table: TableSchema, progress: (Int) throws -> Void = { _ in }
  ) throws -> [ChunkMetadata] {
    var done: [ChunkMetadata] = []
    var current: ChunkFile?
    do {
      try rows.forEachRowBlock { block in
        let file = try current ?? begin(partition, table, rows)
        current = file
        try progress(file.append(block, rows.fields))
        guard file.byteCount >= byteLimit else { return }
        done.append(try file.finish(self))
        current = nil
      }
      if let current { done.append(try current.finish(self)) }
    } catch {
      let unfinished = current.map { [$0.close()] } ?? []
      for file in done.map(\.file) + unfinished { Self.discard(file, options, paths) }
      throw error
    }
    return done
  }

  /// Removes a chunk that nothing names. If that fails the next open sweeps it.
  static func discard(_ file: FileID, _ options: StoreOptions, _ paths: StorePaths) {
    do { try options.fileSystem.remove(paths.chunk(file)) } catch {
      options.log(.warning, "cannot remove unfinished chunk \(file.rawValue): \(error)")
    }
  }

  private func begin(_ partition: PartitionKey, _ table: TableSchema, _ rows: some SortedRows) throws -> ChunkFile {
    let id = try ids.take()
    let identity = ChunkIdentity(
      file: id, table: table.id, partition: partition.index, partitionNanoseconds: table.partitionNanoseconds,
      firstSequence: sequences.lowerBound, lastSequence: sequences.upperBound,
      wallNanoseconds: options.clock.wallNanoseconds())
    // What is written for good may take its time; what is soon to be merged may not.
    let builder = ChunkBuilder(
      identity: identity, effort: level == .full ? .smallest : .light, summaryStep: rows.summaryStep,
      fieldCount: rows.fields.count)
    return ChunkFile(
      try options.fileSystem.open(paths.chunk(id), .createNew), builder, tails.collector(table.id, rows.fields))
  }
}

/// A chunk file that is being written.
private final class ChunkFile {
  private static let bufferByteCount = 1 << 20

  private let file: any File
  private var builder: ChunkBuilder
  private var tail: TailCollector?
  private var pending: [UInt8] = []
  private var written = 0

  init(_ file: any File, _ builder: ChunkBuilder, _ tail: TailCollector?) {
    self.file = file
    self.tail = tail
    self.builder = builder
  }

  var byteCount: Int { builder.byteCount }

  /// Gives the bytes that the rows take.
  func append(_ block: SortedBlock, _ fields: [(id: ColumnID, type: FieldType)]) throws -> Int {
    let before = builder.byteCount
    tail?.begin(block)
    try write(builder.beginRowBlock(runs: block.runs, times: block.times), atLeast: Self.bufferByteCount)
    for (place, field) in fields.enumerated() {
      guard let column = try block.field(place) else { continue }
      tail?.add(column, place)
      try write(builder.appendField(field.id, column), atLeast: Self.bufferByteCount)
    }
    tail?.end()
    try builder.endRowBlock()
    return builder.byteCount - before
  }

  /// There is a row in it.
  func finish(_ writer: ChunkFileWriter) throws -> ChunkMetadata {
    try write(builder.finish(), atLeast: 1)
    try file.sync()
    file.close()
    guard let first = builder.firstSeries, let last = builder.lastSeries else {
      preconditionFailure("a chunk is begun with its first row")
    }
    let identity = builder.identity
    if let tail = tail?.finish() { writer.tails.keep(tail, of: identity.file) }
    return ChunkMetadata(
      file: identity.file, table: identity.table, partition: identity.partition, byteCount: written,
      rowCount: builder.rowCount, valueCount: builder.valueCount, time: builder.time, firstSeries: first,
      lastSeries: last, firstSequence: identity.firstSequence, lastSequence: identity.lastSequence,
      level: writer.level, deletedThrough: writer.deletedThrough)
  }

  /// Gives the id of a file that comes to nothing.
  func close() -> FileID {
    file.close()
    return builder.identity.file
  }

  private func write(_ bytes: [UInt8], atLeast threshold: Int) throws {
    pending += bytes
    guard pending.count >= threshold else { return }
    try file.write(pending, at: written)
    written += pending.count
    pending.removeAll(keepingCapacity: true)
  }
}
