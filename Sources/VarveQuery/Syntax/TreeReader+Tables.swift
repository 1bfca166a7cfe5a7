// CREATE TABLE and ALTER TABLE.

import VarveCore

extension TreeReader {
  func createTable() throws -> CreateTableSyntax {
    var create = CreateTableSyntax()
    try object { key in
      switch key {
      case "relation": create.table = try relation()
      case "tableElts":
        try array {
          try object { node in
            switch node {
            case "ColumnDef": create.columns.append(try columnDefinition())
            case "Constraint": create.constraints.append(try constraint())
            default:
              create.unsupported = ("LIKE", create.table.location)
              try json.skip()
            }
          }
        }
      case "options": create.options = try options()
      case "if_not_exists": create.ifNotExists = try json.boolean()
      case "inhRelations", "partspec", "partbound", "ofTypename":
        create.unsupported = ("inheritance and partitioning by hand", create.table.location)
        try json.skip()
      default: try json.skip()
      }
    }
    return create
  }

  private func columnDefinition() throws -> ColumnDefinitionSyntax {
    var column = ColumnDefinitionSyntax()
    try object { key in
      switch key {
      case "colname": column.name = try json.string()
      case "typeName": column.type = try typeName()
      case "location": column.location = try json.integer()
      case "constraints": try array { try object { _ in column.constraints.append(try constraint()) } }
      default: try json.skip()
      }
    }
    return column
  }

  private func constraint() throws -> ConstraintSyntax {
    var constraint = ConstraintSyntax()
    try object { key in
      switch key {
      case "contype": constraint.kind = try json.string()
      case "location": constraint.location = try json.integer()
      case "raw_expr": constraint.expression = try expression()
      case "keys": constraint.columns = try plainNames()
      default: try json.skip()
      }
    }
    return constraint
  }

  func alterTable() throws -> StatementSyntax {
    var alter = AlterTableSyntax()
    var kind = ""
    try object { key in
      switch key {
      case "relation": alter.table = try relation()
      case "objtype": kind = try json.string()
      case "missing_ok": alter.ifExists = try json.boolean()
      case "cmds": try array { try object { _ in alter.changes.append(try change()) } }
      default: try json.skip()
      }
    }
    alter.isRollup = kind == "OBJECT_MATVIEW"
    guard kind == "OBJECT_TABLE" || alter.isRollup else {
      return .unsupported("ALTER of anything but a table or a materialized view", hint: nil)
    }
    return .alterTable(alter)
  }

  private func change() throws -> AlterTableSyntax.Change {
    var kind = ""
    var name = ""
    var isMissingFine = false
    var column = ColumnDefinitionSyntax()
    try object { key in
      switch key {
      case "subtype": kind = try json.string()
      case "name": name = try json.string()
      case "missing_ok": isMissingFine = try json.boolean()
      case "def":
        try object { node in
          if node == "ColumnDef" { column = try columnDefinition() } else { try json.skip() }
        }
      default: try json.skip()
      }
    }
    switch kind {
    case "AT_AddColumn": return .addColumn(column, ifNotExists: isMissingFine)
    case "AT_DropColumn": return .dropColumn(name, ifExists: isMissingFine)
    case "AT_AlterColumnType": return .unsupported("ALTER COLUMN … TYPE")
    case "AT_ColumnDefault": return .unsupported("ALTER COLUMN … SET or DROP DEFAULT")
    case "AT_SetNotNull", "AT_DropNotNull": return .unsupported("ALTER COLUMN … SET or DROP NOT NULL")
    case "AT_AddConstraint", "AT_DropConstraint": return .unsupported("ALTER TABLE … CONSTRAINT")
    default: return .unsupported("this ALTER TABLE")
    }
  }

  func rename() throws -> StatementSyntax {
    var alter = AlterTableSyntax()
    var kind = ""
    var relationKind = ""
    var old = ""
    var new = ""
    try object { key in
      switch key {
      case "relation": alter.table = try relation()
      case "renameType": kind = try json.string()
      case "relationType": relationKind = try json.string()
      case "subname": old = try json.string()
      case "newname": new = try json.string()
      case "missing_ok": alter.ifExists = try json.boolean()
      default: try json.skip()
      }
    }
    alter.isRollup = kind == "OBJECT_MATVIEW" || relationKind == "OBJECT_MATVIEW"
    switch kind {
    case "OBJECT_TABLE", "OBJECT_MATVIEW": alter.changes = [.rename(to: new)]
    case "OBJECT_COLUMN" where relationKind == "OBJECT_TABLE" || alter.isRollup:
      alter.changes = [.renameColumn(old, to: new)]
    default:
      return .unsupported(
        "RENAME of anything but a table or its columns", hint: "ALTER TABLE and ALTER MATERIALIZED VIEW … RENAME work.")
    }
    return .alterTable(alter)
  }
}
