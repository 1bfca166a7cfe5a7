// Writes rows of one partition to objects of the archive, one or more for each day in UTC, and to the stubs that stand for
// them. An object is there, durable and read back, before its stub is written; until the manifest names the stub both are
// leftovers, which the next open and the next run of the archive sweep.

import VarveCore
import VarveFormat
import VarveIO

struct ArchiveWriter {
  static let dayNanoseconds: Int64 = 86_400_000_000_000

  let options: StoreOptions
  let paths: StorePaths
  let ids: FileIDs
  let archive: any ArchiveTier
  let table: TableSchema
  let partition: PartitionKey
  let sequences: ClosedRange<Sequence>
  let deletedThrough: Sequence
  let tags: [(id: ColumnID, column: TagColumn)]
  let tails: TailCache

  /// Writes the rows, all of one day. After a throw there is no stub of them. `progress` is called with the bytes that each
  /// row block adds to its object, and may throw to end it.
  func write(_ rows: some SortedRows, day: Int64, progress: (Int) throws -> Void) throws -> [ChunkMetadata] {
    var done: [ChunkMetadata] = []
    var current: ArchivedChunk?
    do {
      try rows.forEachRowBlock { block in
        let chunk = try current ?? begin(rows, day: day)
        current = chunk
        let before = chunk.objectByteCount
        try chunk.append(block, rows.fields)
        try progress(chunk.objectByteCount - before)
        guard chunk.objectByteCount >= options.objectByteCount else { return }
        current = nil
        done.append(try finish(chunk))
      }
      if let current { done.append(try finish(current)) }
      return done
    } catch {
      for chunk in done { ChunkFileWriter.discard(chunk.file, options, paths) }
      throw error
    }
  }

  private func begin(_ rows: some SortedRows, day: Int64) throws -> ArchivedChunk {
    let identity = ChunkIdentity(
      file: try ids.take(), table: table.id, partition: partition.index,
      partitionNanoseconds: table.partitionNanoseconds, firstSequence: sequences.lowerBound,
      lastSequence: sequences.upperBound, wallNanoseconds: options.clock.wallNanoseconds())
    let sink = try archive.makeObject(
      ObjectDescription(identity: identity, table: table, day: day, fields: rows.fields, tags: tags))
    return ArchivedChunk(
      StubBuilder(identity: identity, summaryStep: rows.summaryStep, fieldCount: rows.fields.count), sink,
      tails.collector(table.id, rows.fields))
  }

  private func finish(_ chunk: ArchivedChunk) throws -> ChunkMetadata {
    let (object, stub, tail) = try chunk.finish()
    let builder = chunk.stub
    guard let first = builder.firstSeries, let last = builder.lastSeries else {
      preconditionFailure("a chunk is begun with its first row")
    }
    let identity = builder.identity
    let file = try options.fileSystem.open(paths.chunk(identity.file), .createNew)
    do {
      defer { file.close() }
      try file.write(stub, at: 0)
      try file.sync()
    } catch {
      ChunkFileWriter.discard(identity.file, options, paths)
      throw error
    }
    // Else the next query for latest rows would fetch them.
    if let tail { tails.keep(tail, of: identity.file) }
    return ChunkMetadata(
      file: identity.file, table: identity.table, partition: identity.partition, byteCount: stub.count,
      rowCount: builder.rowCount, valueCount: builder.valueCount, time: builder.time, firstSeries: first,
      lastSeries: last, firstSequence: identity.firstSequence, lastSequence: identity.lastSequence, level: .archived,
      deletedThrough: deletedThrough, objectByteCount: object.byteCount)
  }
}

/// An object and its stub on their way.
private final class ArchivedChunk {
  private(set) var stub: StubBuilder
  private var tail: TailCollector?
  private let sink: any ObjectSink

  init(_ stub: StubBuilder, _ sink: any ObjectSink, _ tail: TailCollector?) {
    self.stub = stub
    self.sink = sink
    self.tail = tail
  }

  var objectByteCount: Int { sink.byteCount }

  func append(_ block: SortedBlock, _ fields: [(id: ColumnID, type: FieldType)]) throws {
    tail?.begin(block)
    try stub.beginRowBlock(runs: block.runs, times: block.times)
    try sink.begin(runs: block.runs, times: block.times)
    for (place, field) in fields.enumerated() {
      guard let column = try block.field(place)?.withoutNulls else { continue }
      tail?.add(column, place)
      if try stub.appendField(field.id, column) { sink.append(field.id, column) }
    }
    tail?.end()
    try stub.endRowBlock()
    sink.end()
  }

  func finish() throws -> (object: ArchivedObject, stub: [UInt8], tail: ChunkTail?) {
    let (object, rowBlocks) = try sink.finish()
    return (object, try stub.finish(object, rowBlocks), tail?.finish())
  }
}
