// A scan, or an aggregate by buckets of time, for whoever needs its first rows by time alone: slice of time by slice,
// the newest or the oldest first. All rows of a slice are before those of the next in the order that is asked for, and
// groups end where slices do.

import VarveCompute
import VarveCore
import VarveStorage

/// How many rows somebody above wants, and from which end of time.
struct SliceOrder: Sendable {
  let isNewestFirst: Bool
  let limit: BoundExpression
  let offset: BoundExpression?

  var label: String { isNewestFirst ? " (newest slices first)" : " (oldest slices first)" }

  /// At most what `TopRowsNode` keeps.
  func rowCount(_ context: ExecutionContext) throws -> Int {
    let limit = try LimitNode.count(limit, "LIMIT", context) ?? TopRowsNode.greatestCount
    let offset = try LimitNode.count(offset, "OFFSET", context) ?? 0
    return min(limit, TopRowsNode.greatestCount) + min(offset, TopRowsNode.greatestCount)
  }
}

final class SlicedScanNode: PlanNode {
  let scan: SeriesScanNode
  let order: SliceOrder
  init(_ scan: SeriesScanNode, _ order: SliceOrder) {
    self.scan = scan
    self.order = order
  }
  var types: [SQLType] { scan.types }
  var inputs: [any PlanNode] { [scan] }
  var label: String { "Slices" + order.label }

  func open(_ context: ExecutionContext) throws -> any Operator {
    guard let request = try scan.request(context) else { return EmptyOperator() }
    let statistics = context.snapshot.statistics(of: request.table)
    let range = statistics.time?.intersection(request.time) ?? request.time
    var rows = Double(statistics.rows)
    if case .some(let series) = request.series {
      rows *= Double(series.count) / Double(max(series.count, statistics.series))
    }
    // As wide as holds twice the wanted rows where they are as dense as on average.
    let span = statistics.time.map { Double($0.upper) - Double($0.lower) + 1 } ?? 1
    let width = span * 2 * Double(try order.rowCount(context)) / max(rows, 1)
    let slices = TimeSlices(
      of: range, newestFirst: order.isNewestFirst, firstWidth: Int64(exactly: width.rounded(.up)) ?? .max)
    return SlicedScanOperator(scan, slices, context)
  }
}

private final class SlicedScanOperator: Operator {
  private let scan: SeriesScanNode
  private var slices: TimeSlices
  private let context: ExecutionContext
  private var current: (any Operator)?
  /// Delivered next; whether it ends its slice is known with the one behind it.
  private var held: QueryBatch?

  init(_ scan: SeriesScanNode, _ slices: TimeSlices, _ context: ExecutionContext) {
    self.scan = scan
    self.slices = slices
    self.context = context
  }

  func next() throws -> QueryBatch? {
    while true {
      if let current {
        let batch = try current.next()
        if batch == nil { self.current = nil }
        guard var result = held else {
          held = batch
          continue
        }
        held = batch
        result.endsSlice = batch == nil
        return result
      }
      try context.check()
      guard let slice = slices.next() else { return nil }
      current = try context.open(scan, within: slice)
    }
  }
}

final class SlicedAggregateNode: PlanNode {
  let aggregate: AggregateNode
  /// The key that the slices go by: buckets of this width, of the scan's column of times.
  let key: BoundExpression
  let width: Int64
  let order: SliceOrder

  /// Nil unless the aggregate reads a scan.
  init?(_ aggregate: AggregateNode, key: BoundExpression, width: Int64, _ order: SliceOrder) {
    guard aggregate.input is SeriesScanNode else { return nil }
    self.aggregate = aggregate
    self.key = key
    self.width = width
    self.order = order
  }
  var types: [SQLType] { aggregate.types }
  var inputs: [any PlanNode] { [aggregate] }
  var label: String { "Slices" + order.label }

  func open(_ context: ExecutionContext) throws -> any Operator {
    guard let scan = aggregate.input as? SeriesScanNode, let request = try scan.request(context),
      let range = context.snapshot.statistics(of: request.table).time?.intersection(request.time), !range.isEmpty
    else { return EmptyOperator() }
    var buckets = FixedBuckets(width: width)
    let words = Buffer<UInt64>(repeating: UInt64(bitPattern: range.upper), count: 1)
    let columns = scan.columns.map { column -> Column in
      column == .time
        ? Column(type: .timestamptz, count: 1, storage: .words(words)) : .null(column.type, count: 1)
    }
    guard case .timestamp(let start) = try context.evaluate(key, QueryBatch(count: 1, columns: columns)).datum(at: 0)
    else { preconditionFailure("a bucket of a time is a time") }
    buckets.learn(start: start)
    // One more than wanted: the first may be cut by the range.
    let (width, overflow) = width.multipliedReportingOverflow(by: Int64(try order.rowCount(context)) + 1)
    let slices = TimeSlices(
      of: range, newestFirst: order.isNewestFirst, firstWidth: overflow ? .max : width, buckets: buckets)
    return SlicedAggregateOperator(aggregate, slices, context)
  }
}

private final class SlicedAggregateOperator: Operator {
  private let aggregate: AggregateNode
  private var slices: TimeSlices
  private let context: ExecutionContext

  init(_ aggregate: AggregateNode, _ slices: TimeSlices, _ context: ExecutionContext) {
    self.aggregate = aggregate
    self.slices = slices
    self.context = context
  }

  func next() throws -> QueryBatch? {
    while let slice = slices.next() {
      try context.check()
      let held = context.memory.used
      var batch = try context.groups(of: aggregate, within: slice)
      context.memory.release(context.memory.used - held)
      guard batch.count > 0 else { continue }
      batch.endsSlice = true
      return batch
    }
    return nil
  }
}
