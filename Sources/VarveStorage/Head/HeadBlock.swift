// A run of committed rows of one partition, in order of arrival or gathered (`HeadGather`): the head is made of these.
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
  package let seriesRange: ClosedRange<UInt32>
  package let byteCount: Int
  /// Whether rows are in order of (series, time), each identity once.
  package let isSorted: Bool
  private let order = Mutex<Buffer<UInt32>?>(nil)
  private let keptTail = Mutex<Tail?>(nil)

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
    var (first, last) = (UInt32.max, UInt32.min)
    for id in series.span {
      first = min(first, id)
      last = max(last, id)
    }
    seriesRange = first...last
    isSorted = isAscending(series.span, times.span)
    // Used bytes, plus the sort order and the tail that readers will add.
    var bytes = times.count * 17 + 200
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

  /// Whether the tail is at hand.
  var hasTail: Bool { keptTail.withLock { $0 != nil } }

  /// The newest row of each series. Kept where it takes a byte a row at most.
  func tail() -> Tail {
    keptTail.withLock { kept in
      if let kept { return kept }
      let made = makeTail()
      if made.byteCount <= rowCount { kept = made }
      return made
    }
  }

  /// The rows of all blocks, in order; there is at least one.
  package static func joined(_ blocks: [HeadBlock]) -> HeadBlock {
    if blocks.count == 1 { return blocks[0] }
    let count = blocks.reduce(0) { $0 + $1.rowCount }
    let series = Buffer<UInt32>(capacity: count)
    let times = Buffer<Int64>(capacity: count)
    var types: [ColumnID: FieldType] = [:]
    for block in blocks {
      series.append(contentsOf: block.series)
      times.append(contentsOf: block.times)
      for field in block.fields { types[field.id] = field.column.type }
    }
    let fields = types.sorted { $0.key < $1.key }.map { id, type in
      let builder = FieldColumnBuilder(type: type, capacity: count)
      for block in blocks {
        builder.append(block.field(id), rows: block.rowCount)
      }
      return (id: id, column: builder.finish())
    }
    return HeadBlock(series: series, times: times, fields: fields)
  }
}

/// Whether (series, time) ascends, and never stays. Blocks of rows as they came mostly show within a few that it does not.
private func isAscending(_ series: UnsafeBufferPointer<UInt32>, _ times: UnsafeBufferPointer<Int64>) -> Bool {
  for row in stride(from: 1, to: series.count, by: 1) {
    if series[row] < series[row &- 1] { return false }
    if series[row] == series[row &- 1], times[row] <= times[row &- 1] { return false }
  }
  return true
}
