// Makes parameters of the literals of a SELECT that stand beside a column in a condition: `time >= '2016-01-01'`,
// `host IN ('a', 'b')`, `usage BETWEEN 10 AND 20`. There PostgreSQL decides the type of a quoted literal as it does that
// of a parameter, by the other side, and a number keeps its own; so the statement means the same. Literals elsewhere
// decide what is planned (`ORDER BY 1`, `LIMIT 5`, the width of a bucket) and stay.

import VarveCore

struct LiteralLifting {
  private let text: [UInt8]
  private let literals: [StatementShape.Literal]
  /// By where they begin.
  private let ordinals: [Int: Int]
  /// Of each literal, the parameter that it became, from 0.
  private(set) var slots: [Int?]
  /// Of each parameter, its literal's kind.
  private(set) var kinds: [StatementShape.Kind] = []

  init(_ text: [UInt8], _ literals: [StatementShape.Literal]) {
    self.text = text
    self.literals = literals
    ordinals = Dictionary(uniqueKeysWithValues: literals.enumerated().map { ($1.bytes.lowerBound, $0) })
    slots = literals.map { _ in nil }
  }

  /// Changes the tree, which must be nobody else's yet.
  mutating func lift(_ select: SelectSyntax) {
    if case .operation(_, _, let left, let right) = select.body {
      lift(left)
      lift(right)
    }
    for table in select.commonTables { if let query = table.query { lift(query) } }
    for index in select.from.indices { select.from[index] = relation(select.from[index]) }
    if let filter = select.filter { select.filter = condition(filter) }
  }

  private mutating func relation(_ syntax: FromSyntax) -> FromSyntax {
    switch syntax {
    case .query(let select, _, _):
      lift(select)
      return syntax
    case .join(let kind, let left, let right, let on, let using, let isNatural, let alias):
      let (left, right) = (relation(left), relation(right))
      var lifted: ExpressionSyntax?
      if let on { lifted = condition(on) }
      return .join(kind, left, right, on: lifted, using: using, isNatural: isNatural, alias)
    default: return syntax
    }
  }

  private mutating func condition(_ syntax: ExpressionSyntax) -> ExpressionSyntax {
    var result = syntax
    switch syntax.kind {
    case .and(var parts):
      for index in parts.indices { parts[index] = condition(parts[index]) }
      result.kind = .and(parts)
    case .or(var parts):
      for index in parts.indices { parts[index] = condition(parts[index]) }
      result.kind = .or(parts)
    case .not(let operand): result.kind = .not(condition(operand))
    case .infix(let symbol, let left, let right) where Self.comparisons.contains(symbol):
      if Self.isColumn(left) {
        result.kind = .infix(symbol, left, operand(right))
      } else if Self.isColumn(right) {
        result.kind = .infix(symbol, operand(left), right)
      }
    case .between(let value, let low, let high, let isNegated, let isSymmetric) where Self.isColumn(value):
      result.kind = .between(value, operand(low), operand(high), isNegated: isNegated, isSymmetric: isSymmetric)
    case .inList(let value, var items, let isNegated) where Self.isColumn(value):
      for index in items.indices { items[index] = operand(items[index]) }
      result.kind = .inList(value, items, isNegated: isNegated)
    case .sublink(_, _, _, let query): lift(query)
    default: break
    }
    return result
  }

  private static let comparisons: Set<String> = ["=", "<>", "<", "<=", ">", ">="]

  private static func isColumn(_ syntax: ExpressionSyntax) -> Bool {
    if case .column = syntax.kind { true } else { false }
  }

  private mutating func operand(_ syntax: ExpressionSyntax) -> ExpressionSyntax {
    var result = syntax
    switch syntax.kind {
    case .string(let value): if let kind = parameter(value, syntax, [.string]) { result.kind = kind }
    case .integer(let value): if let kind = parameter(String(value), syntax, [.int4]) { result.kind = kind }
    case .decimal(let digits): if let kind = parameter(digits, syntax, [.int8, .numeric]) { result.kind = kind }
    case .cast(let inner, let type) where type.modifiers.isEmpty && !type.isArray:
      if case .string = inner.kind { result.kind = .cast(operand(inner), type) }
    default: break
    }
    return result
  }

  /// nil: it is not what the text has there, but put together from several literals, or signed.
  private mutating func parameter(_ value: String, _ syntax: ExpressionSyntax, _ kinds: [StatementShape.Kind])
    -> ExpressionKind?
  {
    guard let ordinal = ordinals[syntax.location], kinds.contains(literals[ordinal].kind), slots[ordinal] == nil,
      text[literals[ordinal].content].elementsEqual(value.utf8)
    else { return nil }
    let slot = self.kinds.count
    slots[ordinal] = slot
    self.kinds.append(literals[ordinal].kind)
    return .parameter(slot + 1)
  }
}
