import VarveCore

/// What a line protocol parser takes, and its bounds.
package struct LineProtocolOptions: Sendable {
  package var precision: TimestampPrecision = .nanoseconds
  /// How far beyond the caller's clock a stamp may lie; nil: any stamp is taken.
  package var maxFutureNanoseconds: Int64? = 86_400_000_000_000
  /// Longest table, tag or field name in bytes.
  package var nameByteLimit = Limits.nameByteCount
  /// Longest line in bytes, without its end; strings with line breaks count whole.
  package var lineByteLimit = Limits.lineByteCount
  package var batchRowLimit = Limits.batchRowCount
  /// A batch is handed over once its text values take this much.
  package var batchTextByteLimit = 8 * 1024 * 1024
  /// Memory for the series of a connection, remembered by their text; beyond it they are forgotten and learnt anew.
  package var seriesMemoryByteLimit = 128 * 1024 * 1024
  /// The amount that all connections share; nil: each has its limit alone.
  package var seriesMemory: ByteBudget?
  /// Whether lines `#sync TOKEN` are events. Where they are, such a line is one wherever it stands: a string that
  /// is still open there is an error, for else the client would wait for ever for its answer.
  package var recognizesSync = false
  /// Rejections that are spelled out between two syncs; the rest are counted.
  package var reportedRejectionLimit = Limits.reportedRejections
  /// Seeds the hash that finds series and fields, so that nobody can aim for collisions.
  package var hashSeed = UInt64.random(in: .min ... .max)

  package init() {}
}

/// A batch with the number to add to its `lines` to get lines of the source: they are 32 bits in a batch, and a
/// connection may send more.
package struct SourceBatch: Sendable {
  package let points: PointBatch
  package let lineBase: Int
  package init(points: PointBatch, lineBase: Int) {
    self.points = points
    self.lineBase = lineBase
  }
}

/// The lines that were not taken since the last sync: all counted, the first ones spelled out.
package struct RejectionSummary: Sendable {
  package var count = 0
  package var rejections: [Rejection] = []
  package init() {}
}

/// What a parser has found, in the order of the text.
package enum LineProtocolEvent: Sendable {
  case batch(SourceBatch)
  /// All lines before it are in batches and rejections that stand before it.
  case sync(token: String, rejected: RejectionSummary)
}
