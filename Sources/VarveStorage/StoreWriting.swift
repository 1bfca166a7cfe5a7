// What the layers above ask of the store beyond reading: the seam that the façade and SQL's INSERT and DDL use.

import VarveCore
import VarveFormat
import VarveIO

/// What became of a batch once it was durable.
package struct WriteResult: Sendable {
  /// The commit that holds the rows; `.zero` if no row was taken.
  package var sequence: Sequence
  package var rowsWritten: Int
  /// Rows that were not taken, with their lines; the rest of the batch is stored.
  package var rejections: [Rejection]
  package init(sequence: Sequence, rowsWritten: Int, rejections: [Rejection]) {
    self.sequence = sequence
    self.rowsWritten = rowsWritten
    self.rejections = rejections
  }
}

/// Rows to be deleted: of these series, within this time, as far as earlier commits brought them.
package struct DeleteRequest: Sendable {
  package var table: TableID
  package var series: SeriesSet
  package var time: TimeRange
  package init(table: TableID, series: SeriesSet = .all, time: TimeRange = .all) {
    self.table = table
    self.series = series
    self.time = time
  }
}

/// A table to be created by name.
package struct TableDefinition: Sendable {
  package var name: String
  package var tags: [String]
  package var fields: [(name: String, type: FieldType)]
  /// Order of the columns as written, tags and fields mixed; ids are given in this order.
  package var partitionNanoseconds: Int64
  package init(
    name: String, tags: [String], fields: [(name: String, type: FieldType)],
    partitionNanoseconds: Int64 = TableSchema.defaultPartitionNanoseconds
  ) {
    self.name = name
    self.tags = tags
    self.fields = fields
    self.partitionNanoseconds = partitionNanoseconds
  }
}

/// A dimension table to be created by name.
package struct DimensionDefinition: Sendable {
  package var name: String
  /// With ids from 0.
  package var columns: [DimensionColumn]
  /// In the key's order; not null, and of types that can stand in a key.
  package var key: [ColumnID]
  package init(name: String, columns: [DimensionColumn], key: [ColumnID]) {
    self.name = name
    self.columns = columns
    self.key = key
  }
}

/// One change of a table's columns or name.
package enum TableAlteration: Sendable {
  case addField(String, FieldType)
  /// Of a dimension table; its id is given.
  case addColumn(DimensionColumn)
  /// A field, or a column of a dimension table that is not of its key.
  case dropColumn(String)
  /// Not a tag.
  case renameColumn(String, to: String)
  case renameTable(to: String)
}

/// What a transaction writes: in one commit rows go, then rows come, and dimension tables change.
package struct TransactionWrites: Sendable {
  package var deletions: [DeleteRequest]
  package var batches: [PointBatch]
  package var dimensions: [DimensionWrite]
  package init(deletions: [DeleteRequest] = [], batches: [PointBatch] = [], dimensions: [DimensionWrite] = []) {
    self.deletions = deletions
    self.batches = batches
    self.dimensions = dimensions
  }

  package var byteCount: Int {
    batches.reduce(0) { $0 + $1.byteCount } + dimensions.reduce(0) { $0 + $1.byteCount }
  }
}

/// What a compaction made of a table's chunks.
package struct CompactionReport: Sendable, Equatable {
  package var table: String
  package var chunksBefore: Int
  package var chunksAfter: Int
  package var bytesBefore: Int
  package var bytesAfter: Int
  package init(table: String, chunksBefore: Int, chunksAfter: Int, bytesBefore: Int, bytesAfter: Int) {
    self.table = table
    self.chunksBefore = chunksBefore
    self.chunksAfter = chunksAfter
    self.bytesBefore = bytesBefore
    self.bytesAfter = bytesAfter
  }
}

/// A backup that is wanted.
package struct BackupRequest: Sendable, Equatable {
  /// nil: the one that is set.
  package var place: String?
  /// What is read at most; 0: as fast as it goes; nil: what is set.
  package var bytesPerSecond: Int?
  package init(place: String?, bytesPerSecond: Int? = nil) {
    self.place = place
    self.bytesPerSecond = bytesPerSecond
  }
}

/// What a backup came to.
package struct BackupReport: Sendable, Equatable {
  /// Which store, and which of its backups.
  package var store: String
  package var number: Int
  /// The last commit that it holds.
  package var sequence: Sequence
  package var files: Int
  package var byteCount: Int
  /// What went to the place: of the log less than it stands for.
  package var sentByteCount: Int
  /// What was in the place already.
  package var sharedByteCount: Int
  package var nanoseconds: Int64
  /// What the backup went on in spite of.
  package var warnings: [String]
  package init(
    store: String, number: Int, sequence: Sequence, files: Int, byteCount: Int, sentByteCount: Int,
    sharedByteCount: Int, nanoseconds: Int64, warnings: [String]
  ) {
    self.store = store
    self.number = number
    self.sequence = sequence
    self.files = files
    self.byteCount = byteCount
    self.sentByteCount = sentByteCount
    self.sharedByteCount = sharedByteCount
    self.nanoseconds = nanoseconds
    self.warnings = warnings
  }
}

/// Everything SQL needs of a database. Calls block until durable; they throw `VarveError`.
package protocol StoreAccess: ArchiveAccess {
  func snapshot() throws -> any ReadSnapshot
  func write(_ batches: [PointBatch]) throws -> [WriteResult]
  /// The same without waiting: batches of one commit, which follows those that this writer began before.
  func beginWrite(_ batches: [PointBatch], from writer: IngestWriter) throws -> PendingWrite
  /// As `BatchSink` has it.
  var isSaturated: Bool { get }
  /// Rows of a time beyond this are rejected.
  var latestTime: Int64 { get }
  /// In one commit: rows go, then rows come. Throws `.notFound` if a table to delete from is gone.
  func write(deleting deletions: [DeleteRequest], _ batches: [PointBatch]) throws -> [WriteResult]
  /// All of it or nothing. Throws `.notFound` if a table to delete from is gone, and SQLSTATE 40001 if a dimension table
  /// is not what it was.
  func write(_ transaction: TransactionWrites) throws
  /// Who may write dimension tables now.
  var dimensionLocks: DimensionLocks { get }
  /// Runs `body`, which may wait for other sessions.
  func whileWaiting<T>(_ body: () throws -> T) rethrows -> T
  /// Throws `.alreadyExists`.
  func createDimension(_ definition: DimensionDefinition) throws
  /// Throws `.notFound` and `.alreadyExists`.
  func alterTable(named name: String, _ alterations: [TableAlteration]) throws
  /// Throws `.alreadyExists`.
  func createTable(_ definition: TableDefinition) throws
  /// Throws `.notFound`, and SQLSTATE 2BP01 where rollups are made from the table and `cascade` does not drop them too.
  func dropTable(named name: String, cascade: Bool) throws
  /// Throws `.notFound`, `.alreadyExists`, and SQLSTATE 40001 if what it is about has changed.
  func change(_ rollup: RollupChange) throws
  /// Throws SQLSTATE 40001 if the refresh has to be made again.
  func commit(_ rollups: RollupCommit) throws -> Sequence
  /// Writes all rows in memory to chunks, and waits for it. Gives the commit up to which all is in chunks.
  func flushBlocking() throws -> Sequence
  /// Writes all rows in memory to chunks, and makes the chunks of each partition of the table (nil: of all tables) one, in
  /// the smallest form and without deleted rows. `check` is called now and then, and throws to end it. Throws `.notFound`,
  /// or the first damage met, once everything else is done.
  func compactBlocking(table: String?, check: () throws -> Void) throws -> [CompactionReport]
  /// Reads and checks every byte of the files as they stand now. `check` is called between files, and throws to end it.
  func verifyBlocking(check: () throws -> Void) throws -> VerifyReport
  /// Takes a backup while writes go on. `check` is called between pieces, and throws to end it.
  func backupBlocking(_ request: BackupRequest, check: () throws -> Void) throws -> BackupReport
  /// What was written since the database was opened.
  func ingestReport() -> IngestReport
  /// What sealing, compaction and checkpoints have done since the database was opened.
  func maintenanceStatistics() -> MaintenanceStatistics
  /// The same, and what is due: looks at all chunks.
  func maintenanceReport() -> MaintenanceReport
}

/// A commit on its way. Made by the store, waited for by who asked for it.
package final class PendingWrite: Sendable {
  private let outcome = Gate<Result<[WriteResult], VarveError>?>(nil)

  package init() {}

  package func complete(_ result: Result<[WriteResult], VarveError>) { outcome.update { $0 = result } }

  /// Blocks until the rows are durable.
  package func wait() throws -> [WriteResult] {
    guard let result = outcome.wait(until: { $0 }) else { preconditionFailure("waiting without a limit gives a value") }
    return try result.get()
  }
}

/// Where connections put their batches. Group commit happens behind it: one sync covers all batches that arrived
/// while the previous sync ran.
package protocol BatchSink: AnyObject, Sendable {
  /// Queues batches for one of the next commits and returns at once. `completion` runs exactly once, on a thread of the
  /// store, after the sync that makes the rows durable, or with the error that kept them from it. Batches of one writer
  /// are committed in the order they come here.
  func submit(
    _ batches: [PointBatch], from writer: IngestWriter,
    completion: @escaping @Sendable (Result<[WriteResult], VarveError>) -> Void)
  /// True while more is queued than the store wants. A connection then stops reading until its own batches are
  /// completed; one that has nothing in flight may still submit one batch, so nobody starves.
  var isSaturated: Bool { get }
  /// True while so much is queued that not even one batch more of each connection can be had: nobody reads.
  var isOverfull: Bool { get }
}
