// The series table of a rollup as plans read it.

import VarveCompute
import VarveCore
import VarveStorage

struct StoredRollup {
  private let rollup: BoundRollup
  private let columns: [(name: String, column: SeriesColumn)]

  init(_ rollup: BoundRollup) {
    self.rollup = rollup
    columns = rollup.schema.sqlColumns
  }

  /// All its columns, of rows of these times for which the conditions, which are over them, hold; `each` is what becomes
  /// of a scan before others join it.
  func scan(
    _ ranges: [TimeRange], _ conditions: [BoundExpression] = [], each: (LogicalPlan) -> LogicalPlan = { $0 }
  ) -> LogicalPlan {
    TimeRanges.within(ranges) { times in
      var scan = SeriesScan(table: rollup.schema, columns: columns.map(\.column))
      scan.conditions = conditions + times(.place(0, .timestamptz))
      return each(.series(scan))
    }
  }

  /// A key that is a tag.
  func key(_ key: Int) -> BoundExpression { .place(place(rollup.statement.keyNames[key]), .text) }

  func field(_ field: Int) -> BoundExpression {
    .place(place(rollup.statement.fieldNames[field]), rollup.statement.fields[field].part.fieldType.sqlType)
  }

  private func place(_ name: String) -> Int {
    guard let place = columns.firstIndex(where: { $0.name.isSameName(as: name) }) else {
      preconditionFailure("a rollup's table has the columns of its statement")
    }
    return place
  }
}
