// INSERT, UPDATE and DELETE on dimension tables.

import VarveCompute
import VarveCore
import VarveFormat
import VarveStorage

extension Binder {
  /// RETURNING: columns that leave, and expressions over what the plan returns.
  typealias Returning = (columns: [ResultColumn], expressions: [BoundExpression])

  func bindReturning(_ targets: [TargetSyntax], _ level: QueryLevel) throws -> Returning? {
    guard !targets.isEmpty else { return nil }
    level.clauseWithoutAggregates = "RETURNING"
    let bound = try bindTargets(targets, level)
    return (bound.map(\.column), bound.map(\.expression))
  }

  // MARK: INSERT

  func bindInsert(_ insert: InsertSyntax, into table: DimensionSchema) throws -> (DimensionInsert, [ResultColumn]?) {
    if insert.literalRows != nil { return try bindInsert(try wholeInsert(), into: table) }
    dimensions.append(table)
    let name = insert.alias?.name ?? table.name
    let source = try Planner.plan(try insertSource(insert, table))
    let level = tableLevel(table, name)
    let returning = try bindReturning(insert.returning, level)
    let plan = DimensionInsert(
      table: table, source: source, conflict: try insert.conflict.map { try conflict($0, table, name) } ?? .fail,
      returning: returning?.expressions)
    return (plan, returning?.columns)
  }

  /// Delivers all columns of the table, in order.
  private func insertSource(_ insert: InsertSyntax, _ table: DimensionSchema) throws -> LogicalPlan {
    let location = insert.table.location
    if let part = insert.columns.first(where: \.hasIndirection) {
      throw source.unsupported("assigning to a part of a column", at: part.location)
    }
    let named = try insert.columns.map { try place(of: $0.name ?? "", in: table, at: $0.location) }
    if let twice = named.indices.first(where: { named[..<$0].contains(named[$0]) }) {
      throw error(
        "42701", "column \"\(insert.columns[twice].name ?? "")\" specified more than once",
        at: insert.columns[twice].location)
    }
    let places = insert.columns.isEmpty ? Array(table.columns.indices) : named
    guard let query = insert.query else {
      return .project(.oneRow, try table.columns.map { try defaultValue(of: $0) })
    }
    if case .values(let rows) = query.body, query.orderBy.isEmpty, query.limit == nil, query.offset == nil,
      query.commonTables.isEmpty
    {
      let level = QueryLevel(parent: nil)
      level.clauseWithoutAggregates = "VALUES"
      let width = rows.first?.count ?? 0
      let used = try fitting(
        places, width, isExplicit: !insert.columns.isEmpty, at: rows.first?.first?.location ?? location)
      let bound = try rows.map { row in
        guard row.count == width else {
          throw error("42601", "VALUES lists must all be the same length", at: row.first?.location ?? location)
        }
        let given = try zip(row, used).map { try assigned($0, to: table.columns[$1], level) }
        return try table.columns.indices.map { column in
          try used.firstIndex(of: column).map { given[$0] } ?? defaultValue(of: table.columns[column])
        }
      }
      return .values(bound, table.sqlColumns.map(\.type))
    }
    let level = QueryLevel(parent: nil)
    level.keepsUnknown = true
    var bound = try bindSelect(query, level)
    let used = try fitting(places, bound.columns.count, isExplicit: !insert.columns.isEmpty, at: location)
    let locations = query.targets.map(\.location)
    bound = try retyped(bound, used.map { table.columns[$0].type.sqlType }, at: locations)
    let given = try bound.columns.enumerated().map { index, column in
      let at = locations.indices.contains(index) ? locations[index] : location
      let reference = BoundExpression.column(
        ColumnReference(index: index, type: column.type, name: column.name, location: at))
      return try assigned(reference, to: table.columns[used[index]], at: at)
    }
    return .project(
      bound.plan,
      try table.columns.indices.map { column in
        try used.firstIndex(of: column).map { given[$0] } ?? defaultValue(of: table.columns[column])
      })
  }

  private func fitting(_ places: [Int], _ count: Int, isExplicit: Bool, at location: Int) throws -> [Int] {
    if count > places.count {
      throw error("42601", "INSERT has more expressions than target columns", at: location)
    }
    if isExplicit, count < places.count {
      throw error("42601", "INSERT has more target columns than expressions", at: location)
    }
    return Array(places.prefix(count))
  }

  private func conflict(_ conflict: ConflictSyntax, _ table: DimensionSchema, _ name: String) throws
    -> DimensionInsert.Conflict
  {
    let location = conflict.location
    if let what = conflict.unsupported { throw source.unsupported("ON CONFLICT with \(what)", at: location) }
    let hasTarget = conflict.constraint != nil || !conflict.columns.isEmpty
    if let constraint = conflict.constraint, !constraint.isSameName(as: table.keyName) {
      throw error("42704", "constraint \"\(constraint)\" for table \"\(table.name)\" does not exist", at: location)
    }
    if !conflict.columns.isEmpty {
      let columns = try conflict.columns.map { table.columns[try place(of: $0, in: table, at: location)].id }
      guard Set(columns) == Set(table.key) else {
        throw error(
          "42P10", "there is no unique or exclusion constraint matching the ON CONFLICT specification", at: location,
          hint: "The primary key is (\(table.key.compactMap { table.column($0)?.name }.joined(separator: ", "))).")
      }
    }
    guard let assignments = conflict.assignments else { return .doNothing }
    guard hasTarget else {
      throw error(
        "42601", "ON CONFLICT DO UPDATE requires inference specification or constraint name", at: location,
        hint: "For example, ON CONFLICT (column_name).")
    }
    let level = tableLevel(table, name)
    level.columns += tableLevel(table, "excluded").columns
    let bound = try bindAssignments(assignments, table, level)
    level.clauseWithoutAggregates = "WHERE"
    let conditions = try conflict.filter.map { try condition($0, level, "WHERE").conjuncts } ?? []
    return .update(DimensionInsert.Update(assignments: bound, conditions: conditions))
  }

  // MARK: UPDATE and DELETE

  func bindUpdate(_ update: UpdateSyntax) throws -> (DimensionUpdate, [ResultColumn]?) {
    if let (what, place) = update.unsupported {
      throw source.unsupported(what, at: place < 0 ? update.table.location : place)
    }
    let table = try dimensionTable(
      update.table, "UPDATE", hint: "INSERT a row with the same tags and time: it replaces the fields it names.")
    let level = QueryLevel(parent: nil)
    let from = try bindFrom([.table(update.table, update.alias)] + update.from, level)
    level.clauseWithoutAggregates = "UPDATE"
    let assignments = try bindAssignments(update.assignments, table, level)
    let plan = try rows(from, level, update.filter, assignments.map(\.value))
    let returning = try bindReturning(update.returning, level)
    return (
      DimensionUpdate(
        table: table, source: plan, otherCount: level.columns.count - table.columns.count,
        assigned: assignments.map(\.column), returning: returning?.expressions), returning?.columns
    )
  }

  func bindDelete(_ delete: DeleteSyntax, from table: DimensionSchema) throws -> (DimensionDelete, [ResultColumn]?) {
    let level = QueryLevel(parent: nil)
    let from = try bindFrom([.table(delete.table, delete.alias)] + delete.using, level)
    let plan = try rows(from, level, delete.filter, [])
    let returning = try bindReturning(delete.returning, level)
    return (DimensionDelete(table: table, source: plan, returning: returning?.expressions), returning?.columns)
  }

  /// Delivers the columns of the level, then the values.
  private func rows(
    _ from: LogicalPlan, _ level: QueryLevel, _ filter: ExpressionSyntax?, _ values: [BoundExpression]
  ) throws -> any PlanNode {
    var plan = from
    if let filter {
      level.clauseWithoutAggregates = "WHERE"
      plan = .filter(plan, try condition(filter, level, "WHERE").conjuncts)
    }
    let columns = level.columns.enumerated().map { index, column in
      BoundExpression.column(
        ColumnReference(index: index, type: column.type, name: column.qualifiedName, location: -1))
    }
    return try Planner.plan(.project(plan, columns + values))
  }

  private func bindAssignments(_ assignments: [TargetSyntax], _ table: DimensionSchema, _ level: QueryLevel) throws
    -> [(column: Int, value: BoundExpression)]
  {
    var result: [(column: Int, value: BoundExpression)] = []
    for assignment in assignments {
      guard let value = assignment.expression, !assignment.hasIndirection else {
        throw source.unsupported("assigning to a part of a column", at: assignment.location)
      }
      let place = try place(of: assignment.name ?? "", in: table, at: assignment.location)
      guard !result.contains(where: { $0.column == place }) else {
        throw error(
          "42601", "multiple assignments to same column \"\(table.columns[place].name)\"", at: assignment.location)
      }
      result.append((place, try assigned(value, to: table.columns[place], level)))
    }
    return result
  }

  // MARK: Columns and values

  /// The dimension table of the name; a series table is refused.
  func dimensionTable(_ relation: RelationSyntax, _ verb: String, hint: String) throws -> DimensionSchema {
    guard let found = catalog.relation(schema: relation.schema, name: relation.name) else {
      throw missingTable(relation)
    }
    switch found.source {
    case .dimension(let table): return table
    case .series: throw source.unsupported("\(verb) of a series table", at: relation.location, hint: hint)
    case .rollup: throw rollupIsWritten(found, at: relation.location)
    case .virtual:
      throw error("42501", "permission denied for table \(found.name): it is a catalog", at: relation.location)
    }
  }

  private func tableLevel(_ table: DimensionSchema, _ name: String) -> QueryLevel {
    let level = QueryLevel(parent: nil)
    level.columns = table.columns.enumerated().map { index, column in
      ScopeColumn(
        name: column.name, type: column.type.sqlType, relation: name, tableOID: CatalogView.oid(table.id),
        attributeNumber: Int16(index + 1))
    }
    return level
  }

  func place(of name: String, in table: DimensionSchema, at location: Int) throws -> Int {
    if let place = table.columns.firstIndex(where: { $0.name.isSameName(as: name) }) { return place }
    let near =
      table.columns.first { $0.name.lowercased() == name.lowercased() }
      ?? table.columns.first { Scope.isNear($0.name, name) }
    throw error(
      "42703", "column \"\(name)\" of relation \"\(table.name)\" does not exist", at: location,
      hint: near.map { "Perhaps you meant the column \(Self.quoteIfNeeded($0.name))." })
  }

  private func assigned(_ syntax: ExpressionSyntax, to column: DimensionColumn, _ level: QueryLevel) throws
    -> BoundExpression
  {
    if case .defaultValue = syntax.kind { return try defaultValue(of: column) }
    return try assigned(try bind(syntax, level), to: column, at: syntax.location)
  }

  private func assigned(_ value: BoundExpression, to column: DimensionColumn, at location: Int) throws
    -> BoundExpression
  { try assigned(value, to: column.name, column.type.sqlType, at: location) }

  func defaultValue(of column: DimensionColumn) throws -> BoundExpression {
    let type = column.type.sqlType
    switch column.default {
    case nil: return .constant(.null, type)
    case .now:
      guard let now = try FunctionCatalog.scalar("now", []),
        let value = try coerce(.call(now, []), to: type, .assignment, at: -1)
      else { preconditionFailure("only a column that takes a time has it as its default") }
      return value
    case .value(let value):
      var builder = ColumnBuilder(type)
      try builder.append(value, column.type, evaluation)
      return .constant(builder.finish().datum(at: 0), type)
    }
  }
}
