// Joins. With conditions of the form left = right, the right side goes into a hash table; without, each row of the
// left meets all of the right. LATERAL runs the right side anew for each row of the left.

import VarveCompute
import VarveCore

final class JoinNode: PlanNode {
  let kind: JoinKind
  let left: any PlanNode
  let right: any PlanNode
  /// Pairs that must be equal: over the left's columns, and over the right's. Of one type each.
  let equalities: [(left: BoundExpression, right: BoundExpression)]
  /// Over the columns of both.
  let residual: [BoundExpression]

  init(
    _ kind: JoinKind, _ left: any PlanNode, _ right: any PlanNode,
    equalities: [(left: BoundExpression, right: BoundExpression)], residual: [BoundExpression]
  ) {
    self.kind = kind
    self.left = left
    self.right = right
    self.equalities = equalities
    self.residual = residual
  }
  var types: [SQLType] { left.types + right.types }
  var inputs: [any PlanNode] { [left, right] }
  var label: String {
    let name = kind == .left ? " Left Join" : kind == .full ? " Full Join" : " Join"
    return (equalities.isEmpty ? "Nested Loop" : "Hash") + name
  }
  func open(_ context: ExecutionContext) throws -> any Operator {
    try JoinOperator(self, try context.open(left), try context.collect(right), context)
  }
}

final class JoinOperator: Operator {
  private let node: JoinNode
  private let left: any Operator
  private let right: QueryBatch
  private let context: ExecutionContext
  private let rightKeys: [Column]
  /// Hash → the last row with it; `previous` leads on. Rows with a NULL key are in no chain.
  private var heads: [UInt64: Int32] = [:]
  private var previous: [Int32] = []
  private var isMatched: [Bool]
  private var waiting: [QueryBatch] = []
  private var isLeftDone = false
  private static let pairsPerBatch = 16_384

  init(_ node: JoinNode, _ left: any Operator, _ right: QueryBatch, _ context: ExecutionContext) throws {
    self.node = node
    self.left = left
    self.right = right
    self.context = context
    rightKeys = try node.equalities.map { try context.evaluate($0.right, right) }
    isMatched = node.kind == .full ? Array(repeating: false, count: right.count) : []
    guard !rightKeys.isEmpty else { return }
    let hashes = Self.hashes(rightKeys, right.count)
    try context.memory.charge(right.count * 40)
    previous = Array(repeating: -1, count: right.count)
    for row in 0..<right.count where !rightKeys.contains(where: { $0.isNull(at: row) }) {
      previous[row] = heads[hashes[row]] ?? -1
      heads[hashes[row]] = Int32(row)
    }
  }

  private static func hashes(_ keys: [Column], _ count: Int) -> Buffer<UInt64> {
    let hashes = Buffer<UInt64>(repeating: 0, count: count)
    for (index, key) in keys.enumerated() { key.hash(into: hashes.mutableSpan, combining: index > 0) }
    return hashes
  }

  func next() throws -> QueryBatch? {
    while true {
      if !waiting.isEmpty { return waiting.removeFirst() }
      if isLeftDone { return nil }
      if let batch = try left.next() {
        try context.check()
        try join(batch)
      } else {
        isLeftDone = true
        if node.kind == .full { try deliverUnmatched() }
      }
    }
  }

  private func join(_ batch: QueryBatch) throws {
    let keys = try node.equalities.map { try context.evaluate($0.left, batch) }
    let hashes = Self.hashes(keys, batch.count)
    var leftRows: [Int32] = []
    var rightRows: [Int32] = []
    var leftMatched = Array(repeating: false, count: batch.count)
    func deliver() throws {
      if leftRows.isEmpty { return }
      try context.check()
      try emit(batch, leftRows, rightRows, &leftMatched)
      leftRows.removeAll(keepingCapacity: true)
      rightRows.removeAll(keepingCapacity: true)
    }
    for row in 0..<batch.count {
      if node.equalities.isEmpty {
        for other in 0..<right.count {
          leftRows.append(Int32(row))
          rightRows.append(Int32(other))
          if leftRows.count >= Self.pairsPerBatch { try deliver() }
        }
      } else if !keys.contains(where: { $0.isNull(at: row) }), let head = heads[hashes[row]] {
        var other = head
        while other >= 0 {
          let candidate = Int(other)
          if keys.indices.allSatisfy({ keys[$0].isSame(row, rightKeys[$0], candidate) }) {
            leftRows.append(Int32(row))
            rightRows.append(other)
            if leftRows.count >= Self.pairsPerBatch { try deliver() }
          }
          other = previous[candidate]
        }
      }
    }
    try deliver()
    if node.kind == .inner { return }
    let alone = Buffer<UInt32>((0..<UInt32(batch.count)).filter { !leftMatched[Int($0)] })
    if alone.count == 0 { return }
    let lefts = batch.gather(alone.span).columns
    waiting.append(
      QueryBatch(
        count: alone.count, columns: lefts + node.right.types.map { Column.null($0, count: alone.count) }))
  }

  private func emit(_ batch: QueryBatch, _ leftRows: [Int32], _ rightRows: [Int32], _ leftMatched: inout [Bool])
    throws
  {
    let lefts = leftRows.map { UInt32($0) }
    let rights = rightRows.map { UInt32($0) }
    var joined = QueryBatch(
      count: lefts.count,
      columns: batch.columns.map { $0.gather(lefts) } + right.columns.map { $0.gather(rights) })
    if !node.residual.isEmpty, let rows = try context.selection(node.residual, joined) {
      joined = joined.gather(rows.span)
      for row in rows.span {
        leftMatched[Int(lefts[Int(row)])] = true
        if node.kind == .full { isMatched[Int(rights[Int(row)])] = true }
      }
    } else {
      for row in lefts { leftMatched[Int(row)] = true }
      if node.kind == .full { for row in rights { isMatched[Int(row)] = true } }
    }
    if joined.count == 0 { return }
    try context.memory.charge(joined.byteCount)
    context.memory.release(joined.byteCount)
    waiting.append(joined)
  }

  private func deliverUnmatched() throws {
    let alone = Buffer<UInt32>((0..<UInt32(right.count)).filter { !isMatched[Int($0)] })
    if alone.count == 0 { return }
    waiting.append(
      QueryBatch(
        count: alone.count,
        columns: node.left.types.map { Column.null($0, count: alone.count) }
          + right.columns.map { $0.gather(alone.span) }))
  }
}

final class LateralNode: PlanNode {
  let kind: JoinKind
  let left: any PlanNode
  let right: SubqueryPlan
  let outerInputs: [BoundExpression]
  let residual: [BoundExpression]
  init(
    _ kind: JoinKind, _ left: any PlanNode, _ right: SubqueryPlan, outerInputs: [BoundExpression],
    residual: [BoundExpression]
  ) {
    self.kind = kind
    self.left = left
    self.right = right
    self.outerInputs = outerInputs
    self.residual = residual
  }
  var types: [SQLType] { left.types + right.node.types }
  var inputs: [any PlanNode] { [left, right.node] }
  var label: String { kind == .left ? "Lateral Left Join" : "Lateral Join" }
  func open(_ context: ExecutionContext) throws -> any Operator {
    LateralOperator(self, try context.open(left), context)
  }

  private final class LateralOperator: Operator {
    let node: LateralNode
    let left: any Operator
    let context: ExecutionContext
    var current: (batch: QueryBatch, inputs: [Column], row: Int)?
    init(_ node: LateralNode, _ left: any Operator, _ context: ExecutionContext) {
      self.node = node
      self.left = left
      self.context = context
    }

    func next() throws -> QueryBatch? {
      while true {
        if current.map({ $0.row >= $0.batch.count }) ?? true {
          guard let batch = try left.next() else { return nil }
          current = (batch, try node.outerInputs.map { try context.evaluate($0, batch) }, 0)
        }
        guard let (batch, inputs, row) = current else { return nil }
        current?.row += 1
        try context.check()
        let before = context.memory.used
        let values = inputs.map { $0.datum(at: row) }
        let rights = try context.nested(values).collect(node.right.node)
        context.memory.release(context.memory.used - before)
        let repeated = Array(repeating: UInt32(row), count: rights.count)
        var joined = QueryBatch(
          count: rights.count, columns: batch.columns.map { $0.gather(repeated) } + rights.columns)
        if !node.residual.isEmpty, let rows = try context.selection(node.residual, joined) {
          joined = joined.gather(rows.span)
        }
        if joined.count > 0 { return joined }
        if node.kind == .left {
          let one = batch.slice(row..<(row + 1)).columns
          return QueryBatch(count: 1, columns: one + node.right.node.types.map { Column.null($0, count: 1) })
        }
      }
    }
  }
}
