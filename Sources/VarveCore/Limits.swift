// Every bound of the system in one place. Exceeding one gives an error that names the limit and how to change it.

package enum Limits {
  // Names and values
  /// PostgreSQL's NAMEDATALEN - 1.
  package static let nameByteCount = 63
  package static let tagValueByteCount = 64 * 1024
  /// A text field's value; below the 24-bit length of a `TextRef`.
  package static let textValueByteCount = 1024 * 1024
  package static let columnsPerTable = 4096
  package static let tagsPerSeries = 256
  package static let tables = 100_000
  /// A tag set's canonical bytes.
  package static let seriesKeyByteCount = 256 * 1024

  // Subscriptions
  package static let subscriptions = 1_000
  /// Channels that one session listens to.
  package static let channelsPerSession = 1_000
  /// Notifications of one transaction.
  package static let waitingNotifications = 10_000
  /// Those that wait for one session.
  package static let waitingNotificationByteCount = 4 << 20
  package static let notificationByteCount = 7_999

  // Rollups
  package static let rollupStatementByteCount = 64 * 1024
  package static let policyByteCount = 4096
  /// Of one rollup; where there would be more, neighbours become one.
  package static let invalidRangesPerRollup = 4096

  // Line protocol
  package static let lineByteCount = 1024 * 1024
  package static let syncTokenByteCount = 64
  /// Rejected lines that are spelled out in an answer; the rest are counted.
  package static let reportedRejections = 100

  // COPY
  /// A row as it is sent.
  package static let copyRowByteCount = 16 * 1024 * 1024

  // Batches
  /// A parser hands a batch over at the latest at this many rows.
  package static let batchRowCount = 32_768
  /// A batch that the store takes at all.
  package static let rowsPerBatch = 1 << 20
  /// Rows of one commit in memory, which bounds its log record.
  package static let commitByteCount = 512 << 20

  // Counting
  /// Tables, by protocol, whose writes are counted apart since the database was opened; those of all others together.
  package static let countedTables = 10_000
  /// Tables that /metrics shows apart: those that came first.
  package static let measuredTables = 1_000

  // Dimension tables
  /// A row as it is stored.
  package static let dimensionRowByteCount = 4 * 1024 * 1024

  // Deletes
  /// Of one table, until compaction makes them real.
  package static let tombstonesPerTable = 1_000
  /// Ranges of series ids in all of them together.
  package static let tombstoneRangesPerTable = 1 << 20

  // Chunks
  /// Rows of a row block, and of any page.
  package static let rowBlockRowCount = 16_384
  package static let vectorValueCount = 1_024

  // Queries
  package static let expressionDepth = 200
  package static let queryTextByteCount = 4 * 1024 * 1024
}
