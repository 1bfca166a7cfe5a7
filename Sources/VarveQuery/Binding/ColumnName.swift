// The names PostgreSQL gives columns without an alias.

enum ColumnName {
  static func of(_ syntax: ExpressionSyntax) -> String { found(in: syntax)?.name ?? "?column?" }

  /// A type's name is weak: it gives way to that of a cast or a CASE around. nil: there is nothing to name by.
  private static func found(in syntax: ExpressionSyntax) -> (name: String, isWeak: Bool)? {
    func strong(_ name: String?) -> (name: String, isWeak: Bool)? { name.map { ($0, false) } }
    switch syntax.kind {
    case .column(let names): return strong(names.last ?? nil)
    case .call(let call): return strong(call.name.last)
    case .cast(let operand, let type):
      if let inner = found(in: operand), !inner.isWeak { return inner }
      return type.names.last.map { ($0, true) }
    case .coalesce: return strong("coalesce")
    case .greatest(_, let isLeast): return strong(isLeast ? "least" : "greatest")
    case .nullIf: return strong("nullif")
    case .keyword(let name): return strong(name)
    case .array: return strong("array")
    case .row: return strong("row")
    case .grouping: return strong("grouping")
    case .element(let operand, _), .slice(let operand, _, _): return found(in: operand)
    case .field(_, let name): return strong(name)
    case .choose(_, _, let otherwise):
      if let otherwise, let inner = found(in: otherwise), !inner.isWeak { return inner }
      return ("case", true)
    case .sublink(.exists, _, _, _): return strong("exists")
    case .sublink(.array, _, _, _): return strong("array")
    case .sublink(.scalar, _, _, let query):
      guard let target = query.targets.first else { return nil }
      return strong(target.name ?? target.expression.map(of))
    default: return nil
    }
  }
}
