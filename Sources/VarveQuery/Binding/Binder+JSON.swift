// What becomes JSON as a whole row: of a table, a subquery or ROW(…), as an argument of the functions that make JSON. It
// is an object of the row's columns from the start; rows are no values of their own.

import VarveCompute
import VarveCore

extension Binder {
  func bindArguments(of name: String, _ arguments: [ExpressionSyntax], _ level: QueryLevel) throws -> [BoundExpression]
  {
    guard JSONFunctions.rowTakers.contains(name) else { return try arguments.map { try bind($0, level) } }
    var values = try arguments.map { argument in
      try rowAsJSON(argument, level, separator: ",") ?? bind(argument, level)
    }
    guard JSONAggregates.names.contains(name), let last = values.indices.last else { return values }
    for index in values.indices where JSONAggregates.needsSession(values[index].type) {
      if index == last {
        values[index] = try asJSON(values[index])
      } else if let text = try coerce(values[index], to: .text, .explicit, at: arguments[index].location) {
        values[index] = text
      }
    }
    return values
  }

  /// row_to_json(row [, whether each column has a line of its own]); nil: of what is no row.
  func rowToJSON(_ call: CallSyntax, _ arguments: [BoundExpression], _ level: QueryLevel) throws -> BoundExpression? {
    guard let row = call.arguments.first, isRow(row, level), arguments.count <= 2 else { return nil }
    guard arguments.count == 2 else { return arguments[0] }
    guard let pretty = try coerce(arguments[1], to: .bool, .implicit, at: call.arguments[1].location),
      let spaced = try rowAsJSON(row, level, separator: ",\n ")
    else { return nil }
    return .choose(cases: [(when: pretty, result: spaced)], otherwise: arguments[0], .json)
  }

  private func asJSON(_ value: BoundExpression) throws -> BoundExpression {
    guard let function = try FunctionCatalog.scalar("to_json", [value.type]) else {
      preconditionFailure("to_json takes any type")
    }
    return folded(function, [value])
  }

  func isRow(_ syntax: ExpressionSyntax, _ level: QueryLevel) -> Bool {
    switch syntax.kind {
    case .row: true
    case .star(let names): names.count == 1 && level.hasRelation(names[0])
    case .column(let names):
      if names.count == 1, level.hasRelation(names[0]), case .missing = level.resolve(names, location: -1) {
        true
      } else {
        false
      }
    default: false
    }
  }

  /// nil: it is no row.
  private func rowAsJSON(_ syntax: ExpressionSyntax, _ level: QueryLevel, separator: String) throws -> BoundExpression?
  {
    guard isRow(syntax, level) else { return nil }
    switch syntax.kind {
    case .row(let items):
      let values = try items.map { item in
        try rowAsJSON(item, level, separator: ",") ?? decided(bind(item, level), at: item.location)
      }
      let names = values.indices.map { "f\($0 + 1)" }
      return folded(JSONFunctions.row(names, values.map(\.type), isFromTable: false, separator: separator), values)
    case .column(let names), .star(let names):
      guard let row = level.wholeRow(names[0], location: syntax.location) else { return nil }
      return folded(
        JSONFunctions.row(row.names, row.values.map(\.type), isFromTable: row.isFromTable, separator: separator),
        row.values)
    default: return nil
    }
  }
}
