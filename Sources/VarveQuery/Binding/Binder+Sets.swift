// Functions that give rows, called in the select list: each row of the query becomes as many as the longest of them gives,
// the others NULL behind their end. They are joined to the rows as one function, whose columns stand behind those of FROM.

import VarveCompute
import VarveCore

/// One such call.
struct SetCall: Sendable {
  let function: TableFunction
  let arguments: [BoundExpression]
  /// The columns it has got.
  let columns: [BoundExpression]

  /// The call as one value: its only column, or a row of numbers, which stands as an array.
  var value: BoundExpression? {
    if columns.count == 1 { return columns[0] }
    guard columns.allSatisfy({ $0.type == .int4 }) else { return nil }
    return .array(columns, element: .int4)
  }
}

extension Binder {
  func bindSet(_ call: CallSyntax, _ level: QueryLevel, at location: Int) throws -> SetCall {
    let name = call.name.last ?? ""
    guard level.takesSets, !level.isInsideAggregate else {
      throw source.unsupported(
        "\(name)() in an expression", at: location, hint: "Call it in FROM: SELECT … FROM \(name)(…) AS t(x).")
    }
    level.takesSets = false
    defer { level.takesSets = true }
    var arguments = try call.arguments.map { try bind($0, level) }
    // Several arrays side by side are a form of FROM alone.
    guard name != "unnest" || arguments.count == 1,
      let function = try TableFunction.find(name, arguments.map(\.type))
    else {
      throw missingFunction(name, arguments.map(\.type), at: location)
    }
    try convert(&arguments, to: function.argumentTypes, locations: call.arguments.map(\.location))
    if let known = level.sets.first(where: { set in
      set.function.name == name && set.arguments.count == arguments.count
        && zip(set.arguments, arguments).allSatisfy { $0.isSame(as: $1) }
    }) {
      return known
    }
    let first = level.columns.count + level.sets.reduce(0) { $0 + $1.columns.count }
    let set = SetCall(
      function: function, arguments: arguments,
      columns: function.types.enumerated().map { index, type in
        .column(ColumnReference(index: first + index, type: type, name: name, location: location))
      })
    level.sets.append(set)
    return set
  }

  func bindSetValue(_ call: CallSyntax, _ level: QueryLevel, at location: Int) throws -> BoundExpression {
    guard let value = try bindSet(call, level, at: location).value else {
      throw source.unsupported("a row value here", at: location, hint: "Call the function in FROM.")
    }
    return value
  }

  /// `(operand).name`: a column of what a function gives, of a table, or of a row that a subquery took from a function.
  func bindField(_ operand: ExpressionSyntax, _ name: String, _ level: QueryLevel, at location: Int) throws
    -> BoundExpression
  {
    switch operand.kind {
    case .call(let call) where TableFunction.names.contains(call.name.last ?? ""):
      let set = try bindSet(call, level, at: location)
      if let index = set.function.columnNames.firstIndex(where: { $0.isSameName(as: name) }) {
        return set.columns[index]
      }
    case .column(let names):
      if let index = level.fields(of: names)?.firstIndex(where: { $0.isSameName(as: name) }) {
        return .element(try bind(operand, level), index: .constant(.int(Int64(index + 1)), .int4), .int4)
      }
      if names.count == 1, level.hasRelation(names[0]) {
        return try bind(ExpressionSyntax(kind: .column(names + [name]), location: location), level)
      }
    default: break
    }
    let type = try bind(operand, level).type
    if type != .unknown, type.element == nil {
      throw error(
        "42809", "column notation .\(name) applied to type \(type.name), which is not a composite type",
        at: operand.start)
    }
    throw source.unsupported("selecting a field of a row", at: location)
  }

  func setsBesideAggregates(_ select: SelectSyntax) -> VarveError {
    source.unsupported(
      "a function that gives rows beside aggregates", at: select.targets.first?.location ?? -1,
      hint: "Call it in FROM, over the grouped query.")
  }

  /// The rows with what the functions of the select list give for each.
  func joined(_ plan: LogicalPlan, _ level: QueryLevel) throws -> LogicalPlan {
    if level.sets.isEmpty { return plan }
    let sets = level.sets
    let inputs = sets.flatMap(\.arguments)
    let types = sets.flatMap(\.function.types)
    let function = TableFunction(
      name: sets.map(\.function.name).joined(separator: ", "), argumentTypes: inputs.map(\.type), types: types
    ) { arguments, context in
      var rest = arguments[...]
      let parts = try sets.map { set -> [[Datum]] in
        let own = Array(rest.prefix(set.arguments.count))
        rest = rest.dropFirst(own.count)
        return try set.function.rows(own, context)
      }
      return (0..<(parts.map(\.count).max() ?? 0)).map { row in
        zip(parts, sets).flatMap { part, set in
          row < part.count ? part[row] : Array(repeating: Datum.null, count: set.function.types.count)
        }
      }
    }
    let call = LogicalPlan.function(function, inputs.enumerated().map { .outer(slot: $0.offset, $0.element.type) })
    return .lateral(.inner, plan, SubqueryPlan(try Planner.plan(call)), outerInputs: inputs, types: types, on: [])
  }
}

extension QueryLevel {
  /// The fields of a row that stands as one column; nil: it is none.
  func fields(of names: [String]) -> [String]? {
    let found = columns.first { column in
      column.name.isSameName(as: names[names.count - 1])
        && (names.count == 1 || column.relation.isSameName(as: names[names.count - 2]))
    }
    if let found { return found.fields.isEmpty ? nil : found.fields }
    return parent?.fields(of: names)
  }
}
