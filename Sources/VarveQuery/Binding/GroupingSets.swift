// GROUP BY: its keys, and with GROUPING SETS, ROLLUP and CUBE the sets of them that rows are grouped by. Several items
// multiply: GROUP BY a, ROLLUP (b, c) is by (a, b, c), (a, b) and (a).

import VarveCompute
import VarveCore

struct GroupingKeys {
  /// Without duplicates.
  private(set) var keys: [BoundExpression] = []
  /// Numbers of keys; nil: all of them at once.
  private(set) var sets: [[Int]]?

  private static let greatestSetCount = 4096
  private static let greatestCubeWidth = 12

  /// `bind` gives the key that an item means.
  init(
    _ items: [ExpressionSyntax], isDistinct: Bool, _ source: SourceText,
    bind: (ExpressionSyntax) throws -> BoundExpression
  ) throws {
    var product: [[Int]] = [[]]
    var isPlain = true
    for item in items {
      if case .groupingSet = item.kind { isPlain = false }
      let sets = try expand(item, source, bind)
      guard product.count * sets.count <= Self.greatestSetCount else {
        throw source.error(
          "54001", "too many grouping sets present (maximum \(Self.greatestSetCount))", at: item.location)
      }
      product = product.flatMap { left in sets.map { left + $0.filter { !left.contains($0) } } }
    }
    if isDistinct {
      var seen: Set<Set<Int>> = []
      product = product.filter { seen.insert(Set($0)).inserted }
    }
    if !isPlain { sets = product }
  }

  private mutating func expand(
    _ item: ExpressionSyntax, _ source: SourceText, _ bind: (ExpressionSyntax) throws -> BoundExpression
  ) throws -> [[Int]] {
    switch item.kind {
    case .groupingSet(.empty, _): return [[]]
    case .groupingSet(.sets, let items): return try items.flatMap { try expand($0, source, bind) }
    case .groupingSet(.rollup, let items):
      let parts = try items.map { try members($0, bind) }
      return (0...parts.count).reversed().map { parts.prefix($0).flatMap { $0 } }
    case .groupingSet(.cube, let items):
      guard items.count <= Self.greatestCubeWidth else {
        throw source.error("54011", "CUBE is limited to \(Self.greatestCubeWidth) elements", at: item.location)
      }
      let parts = try items.map { try members($0, bind) }
      return (0..<(1 << parts.count)).reversed().map { chosen in
        parts.indices.filter { chosen >> (parts.count - 1 - $0) & 1 == 1 }.flatMap { parts[$0] }
      }
    default: return [try members(item, bind)]
    }
  }

  /// The keys of an expression, or of several in parentheses.
  private mutating func members(_ item: ExpressionSyntax, _ bind: (ExpressionSyntax) throws -> BoundExpression) throws
    -> [Int]
  {
    if case .row(let items) = item.kind { return try items.flatMap { try members($0, bind) } }
    let key = try bind(item)
    if let known = keys.firstIndex(where: { $0.isSame(as: key) }) { return [known] }
    keys.append(key)
    return [keys.count - 1]
  }
}
