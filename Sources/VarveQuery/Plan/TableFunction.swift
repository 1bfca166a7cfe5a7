// Functions that give rows: generate_series and unnest, called in FROM.

import VarveCompute
import VarveCore

struct TableFunction: Sendable {
  static let names = CatalogTableFunctions.names.union(FunctionCatalog.setFunctionNames)
    .union(["generate_series", "unnest"])

  let name: String
  let argumentTypes: [SQLType]
  let types: [SQLType]
  /// Of functions with more than one; one column goes by the function's name, or its alias.
  var columnNames: [String] = []
  let rows: @Sendable ([Datum], ExecutionContext) throws -> [[Datum]]

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
      columnNames: function.columns.count > 1 ? function.columns.map(\.name) : []
    ) { arguments, context in
      if function.isStrict, arguments.contains(.null) { return [] }
      return try function.rows(arguments, context.evaluation)
    }
  }

  /// WITH ORDINALITY: the rows counted from 1 in a last column.
  func numbered() -> TableFunction {
    let rows = rows
    return TableFunction(
      name: name, argumentTypes: argumentTypes, types: types + [.int8],
      columnNames: columnNames.isEmpty ? [] : columnNames + ["ordinality"]
    ) { arguments, context in
      try rows(arguments, context).enumerated().map { $1 + [.int(Int64($0 + 1))] }
    }
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
      return TableFunction(name: "generate_series", argumentTypes: [type, type, .interval], types: [type]) {
        try times($0, step, type, $1)
      }
    }
    if arguments.contains(where: { $0.base == .numeric }), arguments.allSatisfy({ $0.isInteger || $0.base == .numeric })
    {
      return TableFunction(
        name: "generate_series", argumentTypes: arguments.map { _ in .numeric }, types: [.numeric], rows: numbers)
    }
    guard bounds.allSatisfy({ $0.isInteger || $0 == .unknown }) else { return nil }
    let type: SQLType = arguments.contains(.int8) ? .int8 : .int4
    return TableFunction(
      name: "generate_series", argumentTypes: Array(repeating: type, count: arguments.count), types: [type]
    ) { arguments, context in
      guard case .int(var value) = arguments[0], case .int(let last) = arguments[1] else { return [] }
      var step: Int64 = 1
      if arguments.count > 2 {
        guard case .int(let given) = arguments[2] else { return [] }
        step = given
      }
      if step == 0 { throw SQLError.make("22023", "step size cannot equal zero") }
      var rows: [[Datum]] = []
      while step > 0 ? value <= last : value >= last {
        rows.append([.int(value)])
        if rows.count % 4096 == 0 {
          try context.check()
          try context.memory.charge(4096 * 96)
        }
        let (next, overflow) = value.addingReportingOverflow(step)
        if overflow { break }
        value = next
      }
      return rows
    }
  }

  @Sendable private static func numbers(_ arguments: [Datum], _ context: ExecutionContext) throws -> [[Datum]] {
    guard case .numeric(var value) = arguments[0], case .numeric(let last) = arguments[1] else { return [] }
    var step = Numeric(Int64(1))
    if arguments.count > 2 {
      guard case .numeric(let given) = arguments[2] else { return [] }
      step = given
    }
    guard [value, last, step].allSatisfy(\.isFinite) else {
      throw SQLError.make("22023", "start, stop and step of a series must be finite numbers")
    }
    let zero = Numeric(Int64(0))
    if step == zero { throw SQLError.make("22023", "step size cannot equal zero") }
    var rows: [[Datum]] = []
    while step > zero ? value <= last : value >= last {
      rows.append([.numeric(value)])
      if rows.count % 4096 == 0 {
        try context.check()
        try context.memory.charge(4096 * 96)
      }
      value = try Numeric.adding(value, step)
    }
    return rows
  }

  private static func times(
    _ arguments: [Datum], _ add: ScalarFunction, _ type: SQLType, _ context: ExecutionContext
  ) throws -> [[Datum]] {
    guard case .timestamp(var value) = arguments[0], case .timestamp(let last) = arguments[1],
      case .interval(let step) = arguments[2]
    else { return [] }
    func next(_ value: Int64) throws -> Int64? {
      let result = try add.evaluate(
        [
          .constant(.timestamp(value), type: type, count: 1),
          .constant(.interval(step), type: .interval, count: 1),
        ], 1, context.evaluation)
      guard case .timestamp(let time) = result.datum(at: 0) else { return nil }
      return time
    }
    guard let second = try next(value) else { return [] }
    if second == value { throw SQLError.make("22023", "step size cannot equal zero") }
    let forward = second > value
    var rows: [[Datum]] = []
    while forward ? value <= last : value >= last {
      rows.append([.timestamp(value)])
      if rows.count % 4096 == 0 {
        try context.check()
        try context.memory.charge(4096 * 96)
      }
      guard let following = try next(value), following != value else { break }
      value = following
    }
    return rows
  }
}
