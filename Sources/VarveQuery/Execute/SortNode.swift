// ORDER BY, and ORDER BY with LIMIT, which keeps no more than twice the rows it needs.

import VarveCompute
import VarveCore

final class SortNode: PlanNode {
  let input: any PlanNode
  let sorts: [BoundSort]
  init(_ input: any PlanNode, _ sorts: [BoundSort]) {
    self.input = input
    self.sorts = sorts
  }
  var types: [SQLType] { input.types }
  var inputs: [any PlanNode] { [input] }
  var label: String { "Sort" }
  func open(_ context: ExecutionContext) throws -> any Operator { SortOperator(self, context) }

  private final class SortOperator: Operator {
    let node: SortNode
    let context: ExecutionContext
    var output: RowsOperator?
    init(_ node: SortNode, _ context: ExecutionContext) {
      self.node = node
      self.context = context
    }
    func next() throws -> QueryBatch? {
      if let output { return try output.next() }
      let rows = try context.collect(node.input)
      try context.memory.charge(rows.byteCount)
      let keys = try node.sorts.map { try context.evaluate($0.expression, rows) }
      let order = RowOrder.sorted(keys, node.sorts, count: rows.count)
      let output = RowsOperator(try context.gather(rows, order))
      self.output = output
      return try output.next()
    }
  }
}

/// The first rows of an order. Where they come in slices of time, and the first key is that time, it stops behind the
/// slice that completes them.
final class TopRowsNode: PlanNode {
  let input: any PlanNode
  let sorts: [BoundSort]
  let limit: BoundExpression
  let offset: BoundExpression?
  /// Whether rows come in slices of time, in the order of the first key.
  let isSliced: Bool

  init(
    _ input: any PlanNode, _ sorts: [BoundSort], limit: BoundExpression, offset: BoundExpression?, isSliced: Bool
  ) {
    self.input = input
    self.sorts = sorts
    self.limit = limit
    self.offset = offset
    self.isSliced = isSliced
  }
  var types: [SQLType] { input.types }
  var inputs: [any PlanNode] { [input] }
  var label: String { "Top Rows" + (isSliced ? " (stops early)" : "") }

  /// Beyond this a sort of everything is no worse.
  static let greatestCount = 100_000

  func open(_ context: ExecutionContext) throws -> any Operator {
    let limit = try LimitNode.count(limit, "LIMIT", context) ?? .max
    let offset = try LimitNode.count(offset, "OFFSET", context) ?? 0
    let (needed, overflow) = limit.addingReportingOverflow(offset)
    if limit == 0 { return EmptyOperator() }
    if overflow || needed > Self.greatestCount {
      return try LimitNode(SortNode(input, sorts), self.limit, self.offset).open(context)
    }
    return TopRowsOperator(self, try context.open(input), needed, offset, context)
  }

  private final class TopRowsOperator: Operator {
    let node: TopRowsNode
    let input: any Operator
    let needed: Int
    let offset: Int
    let context: ExecutionContext
    var output: RowsOperator?
    init(_ node: TopRowsNode, _ input: any Operator, _ needed: Int, _ offset: Int, _ context: ExecutionContext) {
      self.node = node
      self.input = input
      self.needed = needed
      self.offset = offset
      self.context = context
    }

    func next() throws -> QueryBatch? {
      if let output { return try output.next() }
      var kept: [QueryBatch] = []
      var count = 0
      while let batch = try input.next() {
        try context.check()
        kept.append(batch)
        count += batch.count
        try context.memory.charge(batch.byteCount)
        if count > max(needed * 2, 16_384) {
          kept = [try best(kept)]
          count = kept[0].count
        }
        // What is left comes behind all of these.
        if batch.endsSlice, count >= needed { break }
      }
      let rows = try best(kept)
      let output = RowsOperator(rows.slice(min(offset, rows.count)..<rows.count))
      self.output = output
      return try output.next()
    }

    private func best(_ batches: [QueryBatch]) throws -> QueryBatch {
      let rows = QueryBatch.concat(batches, types: node.types)
      let keys = try node.sorts.map { try context.evaluate($0.expression, rows) }
      let order = RowOrder.sorted(keys, node.sorts, count: rows.count)
      let result = rows.gather(UnsafeBufferPointer(rebasing: order.span.prefix(needed)))
      context.memory.release(batches.reduce(0) { $0 + $1.byteCount })
      try context.memory.charge(result.byteCount)
      return result
    }
  }
}
