// What a join's small side tells of its large one: a scan that is joined by a tag reads only series whose tag is among
// the values that the other side has. The rows that are left out would meet nothing.

import VarveCompute
import VarveCore
import VarveStorage

struct JoinRestriction: Sendable {
  let scan: SeriesScanNode
  let tag: ColumnID
  /// Which of the join's equalities has the tag on its left.
  let equality: Int

  /// More values than this are not looked up.
  static let valueLimit = 100_000

  /// All that hold where the join drops rows of `node`, its left side, that meet nothing.
  static func all(
    of node: any PlanNode, _ equalities: [(left: BoundExpression, right: BoundExpression)]
  ) -> [JoinRestriction] {
    equalities.enumerated().compactMap { number, equality in
      guard case .column(let reference) = equality.left, equality.right.type == .text,
        let (scan, tag) = source(node, reference.index)
      else { return nil }
      return JoinRestriction(scan: scan, tag: tag, equality: number)
    }
  }

  /// The scan's tag that a column of the node is, where a row that the scan leaves out is missing and changes nothing
  /// else.
  private static func source(_ node: any PlanNode, _ column: Int) -> (SeriesScanNode, ColumnID)? {
    switch node {
    case let scan as SeriesScanNode:
      guard case .tag(let id) = scan.columns[column] else { return nil }
      return (scan, id)
    case let filter as FilterNode: return source(filter.input, column)
    case let project as ProjectNode:
      guard case .column(let reference) = project.expressions[column] else { return nil }
      return source(project.input, reference.index)
    case let join as JoinNode:
      return join.kind != .full && column < join.left.types.count ? source(join.left, column) : nil
    default: return nil
    }
  }

  /// The condition on the tag that these values of the other side make; nil if there are too many.
  func predicate(_ values: Column) -> TagPredicate? {
    guard values.count <= Self.valueLimit else { return nil }
    var found = Set<Name>()
    for row in 0..<values.count where !values.isNull(at: row) {
      if case .text(let text) = values.datum(at: row) { found.insert(Name(text)) }
    }
    return TagPredicate(column: tag, condition: .isIn(found.map(\.text)))
  }
}

extension ExecutionContext {
  /// Rows of a side of a join, roughly: what a scan cannot rule out, and little where nobody knows.
  func rowsAtMost(of node: any PlanNode) throws -> Int {
    switch node {
    case let scan as SeriesScanNode: try scan.request(self).map { try snapshot.estimate($0).rows } ?? 0
    case let values as ValuesNode: values.rows.count
    case is FilterNode, is ProjectNode, is JoinNode, is SortNode:
      try node.inputs.reduce(0) { max($0, try rowsAtMost(of: $1)) }
    default: try min(1000, node.inputs.map { try rowsAtMost(of: $0) }.max() ?? 1000)
    }
  }

  /// Opens a node while its scans are restricted.
  func open(_ node: any PlanNode, restricted: [(scan: SeriesScanNode, predicate: TagPredicate)]) throws -> any Operator
  {
    let before = restrictions
    for (scan, predicate) in restricted { restrictions[ObjectIdentifier(scan), default: []].append(predicate) }
    defer { restrictions = before }
    return try open(node)
  }

  /// Conditions on a scan that is being opened, beside its own.
  func restrictions(of scan: SeriesScanNode) -> [TagPredicate] { restrictions[ObjectIdentifier(scan)] ?? [] }
}
