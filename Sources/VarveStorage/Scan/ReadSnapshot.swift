// What a query sees of the store: one moment, whole and unchanging, until it lets go of it.

import VarveCore
import VarveFormat

/// A condition on one tag column. Conditions are tested once per distinct value of the tag, never per row.
package struct TagPredicate: Sendable {
  package enum Condition: Sendable {
    /// The value is one of these, byte for byte: Swift's own equality of strings would take canonically equivalent
    /// ones for the same. May hold duplicates.
    case isIn([String])
    /// Any condition on the value; nil stands for a series without the tag.
    case satisfies(@Sendable (String?) -> Bool)
  }
  package let column: ColumnID
  package let condition: Condition
  package init(column: ColumnID, condition: Condition) {
    self.column = column
    self.condition = condition
  }
}

/// Which series of a table to read.
package enum SeriesSet: Sendable {
  case all
  /// Ascending, without duplicates.
  case some([SeriesID])
}

/// A range condition on a numeric or time field, for skipping by zone maps only: rows that fail it may still be
/// delivered, and the caller filters. Bounds are inclusive; nil is open.
package struct ZonePredicate: Sendable {
  package let column: ColumnID
  package let lower: Double?
  package let upper: Double?
  package init(column: ColumnID, lower: Double?, upper: Double?) {
    self.column = column
    self.lower = lower
    self.upper = upper
  }
}

package struct ScanRequest: Sendable {
  package var table: TableID
  package var series: SeriesSet
  package var time: TimeRange
  /// The fields to deliver, in this order. Tags are looked up by series, see `ReadSnapshot.tagColumn`.
  package var fields: [ColumnID]
  package var zones: [ZonePredicate]
  /// Partitions from the newest to the oldest, instead of oldest first. Within a partition rows always come in
  /// order of (series, time).
  package var newestPartitionFirst: Bool

  package init(
    table: TableID, series: SeriesSet = .all, time: TimeRange = .all, fields: [ColumnID] = [],
    zones: [ZonePredicate] = [], newestPartitionFirst: Bool = false
  ) {
    self.table = table
    self.series = series
    self.time = time
    self.fields = fields
    self.zones = zones
    self.newestPartitionFirst = newestPartitionFirst
  }
}

/// Rows of one partition in order of (series, time), each identity once, the last write of each field.
package struct ScanBatch: Sendable {
  /// In order; the counts add up to `times.count`.
  package let runs: [SeriesRun]
  package let times: Buffer<Int64>
  /// As asked; here `.absent` and `.null` both mean SQL's NULL.
  package let fields: [FieldColumn]
  /// Whether the scan's filter chose these rows.
  package let isFiltered: Bool
  package init(runs: [SeriesRun], times: Buffer<Int64>, fields: [FieldColumn], isFiltered: Bool = false) {
    self.runs = runs
    self.times = times
    self.fields = fields
    self.isFiltered = isFiltered
  }
  package var count: Int { times.count }
}

/// What a scan looked at and what it was spared; EXPLAIN prints it.
package struct ScanStatistics: Sendable {
  package var partitions = 0
  package var partitionsPruned = 0
  package var chunks = 0
  package var chunksPruned = 0
  package var rowBlocks = 0
  package var rowBlocksPruned = 0
  /// Pages that were needed, and their bytes.
  package var pagesRead = 0
  package var bytesRead = 0
  /// Those of `pagesRead` that the page cache had.
  package var pagesFromCache = 0
  package var headRows = 0
  package var rows = 0
  /// Partial aggregates that stood for rows.
  package var summaryBuckets = 0
  /// Rows that partial aggregates stood for which were made on their pages; not among `rows`.
  package var rowsAggregatedOnPages = 0
  package var archive = ArchiveReads()
  package init() {}

  package mutating func add(_ other: ScanStatistics) {
    partitions += other.partitions
    partitionsPruned += other.partitionsPruned
    chunks += other.chunks
    chunksPruned += other.chunksPruned
    rowBlocks += other.rowBlocks
    rowBlocksPruned += other.rowBlocksPruned
    pagesRead += other.pagesRead
    bytesRead += other.bytesRead
    pagesFromCache += other.pagesFromCache
    headRows += other.headRows
    rows += other.rows
    summaryBuckets += other.summaryBuckets
    rowsAggregatedOnPages += other.rowsAggregatedOnPages
    archive.add(other.archive)
  }
}

/// Delivers a scan's batches. Used by one thread.
package protocol ScanCursor: AnyObject {
  /// The next batch, never empty; nil at the end. Throws `.corruption` naming the file if a needed page is damaged.
  func next() throws -> ScanBatch?
  var statistics: ScanStatistics { get }
}

package struct TableStatistics: Sendable {
  package var rows = 0
  package var headRows = 0
  package var series = 0
  package var chunks = 0
  package var partitions = 0
  /// Bytes of live chunk files.
  package var chunkBytes = 0
  /// Values (cells that hold one) in chunks.
  package var chunkValues = 0
  /// Chunks that are archived, with their rows and the bytes of their objects; of `chunkBytes` their stubs are part.
  package var archivedChunks = 0
  package var archivedRows = 0
  package var objectBytes = 0
  package var time: TimeRange?
  package init() {}
}

/// A live chunk file.
package struct ChunkStatistics: Sendable {
  package let file: String
  /// The window of time that its partition is.
  package let partition: TimeRange
  /// 0 as sealed, 1 merged, 2 all of its partition in the smallest form, 3 the same and archived.
  package let level: Int
  package var isArchived: Bool { level == Int(ChunkLevel.archived.rawValue) }
  package let rows: Int
  package let values: Int
  /// Of the file, which is a stub if the chunk is archived.
  package let bytes: Int
  package let objectBytes: Int
  package let time: TimeRange
  package let firstSequence: Sequence
  package let lastSequence: Sequence
  /// Whether another chunk may hold rows of the same series and times.
  package let isOverlapping: Bool
  /// Whether all of its rows are deleted: then it is about to go.
  package let isEmptied: Bool
}

/// Chunks that have summaries of one width.
package struct SummaryUse: Sendable {
  package let step: String
  package let nanoseconds: Int64
  package var chunks: Int
}

extension ReadSnapshot {
  package func scan(_ request: ScanRequest) throws -> any ScanCursor { try scan(request, filter: nil) }
}

/// A consistent view of the store at one sequence. Safe to use from several threads.
package protocol ReadSnapshot: AnyObject, Sendable {
  var sequence: Sequence { get }
  /// In order of creation.
  func tables() -> [TableSchema]
  func table(named name: String) -> TableSchema?
  func table(id: TableID) -> TableSchema?
  /// In order of creation.
  func dimensions() -> [DimensionSchema]
  func dimension(named name: String) -> DimensionSchema?
  func rows(of table: DimensionSchema) -> DimensionRows
  /// What a table is if it is a rollup.
  func rollup(_ table: TableID) -> Rollup?
  /// Rollups made from a table, in order of creation.
  func rollups(of source: TableID) -> [Rollup]
  func policies(of table: TableID) -> [PolicyKind: [UInt8]]
  /// Of the jobs that every database has.
  var pausedJobs: Set<DatabaseJob> { get }
  /// The highest time of day that is believed.
  var trustedClock: Int64 { get }
  /// This snapshot with what a transaction has written over it. Throws SQLSTATE 40001 if a table of it is not what it was.
  func overlaid(with writes: TransactionWrites) throws -> any ReadSnapshot
  /// What of a delete, which was found in this snapshot, concerns rows that are published (nil: nothing), and what it
  /// leaves of the transaction's own batches, which lie over this snapshot.
  func split(_ delete: DeleteRequest, _ batches: [PointBatch]) -> (published: DeleteRequest?, left: [PointBatch])
  /// The series for which all conditions hold.
  func series(of table: TableID, where predicates: [TagPredicate]) -> SeriesSet
  func tagColumn(_ column: ColumnID, of table: TableID) -> TagColumn
  func statistics(of table: TableID) -> TableStatistics
  /// By partition, in order of sequence.
  func chunks(of table: TableID) -> [ChunkStatistics]
  /// Prunes, without reading any page: what `scan` would look at (rows and bytes are upper bounds).
  func estimate(_ request: ScanRequest) throws -> ScanStatistics
  /// Without the rows that `filter` does not choose, in those batches that say so.
  func scan(_ request: ScanRequest, filter: (any RowFilter)?) throws -> any ScanCursor
  /// Rows among which are those that are wanted of each series; there may be others, and none comes twice. Within a batch
  /// they come in order of (series, time), the batches in any order.
  func lastRows(_ request: LastRowsRequest) throws -> any ScanCursor
  func aggregate(_ request: AggregateRequest) throws -> any AggregateCursor
  /// About how many rows, and partial aggregates of chunks in place of rows, `aggregate` would look at; without reading
  /// any page. Goes by what there is alone: the same of the same snapshot.
  func estimatedCount(_ request: AggregateRequest) throws -> Int
  /// Widths of the buckets that chunks have summaries of, among those a scan would look at; without reading any page.
  func summaries(_ request: ScanRequest) throws -> [SummaryUse]
}
