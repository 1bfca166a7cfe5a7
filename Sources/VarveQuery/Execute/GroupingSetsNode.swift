// GROUPING SETS, ROLLUP and CUBE: one pass over the input feeds the groups of every set. Each set then gives its groups,
// with NULL for the keys that it leaves out.

import VarveCompute
import VarveCore

/// What rows are grouped by.
struct GroupingSets: Sendable {
  var keys: [BoundExpression]
  /// Numbers of keys.
  var sets: [[Int]]
  /// The arguments of each GROUPING(), as numbers of keys: its value has a bit for each that a set leaves out.
  var masks: [[Int]]

  func grouping(_ mask: [Int], in set: [Int]) -> Int64 {
    mask.reduce(0) { $0 << 1 | (set.contains($1) ? 0 : 1) }
  }
}

final class GroupingSetsNode: PlanNode {
  let input: any PlanNode
  let grouping: GroupingSets
  let calls: [AggregateCall]

  init(_ input: any PlanNode, _ grouping: GroupingSets, _ calls: [AggregateCall]) {
    self.input = input
    self.grouping = grouping
    self.calls = calls
  }
  var types: [SQLType] {
    grouping.keys.map(\.type) + calls.map(\.function.resultType) + grouping.masks.map { _ in .int4 }
  }
  var inputs: [any PlanNode] { [input] }
  var label: String { "Grouping Sets (\(grouping.sets.count))" }
  func open(_ context: ExecutionContext) throws -> any Operator { GroupingSetsOperator(self, context) }

  /// The groups of one set.
  private struct Groups {
    let set: [Int]
    var table: KeyTable
    let states: [AggregateState]
  }

  private final class GroupingSetsOperator: Operator {
    let node: GroupingSetsNode
    let context: ExecutionContext
    var groups: [Groups]
    var isFilled = false
    var position = 0
    var output: RowsOperator?

    init(_ node: GroupingSetsNode, _ context: ExecutionContext) {
      self.node = node
      self.context = context
      let keys = node.grouping.keys
      groups = node.grouping.sets.map { set in
        Groups(
          set: set, table: KeyTable(types: set.map { keys[$0].type }), states: node.calls.map { AggregateState($0) })
      }
    }

    func next() throws -> QueryBatch? {
      if !isFilled { try fill() }
      while true {
        if let batch = try output?.next() { return batch }
        guard position < groups.count else { return nil }
        output = RowsOperator(try result(groups[position]))
        position += 1
      }
    }

    private func fill() throws {
      isFilled = true
      let input = try context.open(node.input)
      while let batch = try input.next() {
        try context.check()
        let keys = try node.grouping.keys.map { try context.evaluate($0, batch) }
        for index in groups.indices {
          let chosen = groups[index].set.map { keys[$0] }
          let rows = try groups[index].table.assign(chosen, count: batch.count, memory: context.memory)
          let count = groups[index].table.count
          for state in groups[index].states { try state.update(batch, rows, groupCount: count, context) }
        }
      }
    }

    private func result(_ groups: Groups) throws -> QueryBatch {
      // The set of no keys has one group even of no rows.
      let count = groups.set.isEmpty ? 1 : groups.table.count
      let found = groups.table.keys()
      var columns = node.grouping.keys.enumerated().map { index, key in
        groups.set.firstIndex(of: index).map { found[$0] } ?? Column.null(key.type, count: count)
      }
      for state in groups.states { columns.append(try state.result(groupCount: count, context)) }
      for mask in node.grouping.masks {
        columns.append(.constant(.int(node.grouping.grouping(mask, in: groups.set)), type: .int4, count: count))
      }
      return QueryBatch(count: count, columns: columns)
    }
  }
}
