// How a store is opened. Every default is right for a laptop.

import VarveCore
import VarveIO

package enum SyncMode: Sendable, Equatable {
  /// Acknowledged means durable: a sync before each answer. The default.
  case always
  /// A sync at the latest this long after the write; a crash may lose what was acknowledged within it.
  case interval(milliseconds: Int)
  /// The operating system decides.
  case off
}

/// What a commit brought.
package struct CommitNotice: Sendable {
  package let sequence: Sequence
  /// By table, in order of the table's id.
  package let rows: [(table: String, count: Int)]
}

package struct StoreOptions: Sendable {
  package var directory: String
  package var fileSystem: any FileSystem
  package var clock: any Clock
  package var readOnly = false
  package var createIfMissing = true
  package var sync = SyncMode.always
  package var segmentByteCount = 64 << 20
  package var manifestByteCount = ManifestLog.byteCount
  /// The head is sealed when it holds this much; writers wait when it holds twice as much.
  package var sealByteCount = 256 << 20
  /// The head is sealed when its oldest row was written this long ago.
  package var sealAgeMilliseconds = 10 * 60 * 1000
  /// The head is sealed when no commit came for this long (`IdleSealRule`); 0: not for that.
  package var sealIdleMilliseconds = 2_000
  /// Nor when it holds less than this.
  package var sealIdleByteCount = 4 << 20
  /// Whether chunks are compacted without being asked for.
  package var compactsByItself = true
  /// A partition is closed, and compacted as a whole, when its end is this long past.
  package var compactionGraceNanoseconds: Int64 = 3_600_000_000_000
  /// Bytes a second that compaction writes at most.
  package var compactionBytesPerSecond = 64 << 20
  /// Bytes that a compaction holds of the chunks that it merges, or what it cannot do without: for each of them a row
  /// block's series and times, and pages as read.
  package var compactionByteCount = 64 << 20
  /// Compaction ends a chunk file of this size, and goes on in another.
  package var compactedChunkByteCount = 1 << 30
  /// Rows with stamps further ahead of the wall clock are rejected.
  package var maxFutureNanoseconds: Int64 = 86_400_000_000_000
  /// Series that a table may have; rows that would make more are rejected.
  package var maxSeriesPerTable = 10_000_000
  /// Bytes that the series indexes may take together; likewise.
  package var seriesByteCount = 4 << 30
  /// Bytes that the rows of dimension tables may take together: they are kept in memory.
  package var dimensionByteCount = 256 << 20
  /// Bytes that pages of chunks may take that are kept for the next read; 0 keeps none.
  package var pageCacheByteCount = 256 << 20
  /// Bytes that indexes of chunks may take that are kept; the one that was read last is kept whatever its size.
  package var chunkIndexByteCount = 128 << 20
  /// Bytes that the newest rows of series may take that are kept of chunks (`TailCache`); 0 keeps none.
  package var tailByteCount = 64 << 20
  /// Bytes of log segments that are kept, though nothing in them is needed any more, for those who follow commits and were
  /// away (`CommitFeed`).
  package var keptLogByteCount = 0
  /// Also of a store that was just made and that nobody has followed yet: there is nobody who could come back.
  package var keepsLogUnasked = true
  /// Bytes of log segments that are kept until they were sent to where backups are; 0: the log is not shipped.
  package var unshippedLogByteCount = 0
  /// Bytes of rows of the latest commits that are kept in memory while somebody follows commits.
  package var feedByteCount = 16 << 20
  /// Emptied log segments kept for reuse.
  package var spareSegments = 2
  /// Where archived chunks are; nil: queries that need one fail.
  package var archive: (any ArchiveTier)?
  /// An object of this size is ended, and the rows behind go to another.
  package var objectByteCount = 128 << 20
  /// Room kept for cleaning up on a full disk; 0 keeps none.
  package var reserveByteCount = 1 << 20
  /// A backup is given up when the disk that holds the directory has less room than this.
  package var backupFreeByteCount = 256 << 20
  /// Seed of the in-memory hash tables.
  package var hashSeed: UInt64 = 0x5EED
  /// Called with a line for the log: what happened, never per row.
  package var log: @Sendable (LogLevel, String) -> Void = { _, _ in }

  /// Called after each commit that brought rows, in order of sequence, on the committing thread: must return at once.
  package var onCommit: @Sendable (CommitNotice) -> Void = { _ in }

  package enum LogLevel: Sendable { case debug, info, warning, error }

  package init(directory: String, fileSystem: any FileSystem, clock: any Clock) {
    self.directory = directory
    self.fileSystem = fileSystem
    self.clock = clock
  }
}
