// The engine of one data directory.
//
// It has no threads of its own. Commits, freezes and installs are made by one thread at a time (the caller's duty;
// `CommitPipeline` is that thread in a running database, a test's main thread in a simulation); chunks are written
// by any other; snapshots are taken from anywhere.
//
// State that readers see stands behind one lock that is held for moments and never across I/O.

import Synchronization
import VarveCore
import VarveFormat
import VarveIO

package final class Store: @unchecked Sendable {
  /// What a snapshot copies.
  struct Published: Sendable {
    var catalog: Catalog
    var sequence: Sequence
    /// By table and partition, in order of sequence.
    var chunks: ChunkSet
    /// What deletes cover of chunks and of the sealing head.
    var tombstones: TombstoneSet
    var dimensions: DimensionTables
    var rollups: RollupStates
    /// Bytes of changes of dimension tables that the log holds since the last freeze.
    var dimensionLogByteCount = 0
    /// Rows being written to chunks, of commits up to `sealingSequence`.
    var sealing: Head?
    var sealingSequence = Sequence.zero
    /// Rows since.
    var active: Head
    /// Monotonic time of the first commit that the next seal will declare flushed. It may have left no row: the log that
    /// holds it is let go by a seal all the same.
    var activeSince: Int64?
    var logByteCount = 0
    var failure: VarveError?
  }

  let options: StoreOptions
  let paths: StorePaths
  let ids: FileIDs
  let series: SeriesIndexes
  let caches: ChunkCaches
  let published: Mutex<Published>
  let reserve: ReserveFile
  let backupHold = BackupHold()
  let shipHold: ShipHold
  /// Who sends the log to where backups are.
  package let logTurn = LogTurn()
  /// For those who follow commits.
  package let feed: CommitFeed
  /// What compaction counts and knows; of no consequence for what is stored.
  struct Maintenance {
    var statistics = MaintenanceStatistics()
    /// Of the manifest, behind its checkpoint.
    var editByteCount = 0
    /// Damaged: compacting them is not tried again and again.
    var unreadableChunks = Set<FileID>()
    var postponements = Postponements()
    /// What is on its way to the archive: nobody else begins with it.
    var archiving: PartitionKey?
    /// What compaction is writing anew.
    var compacting = Set<PartitionKey>()
  }
  let maintenance = Mutex(Maintenance())
  private let lock: (any FileLock)?

  /// It was there before, and had commits; else it was made.
  let wasOpened: Bool

  // Touched only by the committing thread.
  var log: WriteAheadLog?
  var manifest: ManifestLog?
  var seriesFile: SeriesFile?
  /// The catalog with everything that the next record will say.
  var workingCatalog: Catalog
  /// Changes in `workingCatalog` that no durable record has yet.
  var unloggedChanges: [CatalogChange] = []
  var tablesWithUnloggedSeries = Set<TableID>()
  /// Table → series that durable records define.
  var loggedSeries: [TableID: Int]
  /// Table → series that the series file defines.
  var savedSeries: [TableID: Int]
  /// The last commit that took chunks for which nothing came, as a drop does, and a delete: no earlier one can have them
  /// back.
  var lastRemoval = Sequence.zero
  /// Rollup → the last commit since the start that wrote it.
  var lastRollupWrites: [TableID: Sequence] = [:]
  var idleSeal: IdleSealRule
  /// Set from freeze to install.
  var frozen: FrozenState?
  var flushed: Sequence

  init(
    options: StoreOptions, paths: StorePaths, ids: FileIDs, series: SeriesIndexes, caches: ChunkCaches,
    lock: (any FileLock)?, published: Published,
    log: WriteAheadLog?, manifest: ManifestLog?, seriesFile: SeriesFile?, savedSeries: [TableID: Int], flushed: Sequence
  ) {
    self.options = options
    self.paths = paths
    self.ids = ids
    self.series = series
    self.caches = caches
    self.lock = lock
    reserve = ReserveFile(options, paths)
    shipHold = ShipHold(byteLimit: options.unshippedLogByteCount)
    idleSeal = IdleSealRule(options)
    self.workingCatalog = published.catalog
    self.loggedSeries = Dictionary(uniqueKeysWithValues: published.catalog.tables.keys.map { ($0, series[$0].count) })
    var published = published
    published.logByteCount = log?.byteCount ?? 0
    self.published = Mutex(published)
    feed = CommitFeed(published.sequence, byteLimit: options.feedByteCount)
    if let log { feed.logHolds(log) }
    wasOpened = log.map { $0.end != .origin } ?? true
    self.log = log
    self.manifest = manifest
    self.seriesFile = seriesFile
    self.savedSeries = savedSeries
    self.flushed = flushed
  }

  package var isReadOnly: Bool { options.readOnly }
  package var directory: String { paths.root }
  package var clock: any Clock { options.clock }

  package func snapshot() -> Snapshot {
    published.withLock { Snapshot(store: self, state: $0) }
  }

  package var sequence: Sequence { published.withLock { $0.sequence } }

  /// Why nothing more is accepted, if so.
  package var failure: VarveError? { published.withLock { $0.failure } }

  /// Bytes that the series indexes take.
  package var seriesByteCount: Int { series.byteCount }

  package var pageCacheStatistics: PageCache.Statistics { caches.pages.statistics }

  package var tailStatistics: TailCache.Statistics { caches.tails.statistics }

  /// Bytes that the chunks' indexes take that are kept.
  package var chunkIndexByteCount: Int { caches.indexes.byteCount }

  func handle(_ chunk: ChunkMetadata) -> ChunkHandle {
    ChunkHandle(
      chunk, path: paths.chunk(chunk.file), files: options.fileSystem, caches: caches, archive: options.archive)
  }

  /// Bytes of rows in memory: active, and being sealed.
  package var headByteCounts: (active: Int, sealing: Int) {
    published.withLock { ($0.active.byteCount, $0.sealing?.byteCount ?? 0) }
  }

  func isPaused(_ job: DatabaseJob) -> Bool { published.withLock { $0.catalog.pausedJobs.contains(job) } }

  package var logByteCount: Int { published.withLock { $0.logByteCount } }

  func fail(_ error: VarveError) {
    published.withLock { $0.failure = $0.failure ?? error }
    options.log(.error, error.description)
  }

  /// Closes the files. Everything acknowledged is durable already; in the weaker sync modes what is not yet is synced.
  package func close() throws {
    defer {
      log?.close()
      manifest?.close()
      seriesFile?.close()
      lock?.release()
    }
    published.withLock { $0.failure = $0.failure ?? VarveError(.closed, "the database is closed") }
    feed.close()
    guard let log, let manifest, !options.readOnly else { return }
    reserve.rest(forManifest: manifest.nextByteCount)
    try log.sync()
    try log.mark(sequence: sequence)
    try log.sync()
  }
}
