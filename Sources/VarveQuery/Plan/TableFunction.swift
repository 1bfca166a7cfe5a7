// Functions that give rows: generate_series and unnest, called in FROM.

import VarveCompute
import VarveCore

struct TableFunction: Sendable {
  static let names = CatalogTableFunctions.names.union(FunctionCatalog.setFunctionNames)
    .union(["generate_series", "unnest"])

  let name: String
  let argumentTypes: [SQLType]
  let types: [SQLType]
  /// None where there is one column that goes by the function's name, or its alias.
  var columnNames: [String] = []
  /// Gives the rows of one call, some at a time.
  let open: @Sendable ([Datum], ExecutionContext) throws -> any Operator

  init(
    name: String, argumentTypes: [SQLType], types: [SQLType], columnNames: [String] = [],
    open: @escaping @Sendable ([Datum], ExecutionContext) throws -> any Operator
  ) {
    self.name = name
    self.argumentTypes = argumentTypes
    self.types = types
    self.columnNames = columnNames
    self.open = open
  }

  /// Of a function whose rows are made at once.
  init(
    name: String, argumentTypes: [SQLType], types: [SQLType], columnNames: [String] = [],
    rows: @escaping @Sendable ([Datum], ExecutionContext) throws -> [[Datum]]
  ) {
    self.init(name: name, argumentTypes: argumentTypes, types: types, columnNames: columnNames) { arguments, context in
      RowsOperator(try QueryBatch(rows: try rows(arguments, context), types: types))
    }
  }

  /// All rows of one call, within the memory of the query.
  func rows(_ arguments: [Datum], _ context: ExecutionContext) throws -> [[Datum]] {
    let input = try open(arguments, context)
    var rows: [[Datum]] = []
    while let batch = try input.next() {
      try context.check()
      try context.memory.charge(batch.count * (32 + 64 * types.count))
      for row in 0..<batch.count { rows.append(batch.columns.map { $0.datum(at: row) }) }
    }
    return rows
  }

  static func find(_ name: String, _ arguments: [SQLType]) throws -> TableFunction? {
    switch name {
    case "generate_series": try series(arguments)
    case "unnest" where arguments.count > 1 && arguments.allSatisfy({ $0.element != nil }): unnest(arguments)
    case "unnest" where arguments.count == 1 && arguments[0].element != nil: arguments[0].element.map(unnest)
    default:
      try CatalogTableFunctions.find(name, arguments)
        ?? FunctionCatalog.setFunction(name, arguments).map(cataloged)
    }
  }

  private static func cataloged(_ function: SetFunction) -> TableFunction {
    TableFunction(
      name: function.name, argumentTypes: function.argumentTypes, types: function.columns.map(\.type),
      columnNames: function.columns.map(\.name).filter { !$0.isEmpty }
    ) { arguments, context in
      if function.isStrict, arguments.contains(.null) { return [] }
      return try function.rows(arguments, context.evaluation)
    }
  }

  /// WITH ORDINALITY: the rows counted from 1 in a last column.
  func numbered() -> TableFunction {
    let open = open
    return TableFunction(
      name: name, argumentTypes: argumentTypes, types: types + [.int8],
      columnNames: columnNames.isEmpty ? [] : columnNames + ["ordinality"],
      open: { arguments, context in NumberedOperator(try open(arguments, context)) })
  }

  private static func unnest(_ element: SQLType) -> TableFunction {
    TableFunction(name: "unnest", argumentTypes: [.array(element)], types: [element]) { arguments, _ in
      guard case .array(let items) = arguments[0] else { return [] }
      return items.map { [$0] }
    }
  }

  /// Several arrays side by side; the shorter ones end in NULLs.
  private static func unnest(_ arrays: [SQLType]) -> TableFunction {
    TableFunction(
      name: "unnest", argumentTypes: arrays, types: arrays.compactMap(\.element),
      columnNames: arrays.map { _ in "unnest" }
    ) { arguments, _ in
      let columns = arguments.map { argument -> [Datum] in
        if case .array(let items) = argument { return items }
        return []
      }
      let count = columns.map(\.count).max() ?? 0
      return (0..<count).map { row in columns.map { row < $0.count ? $0[row] : .null } }
    }
  }

  private static func series(_ arguments: [SQLType]) throws -> TableFunction? {
    guard arguments.count == 2 || arguments.count == 3 else { return nil }
    let bounds = Array(arguments.prefix(2))
    if bounds.contains(where: { $0.category == "D" }) {
      guard arguments.count == 3 else { return nil }
      let type: SQLType = bounds.allSatisfy { $0 == .timestamp || $0 == .unknown } ? .timestamp : .timestamptz
      guard let step = try FunctionCatalog.operator("+", [type, .interval]) else { return nil }
      return TableFunction(
        name: "generate_series", argumentTypes: [type, type, .interval], types: [type],
        open: { try TimeSeriesOperator.open($0, step, type, $1) })
    }
    if arguments.contains(where: { $0.base == .numeric }), arguments.allSatisfy({ $0.isInteger || $0.base == .numeric })
    {
      return TableFunction(
        name: "generate_series", argumentTypes: arguments.map { _ in .numeric }, types: [.numeric],
        open: NumericSeriesOperator.open)
    }
    guard bounds.allSatisfy({ $0.isInteger || $0 == .unknown }) else { return nil }
    let type: SQLType = arguments.contains(.int8) ? .int8 : .int4
    return TableFunction(
      name: "generate_series", argumentTypes: Array(repeating: type, count: arguments.count), types: [type],
      open: { try IntegerSeriesOperator.open($0, type, $1) })
  }
}
