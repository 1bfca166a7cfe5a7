// FETCH FIRST … WITH TIES: the first rows of an order, and those behind them that no key tells from the last.

import VarveCompute
import VarveCore

final class TiesNode: PlanNode {
  let input: any PlanNode
  let sorts: [BoundSort]
  let limit: BoundExpression
  let offset: BoundExpression?

  init(_ input: any PlanNode, _ sorts: [BoundSort], limit: BoundExpression, offset: BoundExpression?) {
    self.input = input
    self.sorts = sorts
    self.limit = limit
    self.offset = offset
  }
  var types: [SQLType] { input.types }
  var inputs: [any PlanNode] { [input] }
  var label: String { "Limit with Ties" }

  func open(_ context: ExecutionContext) throws -> any Operator {
    let limit = try LimitNode.count(limit, "LIMIT", context) ?? .max
    let offset = try LimitNode.count(offset, "OFFSET", context) ?? 0
    if limit == 0 { return EmptyOperator() }
    let (needed, overflow) = limit.addingReportingOverflow(offset)
    return TiesOperator(self, try context.open(input), offset..<(overflow ? .max : needed), context)
  }

  private final class TiesOperator: Operator {
    let node: TiesNode
    let input: any Operator
    /// Counted from the first row of the input.
    let wanted: Range<Int>
    let context: ExecutionContext
    /// The row that the next batch begins with.
    var position = 0
    /// The keys of the last wanted row.
    var last: [Column]?
    var isDone = false

    init(_ node: TiesNode, _ input: any Operator, _ wanted: Range<Int>, _ context: ExecutionContext) {
      self.node = node
      self.input = input
      self.wanted = wanted
      self.context = context
    }

    func next() throws -> QueryBatch? {
      while !isDone, let batch = try input.next() {
        let lower = min(max(wanted.lowerBound - position, 0), batch.count)
        var upper = min(max(wanted.upperBound - position, 0), batch.count)
        position += batch.count
        if position >= wanted.upperBound {
          let keys = try node.sorts.map { try context.evaluate($0.expression, batch) }
          let last = last ?? keys.map { $0.slice((upper - 1)..<upper) }
          self.last = last
          while upper < batch.count, zip(keys, last).allSatisfy({ $0.isSame(upper, $1, 0) }) { upper += 1 }
          isDone = upper < batch.count
        }
        if lower < upper { return batch.slice(lower..<upper) }
      }
      return nil
    }
  }
}
