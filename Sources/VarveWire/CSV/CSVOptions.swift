import VarveCore

/// How CSV text becomes rows of one table. The first record names the columns.
package struct CSVOptions: Sendable {
  package var table: String
  /// The column with the time; nil: the one called `time`, `timestamp` or `ts`, whichever comes first.
  package var timeColumn: String?
  package var tagColumns: [String] = []
  /// Types that are not to be found out from the values.
  package var types: [String: FieldType] = [:]
  /// The unit of times that are whole numbers. Others are read as ISO 8601, UTC where no zone is given.
  package var precision: TimestampPrecision = .nanoseconds
  package var delimiter: UInt8 = 0x2C
  /// Times beyond this are rejected.
  package var latestTime: Int64 = .max
  package var recordByteLimit = Limits.lineByteCount
  package var batchRowLimit = Limits.batchRowCount
  package var batchTextByteLimit = 8 * 1024 * 1024
  /// Types are found out from the first records, up to this many or this much text.
  package var sampleRowLimit = 10_000
  package var sampleByteLimit = 4 * 1024 * 1024
  package var reportedRejectionLimit = Limits.reportedRejections
  package var hashSeed = UInt64.random(in: .min ... .max)

  package init(table: String) { self.table = table }
}
