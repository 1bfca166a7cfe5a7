// Archiving: the chunks of a partition become objects of the archive, with a stub each in their place; and back.
//
//   pick      (any thread)         all chunks of a partition, see `CompactionPicker`
//   archive   (any other thread)   their rows, merged and without deleted ones, to objects, each put in its place and read
//                                  back; then to stubs, each synced; then their directory
//   install   (committing thread)  as of a compaction: one manifest edit, publish, then the inputs' files go
//
// So at each moment rows are live once: in the chunks before the edit, in the objects behind it. What is left of a step
// that came to nothing, or of objects whose stubs have gone, is found by the next run: objects that no stub names.

import VarveCore
import VarveFormat
import VarveIO

/// What an archived chunk of the store has its rows in.
package struct ArchivedChunkReference: Sendable {
  package let metadata: ChunkMetadata
  package let object: ArchivedObject
}

extension Store {
  /// The next step towards archiving all of the table's partitions that end before a time; nil if there is none.
  /// Unless it is `thorough`, what is archived stays as long as little has come or gone since; partitions that are to be
  /// archived `anew` are, whenever they end.
  package func pickArchiving(
    _ pass: inout CompactionPass, before time: Int64, thorough: Bool = true, anew: Set<Int64> = []
  ) -> CompactionTask? {
    pick(&pass, isPostponed: { _ in false }) { table, key, chunks, picker, _ in
      let end = PartitionSplit.range(key.index, width: table.partitionNanoseconds).upper
      let isAnew = anew.contains(key.index)
      return end < time || isAnew ? picker.chooseArchiving(chunks, thorough: thorough, anew: isAnew) : nil
    }
  }

  /// The next step towards taking all partitions with these times out of the archive; nil if there is none.
  package func pickRestoring(_ pass: inout CompactionPass, in time: TimeRange) -> CompactionTask? {
    pick(&pass, isPostponed: { _ in false }) { table, key, chunks, picker, _ in
      let range = PartitionSplit.range(key.index, width: table.partitionNanoseconds)
      return range.overlaps(time) ? picker.chooseRestoring(chunks) : nil
    }
  }

  /// Writes the task's rows to the archive. `pace` is called with the bytes of each row block in its object, and may throw
  /// to end it. After a throw there is no stub, and perhaps an object that nothing names.
  package func archive(_ task: CompactionTask, pace: (Int) throws -> Void = { _ in }) throws -> CompactedChunks {
    // Of so many generations that they are not merged at once, some become one first.
    guard task.isFull || task.isEmptied else { return try write(task, pace: pace) }
    if let failure { throw failure }
    guard let archive = options.archive else { throw VarveError.noArchive }
    let tags = tagColumns(of: task.table)
    let writer = ArchiveWriter(
      options: options, paths: paths, ids: ids, archive: archive, table: task.table, partition: task.partition,
      sequences: task.sequences, deletedThrough: task.deletedThrough, tags: tags, tails: caches.tails)
    var outputs: [ChunkMetadata] = []
    do {
      for (day, others) in Self.days(of: task) {
        let inputs = zip(task.inputs, task.exclusions).map { input, exclusions in
          var exclusions = exclusions
          exclusions.add(others)
          return (handle: input, exclusions: exclusions)
        }
        let rows = try MergedPartition(
          inputs, try Self.fields(of: task), task.table, byteLimit: options.compactionByteCount, isArchived: true)
        outputs += try writer.write(rows, day: day, progress: pace)
      }
      if !outputs.isEmpty { try syncChunkNames() }
    } catch {
      for chunk in outputs { ChunkFileWriter.discard(chunk.file, options, paths) }
      throw error
    }
    return CompactedChunks(
      partition: task.partition, inputs: task.inputs.map(\.metadata.file), inputByteCount: task.byteCount,
      outputs: outputs, deletedThrough: task.deletedThrough)
  }

  private func tagColumns(of table: TableSchema) -> [(id: ColumnID, column: TagColumn)] {
    let snapshot = self.snapshot()
    return table.tags.map { ($0.id, snapshot.tagColumn($0.id, of: table.id)) }
  }

  /// The days on which the task has rows, perhaps, and for each the times of the partition that are none of it.
  private static func days(of task: CompactionTask) -> [(day: Int64, others: [TimeRange])] {
    guard let first = task.inputs.map(\.metadata.time.lower).min(),
      let last = task.inputs.map(\.metadata.time.upper).max()
    else { return [] }
    let width = ArchiveWriter.dayNanoseconds
    let days = PartitionSplit.index(first, width: width)...PartitionSplit.index(last, width: width)
    return days.compactMap { day in
      let range = PartitionSplit.range(day, width: width)
      guard task.inputs.contains(where: { $0.metadata.time.overlaps(range) }) else { return nil }
      return (day, TimeRange(lower: first, upper: last).without(range))
    }
  }

  /// Keeps compaction from beginning with the task's partition. False if it is at it: the task is to be picked anew.
  package func beginArchiving(_ task: CompactionTask) -> Bool {
    maintenance.withLock { maintenance in
      guard !maintenance.compacting.contains(task.partition) else { return false }
      maintenance.archiving = task.partition
      return true
    }
  }

  /// Whoever archived chunks of partitions is done.
  package func endArchiving() { maintenance.withLock { $0.archiving = nil } }

  /// All archived chunks of a table, or of all, and where their rows are; and what is wrong with stubs that cannot be
  /// read.
  package func archivedChunks(
    of table: TableID? = nil
  ) throws -> (found: [ArchivedChunkReference], problems: [VarveError]) {
    let chunks = published.withLock { $0.chunks }
    var found: [ArchivedChunkReference] = []
    var problems: [VarveError] = []
    for chunk in (table.map { chunks.chunks(of: $0) } ?? chunks.all).filter(\.isArchived) {
      do {
        found.append(ArchivedChunkReference(metadata: chunk.metadata, object: try chunk.holdStub().object()))
      } catch let error as VarveError where error.isDamage { problems.append(error) }
    }
    return (found, problems)
  }

  /// Chunks that `varve repair` has moved away: their objects may be all that is left of them.
  package func quarantinedChunks() throws -> Set<FileID> {
    guard try options.fileSystem.exists(paths.quarantine) else { return [] }
    return Set(
      try options.fileSystem.list(paths.quarantine).compactMap { name in
        // A name that is there already gets another one behind it.
        name.firstRange(of: ".chunk").flatMap { StorePaths.id(of: String(name[..<$0.upperBound]), suffix: "chunk") }
      })
  }

  /// Those that hold the inputs' rows.
  package func objects(of task: CompactionTask) throws -> [ArchivedObject] {
    try task.inputs.filter(\.isArchived).map { try $0.holdStub().object() }
  }

  /// Everything that is wrong with an archived chunk, its object read whole.
  package func problems(ofArchived chunk: ArchivedChunkReference) throws -> [VarveError] {
    let (catalog, chunks) = published.withLock { ($0.catalog, $0.chunks) }
    guard
      let handle = chunks[chunk.metadata.table].chunks(in: chunk.metadata.partition).first(where: {
        $0.metadata.file == chunk.metadata.file
      })
    else { return [] }
    return try ChunkCheck(
      paths: paths, files: options.fileSystem, catalog: catalog, series: series, archive: options.archive
    ).problems(of: chunk.metadata, through: handle)
  }

  /// Whether rows are in memory that a run of the archive would take, if they were in chunks: of one table, or of any.
  package func hasRowsToArchive(of id: TableID?, before time: Int64) -> Bool {
    let state = published.withLock { $0 }
    return [state.active, state.sealing].compactMap { $0 }.contains { head in
      head.partitions.keys.contains { key in
        guard id == nil || key.table == id, let table = state.catalog.tables[key.table] else { return false }
        return PartitionSplit.range(key.index, width: table.partitionNanoseconds).upper < time
      }
    }
  }

  package func isArchivingDue(of table: TableSchema, before time: Int64) -> Bool {
    var pass = CompactionPass(self, table: table.id)
    return pickArchiving(&pass, before: time, thorough: false) != nil
  }

  /// What a run of the archive would take of a table, as far as it is in chunks: all of each partition of which it takes
  /// anything, since that goes whole, in however many steps.
  package func previewArchiving(of table: TableSchema, before time: Int64, anew: Set<Int64>) -> ArchiveReport {
    let state = published.withLock { $0 }
    var report = ArchiveReport(table: table.name)
    var pass = CompactionPass(self, table: table.id)
    while let task = pickArchiving(&pass, before: time, anew: anew) {
      for chunk in state.chunks[table.id].chunks(in: task.partition.index) {
        report.chunksBefore += 1
        report.bytesBefore += chunk.metadata.byteCount
        if !state.tombstones.exclusions(for: chunk.metadata).coverAll(of: chunk.metadata) {
          report.rows += chunk.metadata.rowCount
        }
      }
      pass.skip()
    }
    return report
  }
}

extension CompactionTask {
  /// Whether nothing is left to do of the partition behind it.
  package var isWhole: Bool { isFull }

  /// Whether nothing comes in the inputs' place.
  fileprivate var isEmptied: Bool {
    zip(inputs, exclusions).allSatisfy { input, exclusions in exclusions.coverAll(of: input.metadata) }
  }
}
