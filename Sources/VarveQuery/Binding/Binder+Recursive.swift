// WITH RECURSIVE: a query that starts with some rows and makes further ones from the last, until there are none.
//
// The part that refers to its own table is planned as a subquery of a level that has the rows of the round before, each
// column of them as one array; where the part names the table, the arrays are taken apart into rows again. So a round is
// the run of a subquery with other values, and the executor knows nothing of recursion.

import VarveCompute
import VarveCore

/// Inside the part that refers to itself: where the rows of the round before are found.
struct WorkTable {
  let columns: [ResultColumn]
  /// Names of the arrays; no statement can write them.
  var arrays: [String] { columns.indices.map { "\u{0}\($0)" } }
}

extension Binder {
  func bindRecursive(_ common: CommonTable, _ query: SelectSyntax, _ level: QueryLevel) throws -> BoundQuery {
    let syntax = common.syntax
    guard case .operation(.union, let isAll, let left, let right) = query.body, query.commonTables.isEmpty else {
      throw error(
        "42P19",
        "recursive query \"\(syntax.name)\" does not have the form non-recursive-term UNION [ALL] recursive-term",
        at: syntax.location)
    }
    if !query.orderBy.isEmpty || query.limit != nil || query.offset != nil {
      throw source.unsupported("ORDER BY or LIMIT in a recursive query", at: syntax.location)
    }
    let start = QueryLevel(parent: common.level.parent)
    start.commonTables = common.level.commonTables
    let first = try bindSelect(left, start)
    let columns = first.columns.enumerated().map { index, column in
      ResultColumn(name: index < syntax.columns.count ? syntax.columns[index] : column.name, type: column.type)
    }
    if let column = columns.first(where: { $0.type.element == nil && $0.type.arrayOID == nil }) {
      throw source.unsupported("a column of type \(column.type.name) in a recursive query", at: syntax.location)
    }

    let work = WorkTable(columns: columns)
    let round = QueryLevel(parent: common.level.parent)
    round.columns = zip(work.arrays, columns).map { ScopeColumn(name: $0, type: .array($1.type)) }
    let step = QueryLevel(parent: round)
    step.commonTables = common.level.commonTables
    var own = common
    own.work = work
    step.commonTables[Name(syntax.name)] = own
    let next = try bindSelect(right, step)
    let nextPlan = try converted(next, to: columns, of: syntax, at: left.targets.map(\.location))

    let firstNode = try Planner.plan(first.plan)
    let nextNode = try Planner.plan(nextPlan)
    let startCount = start.outerInputs.count
    let inputs = step.outerInputs
    let function = TableFunction(
      name: syntax.name, argumentTypes: [], types: columns.map(\.type), columnNames: columns.map(\.name)
    ) { arguments, context in
      let recursion = Recursion(types: columns.map(\.type), isAll: isAll, context: context)
      try recursion.take(firstNode, Array(arguments.prefix(startCount)))
      while !recursion.round.isEmpty {
        try recursion.take(
          nextNode,
          inputs.map { input in
            switch input {
            case .column(let reference): .array(recursion.round.map { $0[reference.index] })
            case .outer(let slot, _): arguments[startCount + slot]
            default: preconditionFailure("a level is given columns of the one around it, or what that was given")
            }
          })
      }
      return recursion.rows
    }
    let arguments = (start.outerInputs + round.outerInputs).map { level.slot(for: $0) }
    return BoundQuery(plan: .function(function, arguments), columns: columns)
  }

  /// The rows of the round before, where the part that refers to itself names its table.
  func bindWork(_ work: WorkTable, _ level: QueryLevel) throws -> BoundQuery {
    let arguments = try work.arrays.map { name -> BoundExpression in
      guard case .found(let array) = level.resolve([name], location: -1) else {
        preconditionFailure("a work table is within its round")
      }
      return array
    }
    let function = TableFunction(
      name: "work table", argumentTypes: [], types: work.columns.map(\.type), columnNames: work.columns.map(\.name)
    ) { arguments, _ in
      let columns = arguments.map { argument -> [Datum] in
        if case .array(let values) = argument { values } else { [] }
      }
      return (columns.first ?? []).indices.map { row in columns.map { $0[row] } }
    }
    return BoundQuery(plan: .function(function, arguments), columns: work.columns)
  }

  private func converted(
    _ query: BoundQuery, to columns: [ResultColumn], of syntax: CommonTableSyntax, at locations: [Int]
  )
    throws -> LogicalPlan
  {
    guard query.columns.count == columns.count else {
      throw error("42601", "each UNION query must have the same number of columns", at: syntax.location)
    }
    let values = try zip(query.columns, columns).enumerated().map { index, pair -> BoundExpression in
      let column = BoundExpression.column(
        ColumnReference(index: index, type: pair.0.type, name: pair.0.name, location: -1))
      guard let value = try coerce(column, to: pair.1.type, .implicit, at: syntax.location) else {
        throw error(
          "42804",
          "recursive query \"\(syntax.name)\" column \(index + 1) has type \(pair.1.type.name) in non-recursive term but "
            + "type \(pair.0.type.name) overall",
          at: locations.indices.contains(index) ? locations[index] : syntax.location,
          hint: "Cast the output of the non-recursive term to the correct type.")
      }
      return value
    }
    return .project(query.plan, values)
  }
}

/// One execution of a recursive query.
private final class Recursion {
  private let types: [SQLType]
  private let context: ExecutionContext
  /// UNION without ALL: rows that there were already are left out, so that going in circles ends.
  private var seen: Set<[Datum]>?
  private(set) var rows: [[Datum]] = []
  private(set) var round: [[Datum]] = []

  init(types: [SQLType], isAll: Bool, context: ExecutionContext) {
    self.types = types
    self.context = context
    seen = isAll ? nil : []
  }

  func take(_ node: any PlanNode, _ values: [Datum]) throws {
    let batch = try context.collect(node, with: values)
    try context.check()
    // As values by themselves, and once more to know them by.
    try context.memory.charge(batch.count * (32 + 64 * types.count) * (seen == nil ? 1 : 2))
    round = []
    for row in 0..<batch.count {
      let values = batch.columns.map { $0.datum(at: row) }
      if seen?.insert(values).inserted ?? true { round.append(values) }
    }
    rows += round
  }
}
