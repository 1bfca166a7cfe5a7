// The rows of a Parquet file as points of a series table, batch by batch. A row that cannot be one is left out and told
// with its number, counted from 1 in the file; NULL is no value.

import VarveCore

package struct ParquetPoints {
  package struct Batch {
    package var points: PointBatch
    /// Rows of the file before those that `points` counts its lines from.
    package var lineBase: Int
    package var rejections: [Rejection]
  }

  /// Cells of a batch.
  private static let cellLimit = 4 * 1024 * 1024

  private let options: ParquetPointOptions
  private let layout: PointLayout
  private var rows: ParquetRows
  /// Rows read so far.
  package private(set) var rowCount = 0

  /// Throws where the file cannot be taken at all.
  package init(_ file: ParquetFile, _ options: ParquetPointOptions) throws {
    self.options = options
    let columns = file.metadata.columns
    layout = try PointLayout(columns, options)
    rows = ParquetRows(
      file, columns: Array(columns.indices), rowLimit: max(1, min(Limits.batchRowCount, Self.cellLimit / columns.count))
    )
  }

  /// nil: there are no more rows.
  package mutating func next() throws -> Batch? {
    guard let vectors = try rows.next() else { return nil }
    defer { rowCount += vectors[0].count }
    var maker = PointMaker(layout, vectors, firstRow: rowCount)
    return Batch(points: maker.batch(table: options.table), lineBase: rowCount, rejections: maker.rejections)
  }
}
