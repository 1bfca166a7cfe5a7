// FROM: relations, subqueries, functions and joins; each adds its columns to the level.

import VarveCompute
import VarveCore

extension Binder {
  /// The product of the items; one row without columns if there are none.
  func bindFrom(_ items: [FromSyntax], _ level: QueryLevel) throws -> LogicalPlan {
    level.clauseWithoutAggregates = "FROM"
    defer { level.clauseWithoutAggregates = nil }
    var plan: LogicalPlan?
    for item in items {
      if let left = plan {
        plan = try combine(.inner, left, item, level) { _ in [] }
      } else {
        plan = try bindItem(item, level)
      }
    }
    return plan ?? .oneRow
  }

  /// Joins what the level has so far with one more item.
  private func combine(
    _ kind: JoinKind, _ left: LogicalPlan, _ item: FromSyntax, _ level: QueryLevel,
    on: (_ leftWidth: Int) throws -> [BoundExpression]
  ) throws -> LogicalPlan {
    let leftWidth = level.columns.count
    if let (inner, bound) = try bindLateral(item, level) {
      let outerInputs = inner.outerInputs
      try add(bound, alias(of: item), level, at: -1)
      try checkNames(level, behind: leftWidth)
      if outerInputs.isEmpty { return .join(kind, left, bound.plan, on: try on(leftWidth)) }
      let subquery = SubqueryPlan(try Planner.plan(bound.plan))
      let asOf = kind == .full ? nil : try AsOf.recognize(bound.plan, outerInputs: outerInputs)
      return .lateral(
        kind, left, subquery, outerInputs: outerInputs, types: bound.plan.types, on: try on(leftWidth), asOf: asOf)
    }
    let right = try bindItem(item, level)
    try checkNames(level, behind: leftWidth)
    return .join(kind, left, right, on: try on(leftWidth))
  }

  /// A name may stand for one relation only; tables of two schemas that go by their own names are told apart.
  private func checkNames(_ level: QueryLevel, behind leftWidth: Int) throws {
    var seen: [Name: String?] = [:]
    for column in level.columns[..<leftWidth] {
      if let relation = column.relation { seen.updateValue(column.schema, forKey: Name(relation)) }
    }
    for column in level.columns[leftWidth...] {
      guard let relation = column.relation, let schema = seen[Name(relation)] else { continue }
      if let schema, let own = column.schema, schema != own { continue }
      throw error("42712", "table name \"\(relation)\" specified more than once", at: -1)
    }
  }

  private func alias(of item: FromSyntax) -> AliasSyntax? {
    switch item {
    case .query(_, let alias, _), .table(_, let alias): return alias
    case .function(let call, let alias, _):
      if let alias { return alias }
      if case .call(let call) = call.kind { return AliasSyntax(name: call.name.last ?? "") }
      return nil
    default: return nil
    }
  }

  /// Subqueries marked LATERAL and functions, which may see what stands left of them; nil for other items.
  private func bindLateral(_ item: FromSyntax, _ level: QueryLevel) throws -> (QueryLevel, BoundQuery)? {
    switch item {
    case .query(let query, _, isLateral: true):
      let inner = QueryLevel(parent: level)
      return (inner, try bindSelect(query, inner))
    case .function(let call, let alias, let withOrdinality):
      let inner = QueryLevel(parent: level)
      return (inner, try bindFunction(call, alias, withOrdinality, inner))
    default: return nil
    }
  }

  /// Binds an item that stands alone or on the left, and appends its columns to the level.
  private func bindItem(_ item: FromSyntax, _ level: QueryLevel) throws -> LogicalPlan {
    switch item {
    case .table(let relation, let alias): return try bindTable(relation, alias, level)
    case .query(let query, let alias, _):
      // Not LATERAL: it sees the queries around, not its neighbours.
      let inner = QueryLevel(parent: level.parent)
      inner.commonTables = level.commonTables
      let bound = try bindSelect(query, inner)
      let plan = try lifted(bound.plan, inner, level)
      try add(bound, alias, level, at: -1)
      return plan
    case .function(let call, let alias, let withOrdinality):
      let inner = QueryLevel(parent: level.parent)
      let bound = try bindFunction(call, alias, withOrdinality, inner)
      let plan = try lifted(bound.plan, inner, level)
      try add(bound, self.alias(of: item), level, at: call.location)
      return plan
    case .join(let kind, let left, let right, let on, let using, let isNatural, let alias):
      if case .table(let relation, let alias?) = left, alias.name == "asof", alias.columns.isEmpty {
        throw source.unsupported(
          "ASOF JOIN", at: relation.location,
          hint: SQLParser.asOfHint)
      }
      let first = level.columns.count
      let plan = try bindJoin(kind, left, right, on, using, isNatural, level)
      if let alias { try name(columnsFrom: first, by: alias, level) }
      return plan
    case .unsupported(let what, let location): throw source.unsupported(what, at: location)
    }
  }

  /// A subquery in FROM that takes values from around the whole query: run with those values.
  func lifted(_ plan: LogicalPlan, _ inner: QueryLevel, _ level: QueryLevel) throws -> LogicalPlan {
    if inner.outerInputs.isEmpty { return plan }
    let inputs = inner.outerInputs.map { level.slot(for: $0) }
    return .lateral(
      .inner, .oneRow, SubqueryPlan(try Planner.plan(plan)), outerInputs: inputs, types: plan.types, on: [])
  }

  private func bindTable(_ relation: RelationSyntax, _ alias: AliasSyntax?, _ level: QueryLevel) throws -> LogicalPlan {
    if relation.schema == nil, let common = level.commonTable(relation.name), let query = common.syntax.query {
      // Within the part of a recursive query that refers to itself, its rows are those of the level around.
      let inner = QueryLevel(parent: common.work == nil ? common.level.parent : level.parent)
      inner.commonTables = common.level.commonTables
      let bound = try nestedPlan {
        if let work = common.work { return try bindWork(work, inner) }
        return try common.isRecursive ? bindRecursive(common, query, inner) : bindSelect(query, inner)
      }
      let plan = try lifted(bound.plan, inner, level)
      let columns = AliasSyntax(
        name: alias?.name ?? relation.name,
        columns: alias?.columns.isEmpty == false ? alias?.columns ?? [] : common.syntax.columns)
      try add(bound, columns, level, at: relation.location)
      return plan
    }
    guard
      let found = try fixedSource.map({ catalog.relation($0) })
        ?? catalog.relation(schema: relation.schema, name: relation.name)
    else { throw missingTable(relation) }
    let schema = alias == nil ? relation.schema ?? (found.isSystem ? "pg_catalog" : "public") : nil
    let name = alias?.name ?? relation.name
    var columns = found.columns.enumerated().map { index, column in
      ScopeColumn(
        name: column.name, type: column.type, relation: name, schema: schema, tableOID: found.oid,
        attributeNumber: Int16(truncatingIfNeeded: index + 1))
    }
    try rename(&columns, alias, at: relation.location)
    level.columns.append(contentsOf: columns)
    switch found.source {
    case .rollup(let table):
      guard let rollup = try catalog.rollup(table.id) else { throw missingTable(relation) }
      for schema in [table, catalog.snapshot.table(id: rollup.definition.source)].compactMap({ $0 })
      where !dependencies.contains(where: { $0.id == schema.id }) {
        dependencies.append(schema)
      }
      reads.insert(table.id)
      rollupSource = .rollup(rollup)
      var scan = RollupScan(rollup)
      // A rollup that is being bound must not ask for itself.
      if fixedSource == nil { scan.rollups = try catalog.rollups(of: table.id) }
      return .rollup(scan)
    case .series(let table):
      rollupSource = .table(table)
      if !dependencies.contains(where: { $0.id == table.id }) { dependencies.append(table) }
      reads.insert(table.id)
      var scan = SeriesScan(table: table, columns: table.sqlColumns.map(\.column))
      if fixedSource == nil { scan.rollups = try catalog.rollups(of: table.id) }
      return .series(scan)
    case .dimension(let table):
      if !dimensions.contains(where: { $0.id == table.id }) { dimensions.append(table) }
      reads.insert(table.id)
      return .dimension(table, columns: Array(table.columns.indices), key: nil)
    case .virtual(let table): return .virtual(table, columns: Array(table.columns.indices))
    }
  }

  /// A chain of WITH queries that name each other is planned again at each use, which can grow exponentially.
  private func nestedPlan<T>(_ body: () throws -> T) throws -> T {
    commonTableUses += 1
    guard commonTableUses <= 1000 else {
      throw VarveError(
        .limitExceeded, "WITH queries are used more than 1000 times", hint: "Name them fewer times.",
        sqlState: "54001")
    }
    return try body()
  }

  func missingTable(_ relation: RelationSyntax) -> VarveError {
    let name = relation.schema.map { "\($0).\(relation.name)" } ?? relation.name
    var hint: String?
    let tables = catalog.userRelations().map(\.name)
    if let same = tables.first(where: {
      !$0.isSameName(as: relation.name) && $0.lowercased() == relation.name.lowercased()
    })
      ?? tables.filter({ Scope.isNear($0, relation.name) }).first
    {
      hint = "Perhaps you meant the table \(Self.quoteIfNeeded(same))."
    }
    return error("42P01", "relation \"\(name)\" does not exist", at: relation.location, hint: hint)
  }

  private func add(_ query: BoundQuery, _ alias: AliasSyntax?, _ level: QueryLevel, at location: Int) throws {
    guard let alias else { throw error("42601", "subquery in FROM must have an alias", at: location) }
    var columns = query.columns.map {
      ScopeColumn(
        name: $0.name, type: $0.type, relation: alias.name, tableOID: $0.tableOID, attributeNumber: $0.attributeNumber,
        fields: $0.fields, isWholeRow: $0.isWholeRow)
    }
    try rename(&columns, alias, at: location)
    level.columns.append(contentsOf: columns)
  }

  /// Behind an alias the relations of a join are not seen.
  private func name(columnsFrom first: Int, by alias: AliasSyntax, _ level: QueryLevel) throws {
    var seen = level.columns[first...].filter { !$0.isMerged }
    try rename(&seen, alias, at: -1)
    var names = seen.makeIterator()
    for index in level.columns.indices.dropFirst(first) {
      level.columns[index].schema = nil
      level.columns[index].relation = nil
      guard !level.columns[index].isMerged, let name = names.next()?.name else { continue }
      level.columns[index].relation = alias.name
      level.columns[index].name = name
    }
  }

  private func rename(_ columns: inout [ScopeColumn], _ alias: AliasSyntax?, at location: Int) throws {
    guard let alias else { return }
    guard alias.columns.count <= columns.count else {
      throw error(
        "42P10",
        "table \"\(alias.name)\" has \(columns.count) columns available but \(alias.columns.count) columns specified",
        at: location)
    }
    for (index, name) in alias.columns.enumerated() { columns[index].name = name }
  }

  private func bindFunction(
    _ syntax: ExpressionSyntax, _ alias: AliasSyntax?, _ withOrdinality: Bool, _ level: QueryLevel
  ) throws -> BoundQuery {
    level.clauseWithoutAggregates = "functions in FROM"
    if case .call(let call) = syntax.kind, let name = call.name.last, TableFunction.names.contains(name) {
      var arguments = try call.arguments.map { try bind($0, level) }
      let types = arguments.map(\.type)
      guard var function = try TableFunction.find(name, types) else {
        throw missingFunction(name, types, at: syntax.location)
      }
      try convert(&arguments, to: function.argumentTypes, locations: call.arguments.map(\.location))
      // A function's only column goes by the alias.
      var columns = function.types.indices.map {
        ResultColumn(
          name: function.columnNames.isEmpty ? alias?.name ?? name : function.columnNames[$0], type: function.types[$0])
      }
      if columns.count == 1, !withOrdinality { columns[0].isWholeRow = true }
      if withOrdinality {
        function = function.numbered()
        columns.append(ResultColumn(name: "ordinality", type: .int8))
      }
      return BoundQuery(plan: .function(function, arguments), columns: columns)
    }
    let value = try decided(try bind(syntax, level), at: syntax.location)
    let name = alias?.name ?? ColumnName.of(syntax)
    var values = [value]
    var columns = [ResultColumn(name: name, type: value.type)]
    if withOrdinality {
      values.append(.constant(.int(1), .int8))
      columns.append(ResultColumn(name: "ordinality", type: .int8))
    }
    return BoundQuery(plan: .project(.oneRow, values), columns: columns)
  }

  // MARK: JOIN

  private func bindJoin(
    _ kind: FromSyntax.JoinKind, _ left: FromSyntax, _ right: FromSyntax, _ on: ExpressionSyntax?, _ using: [String],
    _ isNatural: Bool, _ level: QueryLevel
  ) throws -> LogicalPlan {
    // The sides see each other in ON only, so they are bound in a level of their own.
    let own = QueryLevel(parent: level.parent)
    own.commonTables = level.commonTables
    own.clauseWithoutAggregates = "JOIN conditions"
    let leftPlan = try bindItem(left, own)
    let leftWidth = own.columns.count
    var merged: [(left: Int, right: Int)] = []
    let joinKind: JoinKind = kind == .inner ? .inner : kind == .full ? .full : .left
    var plan: LogicalPlan
    if kind == .right {
      let rightPlan = try bindItem(right, own)
      try checkNames(own, behind: leftWidth)
      let conditions = try joinConditions(on, using, isNatural, own, leftWidth, &merged)
      let width = own.columns.count
      let rightWidth = width - leftWidth
      // The other way round, with the columns put back into order.
      var places: [Int: Int] = [:]
      for index in 0..<width { places[index] = index < leftWidth ? rightWidth + index : index - leftWidth }
      plan = .project(
        .join(.left, rightPlan, leftPlan, on: conditions.map { $0.renumbered(places) }),
        own.columns.indices.map { index in
          .column(
            ColumnReference(
              index: places[index] ?? index, type: own.columns[index].type, name: own.columns[index].qualifiedName,
              location: -1))
        })
    } else {
      plan = try combine(joinKind, leftPlan, right, own) { width in
        try joinConditions(on, using, isNatural, own, width, &merged)
      }
    }
    plan = merge(plan, merged, kind, own)
    // Slots for the queries around move to the level that keeps them.
    if !own.outerInputs.isEmpty { plan = try rebase(plan, own, level) }
    level.columns.append(contentsOf: own.columns)
    return plan
  }

  private func rebase(_ plan: LogicalPlan, _ own: QueryLevel, _ level: QueryLevel) throws -> LogicalPlan {
    let inputs = own.outerInputs.map { level.slot(for: $0) }
    let sameSlots = inputs.enumerated().allSatisfy { index, input in
      if case .outer(let slot, _) = input { return slot == index }
      return false
    }
    if sameSlots { return plan }
    return .lateral(
      .inner, .oneRow, SubqueryPlan(try Planner.plan(plan)), outerInputs: inputs, types: plan.types, on: [])
  }

  private func joinConditions(
    _ on: ExpressionSyntax?, _ using: [String], _ isNatural: Bool, _ level: QueryLevel, _ leftWidth: Int,
    _ merged: inout [(left: Int, right: Int)]
  ) throws -> [BoundExpression] {
    if let on { return try condition(on, level, "JOIN/ON").conjuncts }
    var names = using
    let left = level.columns[..<leftWidth]
    let right = level.columns[leftWidth...]
    if isNatural {
      names = left.filter { column in !column.isMerged && right.contains { $0.name.isSameName(as: column.name) } }.map(
        \.name)
    }
    var conditions: [BoundExpression] = []
    for name in names {
      func find(_ columns: ArraySlice<ScopeColumn>, _ side: String) throws -> Int {
        let found = columns.indices.filter { columns[$0].name.isSameName(as: name) && !columns[$0].isMerged }
        guard let first = found.first else {
          throw error("42703", "column \"\(name)\" specified in USING clause does not exist in \(side) table", at: -1)
        }
        guard found.count == 1 else {
          throw error("42702", "common column name \"\(name)\" appears more than once in \(side) table", at: -1)
        }
        return first
      }
      let pair = (left: try find(left, "left"), right: try find(right, "right"))
      merged.append(pair)
      let operands = [pair.left, pair.right].map { index in
        BoundExpression.column(
          ColumnReference(index: index, type: level.columns[index].type, name: name, location: -1))
      }
      conditions.append(try apply("=", operands, locations: [-1, -1], at: -1))
    }
    return conditions
  }

  /// USING: the merged columns first, once; the right side's own stay findable by their table's name.
  private func merge(
    _ plan: LogicalPlan, _ merged: [(left: Int, right: Int)], _ kind: FromSyntax.JoinKind, _ level: QueryLevel
  ) -> LogicalPlan {
    if merged.isEmpty { return plan }
    func reference(_ index: Int) -> BoundExpression {
      .column(
        ColumnReference(
          index: index, type: level.columns[index].type, name: level.columns[index].qualifiedName, location: -1))
    }
    var expressions: [BoundExpression] = []
    var columns: [ScopeColumn] = []
    for pair in merged {
      var column = level.columns[kind == .right ? pair.right : pair.left]
      if kind == .full {
        expressions.append(.coalesce([reference(pair.left), reference(pair.right)], column.type))
        column.relation = nil
      } else {
        expressions.append(reference(kind == .right ? pair.right : pair.left))
      }
      columns.append(column)
    }
    let hidden = Set(merged.flatMap { [$0.left, $0.right] })
    for index in level.columns.indices where !hidden.contains(index) {
      expressions.append(reference(index))
      columns.append(level.columns[index])
    }
    for pair in merged {
      for index in kind == .full ? [pair.left, pair.right] : [kind == .right ? pair.left : pair.right] {
        var column = level.columns[index]
        column.isMerged = true
        expressions.append(reference(index))
        columns.append(column)
      }
    }
    level.columns = columns
    return .project(plan, expressions)
  }
}

enum Scope {
  /// Whether someone may have meant the one when writing the other.
  static func isNear(_ a: String, _ b: String) -> Bool {
    QueryLevel.editDistance(a, b) <= min(2, b.utf8.count / 3)
  }
}
