// Rows on their way in: columnar from the parser on, never a row object.
//
// A batch belongs to one table. Its rows name their series by an index into the batch's own `series` list;
// the store resolves each key once. Rows stand in order of arrival: where two rows of a batch have the
// same identity (series and time), the later one wins, field by field.

/// A batch of rows for one table. Immutable once handed to the store.
package final class PointBatch: @unchecked Sendable {
  /// One named field of the batch. The same name may occur twice with different types (lines that disagree);
  /// the store widens or rejects those rows.
  package struct Field: Sendable {
    package let name: String
    package var column: FieldColumn
    /// 1-based byte column of the field's key in the first line that had it, for errors found at commit.
    package let sourceColumn: Int
    package init(name: String, column: FieldColumn, sourceColumn: Int = 1) {
      self.name = name
      self.column = column
      self.sourceColumn = sourceColumn
    }
  }

  package let table: String
  /// The tag sets of this batch. One that the source spelled in two ways may stand here twice.
  package let series: [SeriesKey]
  /// For a source that sends its tag sets again: its notes, and its number for each of `series`.
  package let memo: (notes: SeriesMemo, numbers: [UInt32])?
  /// Row → index into `series`.
  package let rowSeries: Buffer<UInt32>
  package let times: Buffer<Int64>
  package let fields: [Field]
  /// Row → 1-based line of the source, for errors found at commit; nil when the rows have no lines.
  package let lines: Buffer<UInt32>?

  package init(
    table: String, series: [SeriesKey], rowSeries: Buffer<UInt32>, times: Buffer<Int64>, fields: [Field],
    lines: Buffer<UInt32>? = nil, memo: (notes: SeriesMemo, numbers: [UInt32])? = nil
  ) {
    precondition(memo.map { $0.numbers.count == series.count } ?? true, "each tag set has its number")
    precondition(rowSeries.count == times.count, "each row has a series and a time")
    for field in fields { precondition(field.column.count == times.count, "each field has a word a row") }
    self.table = table
    self.series = series
    self.rowSeries = rowSeries
    self.times = times
    self.fields = fields
    self.lines = lines
    self.memo = memo
  }

  package var rowCount: Int { times.count }
}
