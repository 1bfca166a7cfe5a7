// Expressions other than calls.

import VarveCompute
import VarveCore

extension Binder {
  func bind(_ syntax: ExpressionSyntax, _ level: QueryLevel) throws -> BoundExpression {
    try descend()
    defer { ascend() }
    let location = syntax.location
    switch syntax.kind {
    case .null: return .constant(.null, .unknown)
    case .integer(let value): return .constant(.int(Int64(value)), .int4)
    case .decimal(let digits): return try decimal(digits, at: location)
    case .string(let text): return .constant(.text(text), .unknown)
    case .boolean(let value): return .constant(.bool(value), .bool)
    case .column(let names): return try column(names, level, at: location)
    case .star(let names):
      throw error(
        "42601", names.isEmpty ? "* is not allowed here" : "row expansion via \"*\" is not supported here",
        at: location)
    case .parameter(let number): return try parameter(number, at: location)
    case .call(let call): return try bindCall(call, level, at: location)
    case .prefix(let symbol, let operand):
      return try apply(symbol, [try bind(operand, level)], locations: [operand.location], at: location)
    case .infix(let symbol, let left, let right):
      if case .row = left.kind { return try rowComparison(symbol, left, right, level, at: location) }
      return try apply(
        symbol, [try bind(left, level), try bind(right, level)], locations: [left.location, right.location],
        at: location)
    case .quantified(let symbol, let left, let array, let isAll):
      return try quantified(symbol, left, array, isAll: isAll, level, at: location)
    case .inList(let operand, let items, let isNegated):
      return try inList(operand, items, isNegated: isNegated, level, at: location)
    case .between(let operand, let low, let high, let isNegated, let isSymmetric):
      if let all = try rowPlaceRange(operand, low, high, isNegated: isNegated, level) { return all }
      return try between(operand, low, high, isNegated, isSymmetric, level, at: location)
    case .isDistinct(let left, let right, let isNegated):
      let sides = try commonSides("=", left, right, level, at: location)
      return .isDistinct(sides[0], sides[1], isNegated: isNegated)
    case .nullIf(let left, let right):
      let bound = try bind(left, level)
      let equal = try apply(
        "=", [bound, try bind(right, level)], locations: [left.location, right.location], at: location)
      let value = try decided(bound, at: left.location)
      return .choose(cases: [(when: equal, result: .constant(.null, value.type))], otherwise: value, value.type)
    case .and(let parts): return .and(try parts.map { try condition($0, level, "AND") })
    case .or(let parts): return .or(try parts.map { try condition($0, level, "OR") })
    case .not(let operand): return .not(try condition(operand, level, "NOT"))
    case .isNull(let operand, let isNegated):
      if let row = try rowNullTest(operand, isNegated: isNegated, level) { return row }
      return .isNull(try decided(try bind(operand, level), at: operand.location), isNegated: isNegated)
    case .booleanTest(let operand, let test):
      let value = try condition(operand, level, "IS \(test.rawValue.dropFirst(2).uppercased())")
      switch test {
      case .isTrue: return .isDistinct(value, .constant(.bool(true), .bool), isNegated: true)
      case .isNotTrue: return .isDistinct(value, .constant(.bool(true), .bool), isNegated: false)
      case .isFalse: return .isDistinct(value, .constant(.bool(false), .bool), isNegated: true)
      case .isNotFalse: return .isDistinct(value, .constant(.bool(false), .bool), isNegated: false)
      case .isUnknown: return .isNull(value, isNegated: false)
      case .isNotUnknown: return .isNull(value, isNegated: true)
      }
    case .cast(let operand, let type): return try cast(operand, type, level, at: location)
    case .choose(let operand, let cases, let otherwise):
      return try choose(operand, cases, otherwise, level, at: location)
    case .coalesce(let arguments):
      let values = try unify(
        try arguments.map { try bind($0, level) }, "COALESCE", at: arguments.map(\.location))
      return .coalesce(values, values[0].type)
    case .greatest(let arguments, let isLeast):
      let name = isLeast ? "least" : "greatest"
      let values = try unify(
        try arguments.map { try bind($0, level) }, name.uppercased(), at: arguments.map(\.location))
      return try extreme(values, isLeast: isLeast, at: location)
    case .keyword(let name): return try keyword(name, at: location)
    case .array(let elements):
      guard !elements.isEmpty else {
        throw error(
          "42P18", "cannot determine type of empty array", at: location,
          hint: "Explicitly cast to the desired type, for example ARRAY[]::integer[].")
      }
      let values = try unify(try elements.map { try bind($0, level) }, "ARRAY", at: elements.map(\.location))
      if values[0].type.element != nil {
        throw source.unsupported("an array of more than one dimension", at: location)
      }
      return constantArray(values)
    case .row: throw source.unsupported("a row value here", at: location, hint: "Compare the columns one by one.")
    case .part(let row, let column, let count): return try part(column, of: count, row, level, at: location)
    case .field(let operand, let name): return try bindField(operand, name, level, at: location)
    case .element(let operand, let index):
      let array = try bind(operand, level)
      guard let element = array.type.element else {
        throw error(
          "42804", "cannot subscript type \(array.type.name) because it does not support subscripting", at: location)
      }
      guard let position = try coerce(try bind(index, level), to: .int4, .assignment, at: index.location) else {
        throw error("42804", "array subscript must have type integer", at: index.location)
      }
      return .element(array, index: position, element)
    case .slice(let operand, let lower, let upper): return try bindSlice(operand, lower, upper, level, at: location)
    case .sublink(let kind, let symbol, let operand, let query):
      return try sublink(kind, symbol, operand, query, level, at: location)
    case .grouping(let arguments):
      if let clause = level.clauseWithoutAggregates {
        throw error("42803", "grouping operations are not allowed in \(clause)", at: location)
      }
      guard arguments.count < 32 else {
        throw error("54023", "GROUPING must have fewer than 32 arguments", at: location)
      }
      return .grouping(try arguments.map { try bind($0, level) }, locations: arguments.map(\.start))
    case .named(let name, _):
      throw error(
        "42883", "no function takes the named argument \"\(name)\" here", at: location,
        hint: "Give the arguments in their order.")
    case .groupingSet: throw error("42601", "grouping sets are not allowed here", at: location)
    case .defaultValue: throw error("42601", "DEFAULT is not allowed in this context", at: location)
    case .unsupported(let what): throw source.unsupported(what, at: location)
    }
  }

  func condition(_ syntax: ExpressionSyntax, _ level: QueryLevel, _ what: String) throws -> BoundExpression {
    try requireBoolean(try bind(syntax, level), what, at: syntax.location)
  }

  private func decimal(_ digits: String, at location: Int) throws -> BoundExpression {
    if let value = Int64(digits) { return .constant(.int(value), .int8) }
    do {
      return .constant(try literal(digits, .numeric, at: location), .numeric)
    } catch let error as VarveError where error.sqlState == "22003" {
      // Beyond numeric's digits here, but not beyond a double's range: 1e100.
      return .constant(try literal(digits, .float8, at: location), .float8)
    }
  }

  private func parameter(_ number: Int, at location: Int) throws -> BoundExpression {
    guard number >= 1, number <= 65_535 else { throw error("42P02", "there is no parameter $\(number)", at: location) }
    while parameterTypes.count < number { parameterTypes.append(nil) }
    return .parameter(number - 1, parameterTypes[number - 1] ?? .unknown)
  }

  private func column(_ names: [String], _ level: QueryLevel, at location: Int) throws -> BoundExpression {
    switch level.resolve(names, location: location) {
    case .found(let expression): return expression
    case .ambiguous:
      throw error("42702", "column reference \"\(names[names.count - 1])\" is ambiguous", at: location)
    case .missing: break
    }
    let name = names[names.count - 1]
    let relation = names.count > 1 ? names[names.count - 2] : nil
    if let relation, !level.hasRelation(relation) {
      throw error("42P01", "missing FROM-clause entry for table \"\(relation)\"", at: location)
    }
    if name == "ctid" { throw noRowPlaces(at: location) }
    if relation == nil, level.hasRelation(name) {
      throw source.unsupported(
        "a whole row as a value", at: location,
        hint: "\(Self.quoteIfNeeded(name)).* gives its columns, row_to_json an object.")
    }
    let hint = level.suggestion(for: name, relation: relation).map {
      "Perhaps you meant to reference the column \(Self.quoted($0))."
    }
    throw error(
      "42703",
      relation.map { "column \($0).\(name) does not exist" } ?? "column \"\(name)\" does not exist", at: location,
      hint: hint)
  }

  /// A name as it must be written: quoted where folding to lower case would change it.
  static func quoted(_ column: ScopeColumn) -> String {
    "\"" + column.qualifiedNameParts.map(quoteIfNeeded).joined(separator: ".") + "\""
  }
  static func quoteIfNeeded(_ name: String) -> String {
    let plain =
      !name.isEmpty && !(0x30...0x39).contains(name.utf8.first ?? 0)
      && name.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5F }
    if plain { return name }
    // Not by characters: a combining mark behind a quote would be one with it.
    var quoted = String.UnicodeScalarView("\"".unicodeScalars)
    for scalar in name.unicodeScalars {
      if scalar == "\"" { quoted.append(scalar) }
      quoted.append(scalar)
    }
    quoted.append("\"")
    return String(quoted)
  }

  private func choose(
    _ operand: ExpressionSyntax?, _ cases: [(ExpressionSyntax, ExpressionSyntax)], _ otherwise: ExpressionSyntax?,
    _ level: QueryLevel, at location: Int
  ) throws -> BoundExpression {
    var conditions: [BoundExpression] = []
    for (when, _) in cases {
      if let operand {
        conditions.append(
          try apply(
            "=", [try bind(operand, level), try bind(when, level)], locations: [operand.location, when.location],
            at: when.location))
      } else {
        conditions.append(try condition(when, level, "CASE/WHEN"))
      }
    }
    var results = try cases.map { try bind($0.1, level) }
    results.append(try otherwise.map { try bind($0, level) } ?? .constant(.null, .unknown))
    // The default comes first when a type is chosen, as in PostgreSQL.
    let order = [results.count - 1] + Array(0..<(results.count - 1))
    let locations = cases.map(\.1.location) + [otherwise?.location ?? location]
    let unified = try unify(order.map { results[$0] }, "CASE", at: order.map { locations[$0] })
    let type = unified[0].type
    return .choose(
      cases: zip(conditions, unified.dropFirst()).map { (when: $0, result: $1) }, otherwise: unified[0], type)
  }

  private func keyword(_ name: String, at location: Int) throws -> BoundExpression {
    func now() throws -> BoundExpression {
      guard let function = try FunctionCatalog.scalar("now", []) else {
        throw source.unsupported(name.uppercased(), at: location)
      }
      return .call(function, [])
    }
    func converted(_ type: SQLType) throws -> BoundExpression {
      guard let result = try coerce(try now(), to: type, .explicit, at: location) else {
        throw source.unsupported(name.uppercased(), at: location)
      }
      return result
    }
    switch name {
    case "current_timestamp": return try now()
    case "localtimestamp": return try converted(.timestamp)
    case "current_date": return try converted(.date)
    case "current_role", "current_user", "user", "session_user", "current_catalog", "current_schema":
      let function =
        name == "current_catalog"
        ? "current_database" : name == "user" || name == "current_role" ? "current_user" : name
      return try sessionFunction(function, at: location)
    default: throw source.unsupported(name.uppercased(), at: location, hint: "current_timestamp works.")
    }
  }

  private func sessionFunction(_ name: String, at location: Int) throws -> BoundExpression {
    try bindCall(CallSyntax(name: [name]), QueryLevel(parent: nil), at: location)
  }

  private func sublink(
    _ kind: SublinkKind, _ symbol: String, _ operand: ExpressionSyntax?, _ query: SelectSyntax, _ level: QueryLevel,
    at location: Int
  ) throws -> BoundExpression {
    let inner = QueryLevel(parent: level)
    let bound = try bindSelect(query, inner)
    var node: LogicalPlan = bound.plan
    func oneColumn() throws -> SQLType {
      guard bound.columns.count == 1 else {
        throw error(
          "42601", bound.columns.count > 1 ? "subquery must return only one column" : "subquery must return a column",
          at: location)
      }
      return bound.columns[0].type
    }
    var result: BoundSubquery.Kind
    var type = SQLType.bool
    var left: [BoundExpression] = []
    switch kind {
    case .exists:
      result = .exists
      node = .limit(node, limit: .constant(.int(1), .int8), offset: nil)
    case .scalar:
      type = try oneColumn()
      result = .scalar
    case .array:
      type = .array(try oneColumn().base)
      result = .array
    case .anyOf, .allOf:
      guard let operand else { throw source.unsupported("this kind of subquery", at: location) }
      if case .row(let items) = operand.kind {
        let isIn = kind == .anyOf && symbol == "="
        guard isIn || (kind == .allOf && symbol == "<>") else {
          throw source.unsupported("this comparison of a row with a subquery", at: location)
        }
        let found = try rowMembership(items, bound, inner, level, at: location)
        return isIn ? found : .not(found)
      }
      var sides = [try bind(operand, level)]
      let element = try oneColumn()
      guard let function = try placing(location, { try FunctionCatalog.operator(symbol, [sides[0].type, element]) }),
        function.resultType == .bool
      else {
        throw error(
          "42883", "operator does not exist: \(sides[0].type.name) \(symbol) \(element.name)", at: location,
          hint: "No operator matches the given name and argument types. You might need to add explicit type casts.")
      }
      try convert(&sides, to: [function.argumentTypes[0]], locations: [operand.location])
      left = sides
      if element.base != function.argumentTypes[1].base {
        let column = BoundExpression.column(
          ColumnReference(index: 0, type: element, name: bound.columns[0].name, location: location))
        var value = [column]
        try convert(&value, to: [function.argumentTypes[1]], locations: [location])
        node = .project(node, value)
      }
      result = .quantified(function, isAll: kind == .allOf)
    }
    let plan = SubqueryPlan(try Planner.plan(node))
    return .subquery(
      BoundSubquery(kind: result, plan: plan, outerInputs: inner.outerInputs, operands: left, type: type))
  }
}

extension ScopeColumn {
  var qualifiedNameParts: [String] { relation.map { [$0, name] } ?? [name] }
}
