// CREATE TABLE of a dimension table, and ALTER TABLE.

import VarveCompute
import VarveCore
import VarveFormat
import VarveStorage

extension CreateTableSyntax {
  /// Without a column `time`, and with a primary key.
  var isDimension: Bool {
    let hasKey =
      constraints.contains { $0.kind == "CONSTR_PRIMARY" }
      || columns.contains { $0.constraints.contains { $0.kind == "CONSTR_PRIMARY" } }
    return hasKey && !columns.contains { $0.name == "time" }
  }
}

extension Binder {
  func bindCreateDimension(_ create: CreateTableSyntax) throws -> DimensionDefinition {
    let location = create.table.location
    if let (what, place) = create.unsupported { throw source.unsupported(what, at: place) }
    try checkNewTable(create.table)
    if let option = create.options.first {
      let name = option.namespace.isEmpty ? option.name : "\(option.namespace).\(option.name)"
      throw error(
        "22023", "unrecognized parameter \"\(name)\"", at: option.location,
        hint: "A table with a primary key and without a column time is a dimension table: it has no tags or partitions."
      )
    }
    var keys: [(names: [String], location: Int)] = []
    for constraint in create.constraints {
      guard constraint.kind == "CONSTR_PRIMARY" else { throw unsupportedConstraint(constraint) }
      keys.append((constraint.columns, constraint.location))
    }
    for column in create.columns {
      for constraint in column.constraints where constraint.kind == "CONSTR_PRIMARY" {
        keys.append(([column.name], constraint.location))
      }
    }
    guard let key = keys.first, keys.count == 1 else {
      throw error(
        "42P16", "multiple primary keys for table \"\(create.table.name)\" are not allowed",
        at: keys.dropFirst().first?.location ?? location)
    }
    var columns: [DimensionColumn] = []
    for column in create.columns {
      try checkName(column.name, at: column.location)
      guard !columns.contains(where: { $0.name.isSameName(as: column.name) }) else {
        throw error("42701", "column \"\(column.name)\" specified more than once", at: column.location)
      }
      let isKey = key.names.contains { $0.isSameName(as: column.name) }
      columns.append(try dimensionColumn(column, id: columns.count, isKey: isKey))
    }
    let ids = try key.names.map { name in
      guard let column = columns.first(where: { $0.name.isSameName(as: name) }) else {
        throw error("42703", "column \"\(name)\" named in key does not exist", at: key.location)
      }
      return column.id
    }
    guard Set(ids).count == ids.count else {
      throw error("42701", "a column appears twice in primary key constraint", at: key.location)
    }
    return DimensionDefinition(name: create.table.name, columns: columns, key: ids)
  }

  func checkNewTable(_ relation: RelationSyntax) throws {
    if let schema = relation.schema, schema != "public" {
      throw error(
        "42501", "permission denied for schema \(schema)", at: relation.location, hint: "Tables live in public.")
    }
    try checkName(relation.name, at: relation.location)
  }

  private func dimensionColumn(_ column: ColumnDefinitionSyntax, id: Int, isKey: Bool) throws -> DimensionColumn {
    let sqlType = try type(column.type)
    guard let type = DimensionType(sqlType) else {
      throw error(
        "0A000", "a column of type \(sqlType.name) is not supported", at: column.type.location,
        hint:
          "Types are text, smallint, integer, bigint, real, double precision, numeric, boolean, date and timestamptz.")
    }
    guard !isKey || type.isKey else {
      throw error(
        "0A000", "a primary key of type \(sqlType.name) is not supported", at: column.type.location,
        hint: "Use bigint or text.")
    }
    var isNotNull = isKey
    var `default`: DimensionColumn.Default?
    for constraint in column.constraints {
      switch constraint.kind {
      case "CONSTR_NOTNULL": isNotNull = true
      case "CONSTR_NULL" where !isKey, "CONSTR_PRIMARY": break
      case "CONSTR_DEFAULT":
        guard let expression = constraint.expression else { continue }
        `default` = try defaultValue(expression, column.name, type, at: constraint.location)
      default: throw unsupportedConstraint(constraint)
      }
    }
    return DimensionColumn(
      id: ColumnID(rawValue: UInt16(truncatingIfNeeded: id)), name: column.name, type: type, isNotNull: isNotNull,
      default: `default`)
  }

  private func defaultValue(_ syntax: ExpressionSyntax, _ name: String, _ type: DimensionType, at location: Int) throws
    -> DimensionColumn.Default?
  {
    let level = QueryLevel(parent: nil)
    level.clauseWithoutAggregates = "DEFAULT expressions"
    let place = syntax.location >= 0 ? syntax.location : location
    let bound = try bind(syntax, level)
    if case .call(let function, let arguments) = bound, arguments.isEmpty, type == .timestamptz || type == .date,
      ["now", "current_timestamp", "transaction_timestamp"].contains(function.name)
    {
      return .now
    }
    guard let value = try coerce(bound, to: type.sqlType, .assignment, at: place) else {
      throw error(
        "42804",
        "column \"\(name)\" is of type \(type.sqlType.name) but default expression is of type \(bound.type.name)",
        at: place, hint: "You will need to rewrite or cast the expression.")
    }
    guard let constant = value.constantValue else {
      throw source.unsupported("this default value", at: place, hint: "A default is a constant, or now().")
    }
    return constant.isNull ? nil : .value(DimensionValue(constant))
  }

  private func unsupportedConstraint(_ constraint: ConstraintSyntax) -> VarveError {
    let names = [
      "CONSTR_CHECK": "CHECK", "CONSTR_UNIQUE": "UNIQUE beside the primary key", "CONSTR_FOREIGN": "FOREIGN KEY",
      "CONSTR_EXCLUSION": "EXCLUDE", "CONSTR_IDENTITY": "GENERATED … AS IDENTITY",
      "CONSTR_GENERATED": "GENERATED … STORED",
    ]
    return source.unsupported(
      names[constraint.kind] ?? "this constraint", at: constraint.location,
      hint: "A dimension table has a primary key, NOT NULL and DEFAULT.")
  }

  // MARK: ALTER TABLE

  /// What the statement changes of a table, or of a rollup's name; changes that IF EXISTS and IF NOT EXISTS pass over are left out, with a notice each.
  func bindAlter(_ alter: AlterTableSyntax) throws -> (table: Relation, changes: [TableAlteration], notices: [String]) {
    guard let found = catalog.relation(schema: alter.table.schema, name: alter.table.name) else {
      throw missingTable(alter.table)
    }
    guard !found.isSystem else {
      throw error("42501", "permission denied: \"\(found.name)\" is a system catalog", at: alter.table.location)
    }
    if alter.isRollup {
      guard case .rollup = found.source else {
        throw error(
          "42809", "\"\(found.name)\" is not a materialized view", at: alter.table.location, hint: "Use ALTER TABLE.")
      }
    }
    var notices: [String] = []
    let changes = try alter.changes.compactMap { change -> TableAlteration? in
      switch change {
      case .unsupported(let what):
        throw source.unsupported(
          what, at: alter.table.location, hint: "ALTER TABLE has ADD COLUMN, DROP COLUMN, RENAME COLUMN and RENAME TO.")
      case .addColumn(let column, let ifNotExists):
        if ifNotExists, found.columns.contains(where: { $0.name.isSameName(as: column.name) }) {
          notices.append("column \"\(column.name)\" of relation \"\(found.name)\" already exists, skipping")
          return nil
        }
        return try added(column, to: found)
      case .dropColumn(let name, let ifExists):
        if ifExists, !found.columns.contains(where: { $0.name.isSameName(as: name) }) {
          notices.append("column \"\(name)\" of relation \"\(found.name)\" does not exist, skipping")
          return nil
        }
        try checkNotFixed(name, found, "dropping", at: alter.table.location)
        return .dropColumn(name)
      case .renameColumn(let name, let new):
        try checkName(new, at: alter.table.location)
        if case .series = found.source {
          try checkNotFixed(name, found, "renaming", at: alter.table.location)
        }
        return .renameColumn(name, to: new)
      case .rename(let new):
        try checkName(new, at: alter.table.location)
        guard catalog.relation(schema: "public", name: new) == nil else {
          throw error("42P07", "relation \"\(new)\" already exists", at: alter.table.location)
        }
        return .renameTable(to: new)
      }
    }
    return (found, changes, notices)
  }

  private func added(_ column: ColumnDefinitionSyntax, to relation: Relation) throws -> TableAlteration {
    try checkName(column.name, at: column.location)
    switch relation.source {
    case .series:
      if let constraint = column.constraints.first(where: { $0.kind != "CONSTR_NULL" }) {
        throw source.unsupported(
          "a constraint or default on a column of a series table", at: constraint.location,
          hint: "Rows that lack the field have NULL there.")
      }
      return .addField(column.name, try fieldType(try type(column.type), column))
    case .dimension(let table):
      let bound = try dimensionColumn(column, id: 0, isKey: false)
      if let key = column.constraints.first(where: { $0.kind == "CONSTR_PRIMARY" }) {
        throw error("42P16", "multiple primary keys for table \"\(table.name)\" are not allowed", at: key.location)
      }
      var older = DimensionValue.null
      switch bound.default {
      case .value(let value): older = value
      case .now:
        let day: Int64 = 86_400_000_000_000
        let days = evaluation.now / day - (evaluation.now % day < 0 ? 1 : 0)
        older = .integer(bound.type == .date ? days : evaluation.now)
      case nil:
        if bound.isNotNull, catalog.snapshot.rows(of: table).rowCount > 0 {
          throw error(
            "23502", "column \"\(column.name)\" of relation \"\(table.name)\" contains null values",
            at: column.location, hint: "Give it a DEFAULT: rows that are there get it.")
        }
      }
      return .addColumn(
        DimensionColumn(
          id: bound.id, name: bound.name, type: bound.type, isNotNull: bound.isNotNull, default: bound.default,
          older: older))
    case .virtual, .rollup: preconditionFailure("these were refused")
    }
  }

  /// Tags, time and keys say which rows there are: they stay.
  private func checkNotFixed(_ name: String, _ relation: Relation, _ what: String, at location: Int) throws {
    let reason: String?
    switch relation.source {
    case .series(let table):
      let isTag = table.columns.contains { $0.isTag && $0.name.isSameName(as: name) }
      reason = name == "time" ? "the column time" : isTag ? "a tag" : nil
    case .dimension(let table):
      reason =
        table.columns.contains { $0.name.isSameName(as: name) && table.isKey($0.id) }
        ? "a column of the primary key" : nil
    case .virtual, .rollup: reason = nil
    }
    guard let reason else { return }
    throw source.unsupported(
      "\(what) \(reason)", at: location,
      hint: "It says which row a row is: make another table, and INSERT … SELECT into it.")
  }
}
