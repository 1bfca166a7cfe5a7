// Compaction: chunks of a partition become fewer, without the rows that deletes cover.
//
//   pick     (any thread)         neighbours in sequence, see `CompactionPicker`
//   write    (any other thread)   their rows, merged, to new chunks, each synced; then their directory
//   install  (committing thread)  one manifest edit: inputs out, outputs in, tombstones that nothing is left for out;
//                                 publish; then the inputs' files go
//
// A crash before the edit leaves the inputs live and files that nothing names; one behind it leaves the outputs live.
// Snapshots from before hold the inputs open. Memory is bounded however many columns there are, see `MergedPartition`.

import VarveCore
import VarveFormat
import VarveIO

/// Chunks to be compacted, and what is to be left out of them.
package struct CompactionTask: Sendable {
  let table: TableSchema
  let partition: PartitionKey
  /// In order of sequence.
  let inputs: [ChunkHandle]
  let exclusions: [Exclusions]
  /// The commit up to which deletes are made real.
  let sequence: Sequence
  let isFull: Bool

  package var byteCount: Int { inputs.reduce(0) { $0 + $1.metadata.byteCount } }

  /// The commits whose rows they hold.
  var sequences: ClosedRange<Sequence> {
    let inputs = inputs.map(\.metadata)
    guard let first = inputs.map(\.firstSequence).min(), let last = inputs.map(\.lastSequence).max() else {
      preconditionFailure("a compaction has inputs")
    }
    return first...last
  }

  /// No delete up to here covers a row of what is written.
  var deletedThrough: Sequence { max(sequence, sequences.upperBound) }
}

/// New chunks that are written and durable, and that nothing names yet.
package struct CompactedChunks: Sendable {
  let partition: PartitionKey
  let inputs: [FileID]
  package let inputByteCount: Int
  package let outputs: [ChunkMetadata]
  /// No delete up to here covers a row of the outputs.
  let deletedThrough: Sequence

  package var inputCount: Int { inputs.count }

  package var description: String {
    let bytes = outputs.reduce(0) { $0 + $1.byteCount }
    return "\(inputs.count) chunks of \(inputByteCount) bytes into \(outputs.count) of \(bytes) bytes"
  }
}

extension Store {
  // MARK: - Pick

  /// The next step of compaction that is due; nil if none is.
  package func pickCompaction() -> CompactionTask? {
    var pass = CompactionPass(self)
    return pickCompaction(&pass)
  }

  /// The next step towards one generation of the smallest form in each partition of the table, whatever its age.
  package func pickFullCompaction(of id: TableID) -> CompactionTask? {
    var pass = CompactionPass(self, table: id)
    return pickFullCompaction(&pass)
  }

  /// The next step that is due from where the pass stands; nil at its end.
  package func pickCompaction(_ pass: inout CompactionPass) -> CompactionTask? {
    let time = options.clock.monotonicNanoseconds()
    let (postponements, archiving) = maintenance.withLock { ($0.postponements, $0.archiving) }
    let now = options.clock.wallNanoseconds()
    let isOver = now.subtractingReportingOverflow(options.compactionGraceNanoseconds)
    return pick(&pass, isPostponed: { postponements.contains($0, at: time) || $0 == archiving }) {
      table, key, chunks, picker, state in
      let end = PartitionSplit.range(key.index, width: table.partitionNanoseconds).upper
      let isClosed =
        !isOver.overflow && end < isOver.partialValue && state.active.partitions[key] == nil
        && state.sealing?.partitions[key] == nil
      return picker.choose(chunks, isClosed: isClosed)
    }
  }

  /// The same of steps towards one generation of the smallest form, whatever the partition's age.
  package func pickFullCompaction(_ pass: inout CompactionPass) -> CompactionTask? {
    let archiving = maintenance.withLock { $0.archiving }
    return pick(&pass, isPostponed: { $0 == archiving }) { _, _, chunks, picker, _ in picker.chooseWhole(chunks) }
  }

  func pick(
    _ pass: inout CompactionPass, isPostponed: @escaping (PartitionKey) -> Bool,
    _ choose: (TableSchema, PartitionKey, [ChunkMetadata], CompactionPicker, Published) -> CompactionPicker.Choice?
  ) -> CompactionTask? {
    let state = published.withLock { $0 }
    let unreadable = maintenance.withLock { $0.unreadableChunks }
    while let key = pass.current {
      let all = state.chunks[key.table]
      let chunks = all.chunks(in: key.index)
      guard let table = state.catalog.tables[key.table], !chunks.isEmpty else {
        pass.skip()
        continue
      }
      let known = pass.picker.flatMap { $0.table == table.id ? $0.picker : nil }
      let picker =
        known
        ?? CompactionPicker(
          tombstones: state.tombstones.of(table.id), partitions: all.partitions.lazy.map { $0.chunks.map(\.metadata) },
          isReadable: { !unreadable.contains($0.file) },
          // What is archived is merged by the next run of the archive, not before.
          isPostponed: { $0.level == .archived || isPostponed(PartitionKey(table: $0.table, index: $0.partition)) })
      pass.picker = (table.id, picker)
      guard let choice = choose(table, key, chunks.map(\.metadata), picker, state) else {
        pass.skip()
        continue
      }
      let chosen = Set(choice.chunks.map(\.file))
      let inputs = chunks.filter { chosen.contains($0.metadata.file) }
      return CompactionTask(
        table: table, partition: key, inputs: inputs,
        exclusions: inputs.map { state.tombstones.exclusions(for: $0.metadata) }, sequence: state.sequence,
        isFull: choice.isFull)
    }
    return nil
  }

  // MARK: - Write

  /// Writes the task's rows anew. `pace` is called with the bytes of each row block written, and may throw to end it.
  /// After a throw nothing is left of it. Chunks that cannot be read are not picked again.
  package func write(_ task: CompactionTask, pace: (Int) throws -> Void = { _ in }) throws -> CompactedChunks {
    if let failure { throw failure }
    let began = options.clock.monotonicNanoseconds()
    maintenance.withLock { maintenance in
      maintenance.statistics.compaction.began()
      maintenance.compacting.insert(task.partition)
    }
    defer {
      let nanoseconds = options.clock.monotonicNanoseconds() - began
      maintenance.withLock { maintenance in
        maintenance.statistics.compaction.took(nanoseconds)
        maintenance.compacting.remove(task.partition)
      }
    }
    do {
      try checkRoom(for: task)
      let outputs = try merge(task, pace)
      if !outputs.isEmpty {
        do { try syncChunkNames() } catch {
          for chunk in outputs { ChunkFileWriter.discard(chunk.file, options, paths) }
          throw error
        }
      }
      return CompactedChunks(
        partition: task.partition, inputs: task.inputs.map(\.metadata.file), inputByteCount: task.byteCount,
        outputs: outputs, deletedThrough: task.deletedThrough)
    } catch {
      note(asVarveError(error), of: task)
      throw error
    }
  }

  /// After a failure a seal that syncs the directory would prove nothing of its own names: the store takes no more.
  func syncChunkNames() throws {
    do { try options.fileSystem.syncDirectory(paths.chunks) } catch {
      if !asVarveError(error).isWant { fail(asVarveError(error)) }
      throw error
    }
  }

  private func merge(_ task: CompactionTask, _ pace: (Int) throws -> Void) throws -> [ChunkMetadata] {
    let rows = try MergedPartition(
      Array(zip(task.inputs, task.exclusions)), try Self.fields(of: task), task.table,
      byteLimit: options.compactionByteCount)
    let writer = ChunkFileWriter(
      options: options, paths: paths, ids: ids, sequences: task.sequences, tails: caches.tails,
      level: task.isFull ? .full : .merged, deletedThrough: task.deletedThrough,
      byteLimit: options.compactedChunkByteCount)
    defer { maintenance.withLock { $0.statistics.raisePeak(rows.memory.peakByteCount) } }
    return try writer.write(rows, partition: task.partition, table: task.table, progress: pace)
  }

  /// The fields that any of the inputs has, by id; dropped ones are left behind.
  static func fields(of task: CompactionTask) throws -> [(id: ColumnID, type: FieldType)] {
    var types: [ColumnID: FieldType] = [:]
    for input in task.inputs {
      for column in try input.contents().index.columns {
        guard task.table.everHad(column.id)?.kind == .field(column.type) else {
          throw VarveError(
            .corruption, "column \(column.id.rawValue) is not what table \"\(task.table.name)\" says",
            place: input.path)
        }
        if task.table.column(column.id) != nil { types[column.id] = column.type }
      }
    }
    return types.sorted { $0.key < $1.key }.map { (id: $0.key, type: $0.value) }
  }

  /// Throws if the disk has no room for all that the task may write, the log's next segment and what a seal needs
  /// meanwhile.
  private func checkRoom(for task: CompactionTask) throws {
    let byteCount = zip(task.inputs, task.exclusions).reduce(0) { sum, input in
      let chunk = input.0.metadata
      // What makes room needs none.
      return input.1.coverAll(of: chunk) ? sum : sum + max(chunk.byteCount, chunk.objectByteCount)
    }
    guard byteCount > 0 else { return }
    let needed = byteCount + 2 * options.segmentByteCount
    let free = try options.fileSystem.freeByteCount(paths.chunks)
    guard free < needed else { return }
    throw VarveError(
      .diskFull, "compacting chunks of \(byteCount) bytes takes \(needed) bytes of room, and \(free) are free",
      hint: "make room on the disk; chunks that do not fit stay as they are", place: paths.chunks)
  }

  private func note(_ error: VarveError, of task: CompactionTask) {
    if [.closed, .cancelled].contains(error.code) { return }
    let named = task.inputs.filter { error.place?.hasPrefix($0.path) ?? false }
    noteFailure(error, of: \.compaction)
    // What an object of the archive lacks can be put back.
    guard error.isDamage, error.place?.hasPrefix(paths.chunks) ?? true else { return }
    maintenance.withLock { maintenance in
      for chunk in named.isEmpty ? task.inputs : named { maintenance.unreadableChunks.insert(chunk.metadata.file) }
    }
  }

  /// Leaves the partition alone for a while: compacting it failed. Says whether that is news.
  func postpone(_ partition: PartitionKey, _ error: VarveError) -> Bool {
    let now = options.clock.monotonicNanoseconds()
    return maintenance.withLock { $0.postponements.add(partition, error, now: now) }
  }

  /// Chunks that could not be read may be tried again: somebody asks for it.
  package func retryUnreadableChunks() { maintenance.withLock { $0.unreadableChunks.removeAll() } }

  // MARK: - Install

  /// Makes the new chunks live in place of their inputs. False, with the new ones removed, if an input has gone since.
  /// Want of room or descriptors leaves everything as it was, for another try or for `discard`. Without `removesInputs`
  /// their files are left for `removeInputs`.
  package func install(_ compacted: CompactedChunks, removesInputs: Bool = true) throws -> Bool {
    if let failure { throw failure }
    guard let log, let manifest else { preconditionFailure("who compacts has the store open for writing") }
    guard isLive(compacted, manifest.state) else {
      discard(compacted)
      return false
    }
    do {
      // In the weaker sync modes a delete may be visible and not yet durable: then its rows must not go before it.
      try log.sync()
      try commit(edit(compacted, manifest.state), to: manifest)
    } catch {
      let error = asVarveError(error)
      noteFailure(error, of: \.compaction)
      if !error.isWant { fail(error) }
      throw error
    }
    if compacted.outputs.isEmpty { lastRemoval = max(lastRemoval, compacted.deletedThrough) }
    var removed = publish(compacted)
    // Snapshots may still read what goes now; what no snapshot has needs no descriptor.
    for i in removed.indices where !isKnownUniquelyReferenced(&removed[i]) { removed[i].pin() }
    if removesInputs { removeInputs(of: compacted) }
    reserve.restore()
    return true
  }

  /// Removes the files that were compacted, once the others are installed. On any thread: a large file takes many
  /// milliseconds, for which no commit should wait.
  package func removeInputs(of compacted: CompactedChunks) {
    do {
      for file in compacted.inputs { try removeFile(file, paths.chunk(file)) }
    } catch {
      options.log(.warning, "cannot remove compacted chunks; the next start does: \(error)")
    }
  }

  /// Removes chunks that will not be installed.
  package func discard(_ compacted: CompactedChunks) {
    for chunk in compacted.outputs { ChunkFileWriter.discard(chunk.file, options, paths) }
  }

  private func isLive(_ compacted: CompactedChunks, _ state: ManifestState) -> Bool {
    let live = published.withLock { $0.chunks[compacted.partition.table] }.chunks(in: compacted.partition.index)
    let files = Set(live.map(\.metadata.file))
    return compacted.inputs.allSatisfy { files.contains($0) && state.chunks[$0] != nil }
  }

  private func edit(_ compacted: CompactedChunks, _ state: ManifestState) -> ManifestEdit {
    var edit = edit(behind: state)
    edit.removedChunks = compacted.inputs
    edit.addedChunks = compacted.outputs
    addTombstones(to: &edit, state)
    return edit
  }

  private func publish(_ compacted: CompactedChunks) -> [ChunkHandle] {
    let added = compacted.outputs.map(handle)
    let now = options.clock.wallNanoseconds()
    maintenance.withLock { maintenance in
      maintenance.postponements.remove(compacted.partition)
      maintenance.statistics.compaction.succeeded(at: now)
      maintenance.statistics.compaction.rowCount += compacted.outputs.reduce(0) { $0 + $1.rowCount }
      maintenance.statistics.compaction.readByteCount += compacted.inputByteCount
      maintenance.statistics.compaction.writtenByteCount += compacted.outputs.reduce(0) { $0 + $1.byteCount }
    }
    var removed: [ChunkHandle] = []
    publishChunks { removed = $0.replace(compacted.inputs, with: added, in: compacted.partition) }
    return removed
  }
}
