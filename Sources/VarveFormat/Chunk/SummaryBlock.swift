// Partial aggregates of a chunk's rows: one row a series and bucket, columns of statistics. FORMAT.md, "Summaries".

import VarveCore

/// Summaries of neighbouring series and buckets, in order of (series, bucket).
package struct SummaryBlock: Sendable {
  package var runs: [SeriesRun]
  /// floor(time / step).
  package var buckets: Buffer<Int64>
  package var rowCounts: Buffer<UInt64>
  /// Times of the first and last row, less the bucket's start.
  package var firstOffsets: Buffer<UInt64>
  package var lastOffsets: Buffer<UInt64>
  /// By column id, ascending.
  package var columns: [SummaryColumn]

  package var count: Int { buckets.count }

  /// Rows of a block. Few enough that one series of many is found without decoding much else, and that the statistics of
  /// very many columns are held in memory.
  static func rowCount(fieldCount: Int) -> Int { max(64, min(4_096, (1 << 19) / max(1, fieldCount))) }

  package func column(_ id: ColumnID) -> SummaryColumn? { columns.first { $0.column == id } }
}
