// INSERT and CREATE TABLE.

import VarveCompute
import VarveCore
import VarveStorage

extension Binder {
  /// Into a series table.
  func bindInsert(_ insert: InsertSyntax, into table: TableSchema) throws -> (InsertPlan, [ResultColumn]?) {
    let location = insert.table.location
    if let conflict = insert.conflict {
      throw source.unsupported(
        "ON CONFLICT of a series table", at: conflict.location,
        hint: "INSERT replaces the fields it names of a row with the same tags and time.")
    }
    dependencies.append(table)
    let name = insert.alias?.name ?? table.name
    let level = QueryLevel(parent: nil)
    level.columns = table.sqlColumns.enumerated().map { index, column in
      ScopeColumn(
        name: column.name, type: column.column.type, relation: name, tableOID: CatalogView.oid(table.id),
        attributeNumber: Int16(truncatingIfNeeded: index + 1))
    }
    let returning = try bindReturning(insert.returning, level)
    return (try insertPlan(insert, table, returning?.expressions), returning?.columns)
  }

  private func insertPlan(_ insert: InsertSyntax, _ table: TableSchema, _ returning: [BoundExpression]?) throws
    -> InsertPlan
  {
    let location = insert.table.location
    let columns = table.sqlColumns
    if let part = insert.columns.first(where: \.hasIndirection) {
      throw source.unsupported("assigning to a part of a column", at: part.location)
    }
    let chosen = try writtenColumns(insert.columns.map { ($0.name ?? "", $0.location) }, of: table)
    guard let query = insert.query else {
      throw source.unsupported("DEFAULT VALUES", at: location, hint: "Name the columns and give VALUES.")
    }
    let names = insert.columns.isEmpty ? columns : chosen
    if case .values(let rows) = query.body, query.orderBy.isEmpty, query.limit == nil, query.offset == nil,
      query.commonTables.isEmpty
    {
      let plan = try bindRows(rows, names, table, returning, isExplicit: !insert.columns.isEmpty, at: location)
      guard let literals = insert.literalRows else { return plan }
      guard let source = literalRows(literals, plan.source.types) else {
        return try insertPlan(try wholeInsert(), table, returning)
      }
      // Its rows are of this text alone.
      isOnceOnly = true
      return InsertPlan(
        table: table, source: source, targets: plan.targets, returning: returning, readsNothing: plan.readsNothing)
    }
    let level = QueryLevel(parent: nil)
    level.keepsUnknown = true
    var bound = try bindSelect(query, level)
    let used = try fitting(names, bound.columns.count, isExplicit: !insert.columns.isEmpty, at: location)
    bound = try retyped(bound, used.map(\.column.type), at: query.targets.map(\.location))
    let values = try bound.columns.enumerated().map { index, column in
      try assigned(
        .column(ColumnReference(index: index, type: column.type, name: column.name, location: location)),
        to: used[index].name, used[index].column.type,
        at: query.targets.indices.contains(index) ? query.targets[index].location : location)
    }
    return InsertPlan(
      table: table, source: try Planner.plan(.project(bound.plan, values)), targets: try used.map { try target($0) },
      returning: returning, readsNothing: false)
  }

  /// What INSERT and COPY may name.
  func writableRelation(_ name: RelationSyntax) throws -> Relation {
    guard let relation = catalog.relation(schema: name.schema, name: name.name) else { throw missingTable(name) }
    guard !relation.isSystem else {
      throw error("42501", "permission denied for table \(relation.name): it is a catalog", at: name.location)
    }
    if case .rollup = relation.source { throw rollupIsWritten(relation, at: name.location) }
    return relation
  }

  func rollupIsWritten(_ relation: Relation, at location: Int) -> VarveError {
    error(
      "42809", "cannot change rollup \"\(relation.name)\": its rows are made from another table's", at: location,
      hint: "Change the table it is made from: the rollup follows.")
  }

  /// Columns by name, each once.
  func writtenColumns(
    _ names: [(name: String, location: Int)], of table: TableSchema
  ) throws -> [(name: String, column: SeriesColumn)] {
    let columns = table.sqlColumns
    var seen: Set<Name> = []
    return try names.map { name, location in
      guard let column = columns.first(where: { $0.name.isSameName(as: name) }) else {
        let near =
          columns.first { $0.name.lowercased() == name.lowercased() } ?? columns.first { Scope.isNear($0.name, name) }
        throw error(
          "42703", "column \"\(name)\" of relation \"\(table.name)\" does not exist", at: location,
          hint: near.map { "Perhaps you meant the column \(Self.quoteIfNeeded($0.name))." })
      }
      guard seen.insert(Name(name)).inserted else {
        throw error("42701", "column \"\(name)\" specified more than once", at: location)
      }
      return column
    }
  }

  private func fitting(
    _ columns: [(name: String, column: SeriesColumn)], _ count: Int, isExplicit: Bool, at location: Int
  ) throws -> [(name: String, column: SeriesColumn)] {
    if count > columns.count {
      throw error("42601", "INSERT has more expressions than target columns", at: location)
    }
    if isExplicit, count < columns.count {
      throw error("42601", "INSERT has more target columns than expressions", at: location)
    }
    return Array(columns.prefix(count))
  }

  private func bindRows(
    _ rows: [[ExpressionSyntax]], _ names: [(name: String, column: SeriesColumn)], _ table: TableSchema,
    _ returning: [BoundExpression]?, isExplicit: Bool, at location: Int
  ) throws -> InsertPlan {
    let width = rows.first?.count ?? 0
    let used = try fitting(names, width, isExplicit: isExplicit, at: rows.first?.first?.location ?? location)
    let level = QueryLevel(parent: nil)
    level.clauseWithoutAggregates = "VALUES"
    var omitted: Set<Int> = []
    var bound: [[BoundExpression]] = []
    for row in rows {
      guard row.count == width else {
        throw error("42601", "VALUES lists must all be the same length", at: row.first?.location ?? location)
      }
      bound.append(
        try row.enumerated().map { index, syntax in
          if case .defaultValue = syntax.kind {
            // The default of time is now; other columns have none, which is the same as leaving them out.
            guard rows.count == 1 || used[index].column == .time else {
              throw source.unsupported(
                "DEFAULT in one of several rows", at: syntax.location, hint: "Leave the column out.")
            }
            if used[index].column != .time { omitted.insert(index) }
            if used[index].column == .time, let now = try FunctionCatalog.scalar("now", []) { return .call(now, []) }
            return .constant(.null, used[index].column.type)
          }
          return try assigned(
            try bind(syntax, level), to: used[index].name, used[index].column.type, at: syntax.location)
        })
    }
    let kept = used.indices.filter { !omitted.contains($0) }
    let types = kept.map { used[$0].column.type }
    let plan = LogicalPlan.values(bound.map { row in kept.map { row[$0] } }, types)
    return InsertPlan(
      table: table, source: try Planner.plan(plan), targets: try kept.map { try target(used[$0]) },
      returning: returning, readsNothing: !(bound.joined() + (returning ?? [])).contains(where: \.hasSubquery))
  }

  private func target(_ column: (name: String, column: SeriesColumn)) throws -> InsertPlan.Target {
    switch column.column {
    case .time: .time
    case .tag: .tag(column.name)
    case .field(_, let type): .field(column.name, type)
    }
  }

  /// The value as a column of this name and type takes it.
  func assigned(_ value: BoundExpression, to name: String, _ type: SQLType, at location: Int) throws
    -> BoundExpression
  {
    guard let result = try coerce(value, to: type, .assignment, at: location) else {
      throw error(
        "42804", "column \"\(name)\" is of type \(type.name) but expression is of type \(value.type.name)",
        at: location, hint: "You will need to rewrite or cast the expression.")
    }
    return result
  }

  // MARK: CREATE TABLE

  func bindCreateTable(_ create: CreateTableSyntax) throws -> TableDefinition {
    let location = create.table.location
    if let (what, place) = create.unsupported { throw source.unsupported(what, at: place) }
    if let constraint = create.constraints.first {
      throw source.unsupported(
        "a constraint of a series table", at: constraint.location,
        hint:
          "Its rows are unique by tags and time. Without a column time, and with a PRIMARY KEY, it is a dimension table."
      )
    }
    try checkNewTable(create.table)
    var tagNames: [String]?
    var partition = TableSchema.defaultPartitionNanoseconds
    for option in create.options {
      switch (option.namespace, option.name) {
      case ("varve", "tags"):
        tagNames = Self.list(option.value ?? "")
      case ("varve", "partition"):
        partition = try partitionWidth(option.value ?? "", at: option.location)
      default:
        let name = option.namespace.isEmpty ? option.name : "\(option.namespace).\(option.name)"
        throw error(
          "22023", "unrecognized parameter \"\(name)\"", at: option.location,
          hint: "WITH takes varve.tags = 'a, b' and varve.partition = '1 day'.")
      }
    }
    let tags = tagNames ?? []
    let isTag = Set(tags.map(Name.init))
    var fields: [(name: String, type: FieldType)] = []
    var seen: Set<Name> = []
    var hasTime = false
    for column in create.columns {
      try checkName(column.name, at: column.location)
      guard seen.insert(Name(column.name)).inserted else {
        throw error("42701", "column \"\(column.name)\" specified more than once", at: column.location)
      }
      let isTime = column.name == "time"
      for constraint in column.constraints {
        if constraint.kind == "CONSTR_NULL" || (isTime && constraint.kind == "CONSTR_NOTNULL") { continue }
        throw source.unsupported(
          "a constraint or default on a column of a series table", at: constraint.location,
          hint: "time is never NULL; rows are unique by tags and time.")
      }
      let type = try type(column.type)
      if isTime {
        guard type == .timestamptz else {
          throw error(
            "42804", "column \"time\" must be of type timestamptz, not \(type.name)", at: column.type.location)
        }
        hasTime = true
      } else if isTag.contains(Name(column.name)) {
        guard type == .text || type == .varchar else {
          throw error(
            "42804", "tag \"\(column.name)\" must be of type text, not \(type.name)", at: column.type.location)
        }
      } else {
        fields.append((column.name, try fieldType(type, column)))
      }
    }
    guard hasTime else {
      throw error(
        "0A000", "a table without a column time timestamptz is not supported", at: location,
        hint: "Add: time timestamptz; or a PRIMARY KEY, for a dimension table.")
    }
    for tag in tags where !seen.contains(Name(tag)) || tag == "time" {
      throw error(
        "42703", "tag \"\(tag)\" is not a text column of the table", at: create.options.first?.location ?? location,
        hint: "Declare it: \(Self.quoteIfNeeded(tag)) text.")
    }
    // In the order they were declared.
    let order = create.columns.map(\.name)
    return TableDefinition(
      name: create.table.name, tags: order.filter { isTag.contains(Name($0)) }, fields: fields,
      partitionNanoseconds: partition)
  }

  func checkName(_ name: String, at location: Int) throws {
    guard !name.isEmpty, name.utf8.count <= Limits.nameByteCount else {
      throw error("42622", "name \"\(name)\" is longer than \(Limits.nameByteCount) bytes or empty", at: location)
    }
  }

  private static func list(_ text: String) -> [String] {
    text.split(separator: ",").map { part in
      var name = part.drop { $0 == " " }
      while name.last == " " { name = name.dropLast() }
      return String(name)
    }.filter { !$0.isEmpty }
  }

  private func partitionWidth(_ text: String, at location: Int) throws -> Int64 {
    guard case .interval(let interval) = try literal(text, .interval, at: location) else { return 0 }
    let (days, over) = Int64(interval.days).multipliedReportingOverflow(by: 86_400_000_000)
    let (micros, over2) = days.addingReportingOverflow(interval.microseconds)
    let (width, over3) = micros.multipliedReportingOverflow(by: 1000)
    guard interval.months == 0, !over, !over2, !over3, width >= 60_000_000_000 else {
      throw error(
        "22023", "varve.partition must be a fixed time of at least a minute, not \"\(text)\"", at: location,
        hint: "For example '1 day' or '6 hours'.")
    }
    return width
  }

  func fieldType(_ type: SQLType, _ column: ColumnDefinitionSyntax) throws -> FieldType {
    switch type {
    case .float8, .float4: return .float64
    case .int8, .int4, .int2: return .int64
    case .bool: return .bool
    case .text, .varchar: return .text
    case .timestamptz: return .timestamp
    case .numeric(precision: 20, scale: 0): return .uint64
    default:
      throw error(
        "0A000", "a column of type \(type.name) is not supported", at: column.type.location,
        hint: "Types are double precision, bigint, numeric(20,0), boolean, text and timestamptz.")
    }
  }
}
