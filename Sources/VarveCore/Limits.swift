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

  // Object stores
  /// How long a connection may take to be made, and a store to go on answering.
  package static let objectIdleMilliseconds = 30_000
  package static let objectLeastIdleMilliseconds = 100
  /// A request may take this long, and a second more for each `objectBytesPerSecond` that it sends, asks for or has copied.
  package static let objectRequestMilliseconds = 60_000
  package static let objectBytesPerSecond = 256 * 1024
  /// How often a request is tried in all, and the first and longest pause in between.
  package static let objectAttempts = 6
  package static let objectFirstPauseMilliseconds = 100
  package static let objectLongestPauseMilliseconds = 5_000
  /// Requests of one call at a time, and connections of one store.
  package static let objectRequestsAtATime = 8
  package static let objectConnections = 32
  /// Longer objects are sent in parts of at least this many bytes, some at a time.
  package static let objectPartByteCount = 16 << 20
  package static let objectPartsAtATime = 4
  package static let objectParts = 10_000
  /// Longer objects are not copied by one request.
  package static let objectCopyByteCount = 5 << 30
  /// Of what a store answers about objects: lists, errors.
  package static let objectAnswerByteCount = 8 << 20
  /// Keys of one request to delete.
  package static let objectDeleteKeys = 1_000
  package static let objectPrefixByteCount = 512
  /// Numbers of backups that are asked for one by one where a list does not have them.
  package static let backupsLookedFor = 1_000
  /// A lock whose owner has not been heard of for so long is anybody's; its owner says a few times as often that it lives.
  package static let objectLockSeconds = 60
  package static let objectLockRenewals = 4
  /// Of files with credentials and settings of the AWS tools.
  package static let profileFileByteCount = 1 << 20

  // Queries
  package static let expressionDepth = 200
  package static let queryTextByteCount = 4 * 1024 * 1024
}
