// Rows of a chunk as they come and go: sorted by (series, time), each identity once.

import VarveCore

package struct RowBlock: Sendable {
  /// Series ascending, each once; the counts add up to `times.count`.
  package let runs: [SeriesRun]
  /// Strictly ascending within each run.
  package let times: Buffer<Int64>
  /// Column ids ascending; each column has a word a row.
  package let fields: [(id: ColumnID, column: FieldColumn)]

  package init(runs: [SeriesRun], times: Buffer<Int64>, fields: [(id: ColumnID, column: FieldColumn)]) {
    self.runs = runs
    self.times = times
    self.fields = fields
  }

  package var rowCount: Int { times.count }

  /// Whether runs, times and columns are what they must be.
  var isWellFormed: Bool {
    let times = times.base
    var row = 0
    for (i, run) in runs.enumerated() {
      guard run.count > 0, i == 0 || runs[i - 1].series < run.series, run.count <= rowCount - row else { return false }
      for k in stride(from: row + 1, to: row + run.count, by: 1) where times[k - 1] >= times[k] {
        return false
      }
      row += run.count
    }
    for (i, field) in fields.enumerated() {
      guard field.column.isWellFormed(rowCount: rowCount), i == 0 || fields[i - 1].id < field.id
      else { return false }
    }
    return row == rowCount && row > 0 && row <= Limits.rowBlockRowCount
  }
}

extension FieldColumn {
  func isWellFormed(rowCount: Int) -> Bool { count == rowCount && states.map { $0.count == rowCount } ?? true }
}
