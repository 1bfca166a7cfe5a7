// What reading a data directory yields, before anything in it is touched.

import VarveCore
import VarveFormat
import VarveIO

struct LoadedState {
  private let options: StoreOptions
  private let paths: StorePaths
  private let manifest: ManifestState
  private let series: SeriesIndexes
  private var catalog: Catalog
  private var head = Head()
  private(set) var sequence: Sequence
  private var savedSeries: [TableID: Int] = [:]
  private(set) var chunks = ChunkSet()
  private var tombstones = TombstoneSet()
  private var dimensions = DimensionTables()
  private var rollups = RollupStates()
  private let caches: ChunkCaches
  private(set) var segments: [WriteAheadLog.Used] = []
  /// Log segments that only those read who follow commits.
  private(set) var keptSegments: [WriteAheadLog.Used] = []
  private(set) var logEnd: LogPosition
  private var lastRemoval = Sequence.zero

  init(empty options: StoreOptions, _ paths: StorePaths, _ manifest: ManifestState) {
    self.options = options
    self.paths = paths
    self.manifest = manifest
    series = SeriesIndexes(hash: WideHash(seed: options.hashSeed))
    catalog = manifest.catalog
    caches = ChunkCaches(
      pageByteLimit: options.pageCacheByteCount, indexByteLimit: options.chunkIndexByteCount,
      tailByteLimit: options.tailByteCount)
    sequence = manifest.flushed
    logEnd = manifest.logStart
  }

  /// Reads the series file and the dimension tables, and lists the chunks.
  init(_ options: StoreOptions, _ paths: StorePaths, _ manifest: ManifestState) throws {
    self.init(empty: options, paths, manifest)
    try SeriesFile.read(
      paths: paths, files: options.fileSystem, id: manifest.seriesFile, byteCount: manifest.seriesByteCount
    ) { try series.apply($0, catalog: catalog) }
    for table in catalog.tables.keys { savedSeries[table] = series[table].count }
    for file in manifest.checkpoint.dimensionFiles {
      guard let schema = catalog.dimensions[file.table] else { continue }
      let rows = try DimensionFiles.read(file, schema, options.fileSystem, paths)
      dimensions.set(rows, of: file.table, changed: file.sequence)
      dimensions.setSaved(file.sequence, of: file.table)
    }
    // In order, each goes behind those before it.
    for chunk in manifest.chunks.values.sorted(by: { ($0.table, $0.partition) < ($1.table, $1.partition) }) {
      chunks.add(
        ChunkHandle(
          chunk, path: paths.chunk(chunk.file), files: options.fileSystem, caches: caches, archive: options.archive))
    }
    for tombstone in manifest.checkpoint.addedTombstones { tombstones.add(tombstone) }
    for state in manifest.rollups.values { rollups.set(state) }
  }

  /// Replays the log into the head: with no more memory than running took, for it holds what the heads held.
  mutating func replayLog() throws {
    var reader = LogReader(paths: paths, files: options.fileSystem, start: manifest.logStart)
    try reader.read { number, record in try replay(number, record) }
    if let loss = manifest.lossOfLog(endingAt: sequence, paths) { throw loss }
    segments = reader.segments
    keptSegments = max(options.keptLogByteCount, options.unshippedLogByteCount) > 0 ? reader.kept : []
    logEnd = reader.end
  }

  /// As `replayLog`, but keeps what can be read before the first damage. Says where it is; nil when the log is whole.
  /// Commits behind `last` are left out. Throws what is no damage, such as a failing disk.
  mutating func salvageLog(upTo last: Sequence?) throws -> (damage: VarveError?, badSegments: [(FileID, VarveError)]) {
    var reader = LogReader(paths: paths, files: options.fileSystem, start: manifest.logStart, isSalvaging: true)
    var damage: VarveError?
    do {
      try reader.read { number, record in
        if let last, number > last { return }
        try replay(number, record)
      }
    } catch let error as VarveError where error.code == .corruption {
      damage = error
    }
    segments = reader.segments
    logEnd = reader.end
    return (damage, reader.damagedFiles)
  }

  /// Numbers of commits that are lost are not given again.
  mutating func skipCommits(upTo last: Sequence) { sequence = max(sequence, last) }

  private mutating func replay(_ number: Sequence, _ record: CommitRecord) throws {
    guard number == sequence.next else {
      throw VarveError(.corruption, "the log goes from commit \(sequence.rawValue) to commit \(number.rawValue)")
    }
    catalog.observe(wallNanoseconds: record.wallNanoseconds)
    for change in record.changes {
      try catalog.apply(change)
      if case .dropTable(let table) = change {
        lastRemoval = number
        head.remove(table: table)
        chunks.remove(table: table)
        tombstones.remove(table: table)
        dimensions.remove(table)
        rollups.remove(table)
        series.remove(table)
        savedSeries[table] = nil
      }
    }
    for each in record.series { try series.apply(each, catalog: catalog) }
    try apply(record.deletions.filter { catalog.tables[$0.table] != nil }, number)
    for rows in record.rows {
      guard let table = catalog.tables[rows.table] else { continue }
      try check(rows, table)
      let block = HeadBlock(series: rows.series, times: rows.times, fields: rows.fields)
      let index = PartitionSplit.index(block.timeRange.lower, width: table.partitionNanoseconds)
      guard index == PartitionSplit.index(block.timeRange.upper, width: table.partitionNanoseconds) else {
        throw VarveError(.corruption, "a record's rows span partitions")
      }
      head.append(block, to: PartitionKey(table: table.id, index: index))
      rollups.note(block, of: table.id, catalog, number)
    }
    for change in record.dimensions {
      guard let schema = catalog.dimensions[change.table] else {
        throw VarveError(.corruption, "a record changes dimension table \(change.table.rawValue), which does not exist")
      }
      var rows = dimensions[change.table].rows
      try rows.replay(change, schema)
      dimensions.set(rows, of: change.table, changed: number)
    }
    for step in record.steps { try rollups.apply(step, catalog, number) }
    sequence = number
  }

  private mutating func apply(_ deletions: [Deletion], _ number: Sequence) throws {
    guard !deletions.isEmpty else { return }
    // Whether a compaction has taken chunks that it left nothing of is not known any more.
    lastRemoval = number
    var added = TombstoneSet()
    for deletion in deletions {
      guard let last = deletion.series.ranges.last,
        deletion.series.isAll || last.upperBound < UInt32(series[deletion.table].count)
      else {
        throw VarveError(
          .corruption, "a record deletes from series that table \(deletion.table.rawValue) does not have")
      }
      added.add(Tombstone(deletion, sequence: number))
      rollups.note(deletion, catalog, number)
    }
    head.remove(deletions)
    for tombstone in added.needed(by: chunks).all { tombstones.add(tombstone) }
  }

  private func check(_ rows: RowsRecord, _ table: TableSchema) throws {
    let known = UInt32(series[table.id].count)
    guard rows.series.span.allSatisfy({ $0 < known }) else {
      throw VarveError(.corruption, "a record's rows name series that table \(table.id.rawValue) does not have")
    }
    for field in rows.fields {
      guard table.column(field.id)?.kind == .field(field.column.type) else {
        throw VarveError(.corruption, "a record's field \(field.id.rawValue) contradicts table \(table.id.rawValue)")
      }
    }
  }

  func makeStore(
    ids: FileIDs, lock: (any FileLock)?, log: WriteAheadLog?, manifest: ManifestLog?, seriesFile: SeriesFile?
  ) -> Store {
    let published = Store.Published(
      catalog: catalog, sequence: sequence, chunks: chunks, tombstones: tombstones, dimensions: dimensions,
      rollups: rollups, sealing: nil, active: head,
      activeSince: sequence > self.manifest.flushed ? options.clock.monotonicNanoseconds() : nil, failure: nil)
    let store = Store(
      options: options, paths: paths, ids: ids, series: series, caches: caches, lock: lock, published: published,
      log: log, manifest: manifest, seriesFile: seriesFile, savedSeries: savedSeries, flushed: self.manifest.flushed)
    store.lastRemoval = lastRemoval
    return store
  }
}
