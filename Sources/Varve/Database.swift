// The engine in an app: open, write, query, scan, subscribe, close.
//
// A `Database` owns the store of one directory, the threads that commit and seal, and a few that run queries, so that
// nothing here blocks the caller's executor. Nothing is global: several databases live side by side.

public import VarveCore
import VarveArchive
import VarveIO
import VarveQuery
import VarveStorage

/// What everything here throws.
public typealias VarveError = VarveCore.VarveError

/// A time-series database in one directory.
///
/// ```swift
/// let database = try await Database.open("readings")
/// try await database.write([
///   Point("weather", tags: ["site": "north"], fields: ["celsius": .double(7.5)], timeNanoseconds: 1_700_000_000_000_000_000)
/// ])
/// for row in try await database.query("SELECT avg(celsius) FROM weather") { print(row) }
/// try await database.close()
/// ```
///
/// When `write` returns, its rows are durable. One process at a time writes a directory; others may read it
/// (`Options.readOnly`).
public final class Database: Sendable {
  /// How a database is opened. Every default is right for a laptop.
  public struct Options: Sendable {
    /// When acknowledged rows are durable.
    public enum Sync: Sendable, Equatable {
      /// Before `write` returns.
      case always
      /// Within so many milliseconds; a crash may lose what was acknowledged in between.
      case interval(milliseconds: Int)
      /// When the operating system pleases.
      case off
    }
    public var sync = Sync.always
    /// Opens without writing anything, even while another process writes. Sees the moment of opening.
    public var readOnly = false
    public var createIfMissing = true
    /// Bytes that rows in memory, cached pages, queries and queues may take together; nil: half of the machine's or the
    /// cgroup's.
    public var memoryBudgetByteCount: Int?
    /// Bytes that pages of chunks may take that are kept for the next read, at most a quarter of the budget; nil: an
    /// eighth of it; 0 keeps none.
    public var pageCacheByteCount: Int?
    /// Stamps further ahead of the wall clock are rejected.
    public var maxFuture: Duration = .seconds(86_400)
    /// Rows are written to chunks at the latest this long after they came.
    public var sealAge: Duration = .seconds(600)
    /// Rows are written to chunks, unless they are very few, when none came for this long; zero: not for that.
    public var sealIdle: Duration = .seconds(2)
    /// Rows are written to chunks when they take this much memory; at most a quarter of the budget.
    public var sealByteCount = 256 << 20
    /// Whether chunks are merged, and deleted rows removed from them, without being asked for.
    public var compaction = true
    /// Bytes of the log that are kept though all in them is in chunk files, so that subscriptions can go on where they
    /// were; 0: none. A database that was just made keeps none before somebody subscribes.
    public var keptLogByteCount = 128 << 20
    /// Backups that it takes of itself, and its log between them; nil: none.
    public var backups: Backups?
    /// Bytes a second that a backup reads at most; 0: as fast as it goes.
    public var backupBytesPerSecond = 32 << 20
    /// Whether a backup may go to another place than that of `backups`.
    public var backupsGoAnywhere = true
    /// Whether rollups are refreshed without being asked for.
    public var refresh = true
    /// Bytes a second that compaction writes at most, unless it was asked for.
    public var compactionBytesPerSecond = 64 << 20
    /// Series that a table may have. Rows that would make more are rejected.
    public var maxSeriesPerTable = 10_000_000
    /// Statements that run for so long are logged, with their plan and what came of it; nil: none is.
    public var slowStatement: Duration? = .seconds(1)
    /// Where chunks go that a tiering policy or `archive_run` says are old, and where their rows are read: `file:///path`
    /// of a directory, made if its parent is there; nil: queries that need archived rows fail, and all others go on.
    public var archive: String?
    /// Bytes on disk that pieces of archived chunks may take that are kept for the next read; 0 keeps none.
    public var archiveCacheByteCount = 1 << 30
    /// Of the threads that queries run on.
    package var queryThreads = ThreadPriority.normal
    /// In place of a line in the log.
    package var onSlowStatement: (@Sendable (SlowStatement) -> Void)?
    /// Where other addresses than those of directories lead.
    package var objectStores = ObjectStoreSchemes.none
    /// Called with the engine's own log lines.
    public var log: @Sendable (LogLevel, String) -> Void = { _, _ in }
    public init() {}
  }

  public enum LogLevel: Sendable { case debug, info, warning, error }

  package let store: Store
  /// nil for a database that is only read.
  package let pipeline: CommitPipeline?
  package let workers: BlockingWorkers
  /// A query runs on the thread that asks, and on these.
  let helpers: HelperThreads
  /// What is told to subscriptions is made on these, so that it does not stand behind a long query.
  package let liveWorkers: BlockingWorkers
  package let liveMeter = LiveMeter()
  private let tableNotifications: TableNotifications
  /// Who writes dimension tables.
  package let dimensionLocks = DimensionLocks()
  let subscriptions: CommitSubscriptions
  /// Its sessions and what they run.
  package let monitor: SessionMonitor
  package let memoryBudgetByteCount: Int
  let jobs: JobScheduler
  private let tiering = TieringScheduler()
  let archive: ParquetTier?
  /// Whether the archive is being written to or verified.
  let archiveGate = Gate(false)
  let objectStores: ObjectStoreSchemes
  let backups: BackupState
  private let backupScheduler: BackupScheduler?
  private let closing = Gate(Closing.notBegun)
  private let readers = Gate(Readers())
  let log: @Sendable (LogLevel, String) -> Void

  private init(
    store: Store, pipeline: CommitPipeline?, workers: BlockingWorkers, liveWorkers: BlockingWorkers,
    helpers: HelperThreads, subscriptions: CommitSubscriptions, monitor: SessionMonitor, jobs: JobScheduler,
    backups: BackupState, memoryBudgetByteCount: Int, objectStores: ObjectStoreSchemes, archive: ParquetTier?,
    log: @escaping @Sendable (LogLevel, String) -> Void
  ) {
    self.store = store
    self.pipeline = pipeline
    self.workers = workers
    self.liveWorkers = liveWorkers
    let notifications = TableNotifications(store, monitor.notifications, liveWorkers) { log(.warning, $0) }
    tableNotifications = notifications
    monitor.notifications.onTableListeners { [weak notifications] in notifications?.follow($0) }
    self.helpers = helpers
    self.subscriptions = subscriptions
    self.monitor = monitor
    self.jobs = jobs
    self.backups = backups
    backupScheduler = store.isReadOnly ? nil : BackupScheduler(backups, log: log)
    self.memoryBudgetByteCount = memoryBudgetByteCount
    self.objectStores = objectStores
    self.archive = archive
    self.log = log
  }

  /// Opens the database in `directory`, creating it if it is missing.
  ///
  /// Throws ``VarveError``: `directory_locked` while another process writes it, `not_a_data_directory` for a directory
  /// with other files, `corruption` with the damaged file's name.
  public static func open(_ directory: String, options: Options = Options()) async throws -> Database {
    let workers = BlockingWorkers(count: 2, priority: options.queryThreads)
    do {
      return try await workers.run { try openBlocking(directory, options: options, workers: workers) }
    } catch {
      workers.stop()
      throw error
    }
  }

  /// As `open`, on the calling thread.
  package static func openBlocking(
    _ directory: String, options: Options, workers: BlockingWorkers? = nil, fileSystem: (any FileSystem)? = nil,
    clock: (any Clock)? = nil, tune: (inout StoreOptions) -> Void = { _ in }
  ) throws -> Database {
    let subscriptions = CommitSubscriptions()
    let budget = options.memoryBudgetByteCount ?? MemoryInformation.usableByteCount() / 2
    var storeOptions = StoreOptions(
      directory: directory, fileSystem: fileSystem ?? PosixFileSystem(), clock: clock ?? SystemClock())
    storeOptions.apply(options, budget: budget)
    let jobs = JobScheduler(storeOptions.clock, log: options.log)
    storeOptions.onCommit = { notice in
      jobs.note(notice)
      subscriptions.announce(notice)
    }
    let archive = try openArchive(options, directory, storeOptions.fileSystem)
    storeOptions.archive = archive
    tune(&storeOptions)
    let store = try Store.open(storeOptions)
    let clock = storeOptions.clock
    let monitor = SessionMonitor(
      wallNanoseconds: { clock.wallNanoseconds() },
      slowStatementMilliseconds: options.slowStatement?.clampedMilliseconds,
      onSlowStatement: options.onSlowStatement ?? { [log = options.log] in log(.info, $0.line) })
    let database = Database(
      store: store, pipeline: options.readOnly ? nil : CommitPipeline(store),
      workers: workers ?? BlockingWorkers(count: 2, priority: options.queryThreads),
      liveWorkers: BlockingWorkers(count: 2, priority: options.queryThreads),
      helpers: HelperThreads(
        threadCount: min(8, ProcessLimits.processorCount) - 1, priority: options.queryThreads),
      subscriptions: subscriptions, monitor: monitor, jobs: jobs,
      backups: BackupState(options, monitor.services, clock), memoryBudgetByteCount: budget,
      objectStores: options.objectStores, archive: archive, log: options.log)
    if !options.readOnly, options.refresh { jobs.start(database) }
    if !options.readOnly, archive != nil { database.tiering.start(database) }
    database.backupScheduler?.start(database)
    return database
  }

  /// Its place is looked at when it is needed: an archive that cannot be reached fails what needs it, and nothing else.
  private static func openArchive(_ options: Options, _ directory: String, _ files: any FileSystem) throws
    -> ParquetTier?
  {
    guard let url = options.archive else { return nil }
    return ParquetTier(
      try ObjectStoreURL.open(url, files: files, schemes: options.objectStores), files: files,
      directory: archiveDirectory(directory), cacheByteLimit: options.readOnly ? 0 : options.archiveCacheByteCount,
      log: { options.log(.warning, $0) })
  }

  /// What a data directory keeps of its archive.
  static func archiveDirectory(_ directory: String) -> String { directory + "/archive" }

  /// Makes everything durable, stops the threads and closes the files. Queries and scans that run are stopped and
  /// throw `closed`, as all later calls do; a closure that is being called is waited for.
  public func close() async throws {
    // Before the workers are asked: all of them may be running queries, or waiting for a commit.
    stopReaders()
    pipeline?.beginClosing()
    try await workers.run(evenIfCancelled: true) { try self.closeBlocking() }
    workers.stop()
    liveWorkers.stop()
    helpers.stop()
  }

  /// As `close`, on the calling thread, which must not be one that runs a query's closure.
  /// `releasingLog` removes the log where everything is in chunks, so that a directory at rest is not larger than they are.
  package func closeBlocking(releasingLog: Bool = false) throws {
    let isFirst = closing.update { state in
      guard state == .notBegun else { return false }
      state = .begun
      return true
    }
    guard isFirst else {
      _ = closing.wait { $0 == .done ? true : nil }
      return
    }
    defer { closing.update { $0 = .done } }
    jobs.stop()
    tiering.stop()
    backupScheduler?.stop()
    stopReaders()
    store.feed.close()
    pipeline?.beginClosing()
    _ = readers.wait { $0.stops.isEmpty ? true : nil }
    pipeline?.close()
    backupScheduler?.finish(store)
    subscriptions.finish()
    if releasingLog {
      do { try store.releaseLog() } catch {
        try store.close()
        throw error
      }
    }
    try store.close()
  }

  /// A database that is let go of without `close` must not hold its directory and its threads until the process ends.
  deinit {
    do { try closeBlocking() } catch { log(.error, "closing: \(error)") }
    workers.stop()
    liveWorkers.stop()
    helpers.stop()
  }

  /// Throws `closed` once closing has begun.
  func checkOpen() throws {
    if readers.read({ $0.isStopped }) { throw Self.closed }
  }

  private static var closed: VarveError { VarveError(.closed, "the database is closed") }

  private enum Closing: Sendable { case notBegun, begun, done }

  // MARK: - Running queries and scans

  struct Readers: Sendable {
    var isStopped = false
    var next = 0
    var stops: [Int: @Sendable () -> Void] = [:]
  }

  /// Runs `body`; when the database closes meanwhile, `stop` is called, from any thread. Throws `closed` if it was or
  /// is closed, whatever `body` threw.
  func reading<T>(stop: @escaping @Sendable () -> Void, _ body: () throws -> T) throws -> T {
    let key = readers.update { readers -> Int? in
      // Under the same lock as the stops: nobody slips in between.
      if readers.isStopped { return nil }
      readers.next += 1
      readers.stops[readers.next] = stop
      return readers.next
    }
    guard let key else { throw Self.closed }
    defer { readers.update { _ = $0.stops.removeValue(forKey: key) } }
    do {
      return try body()
    } catch let error as VarveError where error.code == .cancelled {
      try checkOpen()
      throw error
    }
  }

  private func stopReaders() {
    let stops = readers.update { readers in
      readers.isStopped = true
      return Array(readers.stops.values)
    }

    for stop in stops { stop() }
  }
}

extension Duration {
  /// From nothing to what a word holds, 292 years.
  var clampedNanoseconds: Int64 {
    let (seconds, attoseconds) = components
    let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    let (sum, overflows) = whole.addingReportingOverflow(attoseconds / 1_000_000_000)
    return self < .zero ? 0 : overflow || overflows ? .max : sum
  }

  var clampedMilliseconds: Int { Int(clampedNanoseconds / 1_000_000) }
}

extension StoreOptions {
  fileprivate mutating func apply(_ options: Database.Options, budget: Int) {
    readOnly = options.readOnly
    createIfMissing = options.createIfMissing
    sync =
      switch options.sync {
      case .always: .always
      case .interval(let milliseconds): .interval(milliseconds: max(1, milliseconds))
      case .off: .off
      }
    // The head may hold twice this while it is sealed, the series index a quarter, pages, indexes and tails of chunks and
    // a compaction what is said here; the rest is for queries and queues.
    sealByteCount = max(4 << 20, min(options.sealByteCount, budget / 4))
    seriesByteCount = budget / 4
    dimensionByteCount = min(dimensionByteCount, budget / 8)
    pageCacheByteCount = max(0, min(options.pageCacheByteCount ?? budget / 8, budget / 4))
    chunkIndexByteCount = budget / 32
    tailByteCount = budget / 64
    keptLogByteCount = max(0, options.keptLogByteCount)
    if let backups = options.backups, backups.shipEvery != nil {
      unshippedLogByteCount = max(1, backups.unshippedLogByteCount)
    }
    keepsLogUnasked = false
    feedByteCount = min(feedByteCount, budget / 64)
    compactionByteCount = budget / 32
    maxSeriesPerTable = options.maxSeriesPerTable
    compactsByItself = options.compaction
    compactionBytesPerSecond = max(1, options.compactionBytesPerSecond)
    maxFutureNanoseconds = options.maxFuture.clampedNanoseconds
    sealAgeMilliseconds = options.sealAge.clampedMilliseconds
    sealIdleMilliseconds = options.sealIdle.clampedMilliseconds
    log = { level, text in
      switch level {
      case .debug: options.log(.debug, text)
      case .info: options.log(.info, text)
      case .warning: options.log(.warning, text)
      case .error: options.log(.error, text)
      }
    }
  }
}
