// SELECT: clauses in the order of their meaning, and how they become a plan.

import VarveCompute
import VarveCore

/// A column that leaves a query.
package struct ResultColumn: Sendable, Hashable {
  package var name: String
  package var type: SQLType
  /// Where the column is one of a table's; else 0.
  package var tableOID: UInt32 = 0
  package var attributeNumber: Int16 = 0
  /// The names of the elements, where it is a row of a function that stands as an array.
  var fields: [String] = []
  /// The only column of a function in FROM: the function's alias means it, too.
  var isWholeRow = false
}

struct BoundQuery {
  var plan: LogicalPlan
  var columns: [ResultColumn]
}

extension Binder {
  func bindSelect(_ select: SelectSyntax, _ level: QueryLevel) throws -> BoundQuery {
    try descend()
    defer { ascend() }
    if let (what, location) = select.unsupported { throw source.unsupported(what, at: location) }
    var names = Set<Name>()
    for table in select.commonTables {
      guard names.insert(Name(table.name)).inserted else {
        throw error("42712", "WITH query name \"\(table.name)\" specified more than once", at: table.location)
      }
      guard table.query != nil else {
        throw source.unsupported("a statement other than SELECT in WITH", at: table.location)
      }
      let around = QueryLevel(parent: level.parent)
      around.commonTables = level.commonTables
      level.commonTables[Name(table.name)] = CommonTable(
        syntax: table, level: around, isRecursive: table.isRecursive && Self.mentions(table))
    }
    switch select.body {
    case .select: return try bindPlain(select, level)
    case .values(let rows): return try limited(try bindValues(rows, level), select, level)
    case .operation(let operation, let isAll, let left, let right):
      return try limited(try bindOperation(operation, isAll: isAll, left, right, level), select, level)
    }
  }

  /// RECURSIVE only matters where a table names itself; tools write it without need.
  private static func mentions(_ table: CommonTableSyntax) -> Bool {
    func inFrom(_ from: FromSyntax) -> Bool {
      switch from {
      case .table(let relation, _): relation.schema == nil && relation.name.isSameName(as: table.name)
      case .query(let query, _, _): inSelect(query)
      case .join(_, let left, let right, _, _, _, _): inFrom(left) || inFrom(right)
      case .function, .unsupported: false
      }
    }
    func inSelect(_ select: SelectSyntax) -> Bool {
      if case .operation(_, _, let left, let right) = select.body { return inSelect(left) || inSelect(right) }
      return select.from.contains(where: inFrom)
    }
    return table.query.map(inSelect) ?? false
  }

  // MARK: VALUES, UNION

  private func bindValues(_ rows: [[ExpressionSyntax]], _ level: QueryLevel) throws -> BoundQuery {
    level.clauseWithoutAggregates = "VALUES"
    let width = rows.first?.count ?? 0
    var bound: [[BoundExpression]] = []
    for row in rows {
      guard row.count == width else {
        throw error("42601", "VALUES lists must all be the same length", at: row.first?.location ?? -1)
      }
      bound.append(try row.map { try bind($0, level) })
    }
    for column in 0..<width {
      let unified = try unify(bound.map { $0[column] }, "VALUES", at: rows.map { $0[column].location })
      for row in bound.indices { bound[row][column] = unified[row] }
    }
    let types = (bound.first ?? []).map(\.type)
    let columns = types.enumerated().map { ResultColumn(name: "column\($0.offset + 1)", type: $0.element) }
    return BoundQuery(plan: .values(bound, types), columns: columns)
  }

  private func bindOperation(
    _ operation: SelectSyntax.SetOperation, isAll: Bool, _ left: SelectSyntax, _ right: SelectSyntax,
    _ level: QueryLevel
  ) throws -> BoundQuery {
    func side(_ select: SelectSyntax) throws -> BoundQuery {
      let inner = QueryLevel(parent: level.parent)
      inner.commonTables = level.commonTables
      inner.keepsUnknown = true
      let query = try bindSelect(select, inner)
      if inner.outerInputs.isEmpty { return query }
      // It is run with the values it takes, so its types must be decided.
      var decided = try retyped(query, query.columns.map { $0.type == .unknown ? .text : $0.type }, at: [])
      decided.plan = try lifted(decided.plan, inner, level)
      return decided
    }
    let name = ["UNION", "INTERSECT", "EXCEPT"][operation == .union ? 0 : operation == .intersect ? 1 : 2]
    let a = try side(left)
    let b = try side(right)
    let location = left.targets.first?.location ?? -1
    guard a.columns.count == b.columns.count else {
      throw error(
        "42601", "each \(name) query must have the same number of columns", at: right.targets.first?.location ?? -1)
    }
    var types: [SQLType] = []
    for (x, y) in zip(a.columns, b.columns) {
      guard let type = FunctionCatalog.commonType([x.type, y.type]) else {
        throw error("42804", "\(name) types \(x.type.name) and \(y.type.name) cannot be matched", at: location)
      }
      types.append(type)
    }
    func converted(_ query: BoundQuery, _ targets: [TargetSyntax]) throws -> LogicalPlan {
      let query = try retyped(query, types, at: targets.map(\.location))
      if query.columns.map(\.type) == types { return query.plan }
      let expressions = try query.columns.enumerated().map { index, column in
        let reference = BoundExpression.column(
          ColumnReference(index: index, type: column.type, name: column.name, location: -1))
        guard let value = try coerce(reference, to: types[index], .implicit, at: location) else {
          throw error(
            "42804", "\(name) could not convert type \(column.type.name) to \(types[index].name)", at: location)
        }
        return value
      }
      return .project(query.plan, expressions)
    }
    let columns = zip(a.columns, types).map { ResultColumn(name: $0.name, type: $1) }
    return BoundQuery(
      plan: .setOperation(operation, isAll: isAll, try converted(a, left.targets), try converted(b, right.targets)),
      columns: columns)
  }

  /// Gives results that are still undecided the types that are wanted of them.
  func retyped(_ query: BoundQuery, _ types: [SQLType], at locations: [Int]) throws -> BoundQuery {
    var result = query
    for (index, column) in query.columns.enumerated() where column.type == .unknown {
      result.plan = try retyped(result.plan, index, types[index], at: index < locations.count ? locations[index] : -1)
      result.columns[index].type = types[index]
    }
    return result
  }

  private func retyped(_ plan: LogicalPlan, _ index: Int, _ type: SQLType, at location: Int) throws -> LogicalPlan {
    switch plan {
    case .project(let input, var expressions):
      guard let value = try coerce(expressions[index], to: type, .assignment, at: location) else {
        throw error("42804", "a value of unknown type cannot become \(type.name)", at: location)
      }
      expressions[index] = value
      return .project(input, expressions)
    case .limit(let input, let limit, let offset):
      return .limit(try retyped(input, index, type, at: location), limit: limit, offset: offset)
    default: preconditionFailure("only the select list of a plain query stays undecided")
    }
  }

  /// ORDER BY and LIMIT over VALUES and UNION, where only the results can be named.
  private func limited(_ query: BoundQuery, _ select: SelectSyntax, _ level: QueryLevel) throws -> BoundQuery {
    var plan = query.plan
    var sorts: [BoundSort] = []
    if !select.orderBy.isEmpty {
      sorts = try select.orderBy.map { sort in
        let index: Int
        switch sort.expression.kind {
        case .integer(let ordinal):
          index = try self.ordinal(ordinal, query.columns.count, "ORDER BY", sort.expression.location)
        case .column(let names) where names.count == 1:
          guard let found = query.columns.firstIndex(where: { $0.name.isSameName(as: names[0]) }) else {
            throw error("42703", "column \"\(names[0])\" does not exist", at: sort.expression.location)
          }
          index = found
        default:
          throw error(
            "0A000", "invalid UNION/INTERSECT/EXCEPT ORDER BY clause", at: sort.expression.location,
            hint: "Add the expression/function to every SELECT, or move the UNION into a FROM clause.")
        }
        let column = query.columns[index]
        return try bindSort(
          sort,
          .column(
            ColumnReference(index: index, type: column.type, name: column.name, location: sort.expression.location)))
      }
      plan = .sort(plan, sorts)
    }
    return BoundQuery(plan: try limit(plan, sorts, select, level), columns: query.columns)
  }

  private func limit(
    _ plan: LogicalPlan, _ sorts: [BoundSort], _ select: SelectSyntax, _ level: QueryLevel
  ) throws -> LogicalPlan {
    func count(_ syntax: ExpressionSyntax?, _ clause: String) throws -> BoundExpression? {
      guard let syntax else { return nil }
      let around = QueryLevel(parent: level.parent)
      around.clauseWithoutAggregates = clause
      let value = try bind(syntax, around)
      if !around.outerInputs.isEmpty {
        throw error("42P10", "argument of \(clause) must not contain variables", at: syntax.location)
      }
      guard let result = try coerce(value, to: .int8, .assignment, at: syntax.location) else {
        throw error(
          "42804", "argument of \(clause) must be type bigint, not type \(value.type.name)", at: syntax.location)
      }
      return result
    }
    let limit = try count(select.limit, "LIMIT")
    let offset = try count(select.offset, "OFFSET")
    if select.hasTies, let limit {
      guard !sorts.isEmpty else {
        throw error("42601", "WITH TIES cannot be specified without ORDER BY clause", at: -1)
      }
      return .ties(plan, sorts, limit: limit, offset: offset)
    }
    return limit == nil && offset == nil ? plan : .limit(plan, limit: limit, offset: offset)
  }

  func ordinal(_ ordinal: Int, _ count: Int, _ clause: String, _ location: Int) throws -> Int {
    guard ordinal >= 1, ordinal <= count else {
      throw error("42P10", "\(clause) position \(ordinal) is not in select list", at: location)
    }
    return ordinal - 1
  }

  // MARK: SELECT … FROM

  private func bindPlain(_ select: SelectSyntax, _ level: QueryLevel) throws -> BoundQuery {
    var plan = try bindFrom(select.from, level)
    var conditions: [BoundExpression] = []
    if let filter = select.filter {
      level.clauseWithoutAggregates = "WHERE"
      conditions = try condition(filter, level, "WHERE").conjuncts
      plan = .filter(plan, conditions)
      level.clauseWithoutAggregates = nil
    }
    let keepsUnknown =
      level.keepsUnknown && !select.isDistinct && select.orderBy.isEmpty && select.groupBy.isEmpty
    try bindWindows(select.windows, level)
    level.takesSets = true
    var targets = try bindTargets(select.targets, level, keepsUnknown: keepsUnknown)
    level.takesSets = false
    let columns = targets.map(\.column)

    level.clauseWithoutAggregates = "GROUP BY"
    let keys = try GroupingKeys(select.groupBy, isDistinct: select.isGroupDistinct, source) {
      try groupKey($0, targets, level)
    }
    level.clauseWithoutAggregates = nil
    var having = try select.having.map { syntax in
      try clause("HAVING", level) { try condition(syntax, level, "HAVING") }
    }
    var sorts = try select.orderBy.map { try sortKey($0, targets, level) }
    var distinctOn = try select.distinctOn.map { try outputExpression($0, targets, "DISTINCT ON", level) }

    let isGrouped =
      !select.groupBy.isEmpty || having != nil || targets.contains { $0.expression.hasAggregate }
      || sorts.contains { $0.expression.hasAggregate } || distinctOn.contains { $0.hasAggregate }
    var gapFill = isGrouped ? nil : try self.gapFill(level, nil, filter: conditions)
    if isGrouped {
      if !level.sets.isEmpty { throw setsBesideAggregates(select) }
      var grouping = Grouping(binder: self, keys)
      try grouping.collect(
        targets.map(\.expression) + sorts.map(\.expression) + distinctOn + (having.map { [$0] } ?? []))
      for index in targets.indices { targets[index].expression = try grouping.rewrite(targets[index].expression) }
      for index in sorts.indices { sorts[index].expression = try grouping.rewrite(sorts[index].expression) }
      for index in distinctOn.indices { distinctOn[index] = try grouping.rewrite(distinctOn[index]) }
      having = try having.map { try grouping.rewrite($0) }
      // What the query takes to its subqueries was rewritten with the expressions that hold them.
      plan = grouping.plan(plan)
      if let having { plan = .filter(plan, having.conjuncts) }
      gapFill = try self.gapFill(level, grouping, filter: conditions)
    }
    if let gapFill {
      let filling = Filling(
        targets.map(\.expression) + sorts.map(\.expression) + distinctOn, inputWidth: plan.types.count)
      for index in targets.indices { targets[index].expression = filling.rewrite(targets[index].expression) }
      for index in sorts.indices { sorts[index].expression = filling.rewrite(sorts[index].expression) }
      distinctOn = distinctOn.map(filling.rewrite)
      plan = filling.plan(plan, gapFill)
    } else if let (name, location) = level.needsGapFill {
      throw error(
        "0A000", "\(name) can only be used in a query grouped by \(GapFillRequest.name)", at: location)
    }
    let windowing = Windowing(
      targets.map(\.expression) + sorts.map(\.expression) + distinctOn, inputWidth: plan.types.count)
    if !windowing.isEmpty {
      for index in targets.indices { targets[index].expression = windowing.rewrite(targets[index].expression) }
      for index in sorts.indices { sorts[index].expression = windowing.rewrite(sorts[index].expression) }
      distinctOn = distinctOn.map(windowing.rewrite)
      plan = windowing.plan(plan)
    }

    if !level.sets.isEmpty, !windowing.isEmpty { throw setsBesideAggregates(select) }
    plan = try joined(plan, level)

    // The targets, then what is sorted by and not among them.
    var expressions = targets.map(\.expression)
    func place(_ expression: BoundExpression) -> BoundExpression {
      let index: Int
      if let found = expressions.firstIndex(where: { $0.isSame(as: expression) }) {
        index = found
      } else {
        expressions.append(expression)
        index = expressions.count - 1
      }
      return .column(ColumnReference(index: index, type: expression.type, name: "", location: -1))
    }
    let width = expressions.count
    let placedSorts = sorts.map {
      BoundSort(expression: place($0.expression), isDescending: $0.isDescending, nullsFirst: $0.nullsFirst)
    }
    let placedKeys = distinctOn.map(place)
    if select.isDistinct, distinctOn.isEmpty, expressions.count > width {
      throw error(
        "42P10", "for SELECT DISTINCT, ORDER BY expressions must appear in select list",
        at: select.orderBy.first?.expression.location ?? -1)
    }
    plan = .project(plan, expressions)
    if select.isDistinct, distinctOn.isEmpty { plan = .distinct(plan) }
    if !placedSorts.isEmpty { plan = .sort(plan, placedSorts) }
    if !placedKeys.isEmpty {
      try checkDistinctOn(placedKeys, placedSorts, select)
      plan = .distinctOn(plan, placedKeys)
    }
    plan = try limit(plan, placedSorts, select, level)
    if expressions.count > width {
      plan = .project(
        plan,
        (0..<width).map { index in
          .column(ColumnReference(index: index, type: expressions[index].type, name: "", location: -1))
        })
    }
    return BoundQuery(plan: plan, columns: columns)
  }

  private func checkDistinctOn(_ keys: [BoundExpression], _ sorts: [BoundSort], _ select: SelectSyntax) throws {
    var remaining = keys
    for (index, sort) in sorts.enumerated() {
      if remaining.isEmpty { return }
      if keys.contains(where: { $0.isSame(as: sort.expression) }) {
        remaining.removeAll { $0.isSame(as: sort.expression) }
      } else {
        throw error(
          "42P10", "SELECT DISTINCT ON expressions must match initial ORDER BY expressions",
          at: select.distinctOn.first?.location ?? select.orderBy[index].expression.location)
      }
    }
  }

  struct Target {
    var expression: BoundExpression
    var column: ResultColumn
  }

  func bindTargets(_ targets: [TargetSyntax], _ level: QueryLevel, keepsUnknown: Bool = false) throws -> [Target] {
    var result: [Target] = []
    for target in targets {
      guard let syntax = target.expression else { continue }
      if case .star(let names) = syntax.kind {
        result.append(contentsOf: try expand(names, level, at: syntax.location))
        continue
      }
      let bound = try bind(syntax, level)
      let expression = keepsUnknown ? bound : try decided(bound, at: syntax.location)
      var column = ResultColumn(name: target.name ?? ColumnName.of(syntax), type: expression.type)
      if case .column(let reference) = expression {
        if level.columns.indices.contains(reference.index) {
          column.tableOID = level.columns[reference.index].tableOID
          column.attributeNumber = level.columns[reference.index].attributeNumber
          column.fields = level.columns[reference.index].fields
        }
      } else if let set = level.sets.first(where: { $0.value?.isSame(as: expression) ?? false }),
        set.columns.count > 1
      {
        column.fields = set.function.columnNames
      }
      result.append(Target(expression: expression, column: column))
    }
    return result
  }

  private func expand(_ names: [String], _ level: QueryLevel, at location: Int) throws -> [Target] {
    if level.columns.isEmpty, names.isEmpty {
      throw error("42601", "SELECT * with no tables specified is not valid", at: location)
    }
    if let relation = names.last, !level.columns.contains(where: { $0.relation.isSameName(as: relation) }) {
      throw error("42P01", "missing FROM-clause entry for table \"\(relation)\"", at: location)
    }
    return level.columns.enumerated().compactMap { index, column in
      if let relation = names.last {
        if !column.relation.isSameName(as: relation) { return nil }
      } else if column.isMerged {
        return nil
      }
      return Target(
        expression: .column(
          ColumnReference(index: index, type: column.type, name: column.qualifiedName, location: location)),
        column: ResultColumn(
          name: column.name, type: column.type, tableOID: column.tableOID, attributeNumber: column.attributeNumber))
    }
  }

  /// An integer is a place in the select list; a name that the input does not have, an alias of it.
  private func groupKey(_ syntax: ExpressionSyntax, _ targets: [Target], _ level: QueryLevel) throws
    -> BoundExpression
  {
    let key: BoundExpression
    switch syntax.kind {
    case .integer(let value): key = targets[try ordinal(value, targets.count, "GROUP BY", syntax.location)].expression
    case .column(let names) where names.count == 1:
      if case .missing = level.resolve(names, location: syntax.location),
        let target = targets.first(where: { $0.column.name.isSameName(as: names[0]) })
      {
        key = target.expression
      } else {
        key = try bind(syntax, level)
      }
    case .string: throw error("42601", "non-integer constant in GROUP BY", at: syntax.location)
    default: key = try bind(syntax, level)
    }
    if key.hasAggregate {
      throw error("42803", "aggregate functions are not allowed in GROUP BY", at: syntax.location)
    }
    if key.hasWindow {
      throw error("42P20", "window functions are not allowed in GROUP BY", at: syntax.location)
    }
    return try decided(key, at: syntax.location)
  }

  /// A place, else an alias of the select list, else an expression over the input.
  private func outputExpression(
    _ syntax: ExpressionSyntax, _ targets: [Target], _ clause: String, _ level: QueryLevel
  ) throws -> BoundExpression {
    switch syntax.kind {
    case .integer(let value): return targets[try ordinal(value, targets.count, clause, syntax.location)].expression
    case .column(let names) where names.count == 1:
      let matches = targets.filter { $0.column.name.isSameName(as: names[0]) }
      if let first = matches.first {
        if !matches.allSatisfy({ $0.expression.isSame(as: first.expression) }) {
          throw error("42702", "\(clause) \"\(names[0])\" is ambiguous", at: syntax.location)
        }
        return first.expression
      }
    case .string: throw error("42601", "non-integer constant in \(clause)", at: syntax.location)
    default: break
    }
    return try decided(try bind(syntax, level), at: syntax.location)
  }

  private func sortKey(_ sort: SortSyntax, _ targets: [Target], _ level: QueryLevel) throws -> BoundSort {
    try bindSort(sort, try outputExpression(sort.expression, targets, "ORDER BY", level))
  }
}
