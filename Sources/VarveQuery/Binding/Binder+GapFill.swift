// time_bucket_gapfill, locf and interpolate, with TimescaleDB's rules: what is filled lies between the start and finish
// that are given as arguments, else between the bounds that WHERE sets to the bucketed time.

import VarveCompute
import VarveCore

extension Binder {
  static let fillNames: Set<String> = ["locf", "interpolate"]

  // MARK: time_bucket_gapfill

  /// The call, under its own name so that it is found among the keys.
  func bindGapFill(_ call: CallSyntax, _ level: QueryLevel, at location: Int) throws -> BoundExpression {
    if let clause = level.clauseWithoutAggregates, clause != "GROUP BY" {
      throw error("0A000", "\(GapFillRequest.name) is not allowed in \(clause)", at: location, hint: "Use time_bucket.")
    }
    var positional: [ExpressionSyntax] = []
    var named: [String: ExpressionSyntax] = [:]
    for argument in call.arguments {
      if case .named(let name, let value) = argument.kind { named[name] = value } else { positional.append(argument) }
    }
    for name in named.keys.sorted() where !["timezone", "start", "finish"].contains(name) {
      throw error("42883", "\(GapFillRequest.name) has no argument \"\(name)\"", at: location)
    }
    let bound = try positional.map { try bind($0, level) }
    guard 2...5 ~= bound.count else { throw missingFunction(GapFillRequest.name, bound.map(\.type), at: location) }
    var bucket = Array(bound.prefix(2))
    var locations = positional.prefix(2).map(\.location)
    var rest = Array(zip(bound, positional).dropFirst(2))
    if let zone = named["timezone"] {
      bucket.append(try bind(zone, level))
      locations.append(zone.location)
    } else if let first = rest.first, rest.count == 3 || isZone(first.0) {
      bucket.append(first.0)
      locations.append(first.1.location)
      rest.removeFirst()
    }
    if bucket.count == 3, let zone = try coerce(bucket[2], to: .text, .implicit, at: locations[2]) { bucket[2] = zone }
    let types = bucket.map(\.type)
    guard rest.count <= 2, let function = try placing(location, { try FunctionCatalog.scalar("time_bucket", types) })
    else { throw missingFunction(GapFillRequest.name, bound.map(\.type), at: location) }
    try convert(&bucket, to: function.argumentTypes, locations: locations)
    for (index, argument) in bucket.enumerated() where index != 1 && !argument.columns.isEmpty {
      throw source.unsupported("a width or time zone of \(GapFillRequest.name) that depends on rows", at: location)
    }
    func end(_ index: Int, _ name: String) throws -> BoundExpression? {
      guard let syntax = named[name] ?? (index < rest.count ? rest[index].1 : nil) else { return nil }
      let value = try bind(syntax, level)
      if value.constantValue?.isNull == true { return nil }
      guard value.columns.isEmpty, !value.isVolatile else {
        throw error(
          "22023", "invalid \(GapFillRequest.name) argument: \(name) must be a simple expression", at: syntax.location)
      }
      guard let result = try coerce(value, to: function.argumentTypes[1], .assignment, at: syntax.location) else {
        throw missingFunction(GapFillRequest.name, bound.map(\.type), at: location)
      }
      return result
    }
    let result = BoundExpression.call(function.renamed(GapFillRequest.name), bucket)
    let request = GapFillRequest(
      call: result, start: try end(0, "start"), finish: try end(1, "finish"), location: location)
    if let known = level.gapFill {
      guard known.call.isSame(as: result), Self.isSame(known.start, request.start),
        Self.isSame(known.finish, request.finish)
      else { throw source.unsupported("a second, different \(GapFillRequest.name) in a query", at: location) }
    }
    level.gapFill = request
    return result
  }

  private static func isSame(_ a: BoundExpression?, _ b: BoundExpression?) -> Bool {
    guard let a, let b else { return a == nil && b == nil }
    return a.isSame(as: b)
  }

  /// Whether a third argument names a time zone: a text that is no time.
  private func isZone(_ argument: BoundExpression) -> Bool {
    guard argument.type == .unknown else { return argument.type.isText }
    guard case .text(let text)? = argument.constantValue else { return false }
    // What it throws is that the text is no time.
    return (try? TypeText.parse(text, as: .timestamptz, context: evaluation)) == nil
  }

  /// How the groups of a query are filled; nil if it does not ask for it.
  func gapFill(_ level: QueryLevel, _ grouping: Grouping?, filter: [BoundExpression]) throws -> GapFill? {
    guard let request = level.gapFill else { return nil }
    guard let grouping, let time = grouping.keys.firstIndex(where: { $0.isSame(as: request.call) }),
      case .call(let function, let arguments) = grouping.keys[time]
    else {
      throw error("0A000", "no top level \(GapFillRequest.name) in group by clause", at: request.location)
    }
    if grouping.sets != nil {
      throw source.unsupported("\(GapFillRequest.name) with grouping sets", at: request.location)
    }
    let bounds = try filterBounds(filter, of: arguments[1])
    func ends(_ given: BoundExpression?, _ inferred: [GapFill.Bound], _ name: String) throws -> [GapFill.Bound] {
      if let given { return [GapFill.Bound(expression: given)] }
      guard !inferred.isEmpty else {
        throw error(
          "22023", "missing \(GapFillRequest.name) argument: could not infer \(name) from WHERE clause",
          at: request.location, hint: "Specify start and finish as arguments or in the WHERE clause.")
      }
      return inferred
    }
    return GapFill(
      time: time, keys: grouping.keys.indices.filter { $0 != time }, bucket: function.renamed("time_bucket"),
      arguments: arguments, starts: try ends(request.start, bounds.starts, "start"),
      finishes: try ends(request.finish, bounds.finishes, "finish"))
  }

  private func filterBounds(_ filter: [BoundExpression], of time: BoundExpression) throws -> (
    starts: [GapFill.Bound], finishes: [GapFill.Bound]
  ) {
    var starts: [GapFill.Bound] = []
    var finishes: [GapFill.Bound] = []
    for condition in filter {
      guard case .call(let function, let sides) = condition, sides.count == 2 else { continue }
      for (side, other) in [(0, 1), (1, 0)] where sides[side].isSame(as: time) {
        guard sides[other].columns.isEmpty, !sides[other].isVolatile, !sides[other].hasSubquery,
          let value = try coerce(sides[other], to: time.type, .implicit, at: -1)
        else { continue }
        switch (function.name, side) {
        case (">=", 0), ("<=", 1): starts.append(GapFill.Bound(expression: value))
        case (">", 0), ("<", 1): starts.append(GapFill.Bound(expression: value, isNextTick: true))
        case ("<", 0), (">", 1): finishes.append(GapFill.Bound(expression: value))
        case ("<=", 0), (">=", 1): finishes.append(GapFill.Bound(expression: value, isNextTick: true))
        case ("=", _):
          starts.append(GapFill.Bound(expression: value))
          finishes.append(GapFill.Bound(expression: value, isNextTick: true))
        default: break
        }
      }
    }
    return (starts, finishes)
  }

  // MARK: locf, interpolate

  func bindFill(_ name: String, _ call: CallSyntax, _ level: QueryLevel, at location: Int) throws -> BoundExpression {
    if level.isInsideAggregate || level.isInsideFill || level.clauseWithoutAggregates != nil
      || level.clauseWithoutWindows != nil
    {
      throw error("0A000", "\(name) is only allowed in the select list and in ORDER BY", at: location)
    }
    level.isInsideFill = true
    defer { level.isInsideFill = false }
    var positional: [ExpressionSyntax] = []
    var named: [String: ExpressionSyntax] = [:]
    for argument in call.arguments {
      if case .named(let name, let value) = argument.kind { named[name] = value } else { positional.append(argument) }
    }
    let order = name == "locf" ? ["value", "prev", "treat_null_as_missing"] : ["value", "prev", "next"]
    guard positional.count <= order.count, named.keys.allSatisfy(order.contains) else {
      throw missingFunction(name, try positional.map { try bind($0, level).type }, at: location)
    }
    for (key, value) in zip(order, positional) { named[key] = value }
    guard let valueSyntax = named["value"] else { throw missingFunction(name, [], at: location) }
    let value = try decided(try bind(valueSyntax, level), at: valueSyntax.location)
    level.needsGapFill = (name, location)
    if name == "locf" {
      var result = FillCall(kind: .locf(treatsNullAsMissing: false), value: value, location: location)
      if let syntax = named["prev"] { result.before = try [sample(syntax, value.type, level, at: location)] }
      if let syntax = named["treat_null_as_missing"] {
        guard case .bool(let isOn)? = try condition(syntax, level, "treat_null_as_missing").constantValue else {
          throw source.unsupported("treat_null_as_missing that is no constant", at: syntax.location)
        }
        result.kind = .locf(treatsNullAsMissing: isOn)
      }
      return .fill(result)
    }
    var result = FillCall(kind: .interpolate, value: value, location: location)
    if value.type.base == .numeric {
      result.value = try coerce(value, to: .float8, .implicit, at: location) ?? value
    } else if !value.type.isInteger, !value.type.isFloat {
      throw missingFunction(name, [value.type], at: location)
    }
    if let syntax = named["prev"] { result.before = try samplePair(syntax, result.type, level) }
    if let syntax = named["next"] { result.after = try samplePair(syntax, result.type, level) }
    return .fill(result)
  }

  private func sample(_ syntax: ExpressionSyntax, _ type: SQLType, _ level: QueryLevel, at location: Int) throws
    -> BoundExpression
  {
    let value = try bind(syntax, level)
    guard let result = try coerce(value, to: type, .assignment, at: syntax.location) else {
      throw error("42804", "a sample must be type \(type.name), not type \(value.type.name)", at: syntax.start)
    }
    return result
  }

  /// `(time, value)`, or a query for one such row.
  private func samplePair(_ syntax: ExpressionSyntax, _ type: SQLType, _ level: QueryLevel) throws -> [BoundExpression]
  {
    if case .null = syntax.kind { return [] }
    var parts: [ExpressionSyntax] = []
    if case .row(let items) = syntax.kind {
      parts = items
    } else if case .sublink(.scalar, let symbol, let operand, let query) = syntax.kind, case .select = query.body,
      query.targets.count == 1, case .row(let items)? = query.targets[0].expression?.kind
    {
      // Each value is asked for by itself: a query gives one column.
      parts = items.map { item in
        let target = TargetSyntax(name: nil, expression: item, hasIndirection: false, location: item.location)
        return ExpressionSyntax(
          kind: .sublink(.scalar, operator: symbol, operand: operand, query.selecting([target])),
          location: syntax.location)
      }
    }
    guard parts.count == 2 else {
      throw error(
        "42804", "a sample of interpolate must be a time and a value", at: syntax.start,
        hint: "Write (time, value) or (SELECT (time, value) FROM …).")
    }
    let times = try bind(parts[0], level)
    let timeType = level.gapFill?.call.type ?? (times.type == .unknown ? .timestamptz : times.type)
    guard let time = try coerce(times, to: timeType, .assignment, at: parts[0].location) else {
      throw error(
        "42804", "the time of a sample must be type \(timeType.name), not type \(times.type.name)",
        at: parts[0].start)
    }
    return [time, try sample(parts[1], type, level, at: syntax.location)]
  }
}

extension ScalarFunction {
  /// The same function under another name.
  func renamed(_ name: String) -> ScalarFunction {
    ScalarFunction(
      name: name, argumentTypes: argumentTypes, resultType: resultType, volatility: volatility, evaluate: evaluate)
  }
}
