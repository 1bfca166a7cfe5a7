// What was written since the database was opened, by whom and how fast, at one moment: what `varve.ingest`,
// `varve.ingest_queue`, `varve.connections` and /metrics show.

import VarveCore

package struct IngestReport: Sendable {
  /// By table and protocol, in the order in which they came first.
  package var tables: [IngestedTable] = []
  package var queue = IngestQueueReport()
  package var connections: [ConnectionReport] = []
  /// All answers by protocol, whatever tables they were about.
  package var syncs: [IngestProtocol: LatencyHistogram] = [:]
  package init() {}
}

/// What came to one table by one protocol.
package struct IngestedTable: Sendable {
  /// nil: what belongs to no table (lines that could not be read), and all tables beyond `Limits.countedTables`.
  package let table: String?
  package let `protocol`: IngestProtocol
  package var rows = 0
  /// As columns in memory, before compression.
  package var columnByteCount = 0
  package var batches = 0
  /// Lines and rows that were not taken, by reason.
  package var rejected: [VarveError.Code: Int] = [:]
  /// When rows became durable last, in nanoseconds since 1970.
  package var lastWrite: Int64?
  /// From the question whether rows are durable to its answer: `#sync` or the end of the connection, an HTTP request;
  /// else from the write's beginning to its end.
  package var syncs = LatencyHistogram()
  /// Submitted and not durable yet.
  package var queuedByteCount = 0

  package init(_ table: String?, _ protocol: IngestProtocol) {
    self.table = table
    self.protocol = `protocol`
  }

  /// Sums, for tables that are shown as one; how long answers took is not among them.
  package mutating func add(_ other: IngestedTable) {
    rows += other.rows
    columnByteCount += other.columnByteCount
    batches += other.batches
    rejected.merge(other.rejected, uniquingKeysWith: +)
    queuedByteCount += other.queuedByteCount
    if let time = other.lastWrite { lastWrite = max(lastWrite ?? time, time) }
  }
}

/// The one queue through which all rows go.
package struct IngestQueueReport: Sendable {
  /// What new writes wait for.
  package enum Wait: String, Sendable {
    case nothing
    /// The head is full, and the rows before it are still being written to chunks.
    case sealing
    /// There is no room on the disk.
    case room
  }

  package var waitsFor = Wait.nothing
  package var queuedByteCount = 0
  /// Beyond it listeners are told to stop reading.
  package var saturationByteCount = 0
  package var commits = 0
  package var rows = 0
  package var columnByteCount = 0
  /// Writes that were refused whole: no room, or an end of the store.
  package var refusals: [VarveError.Code: Int] = [:]
  /// From a commit's beginning until it is durable.
  package var commitTimes = LatencyHistogram()
  package var isSaturated: Bool { saturationByteCount > 0 && queuedByteCount >= saturationByteCount }
  package init() {}
}
