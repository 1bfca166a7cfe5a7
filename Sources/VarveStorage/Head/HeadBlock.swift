// A run of committed rows of one partition, in order of arrival: the head is made of these.
//
// A block is immutable. A batch that lies in one partition becomes a block without a copy; small blocks are joined
// as in a binary counter (`Head`), so that a row is copied a logarithmic number of times and scans meet few blocks.
// The order by (series, time) is worked out by the first reader that needs it, and kept.

import Synchronization
import VarveCore

package final class HeadBlock: Sendable {
  package let series: Buffer<UInt32>
  package let times: Buffer<Int64>
  /// In order of column id, each with a word a row.
  package let fields: [(id: ColumnID, column: FieldColumn)]
  package let timeRange: TimeRange
  package let byteCount: Int
  private let order = Mutex<Buffer<UInt32>?>(nil)

  package init(series: Buffer<UInt32>, times: Buffer<Int64>, fields: [(id: ColumnID, column: FieldColumn)]) {
    precondition(series.count == times.count && times.count > 0, "a block has rows, each with a series and a time")
    self.series = series
    self.times = times
    self.fields = fields
    var lower = Int64.max
    var upper = Int64.min
    for t in times.span {
      lower = min(lower, t)
      upper = max(upper, t)
    }
    timeRange = TimeRange(lower: lower, upper: upper)
    // Used bytes, plus the sort order that a reader will add.
    var bytes = times.count * 16 + 200
    for field in fields {
      bytes += field.column.words.count * 8 + (field.column.states?.count ?? 0) + (field.column.text?.count ?? 0)
    }
    byteCount = bytes
  }

  package var rowCount: Int { times.count }

  package func field(_ id: ColumnID) -> FieldColumn? { fields.first { $0.id == id }?.column }

  /// Rows by (series, time), later writes of one identity later.
  package func sortedOrder() -> Buffer<UInt32> {
    order.withLock { cached in
      if let cached { return cached }
      let made = RowOrder.sorted(series: series.span, times: times.span)
      cached = made
      return made
    }
  }

  /// The rows of `older`, then those of `newer`.
  package static func joined(_ older: HeadBlock, _ newer: HeadBlock) -> HeadBlock {
    let series = Buffer<UInt32>(capacity: older.rowCount + newer.rowCount)
    series.append(contentsOf: older.series)
    series.append(contentsOf: newer.series)
    let times = Buffer<Int64>(capacity: older.rowCount + newer.rowCount)
    times.append(contentsOf: older.times)
    times.append(contentsOf: newer.times)
    var ids = older.fields.map(\.id)
    for field in newer.fields where older.field(field.id) == nil { ids.append(field.id) }
    ids.sort()
    let fields = ids.map { id in
      (id: id, column: FieldColumn.joined(older.field(id), older.rowCount, newer.field(id), newer.rowCount))
    }
    return HeadBlock(series: series, times: times, fields: fields)
  }
}

extension FieldColumn {
  /// `a` over `aCount` rows, then `b` over `bCount`; a missing side is absent in all its rows. One of them is there.
  package static func joined(_ a: FieldColumn?, _ aCount: Int, _ b: FieldColumn?, _ bCount: Int) -> FieldColumn {
    guard let type = a?.type ?? b?.type else { preconditionFailure("joining no column with no column") }
    precondition((a?.type ?? type) == type && (b?.type ?? type) == type, "a column has one type")
    let builder = FieldColumnBuilder(type: type, capacity: aCount + bCount)
    for (side, count) in [(a, aCount), (b, bCount)] {
      if let side { builder.append(side, rows: 0..<count) } else { builder.appendAbsent(count) }
    }
    return builder.finish()
  }
}
