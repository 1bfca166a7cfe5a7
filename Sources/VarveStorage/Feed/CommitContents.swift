// What one commit brought of series tables, for those who follow commits: its rows as they came and its deletes, not what
// the store has made of them since.

import VarveCore
import VarveFormat

package struct CommitContents: Sendable {
  package let sequence: Sequence
  /// Each block lies in one partition; in the order of the record.
  package let rows: [(partition: PartitionKey, block: HeadBlock)]
  package let deletions: [Deletion]

  package init(sequence: Sequence, rows: [(partition: PartitionKey, block: HeadBlock)], deletions: [Deletion]) {
    self.sequence = sequence
    self.rows = rows
    self.deletions = deletions
  }

  /// Of a record of the log. Rows of tables that are gone are left out.
  init(_ sequence: Sequence, _ record: CommitRecord, _ catalog: Catalog) {
    self.sequence = sequence
    rows = record.rows.compactMap { rows in
      guard let table = catalog.tables[rows.table], rows.times.count > 0 else { return nil }
      let block = HeadBlock(series: rows.series, times: rows.times, fields: rows.fields)
      let index = PartitionSplit.index(block.timeRange.lower, width: table.partitionNanoseconds)
      return (PartitionKey(table: table.id, index: index), block)
    }
    deletions = record.deletions
  }

  package func touches(_ table: TableID) -> Bool {
    rows.contains { $0.partition.table == table } || deletions.contains { $0.table == table }
  }

  /// Where it wrote and deleted rows of a table; nil: nowhere.
  package func time(of table: TableID) -> TimeRange? {
    let ranges =
      rows.lazy.filter { $0.partition.table == table }.map(\.block.timeRange)
      + deletions.lazy.filter { $0.table == table }.map(\.time)
    return ranges.reduce(nil) { known, range in
      known.map { TimeRange(lower: min($0.lower, range.lower), upper: max($0.upper, range.upper)) } ?? range
    }
  }

  package func rowCount(of table: TableID) -> Int {
    rows.reduce(0) { $0 + ($1.partition.table == table ? $1.block.rowCount : 0) }
  }

  var byteCount: Int { rows.reduce(128) { $0 + $1.block.byteCount } }
}
