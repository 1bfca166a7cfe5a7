// Rows of values: compared column by column, and looked up in the rows of a subquery.

import VarveCompute
import VarveCore

extension Binder {
  func rowComparison(
    _ symbol: String, _ left: ExpressionSyntax, _ right: ExpressionSyntax, _ level: QueryLevel, at location: Int
  ) throws -> BoundExpression {
    guard case .row(let a) = left.kind, case .row(let b) = right.kind, !a.isEmpty,
      ["=", "<>", "<", "<=", ">", ">="].contains(symbol)
    else {
      throw source.unsupported("this comparison of rows", at: location, hint: "Compare the columns one by one.")
    }
    guard a.count == b.count else {
      throw error("42601", "unequal number of entries in row expressions", at: location)
    }
    func compare(_ symbol: String, _ index: Int) throws -> BoundExpression {
      try apply(
        symbol, [try bind(a[index], level), try bind(b[index], level)],
        locations: [a[index].location, b[index].location], at: location)
    }
    switch symbol {
    case "=": return .and(try a.indices.map { try compare("=", $0) })
    case "<>": return .or(try a.indices.map { try compare("<>", $0) })
    default:
      // The first pair that differs decides.
      let strict = String(symbol.prefix(1))
      var result = try compare(symbol, a.count - 1)
      for index in a.indices.dropLast().reversed() {
        result = .or([try compare(strict, index), .and([try compare("=", index), result])])
      }
      // What follows for the first pair is said by itself: scans are bounded by it.
      return a.count == 1 ? result : .and([try compare(strict + "=", 0), result])
    }
  }

  /// `(a, b) IS NULL`: all of them are, and of IS NOT NULL none is; nil: it is no row.
  func rowNullTest(_ operand: ExpressionSyntax, isNegated: Bool, _ level: QueryLevel) throws -> BoundExpression? {
    let values: [BoundExpression]
    switch operand.kind {
    case .row(let items): values = try items.map { try decided(try bind($0, level), at: $0.location) }
    case .column(let names) where names.count == 1:
      guard case .missing = level.resolve(names, location: operand.location),
        let row = level.wholeRow(names[0], location: operand.location)
      else { return nil }
      values = row.values
    default: return nil
    }
    return .and(values.map { .isNull($0, isNegated: isNegated) })
  }

  /// One of the values that UPDATE gives to several columns at once: `(a, b) = (SELECT …)` or `= ROW(…)`.
  func part(_ column: Int, of count: Int, _ row: ExpressionSyntax, _ level: QueryLevel, at location: Int) throws
    -> BoundExpression
  {
    let mismatch = error("42601", "number of columns does not match number of values", at: location)
    switch row.kind {
    case .row(let items):
      guard items.count == count else { throw mismatch }
      return try bind(items[column], level)
    case .sublink(.scalar, _, nil, let query):
      let inner = QueryLevel(parent: level)
      let bound = try bindSelect(query, inner)
      guard bound.columns.count == count else { throw mismatch }
      let found = bound.columns[column]
      let value = BoundExpression.column(
        ColumnReference(index: column, type: found.type, name: found.name, location: location))
      let plan = SubqueryPlan(try Planner.plan(.project(bound.plan, [value])))
      return .subquery(
        BoundSubquery(kind: .scalar, plan: plan, outerInputs: inner.outerInputs, operands: [], type: found.type))
    default:
      throw error(
        "0A000", "source for a multiple-column UPDATE item must be a sub-SELECT or ROW() expression", at: location)
    }
  }

  /// `(a, b) IN (SELECT …)`.
  func rowMembership(
    _ items: [ExpressionSyntax], _ query: BoundQuery, _ inner: QueryLevel, _ level: QueryLevel, at location: Int
  ) throws -> BoundExpression {
    guard items.count == query.columns.count else {
      throw error(
        "42601", "subquery has too \(query.columns.count > items.count ? "many" : "few") columns", at: location)
    }
    var operands: [BoundExpression] = []
    var columns: [BoundExpression] = []
    for (index, item) in items.enumerated() {
      let column = query.columns[index]
      let value = try bind(item, level)
      guard try placing(location, { try FunctionCatalog.operator("=", [value.type, column.type]) }) != nil else {
        throw error(
          "42883", "operator does not exist: \(value.type.name) = \(column.type.name)", at: location,
          hint: "No operator matches the given name and argument types. You might need to add explicit type casts.")
      }
      let reference = ColumnReference(index: index, type: column.type, name: column.name, location: location)
      let sides = try unify([value, .column(reference)], "IN", at: [item.location, location])
      operands.append(sides[0])
      columns.append(sides[1])
    }
    let plan = SubqueryPlan(try Planner.plan(.project(query.plan, columns)))
    return .subquery(
      BoundSubquery(
        kind: .containsRow, plan: plan, outerInputs: inner.outerInputs, operands: operands, type: .bool))
  }
}
