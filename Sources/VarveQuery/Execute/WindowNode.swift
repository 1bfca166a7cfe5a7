// Window functions. All rows are put into the order of their partitions and of ORDER BY within them (unless they
// already stand in it); then each call gives a column over all of them, and the rows leave in that order.

import VarveCompute
import VarveCore

final class WindowNode: PlanNode {
  let input: any PlanNode
  let order: WindowOrder
  let calls: [WindowCall]

  init(_ input: any PlanNode, _ order: WindowOrder, _ calls: [WindowCall]) {
    self.input = input
    self.order = order
    self.calls = calls
  }
  var types: [SQLType] { input.types + calls.map(\.type) }
  var inputs: [any PlanNode] { [input] }
  var label: String { "Window" }
  func details(_ context: ExecutionContext) throws -> [(name: String, text: String)] {
    [("Functions", calls.map(\.function.shownName).joined(separator: ", "))]
  }
  func open(_ context: ExecutionContext) throws -> any Operator { WindowOperator(self, context) }

  private final class WindowOperator: Operator {
    let node: WindowNode
    let context: ExecutionContext
    var output: RowsOperator?
    init(_ node: WindowNode, _ context: ExecutionContext) {
      self.node = node
      self.context = context
    }

    func next() throws -> QueryBatch? {
      if let output { return try output.next() }
      let rows = try WindowRows(try context.collect(node.input), node.order, context)
      var columns = rows.batch.columns
      for call in node.calls {
        let column = try call.column(rows, context)
        try context.memory.charge(column.byteCount)
        columns.append(column)
      }
      let output = RowsOperator(QueryBatch(count: rows.count, columns: columns))
      self.output = output
      return try output.next()
    }
  }
}

extension WindowFunction {
  fileprivate var shownName: String {
    if case .aggregate(let function) = self { return function.name }
    return WindowFunction.names.first { $0.value.name == name }?.key ?? name
  }
}

/// Rows in the order of a window, and where their partitions and peers begin and end. Peers are rows that ORDER BY
/// does not tell apart; without it, all rows of a partition.
struct WindowRows {
  let batch: QueryBatch
  let keys: [Column]
  let sorts: [BoundSort]
  /// For each row.
  let partitionStarts: Buffer<Int32>
  let partitionEnds: Buffer<Int32>
  let peerStarts: Buffer<Int32>
  let peerEnds: Buffer<Int32>
  var count: Int { batch.count }

  init(_ input: QueryBatch, _ order: WindowOrder, _ context: ExecutionContext) throws {
    guard input.count < Int32.max else {
      throw VarveError(
        .limitExceeded, "window functions over more than \(Int32.max) rows", hint: "Narrow the time range.",
        sqlState: "54000")
    }
    let partition = order.partition.map { BoundSort(expression: $0, isDescending: false, nullsFirst: false) }
    let all = partition + order.orderBy
    var columns = try all.map { try context.evaluate($0.expression, input) }
    if WindowRows.isSorted(columns, all, input.count) {
      batch = input
    } else {
      try context.memory.charge(input.byteCount)
      let rows = RowOrder.sorted(columns, all, count: input.count)
      batch = input.gather(rows.span)
      columns = columns.map { $0.gather(rows.span) }
    }
    keys = Array(columns[partition.count...])
    sorts = order.orderBy
    let count = input.count
    try context.memory.charge(count * 16)
    let isPartition = WindowRows.beginnings(columns[..<partition.count], count)
    let isPeer = WindowRows.beginnings(columns[...], count)
    (partitionStarts, partitionEnds) = WindowRows.stretches(isPartition)
    (peerStarts, peerEnds) = WindowRows.stretches(isPeer)
  }

  private static func isSorted(_ columns: [Column], _ sorts: [BoundSort], _ count: Int) -> Bool {
    for row in 1..<max(count, 1) {
      for (column, sort) in zip(columns, sorts) {
        let order = column.compare(
          row - 1, column, row, descending: sort.isDescending, nullsFirst: sort.nullsFirst)
        if order < 0 { break }
        if order > 0 { return false }
      }
    }
    return true
  }

  /// 1 where a row differs from the one before.
  private static func beginnings(_ columns: ArraySlice<Column>, _ count: Int) -> Buffer<UInt8> {
    let result = Buffer<UInt8>(repeating: 0, count: count)
    if count > 0 { result[0] = 1 }
    for column in columns where column.constantValue == nil {
      for row in 1..<max(count, 1) where result[row] == 0 {
        if column.compare(row - 1, column, row) != 0 { result[row] = 1 }
      }
    }
    return result
  }

  private static func stretches(_ isFirst: Buffer<UInt8>) -> (starts: Buffer<Int32>, ends: Buffer<Int32>) {
    let count = isFirst.count
    let starts = Buffer<Int32>(repeating: 0, count: count)
    let ends = Buffer<Int32>(repeating: 0, count: count)
    var start: Int32 = 0
    for row in 0..<count {
      if isFirst[row] != 0 { start = Int32(row) }
      starts[row] = start
    }
    var end = Int32(count)
    for row in stride(from: count - 1, through: 0, by: -1) {
      ends[row] = end
      if isFirst[row] != 0 { end = Int32(row) }
    }
    return (starts, ends)
  }

  /// The partitions, one after the other.
  var partitions: [Range<Int>] {
    var result: [Range<Int>] = []
    var row = 0
    while row < count {
      result.append(row..<Int(partitionEnds[row]))
      row = Int(partitionEnds[row])
    }
    return result
  }
}
