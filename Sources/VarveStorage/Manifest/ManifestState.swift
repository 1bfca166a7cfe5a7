// What the manifest says once all its edits are applied: the tables, the live chunks, and where replay begins.

import VarveCore
import VarveFormat

package struct ManifestState: Sendable {
  package private(set) var catalog = Catalog()
  /// Live chunks by file id.
  package private(set) var chunks: [FileID: ChunkMetadata] = [:]
  /// What deletes cover of the live chunks, as far as the log before its start said.
  package private(set) var tombstones: [TombstoneKey: [Tombstone]] = [:]
  /// The file of each dimension table that has one.
  package private(set) var dimensionFiles: [TableID: DimensionFileMetadata] = [:]
  package private(set) var rollups: [TableID: RollupState] = [:]
  package private(set) var flushed = Sequence.zero
  package private(set) var logStart = LogPosition.origin
  package private(set) var seriesFile = FileID(rawValue: 0)
  package private(set) var seriesByteCount = 0
  package private(set) var nextFile = FileID(rawValue: 1)
  package private(set) var wallNanoseconds: Int64 = 0

  package init() {}

  package mutating func apply(_ edit: ManifestEdit) throws {
    for change in edit.changes {
      try catalog.apply(change)
      // A dropped table's chunks go with it.
      if case .dropTable(let table) = change {
        chunks = chunks.filter { $0.value.table != table }
        tombstones = tombstones.filter { $0.key.table != table }
        dimensionFiles[table] = nil
        rollups[table] = nil
      }
    }
    for file in edit.removedChunks {
      guard chunks.removeValue(forKey: file) != nil else {
        throw VarveError(.corruption, "the manifest removes chunk \(file.rawValue), which is not live")
      }
    }
    for chunk in edit.addedChunks {
      guard chunks[chunk.file] == nil, catalog.tables[chunk.table] != nil else {
        throw VarveError(.corruption, "the manifest adds chunk \(chunk.file.rawValue) twice or to no table")
      }
      try Self.checkPartition(chunk, catalog)
      chunks[chunk.file] = chunk
    }
    try applyTombstones(edit)
    try applyDimensionFiles(edit)
    for state in edit.rollups {
      guard catalog.rollups[state.table] != nil, state.invalid.allSatisfy({ $0.sequence <= edit.flushed }) else {
        throw VarveError(.corruption, "the manifest says how far rollup \(state.table.rawValue) is, which it cannot be")
      }
      rollups[state.table] = state
    }
    guard edit.flushed >= flushed, edit.logStart >= logStart, edit.nextFile >= nextFile else {
      throw VarveError(.corruption, "a manifest edit goes back in time")
    }
    guard edit.logStart.file < edit.nextFile, edit.seriesFile < edit.nextFile,
      edit.addedChunks.allSatisfy({ $0.file < edit.nextFile }),
      edit.dimensionFiles.allSatisfy({ $0.file < edit.nextFile })
    else { throw VarveError(.corruption, "a manifest edit names a file whose id was never given") }
    flushed = edit.flushed
    logStart = edit.logStart
    seriesFile = edit.seriesFile
    seriesByteCount = edit.seriesByteCount
    nextFile = edit.nextFile
    wallNanoseconds = edit.wallNanoseconds
    if edit.nextTable.rawValue > 0 { catalog.reserve(upTo: TableID(rawValue: edit.nextTable.rawValue - 1)) }
  }

  private static func checkPartition(_ chunk: ChunkMetadata, _ catalog: Catalog) throws {
    guard let width = catalog.tables[chunk.table]?.partitionNanoseconds,
      PartitionSplit.index(chunk.time.lower, width: width) == chunk.partition,
      PartitionSplit.index(chunk.time.upper, width: width) == chunk.partition
    else {
      throw VarveError(.corruption, "the manifest has chunk \(chunk.file.rawValue) in a partition of other times")
    }
  }

  /// The highest commit that any chunk's rows are known to come after or from. All up to it were durable when that was
  /// said: a log that ends before has lost some.
  package var highestKnownCommit: Sequence { chunks.values.reduce(flushed) { max($0, $1.deletedThrough) } }

  private mutating func applyDimensionFiles(_ edit: ManifestEdit) throws {
    for table in edit.removedDimensionFiles {
      guard dimensionFiles.removeValue(forKey: table) != nil else {
        throw VarveError(
          .corruption, "the manifest removes a dimension file of table \(table.rawValue), which has none")
      }
    }
    for file in edit.dimensionFiles {
      guard catalog.dimensions[file.table] != nil, file.sequence <= edit.flushed,
        !dimensionFiles.values.contains(where: { $0.file == file.file })
      else {
        throw VarveError(
          .corruption, "the manifest adds dimension file \(file.file.rawValue) twice, too early or to no table")
      }
      dimensionFiles[file.table] = file
    }
  }

  /// What it means if the log goes no further than commit `last`; nil if that is all right.
  package func lossOfLog(endingAt last: Sequence, _ paths: StorePaths) -> VarveError? {
    guard last < highestKnownCommit else { return nil }
    return VarveError(
      .corruption,
      "the log ends with commit \(last.rawValue), and the manifest knows of commit \(highestKnownCommit.rawValue): log segments are missing",
      hint: "put them back; or `varve repair` goes on without them and says what is lost", place: paths.log)
  }

  /// The edit that makes this state from nothing.
  package var checkpoint: ManifestEdit {
    var edit = ManifestEdit(
      wallNanoseconds: wallNanoseconds, flushed: flushed, logStart: logStart, seriesFile: seriesFile,
      seriesByteCount: seriesByteCount, nextFile: nextFile, nextTable: catalog.nextTable)
    edit.changes = catalog.changes(since: Catalog())
    edit.addedChunks = chunks.values.sorted { $0.file < $1.file }
    edit.addedTombstones = tombstones.keys.sorted().flatMap { tombstones[$0] ?? [] }
    edit.dimensionFiles = dimensionFiles.values.sorted { $0.table < $1.table }
    edit.rollups = rollups.values.sorted { $0.table < $1.table }
    return edit
  }

  private mutating func applyTombstones(_ edit: ManifestEdit) throws {
    for key in edit.removedTombstones {
      guard tombstones.removeValue(forKey: key) != nil else {
        throw VarveError(.corruption, "the manifest removes tombstone \(key.sequence.rawValue), which is not there")
      }
    }
    let known = Set(tombstones.keys)
    for tombstone in edit.addedTombstones {
      guard tombstone.sequence <= edit.flushed, catalog.tables[tombstone.deletion.table] != nil,
        !known.contains(tombstone.key)
      else {
        throw VarveError(
          .corruption, "the manifest adds tombstone \(tombstone.sequence.rawValue) twice, too early or to no table")
      }
      tombstones[tombstone.key, default: []].append(tombstone)
    }
  }
}
