// Window functions: what OVER and WINDOW mean, with the rules and words of PostgreSQL 15 (parse_agg.c, parse_clause.c).

import VarveCompute
import VarveCore

/// A window that WINDOW names, or one behind OVER.
struct WindowDefinition {
  var order = WindowOrder()
  var frame = WindowFrame()
  var hasFrame = false
}

extension Binder {
  /// The windows of WINDOW; later ones may be made from those before.
  func bindWindows(_ windows: [WindowSyntax], _ level: QueryLevel) throws {
    for window in windows {
      let name = window.name ?? ""
      if level.windows[Name(name)] != nil {
        throw error("42P20", "window \"\(name)\" is already defined", at: window.location)
      }
      level.windows[Name(name)] = try windowDefinition(window, level)
    }
  }

  func bindWindowCall(_ call: CallSyntax, over window: WindowSyntax, _ level: QueryLevel, at location: Int) throws
    -> BoundExpression
  {
    let name = call.name.last ?? ""
    if let clause = level.clauseWithoutWindows ?? level.clauseWithoutAggregates {
      throw error("42P20", "window functions are not allowed in \(clause)", at: location)
    }
    if level.isInsideWindow { throw error("42P20", "window function calls cannot be nested", at: location) }
    if level.isInsideAggregate {
      throw error("42803", "aggregate function calls cannot contain window function calls", at: location)
    }
    level.isInsideWindow = true
    defer { level.isInsideWindow = false }
    var result = try windowFunction(name, call, level, at: location)
    if call.isDistinct { throw source.unsupported("DISTINCT for window functions", at: location) }
    if !call.orderBy.isEmpty { throw source.unsupported("aggregate ORDER BY for window functions", at: location) }
    if let filter = call.filter {
      guard case .aggregate = result.function else {
        throw source.unsupported("FILTER for non-aggregate window functions", at: location)
      }
      result.filter = try bindFilter(filter, level)
    }
    level.isInsideWindow = false
    let definition: WindowDefinition
    if let name = window.name {
      guard let named = level.windows[Name(name)] else {
        throw error("42704", "window \"\(name)\" does not exist", at: window.location)
      }
      definition = named
    } else {
      definition = try windowDefinition(window, level)
    }
    result.order = definition.order
    result.frame = definition.frame
    result.location = location
    return .window(result)
  }

  /// FILTER of an aggregate, which takes neither aggregates nor window functions.
  func bindFilter(_ filter: ExpressionSyntax, _ level: QueryLevel) throws -> BoundExpression {
    let before = level.clauseWithoutAggregates
    level.clauseWithoutAggregates = "FILTER"
    defer { level.clauseWithoutAggregates = before }
    return try clause("FILTER", level) { try condition(filter, level, "FILTER") }
  }

  /// Binds where window functions are not allowed.
  func clause<T>(_ name: String, _ level: QueryLevel, _ body: () throws -> T) rethrows -> T {
    let before = level.clauseWithoutWindows
    level.clauseWithoutWindows = name
    defer { level.clauseWithoutWindows = before }
    return try body()
  }

  // MARK: Functions

  private func windowFunction(_ name: String, _ call: CallSyntax, _ level: QueryLevel, at location: Int) throws
    -> WindowCall
  {
    if call.isWithinGroup {
      throw source.unsupported("OVER for ordered-set aggregate \(name)", at: location)
    }
    try checkStar(name, call, at: location)
    var arguments = try call.arguments.map { try bind($0, level) }
    let types = arguments.map(\.type)
    let locations = call.arguments.map(\.location)
    if let function = WindowFunction.names[name] {
      return try windowOnly(function, name, arguments, locations, at: location)
    }
    let found = try placing(location) {
      try FunctionCatalog.aggregate(name, types) ?? CollectingAggregate.find(name, types)
    }
    guard let function = found else {
      if try FunctionCatalog.scalar(name, types) != nil || SystemFunctions.find(name, types, session) != nil {
        throw error(
          "42809", "OVER specified, but \(name) is not a window function nor an aggregate function", at: location)
      }
      throw missingFunction(name, types, at: location)
    }
    try convert(&arguments, to: function.argumentTypes, locations: locations)
    return WindowCall(function: .aggregate(function), arguments: arguments, type: function.resultType)
  }

  private func windowOnly(
    _ function: WindowFunction, _ name: String, _ given: [BoundExpression], _ locations: [Int], at location: Int
  ) throws -> WindowCall {
    var arguments = given
    let missing = missingFunction(name, given.map(\.type), at: location)
    func integer(_ index: Int) throws {
      guard let value = try coerce(arguments[index], to: .int4, .implicit, at: locations[index]) else { throw missing }
      arguments[index] = value
    }
    switch function {
    case .rowNumber, .rank, .denseRank, .percentRank, .cumeDist:
      guard arguments.isEmpty else {
        if name == "row_number" { throw missing }
        throw error("42809", "WITHIN GROUP is required for ordered-set aggregate \(name)", at: location)
      }
      let isRatio = name == "percent_rank" || name == "cume_dist"
      return WindowCall(function: function, arguments: [], type: isRatio ? .float8 : .int8)
    case .ntile:
      guard arguments.count == 1 else { throw missing }
      try integer(0)
      return WindowCall(function: function, arguments: arguments, type: .int4)
    case .firstValue, .lastValue:
      guard arguments.count == 1 else { throw missing }
      arguments[0] = try decided(arguments[0], at: locations[0])
    case .nthValue:
      guard arguments.count == 2 else { throw missing }
      arguments[0] = try decided(arguments[0], at: locations[0])
      try integer(1)
    case .lag, .lead:
      guard 1...3 ~= arguments.count else { throw missing }
      if arguments.count == 3 {
        guard let common = FunctionCatalog.commonType([arguments[0].type, arguments[2].type]) else { throw missing }
        for index in [0, 2] {
          guard let value = try coerce(arguments[index], to: common, .implicit, at: locations[index]) else {
            throw missing
          }
          arguments[index] = value
        }
      }
      arguments[0] = try decided(arguments[0], at: locations[0])
      if arguments.count > 1 { try integer(1) }
    case .aggregate: preconditionFailure("aggregates are not among the names of window functions")
    }
    return WindowCall(function: function, arguments: arguments, type: arguments[0].type)
  }

  // MARK: Windows

  private func windowDefinition(_ window: WindowSyntax, _ level: QueryLevel) throws -> WindowDefinition {
    var result = WindowDefinition()
    if let base = window.base {
      guard let named = level.windows[Name(base)] else {
        throw error("42704", "window \"\(base)\" does not exist", at: window.location)
      }
      if !window.partition.isEmpty {
        throw error("42P20", "cannot override PARTITION BY clause of window \"\(base)\"", at: window.location)
      }
      if !window.orderBy.isEmpty, !named.order.orderBy.isEmpty {
        throw error("42P20", "cannot override ORDER BY clause of window \"\(base)\"", at: window.location)
      }
      if named.hasFrame {
        let isPlain = window.orderBy.isEmpty && !window.frame.isGiven && window.name == nil
        throw error(
          "42P20", "cannot copy window \"\(base)\" because it has a frame clause", at: window.location,
          hint: isPlain ? "Omit the parentheses in this OVER clause." : nil)
      }
      result.order = named.order
    }
    try clause("window definitions", level) {
      if window.base == nil {
        result.order.partition = try window.partition.map { syntax in
          try bindSort(SortSyntax(expression: syntax), try bind(syntax, level)).expression
        }
      }
      if !window.orderBy.isEmpty {
        result.order.orderBy = try window.orderBy.map { try bindSort($0, try bind($0.expression, level)) }
      }
    }
    result.hasFrame = window.frame.isGiven
    result.frame = try frame(window, result.order, level)
    return result
  }

  private func frame(_ window: WindowSyntax, _ order: WindowOrder, _ level: QueryLevel) throws -> WindowFrame {
    let syntax = window.frame
    var frame = WindowFrame(unit: syntax.unit, exclusion: syntax.exclusion)
    if syntax.unit == .groups, order.orderBy.isEmpty {
      throw error("42P20", "GROUPS mode requires an ORDER BY clause", at: window.location)
    }
    let hasOffset = syntax.startOffset != nil || syntax.endOffset != nil
    if syntax.unit == .range, hasOffset {
      guard order.orderBy.count == 1 else {
        throw error(
          "42P20", "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column", at: window.location)
      }
      frame.rangeKey = try rangeKey(order.orderBy[0].expression, at: syntax.startOffset ?? syntax.endOffset)
    }
    func bound(_ bound: FrameSyntax.Bound, _ offset: ExpressionSyntax?) throws -> WindowFrame.Bound {
      switch bound {
      case .unboundedPreceding: return .unboundedPreceding
      case .unboundedFollowing: return .unboundedFollowing
      case .currentRow: return .currentRow
      case .preceding, .following:
        guard let offset else { throw error("42601", "a frame's offset is missing", at: window.location) }
        let value = try frameOffset(offset, syntax.unit, frame.rangeKey, level)
        return bound == .preceding ? .preceding(value) : .following(value)
      }
    }
    frame.start = try bound(syntax.start, syntax.startOffset)
    frame.end = try bound(syntax.end, syntax.endOffset)
    return frame
  }

  private func rangeKey(_ key: BoundExpression, at place: ExpressionSyntax?) throws -> WindowFrame.RangeKey {
    let location = place?.location ?? -1
    func refused() -> VarveError {
      error(
        "0A000", "RANGE with offset PRECEDING/FOLLOWING is not supported for column type \(key.type.name)",
        at: location)
    }
    if key.type.isInteger || key.type.isFloat { return WindowFrame.RangeKey(expression: key) }
    var expression = key
    if key.type == .date {
      guard let cast = try coerce(key, to: .timestamp, .implicit, at: location) else { throw refused() }
      expression = cast
    }
    guard expression.type.base == .numeric || [.timestamp, .timestamptz, .interval].contains(expression.type) else {
      throw refused()
    }
    let types = [expression.type.base, Self.offsetType(of: key.type)]
    guard let subtract = try FunctionCatalog.operator("-", types), let add = try FunctionCatalog.operator("+", types)
    else { throw refused() }
    return WindowFrame.RangeKey(expression: expression, subtract: subtract, add: add)
  }

  private static func offsetType(of key: SQLType) -> SQLType {
    if key.isInteger { return .int8 }
    if key.isFloat { return .float8 }
    return key.base == .numeric ? .numeric : .interval
  }

  private func frameOffset(
    _ syntax: ExpressionSyntax, _ unit: WindowFrame.Unit, _ key: WindowFrame.RangeKey?, _ level: QueryLevel
  ) throws -> BoundExpression {
    let around = QueryLevel(parent: level)
    around.clauseWithoutAggregates = "window \(unit.rawValue)"
    let bound = try bind(syntax, around)
    if !around.outerInputs.isEmpty {
      throw error("42P10", "argument of \(unit.rawValue) must not contain variables", at: syntax.location)
    }
    guard let key else {
      guard let value = try coerce(bound, to: .int8, .assignment, at: syntax.location) else {
        throw error(
          "42804", "argument of \(unit.rawValue) must be type bigint, not type \(bound.type.name)", at: syntax.start)
      }
      return value
    }
    guard
      let value = try coerce(bound, to: Self.offsetType(of: key.expression.type), .implicit, at: syntax.location)
    else {
      throw error(
        "0A000",
        "RANGE with offset PRECEDING/FOLLOWING is not supported for column type \(key.expression.type.name)"
          + " and offset type \(bound.type.name)", at: syntax.location,
        hint: "Cast the offset value to an appropriate type.")
    }
    return value
  }
}
