// The operators that need no more than a batch at a time, and those that make rows from nothing.

import VarveCompute
import VarveCore

/// Delivers rows that are at hand, in batches.
final class RowsOperator: Operator {
  private let rows: QueryBatch
  private var position = 0
  private static let batchRowCount = 65_536
  init(_ rows: QueryBatch) { self.rows = rows }
  func next() throws -> QueryBatch? {
    guard position < rows.count else { return nil }
    let end = min(position + Self.batchRowCount, rows.count)
    defer { position = end }
    return position == 0 && end == rows.count ? rows : rows.slice(position..<end)
  }
}

final class ValuesNode: PlanNode {
  let rows: [[BoundExpression]]
  let types: [SQLType]
  init(_ rows: [[BoundExpression]], _ types: [SQLType]) {
    self.rows = rows
    self.types = types
  }
  var inputs: [any PlanNode] { [] }
  var expressions: [BoundExpression] { rows.flatMap { $0 } }
  var label: String { types.isEmpty ? "Result" : "Values (\(rows.count) row\(rows.count == 1 ? "" : "s"))" }
  func open(_ context: ExecutionContext) throws -> any Operator {
    var builders = types.map { ColumnBuilder($0, capacity: rows.count) }
    for row in rows {
      for (index, value) in row.enumerated() { try builders[index].append(try context.constant(value)) }
    }
    var columns: [Column] = []
    for index in builders.indices { columns.append(builders[index].finish()) }
    return RowsOperator(QueryBatch(count: rows.count, columns: columns))
  }
}

/// Rows that were read from the statement's text.
final class LiteralRowsNode: PlanNode {
  let rows: QueryBatch
  let types: [SQLType]
  init(_ rows: QueryBatch, _ types: [SQLType]) {
    self.rows = rows
    self.types = types
  }
  var inputs: [any PlanNode] { [] }
  var label: String { "Values (\(rows.count) rows)" }
  func open(_ context: ExecutionContext) throws -> any Operator { RowsOperator(rows) }
}

final class FunctionNode: PlanNode {
  let function: TableFunction
  let arguments: [BoundExpression]
  init(_ function: TableFunction, _ arguments: [BoundExpression]) {
    self.function = function
    self.arguments = arguments
  }
  var types: [SQLType] { function.types }
  var inputs: [any PlanNode] { [] }
  var label: String { "Function Scan on \(function.name)" }
  func open(_ context: ExecutionContext) throws -> any Operator {
    try function.open(try arguments.map { try context.constant($0) }, context)
  }
}

extension QueryBatch {
  init(rows: [[Datum]], types: [SQLType]) throws {
    self.init(
      count: rows.count,
      columns: try types.indices.map { index in try Column(type: types[index], data: rows.map { $0[index] }) })
  }
}

final class VirtualScanNode: PlanNode {
  let table: VirtualTable
  let columns: [Int]
  init(_ table: VirtualTable, _ columns: [Int]) {
    self.table = table
    self.columns = columns
  }
  var types: [SQLType] { columns.map { table.columns[$0].type } }
  var inputs: [any PlanNode] { [] }
  var label: String { "Catalog Scan on \(table.schema).\(table.name)" }
  func open(_ context: ExecutionContext) throws -> any Operator {
    let rows = try table.rows(context.catalog)
    return RowsOperator(try QueryBatch(rows: rows.map { row in columns.map { row[$0] } }, types: types))
  }
}

final class FilterNode: PlanNode {
  let input: any PlanNode
  let conditions: Conditions
  init(_ input: any PlanNode, _ conditions: [BoundExpression]) {
    self.input = input
    self.conditions = Conditions(conditions, inputWidth: input.types.count)
  }
  var types: [SQLType] { input.types }
  var inputs: [any PlanNode] { [input] }
  var label: String { "Filter" }
  var expressions: [BoundExpression] { conditions.conditions }
  func details(_ context: ExecutionContext) throws -> [(name: String, text: String)] { conditions.details }
  func open(_ context: ExecutionContext) throws -> any Operator {
    FilterOperator(self, try context.open(input), context)
  }

  private final class FilterOperator: Operator {
    let node: FilterNode
    let input: any Operator
    let context: ExecutionContext
    init(_ node: FilterNode, _ input: any Operator, _ context: ExecutionContext) {
      self.node = node
      self.input = input
      self.context = context
    }
    func next() throws -> QueryBatch? {
      while let batch = try input.next() {
        try context.check()
        guard let rows = try node.conditions.selection(batch, context) else { return batch }
        if rows.count == 0 { continue }
        var result = batch.gather(rows.span)
        result.runs = batch.runs?.chosen(rows)
        result.endsSlice = batch.endsSlice
        return result
      }
      return nil
    }
  }
}

final class ProjectNode: PlanNode {
  let input: any PlanNode
  let expressions: [BoundExpression]
  private let shared: SharedExpressions
  /// The expressions over the input and what they share.
  private let computed: [BoundExpression]
  init(_ input: any PlanNode, _ expressions: [BoundExpression]) {
    self.input = input
    self.expressions = expressions
    shared = SharedExpressions(always: expressions, inputWidth: input.types.count)
    computed = expressions.map(shared.rewrite)
  }
  var types: [SQLType] { expressions.map(\.type) }
  var inputs: [any PlanNode] { [input] }
  var label: String { "Project" }
  func details(_ context: ExecutionContext) throws -> [(name: String, text: String)] { shared.details }
  func open(_ context: ExecutionContext) throws -> any Operator {
    ProjectOperator(self, try context.open(input), context)
  }

  private final class ProjectOperator: Operator {
    let node: ProjectNode
    let input: any Operator
    let context: ExecutionContext
    init(_ node: ProjectNode, _ input: any Operator, _ context: ExecutionContext) {
      self.node = node
      self.input = input
      self.context = context
    }
    func next() throws -> QueryBatch? {
      guard let batch = try input.next().map({ try node.shared.extend($0, context) }) else { return nil }
      var columns: [Column] = []
      columns.reserveCapacity(node.computed.count)
      for expression in node.computed { columns.append(try context.evaluate(expression, batch)) }
      var result = QueryBatch(count: batch.count, columns: columns, runs: batch.runs)
      result.endsSlice = batch.endsSlice
      return result
    }
  }
}

final class LimitNode: PlanNode {
  let input: any PlanNode
  let limit: BoundExpression?
  let offset: BoundExpression?
  init(_ input: any PlanNode, _ limit: BoundExpression?, _ offset: BoundExpression?) {
    self.input = input
    self.limit = limit
    self.offset = offset
  }
  var types: [SQLType] { input.types }
  var inputs: [any PlanNode] { [input] }
  var label: String { "Limit" }

  static func count(_ expression: BoundExpression?, _ clause: String, _ context: ExecutionContext) throws -> Int? {
    guard let expression, case .int(let value) = try context.constant(expression) else { return nil }
    guard value >= 0 else {
      throw SQLError.make(clause == "LIMIT" ? "2201W" : "2201X", "\(clause) must not be negative")
    }
    return Int(value)
  }

  func open(_ context: ExecutionContext) throws -> any Operator {
    let limit = try Self.count(limit, "LIMIT", context) ?? .max
    let offset = try Self.count(offset, "OFFSET", context) ?? 0
    if limit == 0 { return EmptyOperator() }
    return LimitOperator(try context.open(input), limit, offset)
  }

  private final class LimitOperator: Operator {
    let input: any Operator
    var remaining: Int
    var skipped: Int
    init(_ input: any Operator, _ limit: Int, _ offset: Int) {
      self.input = input
      remaining = limit
      skipped = offset
    }
    func next() throws -> QueryBatch? {
      while remaining > 0, let batch = try input.next() {
        if skipped >= batch.count {
          skipped -= batch.count
          continue
        }
        let rows = skipped..<min(batch.count, skipped + min(remaining, batch.count))
        skipped = 0
        remaining -= rows.count
        return rows.count == batch.count ? batch : batch.slice(rows)
      }
      return nil
    }
  }
}

/// DISTINCT over all columns, and DISTINCT ON some: the first row of each key.
final class DistinctNode: PlanNode {
  let input: any PlanNode
  /// nil: all columns.
  let keys: [BoundExpression]?
  init(_ input: any PlanNode, keys: [BoundExpression]? = nil) {
    self.input = input
    self.keys = keys
  }
  var types: [SQLType] { input.types }
  var inputs: [any PlanNode] { [input] }
  var label: String { keys == nil ? "Distinct" : "Distinct On" }
  func open(_ context: ExecutionContext) throws -> any Operator {
    DistinctOperator(self, try context.open(input), context)
  }

  private final class DistinctOperator: Operator {
    let node: DistinctNode
    let input: any Operator
    let context: ExecutionContext
    var table: KeyTable
    init(_ node: DistinctNode, _ input: any Operator, _ context: ExecutionContext) {
      self.node = node
      self.input = input
      self.context = context
      table = KeyTable(types: node.keys?.map(\.type) ?? node.types)
    }
    func next() throws -> QueryBatch? {
      while let batch = try input.next() {
        try context.check()
        let keys = try node.keys?.map { try context.evaluate($0, batch) } ?? batch.columns
        var seen = table.count
        let groups = try table.assign(keys, count: batch.count, memory: context.memory)
        let rows = Buffer<UInt32>()
        for row in 0..<batch.count where Int(groups[row]) == seen {
          rows.append(UInt32(row))
          seen += 1
        }
        if rows.count == batch.count { return batch }
        if rows.count > 0 { return batch.gather(rows.span) }
      }
      return nil
    }
  }
}

final class SetOperationNode: PlanNode {
  let operation: SelectSyntax.SetOperation
  let isAll: Bool
  let left: any PlanNode
  let right: any PlanNode
  init(_ operation: SelectSyntax.SetOperation, isAll: Bool, _ left: any PlanNode, _ right: any PlanNode) {
    self.operation = operation
    self.isAll = isAll
    self.left = left
    self.right = right
  }
  var types: [SQLType] { left.types }
  var inputs: [any PlanNode] { [left, right] }
  var label: String {
    let name = operation == .union ? "Append" : operation == .intersect ? "Intersect" : "Except"
    return operation != .union && isAll ? name + " All" : name
  }

  func open(_ context: ExecutionContext) throws -> any Operator {
    if operation == .union { return AppendOperator([left, right], context) }
    // Count each row on both sides, then deliver what the operation leaves.
    var table = KeyTable(types: types)
    var counts: [[Int]] = [[], []]
    for (side, node) in [left, right].enumerated() {
      let input = try context.open(node)
      while let batch = try input.next() {
        try context.check()
        let groups = try table.assign(batch.columns, count: batch.count, memory: context.memory)
        for index in counts.indices { counts[index] += Array(repeating: 0, count: table.count - counts[index].count) }
        for group in groups.span { counts[side][Int(group)] += 1 }
      }
    }
    let rows = Buffer<UInt32>()
    for group in 0..<table.count {
      let (a, b) = (counts[0][group], counts[1][group])
      let copies: Int
      if operation == .intersect {
        copies = isAll ? min(a, b) : (a > 0 && b > 0 ? 1 : 0)
      } else {
        copies = isAll ? max(a - b, 0) : (a > 0 && b == 0 ? 1 : 0)
      }
      for _ in 0..<copies { rows.append(UInt32(group)) }
    }
    return RowsOperator(QueryBatch(count: rows.count, columns: table.keys().map { $0.gather(rows.span) }))
  }

  /// One input after the other, each opened when its turn comes.
  private final class AppendOperator: Operator {
    var waiting: [any PlanNode]
    var current: (any Operator)?
    let context: ExecutionContext
    init(_ nodes: [any PlanNode], _ context: ExecutionContext) {
      waiting = nodes
      self.context = context
    }
    func next() throws -> QueryBatch? {
      while true {
        if let batch = try current?.next() { return batch }
        if waiting.isEmpty { return nil }
        current = try context.open(waiting.removeFirst())
      }
    }
  }
}
