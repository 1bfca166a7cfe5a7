// Sealing: the head becomes chunks, and the log before it is let go.
//
//   freeze   (committing thread)  active head → sealing head; the log goes on in another segment
//   write    (any other thread)   each partition → a chunk file, synced; each changed dimension table → a file,
//                                 synced; then their directories
//   install  (committing thread)  series file, manifest edit, publish; then segments and dropped tables' files go
//
// A crash before the manifest edit leaves files that nothing names, and the log that still holds their rows.

import VarveCore
import VarveFormat
import VarveIO

/// What was true when the head was frozen: exactly what the manifest will say next.
struct FrozenState {
  let catalog: Catalog
  let sequence: Sequence
  let logStart: LogPosition
  let series: [TableID: Int]
  /// Held here, because a drop takes them out of the store's.
  let indexes: [TableID: SeriesIndex]
  let rollups: RollupStates
  /// Dimension tables whose rows no file has.
  let dimensions: [(table: TableID, rows: DimensionRows)]
}

/// Chunks that are written and durable, and that nothing names yet.
package struct SealedChunks: Sendable {
  let chunks: [ChunkMetadata]
  let dimensions: [DimensionFileMetadata]
  var rowCount: Int { chunks.reduce(0) { $0 + $1.rowCount } }
}

extension Store {
  /// Whether the head is due for sealing.
  package var shouldFreeze: Bool {
    let now = options.clock.monotonicNanoseconds()
    return published.withLock { state in
      guard state.sealing == nil, state.failure == nil, let since = state.activeSince else { return false }
      return state.active.byteCount + state.dimensionLogByteCount >= options.sealByteCount
        || now - since >= Int64(options.sealAgeMilliseconds) * 1_000_000
        || idleSeal.isDue(at: now, since: since, byteCount: state.active.byteCount)
    }
  }

  /// Begins a seal. False when there is nothing to seal or a seal is under way.
  package func freeze() throws -> Bool {
    if let failure { throw failure }
    guard let log, frozen == nil, sequence > flushed else { return false }
    do { try log.rotate() } catch {
      fail(asVarveError(error))
      throw error
    }
    noteIdleSeal()
    frozen = published.withLock { state in
      state.sealing = state.active
      state.sealingSequence = state.sequence
      state.active = Head()
      state.activeSince = nil
      state.dimensionLogByteCount = 0
      return FrozenState(
        catalog: state.catalog, sequence: state.sequence, logStart: log.end, series: loggedSeries, indexes: series.all,
        rollups: state.rollups, dimensions: state.dimensions.unsaved)
    }
    publishLogSize()
    return true
  }

  private func noteIdleSeal() {
    let now = options.clock.monotonicNanoseconds()
    let (since, byteCount) = published.withLock { ($0.activeSince ?? now, $0.active.byteCount) }
    if idleSeal.isDue(at: now, since: since, byteCount: byteCount) { idleSeal.didSeal(byteCount: byteCount) }
  }

  /// Writes the sealing head's chunks. After a throw nothing names what was written, and the call may be made again;
  /// want of room or descriptors is worth another try later, anything else is not.
  package func writeChunks() throws -> SealedChunks {
    let (head, catalog) = published.withLock { ($0.sealing, $0.catalog) }
    guard let head, let frozen else { return SealedChunks(chunks: [], dimensions: []) }
    let began = options.clock.monotonicNanoseconds()
    maintenance.withLock { $0.statistics.seals.began() }
    defer {
      let nanoseconds = options.clock.monotonicNanoseconds() - began
      maintenance.withLock { $0.statistics.seals.took(nanoseconds) }
    }
    var written: [ChunkMetadata] = []
    var dimensions: [DimensionFileMetadata] = []
    do {
      for key in head.partitions.keys.sorted(by: { ($0.table, $0.index) < ($1.table, $1.index) }) {
        guard let table = catalog.tables[key.table], let blocks = head.partitions[key] else { continue }
        let writer = ChunkFileWriter(
          options: options, paths: paths, ids: ids, sequences: flushed.next...sealedSequence, tails: caches.tails)
        written += try writer.write(SortedPartition(blocks, table), partition: key, table: table)
      }
      if !written.isEmpty { try options.fileSystem.syncDirectory(paths.chunks) }
      for (table, rows) in frozen.dimensions where catalog.dimensions[table] != nil {
        dimensions.append(
          try DimensionFiles.write(rows, of: table, sequence: frozen.sequence, options, paths, ids))
      }
      if !dimensions.isEmpty { try options.fileSystem.syncDirectory(paths.dimensions) }
    } catch {
      for chunk in written { ChunkFileWriter.discard(chunk.file, options, paths) }
      for file in dimensions { DimensionFiles.discard(file.file, options, paths) }
      if asVarveError(error).code == .diskFull { _ = makeRoom() }
      noteFailure(asVarveError(error), of: \.seals)
      throw error
    }
    return SealedChunks(chunks: written, dimensions: dimensions)
  }

  /// Makes the chunks live. Want of room or descriptors leaves everything as it was, for another try.
  package func install(_ sealed: SealedChunks) throws {
    guard let frozen, let manifest, let seriesFile, let log else { preconditionFailure("install follows freeze") }
    do {
      // In the weaker sync modes a later drop may be visible and not yet durable: then what it took out of the sealing
      // head must not be counted as flushed.
      try log.sync()
      try reserve.lend { try seriesFile.append(newSeries(frozen)) }
      for (table, count) in frozen.series { savedSeries[table] = count }
      let before = manifest.state
      try commit(edit(frozen, sealed, manifest.state, seriesFile), to: manifest)
      publish(sealed)
      flushed = frozen.sequence
      self.frozen = nil
      cleanUp(log, before: frozen.logStart, filesThatWent(before, manifest.state))
    } catch {
      let error = asVarveError(error)
      noteFailure(error, of: \.seals)
      if error.code == .diskFull { _ = makeRoom(ofLog: log) }
      if !error.isWant { fail(error) }
      throw error
    }
  }

  /// Seals everything there is, on the calling thread: for closed directories and tests.
  package func sealAll() throws {
    if frozen == nil { guard try freeze() else { return } }
    try install(try writeChunks())
  }

  // MARK: -

  /// Lets go of what the manifest no longer needs. Whatever stays behind is named by nothing and swept at the next open.
  private func cleanUp(_ log: WriteAheadLog, before start: LogPosition, _ unneeded: [(FileID, String)]) {
    do {
      try log.release(
        before: backupHold.logLimit(start), keepingSpares: options.spareSegments,
        keeping: keptLogByteCount(log, before: start))
      for (file, path) in unneeded { try removeFile(file, path) }
    } catch {
      options.log(.warning, "cannot remove files that are no longer needed; the next start does: \(error)")
    }
    publishLogSize()
    feed.logHolds(log)
    reserve.restore()
  }

  /// The files that the one state names and the other does not, with their paths.
  private func filesThatWent(_ before: ManifestState, _ after: ManifestState) -> [(FileID, String)] {
    let dimensions = Set(after.dimensionFiles.values.map(\.file))
    return before.chunks.keys.filter { after.chunks[$0] == nil }.map { ($0, paths.chunk($0)) }
      + before.dimensionFiles.values.map(\.file).filter { !dimensions.contains($0) }.map { ($0, paths.dimension($0)) }
  }

  private var sealedSequence: Sequence { frozen?.sequence ?? flushed.next }

  private func newSeries(_ frozen: FrozenState) -> [SeriesRecord] {
    frozen.catalog.tables.keys.sorted().compactMap { table in
      let from = savedSeries[table] ?? 0
      let to = frozen.series[table] ?? 0
      guard to > from, let index = frozen.indexes[table] else { return nil }
      return index.record(table, from: from, to: to)
    }
  }

  private func edit(
    _ frozen: FrozenState, _ sealed: SealedChunks, _ state: ManifestState, _ seriesFile: SeriesFile
  ) -> ManifestEdit {
    var edit = ManifestEdit(
      wallNanoseconds: options.clock.wallNanoseconds(), flushed: frozen.sequence, logStart: frozen.logStart,
      seriesFile: seriesFile.id, seriesByteCount: seriesFile.byteCount, nextFile: ids.next,
      nextTable: frozen.catalog.nextTable)
    edit.changes = frozen.catalog.changes(since: state.catalog)
    edit.addedChunks = sealed.chunks.filter { frozen.catalog.tables[$0.table] != nil }
    edit.dimensionFiles = sealed.dimensions.filter { frozen.catalog.dimensions[$0.table] != nil }
    edit.rollups = frozen.rollups.all.filter { state.rollups[$0.table] != $0 }
    addTombstones(to: &edit, state)
    return edit
  }

  private func publish(_ sealed: SealedChunks) {
    let now = options.clock.wallNanoseconds()
    maintenance.withLock { maintenance in
      maintenance.statistics.seals.succeeded(at: now)
      maintenance.statistics.seals.rowCount += sealed.rowCount
      maintenance.statistics.seals.writtenByteCount += sealed.chunks.reduce(0) { $0 + $1.byteCount }
    }
    let catalog = published.withLock { state in
      for file in sealed.dimensions where state.catalog.dimensions[file.table] != nil {
        state.dimensions.setSaved(file.sequence, of: file.table)
      }
      return state.catalog
    }
    publishChunks(endingSeal: true) { chunks in
      for chunk in sealed.chunks where catalog.tables[chunk.table] != nil { chunks.add(handle(chunk)) }
    }
  }
}
