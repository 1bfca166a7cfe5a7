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
  /// What the right side tells of scans on the left.
  let restrictions: [JoinRestriction]
  /// The same rows with the left side in memory, where that may be less; nil if it must not be.
  private let swapped: (any PlanNode)?

  init(
    _ kind: JoinKind, _ left: any PlanNode, _ right: any PlanNode,
    equalities: [(left: BoundExpression, right: BoundExpression)], residual: [BoundExpression],
    swapped: (any PlanNode)? = nil
  ) {
    self.kind = kind
    self.left = left
    self.right = right
    self.equalities = equalities
    self.residual = residual
    self.swapped = swapped
    restrictions = kind == .inner ? JoinRestriction.all(of: left, equalities) : []
  }
  var types: [SQLType] { left.types + right.types }
  var inputs: [any PlanNode] { [left, right] }
  var expressions: [BoundExpression] { equalities.flatMap { [$0.left, $0.right] } + residual }
  var label: String {
    let name = kind == .left ? " Left Join" : kind == .full ? " Full Join" : " Join"
    return (equalities.isEmpty ? "Nested Loop" : "Hash") + name
  }
  func open(_ context: ExecutionContext) throws -> any Operator {
    if let swapped, try context.rowsAtMost(of: right) > context.rowsAtMost(of: left) {
      return try swapped.open(context)
    }
    let right = try context.collect(right)
    let restricted = try restrictions.compactMap { restriction in
      try restriction.predicate(try context.evaluate(equalities[restriction.equality].right, right)).map {
        (scan: restriction.scan, predicate: $0)
      }
    }
    return try JoinOperator(self, try context.open(left, restricted: restricted), right, context)
  }
}

final class JoinOperator: Operator {
  /// How far the join of one batch of the left has come: its pairs can be many more than memory holds, so they are made
  /// as they are asked for.
  private struct Progress {
    let batch: QueryBatch
    let keys: [Column]
    let hashes: Buffer<UInt64>
    var row = 0
    /// The next row of the right that `row` meets; negative: none is left. nil: `row` has not begun.
    var other: Int?
    var isMatched: [Bool]
  }

  private let node: JoinNode
  private let left: any Operator
  private let right: QueryBatch
  private let context: ExecutionContext
  private let rightKeys: [Column]
  /// Hash → the last row with it; `previous` leads on. Rows with a NULL key are in no chain.
  private var heads: [UInt64: Int32] = [:]
  private var previous: [Int32] = []
  private var isMatched: [Bool]
  private var progress: Progress?
  private var isLeftDone = false
  private static let pairsPerBatch = 16_384
  private static let rowsPerCheck = 65_536

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
    for row in 0..<right.count {
      if row % Self.rowsPerCheck == 0 { try context.check() }
      if rightKeys.contains(where: { $0.isNull(at: row) }) { continue }
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
      try context.check()
      if progress == nil {
        if isLeftDone { return nil }
        guard let batch = try left.next() else {
          isLeftDone = true
          if node.kind == .full, let rest = unmatchedRight() { return rest }
          return nil
        }
        let keys = try node.equalities.map { try context.evaluate($0.left, batch) }
        progress = Progress(
          batch: batch, keys: keys, hashes: Self.hashes(keys, batch.count),
          isMatched: Array(repeating: false, count: batch.count))
      }
      if let joined = try joinSome() { return joined }
    }
  }

  /// The next pairs of the batch that pass, or at its end what met nothing; nil: neither, go on.
  private func joinSome() throws -> QueryBatch? {
    guard var current = progress else { return nil }
    progress = nil
    let (lefts, rights) = pairs(&current)
    if lefts.isEmpty {
      return node.kind == .inner ? nil : unmatchedLeft(current)
    }
    let joined = try join(&current, lefts, rights)
    progress = current
    return joined
  }

  /// At most `pairsPerBatch` pairs of rows; none at the end of the batch.
  private func pairs(_ current: inout Progress) -> (lefts: [UInt32], rights: [UInt32]) {
    var lefts: [UInt32] = []
    var rights: [UInt32] = []
    while current.row < current.batch.count, lefts.count < Self.pairsPerBatch {
      var other = current.other ?? firstCandidate(current)
      while other >= 0, lefts.count < Self.pairsPerBatch {
        if current.keys.indices.allSatisfy({ current.keys[$0].isSame(current.row, rightKeys[$0], other) }) {
          lefts.append(UInt32(current.row))
          rights.append(UInt32(other))
        }
        other = node.equalities.isEmpty ? (other + 1 < right.count ? other + 1 : -1) : Int(previous[other])
      }
      current.other = other
      if other < 0 {
        current.row += 1
        current.other = nil
      }
    }
    return (lefts, rights)
  }

  private func firstCandidate(_ current: Progress) -> Int {
    if node.equalities.isEmpty { return right.count > 0 ? 0 : -1 }
    if current.keys.contains(where: { $0.isNull(at: current.row) }) { return -1 }
    return heads[current.hashes[current.row]].map(Int.init) ?? -1
  }

  /// The pairs that pass the other conditions; nil if none does.
  private func join(_ current: inout Progress, _ lefts: [UInt32], _ rights: [UInt32]) throws -> QueryBatch? {
    var joined = QueryBatch(
      count: lefts.count,
      columns: current.batch.columns.map { $0.gather(lefts) } + right.columns.map { $0.gather(rights) })
    func note(_ pair: Int) {
      current.isMatched[Int(lefts[pair])] = true
      if node.kind == .full { isMatched[Int(rights[pair])] = true }
    }
    if !node.residual.isEmpty, let rows = try context.selection(node.residual, joined) {
      joined = joined.gather(rows.span)
      for row in rows.span { note(Int(row)) }
    } else {
      for pair in lefts.indices { note(pair) }
    }
    return joined.count > 0 ? joined : nil
  }

  private func unmatchedLeft(_ current: Progress) -> QueryBatch? {
    let alone = Buffer<UInt32>((0..<UInt32(current.batch.count)).filter { !current.isMatched[Int($0)] })
    if alone.count == 0 { return nil }
    return QueryBatch(
      count: alone.count,
      columns: current.batch.gather(alone.span).columns
        + node.right.types.map { Column.null($0, count: alone.count) })
  }

  private func unmatchedRight() -> QueryBatch? {
    let alone = Buffer<UInt32>((0..<UInt32(right.count)).filter { !isMatched[Int($0)] })
    if alone.count == 0 { return nil }
    return QueryBatch(
      count: alone.count,
      columns: node.left.types.map { Column.null($0, count: alone.count) }
        + right.columns.map { $0.gather(alone.span) })
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
  var expressions: [BoundExpression] { residual }
  var label: String { kind == .left ? "Lateral Left Join" : "Lateral Join" }
  func open(_ context: ExecutionContext) throws -> any Operator {
    run(try context.open(left), context)
  }
  /// Over rows of the left that come from elsewhere.
  func run(_ left: any Operator, _ context: ExecutionContext) -> any Operator {
    LateralOperator(self, left, context)
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
