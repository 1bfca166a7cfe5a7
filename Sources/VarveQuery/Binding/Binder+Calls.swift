// Calls of functions and aggregates.

import VarveCompute
import VarveCore

extension Binder {
  func bindCall(_ call: CallSyntax, _ level: QueryLevel, at location: Int) throws -> BoundExpression {
    let name = call.name.last ?? ""
    if call.name.count > 1, let schema = call.name.first,
      !["pg_catalog", "varve", "public", "information_schema"].contains(schema)
    {
      throw error("3F000", "schema \"\(schema)\" does not exist", at: location)
    }
    if let procedure = Procedure(call.name) {
      throw source.unsupported(
        "\(name)() within a query", at: location,
        hint: procedure.isFunction ? "SELECT it with nothing else, or CALL it." : "CALL it.")
    }
    if call.isVariadic { throw source.unsupported("VARIADIC", at: location) }
    if let window = call.window { return try bindWindowCall(call, over: window, level, at: location) }
    if WindowFunction.names[name] != nil, !call.isWithinGroup {
      throw error("42809", "window function \(name) requires an OVER clause", at: location)
    }
    if name == GapFillRequest.name { return try bindGapFill(call, level, at: location) }
    if Self.fillNames.contains(name) { return try bindFill(name, call, level, at: location) }
    let call = try ordered(call, level, at: location)
    if name == "overlaps", call.arguments.count == 4 { return try bindOverlaps(call, level, at: location) }
    if name == "pg_typeof", call.arguments.count == 1 {
      let value = try bind(call.arguments[0], level)
      return .constant(.int(Int64(value.type.oid)), .regtype)
    }
    if FunctionCatalog.hasAggregate(name) || CollectingAggregate.names.contains(name) || call.isStar
      || call.isWithinGroup
    {
      if let aggregate = try bindAggregate(name, call, level, at: location) { return aggregate }
    }
    if call.isDistinct || call.filter != nil || !call.orderBy.isEmpty {
      throw error("42809", "\(name) is not an aggregate function", at: location)
    }
    if TableFunction.names.contains(name) { return try bindSetValue(call, level, at: location) }
    var arguments = try bindArguments(of: name, call.arguments, level)
    if name == "row_to_json", let json = try rowToJSON(call, arguments, level) { return json }
    let types = arguments.map(\.type)
    let locations = call.arguments.map(\.location)
    let found = try placing(location) {
      try FunctionCatalog.scalar(name, types) ?? SystemFunctions.find(name, types, session)
    }
    guard let function = found else {
      // A type's name called like a function is a cast.
      if arguments.count == 1, let target = try SQLType.named(name),
        let result = try coerce(arguments[0], to: target, .explicit, at: location)
      {
        return result
      }
      throw missingFunction(name, types, at: location)
    }
    try convert(&arguments, to: function.argumentTypes, locations: locations)
    return folded(function, arguments)
  }

  func missingFunction(_ name: String, _ types: [SQLType], at location: Int) -> VarveError {
    error(
      "42883", "function \(name)(\(types.map(\.name).joined(separator: ", "))) does not exist", at: location,
      hint: FunctionHints.hint(for: name)
        ?? "No function matches the given name and argument types. You might need to add explicit type casts.")
  }

  func checkStar(_ name: String, _ call: CallSyntax, at location: Int) throws {
    if name == "count", call.arguments.isEmpty, !call.isStar, !call.isWithinGroup {
      throw error("42809", "count(*) must be used to call a parameterless aggregate function", at: location)
    }
  }

  private func bindAggregate(_ name: String, _ call: CallSyntax, _ level: QueryLevel, at location: Int) throws
    -> BoundExpression?
  {
    let wasInside = level.isInsideAggregate
    level.isInsideAggregate = true
    defer { level.isInsideAggregate = wasInside }
    // Ordered-set aggregates take their sorted value as last argument.
    let syntax = call.arguments + (call.isWithinGroup ? call.orderBy.map(\.expression) : [])
    try checkStar(name, call, at: location)
    var arguments = try bindArguments(of: name, syntax, level)
    let types = arguments.map(\.type)
    let found = try placing(location) { () -> AggregateFunction? in
      if name == "json_agg", syntax.count == 1, isRow(syntax[0], level) { return JSONAggregates.ofRows }
      return try FunctionCatalog.aggregate(name, types) ?? CollectingAggregate.find(name, types)
    }
    guard var function = found else {
      if try FunctionCatalog.scalar(name, types) != nil { return nil }
      throw missingFunction(name, types, at: location)
    }
    if call.isWithinGroup {
      guard let descending = function.descending else {
        throw error("42809", "\(name) is not an ordered-set aggregate, so it cannot have WITHIN GROUP", at: location)
      }
      if call.orderBy.contains(where: \.isDescending) { function = descending }
    } else if function.descending != nil {
      throw error("42809", "WITHIN GROUP is required for ordered-set aggregate \(name)", at: location)
    }
    if let clause = level.clauseWithoutAggregates {
      throw error("42803", "aggregate functions are not allowed in \(clause)", at: location)
    }
    if wasInside { throw error("42803", "aggregate function calls cannot be nested", at: location) }
    try convert(&arguments, to: function.argumentTypes, locations: syntax.map(\.location))
    var result = AggregateCall(function: function, arguments: arguments, location: location)
    result.isDistinct = call.isDistinct
    if let filter = call.filter { result.filter = try bindFilter(filter, level) }
    if !call.isWithinGroup {
      result.orderBy = try call.orderBy.map { try bindSort($0, try bind($0.expression, level)) }
      // What is told apart has been sorted, and what keeps an order shows that.
      if call.isDistinct, result.orderBy.isEmpty, CollectingAggregate.names.contains(function.name) {
        result.orderBy = arguments.map { BoundSort(expression: $0, isDescending: false, nullsFirst: false) }
      }
    }
    return .aggregate(result)
  }

  func bindSort(_ sort: SortSyntax, _ expression: BoundExpression) throws -> BoundSort {
    let value = try decided(expression, at: sort.expression.location)
    guard Self.isSortable(value.type) else {
      throw error(
        "42883", "could not identify an ordering operator for type \(value.type.name)", at: sort.expression.location)
    }
    let nullsFirst =
      switch sort.nulls {
      case .first: true
      case .last: false
      case .byDirection: sort.isDescending
      }
    return BoundSort(expression: value, isDescending: sort.isDescending, nullsFirst: nullsFirst)
  }

  static func isSortable(_ type: SQLType) -> Bool { type != .void }
}
