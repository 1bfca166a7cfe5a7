// Operators, and what stands for several of them: lists, ranges, arrays compared one by one.

import VarveCompute
import VarveCore

extension Binder {
  func apply(_ symbol: String, _ operands: [BoundExpression], locations: [Int], at location: Int) throws
    -> BoundExpression
  {
    var operands = operands
    let types = operands.map(\.type)
    guard let function = try placing(location, { try FunctionCatalog.operator(symbol, types) }) else {
      let shown =
        types.count == 2 ? "\(types[0].name) \(symbol) \(types[1].name)" : "\(symbol) \(types.last?.name ?? "")"
      throw error(
        "42883", "operator does not exist: \(shown)", at: location,
        hint: "No operator matches the given name and argument types. You might need to add explicit type casts.")
    }
    try convert(&operands, to: function.argumentTypes, locations: locations)
    return folded(function, operands)
  }

  func convert(_ arguments: inout [BoundExpression], to types: [SQLType], locations: [Int]) throws {
    precondition(arguments.count == types.count, "a function has as many types as arguments")
    for index in arguments.indices where arguments[index].type != types[index] {
      // Modifiers (numeric's scale) do not need a conversion; a type of "anything" takes what comes.
      if arguments[index].type.base == types[index].base || types[index] == .unknown { continue }
      guard let converted = try coerce(arguments[index], to: types[index], .implicit, at: locations[index]) else {
        throw error(
          "42846", "cannot cast type \(arguments[index].type.name) to \(types[index].name)", at: locations[index])
      }
      arguments[index] = converted
    }
  }

  /// Both sides in the type that an operator compares them in.
  func commonSides(
    _ symbol: String, _ left: ExpressionSyntax, _ right: ExpressionSyntax, _ level: QueryLevel, at location: Int
  ) throws -> [BoundExpression] {
    let bound = [try bind(left, level), try bind(right, level)]
    if bound.allSatisfy({ $0.type == .unknown }) {
      return try unify(bound, "operands", at: [left.location, right.location])
    }
    guard let types = try placing(location, { try FunctionCatalog.operator(symbol, bound.map(\.type)) })?.argumentTypes
    else {
      throw error(
        "42883", "operator does not exist: \(bound[0].type.name) \(symbol) \(bound[1].type.name)", at: location,
        hint: "No operator matches the given name and argument types. You might need to add explicit type casts.")
    }
    if types[0] == types[1] {
      var sides = bound
      try convert(&sides, to: types, locations: [left.location, right.location])
      return sides
    }
    return try unify(bound, "operands", at: [left.location, right.location])
  }

  func quantified(
    _ symbol: String, _ left: ExpressionSyntax, _ array: ExpressionSyntax, isAll: Bool, _ level: QueryLevel,
    at location: Int
  ) throws -> BoundExpression {
    var operand = try bind(left, level)
    var values = try bind(array, level)
    if values.type == .unknown {
      // A literal or parameter: an array of the left side's type.
      let element = operand.type == .unknown ? SQLType.text : operand.type.base
      values = try coerce(values, to: .array(element), .implicit, at: array.location) ?? values
    }
    guard let element = values.type.element else {
      throw error("42809", "op ANY/ALL (array) requires array on right side", at: location)
    }
    guard let function = try placing(location, { try FunctionCatalog.operator(symbol, [operand.type, element]) }),
      function.resultType == .bool
    else {
      throw error(
        "42883", "operator does not exist: \(operand.type.name) \(symbol) \(element.name)", at: location,
        hint: "No operator matches the given name and argument types. You might need to add explicit type casts.")
    }
    var operands = [operand]
    try convert(&operands, to: [function.argumentTypes[0]], locations: [left.location])
    operand = operands[0]
    let wanted = function.argumentTypes[1]
    if element.base != wanted.base, values.type != .int2vector || wanted != .int2 {
      guard let converted = try coerce(values, to: .array(wanted), .implicit, at: array.location) else {
        throw error("42846", "cannot cast type \(values.type.name) to \(wanted.name)[]", at: array.location)
      }
      values = converted
    }
    return .quantified(function, operand, array: values, isAll: isAll)
  }

  func inList(
    _ operand: ExpressionSyntax, _ items: [ExpressionSyntax], isNegated: Bool, _ level: QueryLevel, at location: Int
  ) throws -> BoundExpression {
    if case .row = operand.kind {
      let parts = try items.map { try rowComparison("=", operand, $0, level, at: location) }
      return isNegated ? .not(.or(parts)) : .or(parts)
    }
    let value = try bind(operand, level)
    let bound = try items.map { try bind($0, level) }
    let locations = [operand.location] + items.map(\.location)
    // One type for all if there is one: a set. Else one comparison an item.
    if FunctionCatalog.commonType([value.type] + bound.map(\.type)) != nil {
      let all = try unify([value] + bound, "IN", at: locations)
      guard try FunctionCatalog.operator("=", [all[0].type, all[0].type]) != nil else {
        throw error("42883", "operator does not exist: \(all[0].type.name) = \(all[0].type.name)", at: location)
      }
      let list = BoundExpression.inList(all[0], Array(all.dropFirst()))
      return isNegated ? .not(list) : list
    }
    let parts = try zip(bound, items).map { item, syntax in
      try apply("=", [value, item], locations: [operand.location, syntax.location], at: location)
    }
    return isNegated ? .not(.or(parts)) : .or(parts)
  }

  func between(
    _ operand: ExpressionSyntax, _ low: ExpressionSyntax, _ high: ExpressionSyntax, _ isNegated: Bool,
    _ isSymmetric: Bool, _ level: QueryLevel, at location: Int
  ) throws -> BoundExpression {
    func compare(_ symbol: String, _ bound: ExpressionSyntax) throws -> BoundExpression {
      try apply(
        symbol, [try bind(operand, level), try bind(bound, level)], locations: [operand.location, bound.location],
        at: location)
    }
    var inside = BoundExpression.and([try compare(">=", low), try compare("<=", high)])
    if isSymmetric { inside = .or([inside, .and([try compare(">=", high), try compare("<=", low)])]) }
    return isNegated ? .not(inside) : inside
  }

  func extreme(_ values: [BoundExpression], isLeast: Bool, at location: Int) throws -> BoundExpression {
    let name = isLeast ? "least" : "greatest"
    if let function = try FunctionCatalog.scalar(name, values.map(\.type)) { return folded(function, values) }
    throw error("42883", "could not identify a comparison function for type \(values[0].type.name)", at: location)
  }
}
