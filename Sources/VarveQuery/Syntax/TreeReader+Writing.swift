// Statements that write rows: INSERT, UPDATE, DELETE.

import VarveCore

extension TreeReader {
  func insert() throws -> InsertSyntax {
    var insert = InsertSyntax()
    try object { key in
      switch key {
      case "relation": (insert.table, insert.alias) = try relationAndAlias()
      case "cols": insert.columns = try targets()
      case "selectStmt": insert.query = try selectNode()
      case "returningList": insert.returning = try targets()
      case "onConflictClause": insert.conflict = try conflict()
      case "withClause":
        let tables = try commonTables()
        insert.query?.commonTables = tables + (insert.query?.commonTables ?? [])
      default: try json.skip()
      }
    }
    return insert
  }

  private func conflict() throws -> ConflictSyntax {
    var conflict = ConflictSyntax()
    var isUpdate = false
    var assignments: [TargetSyntax] = []
    try object { key in
      switch key {
      case "action": isUpdate = try json.string() == "ONCONFLICT_UPDATE"
      case "infer": try conflictTarget(&conflict)
      case "targetList": assignments = try targets()
      case "whereClause": conflict.filter = try expression()
      case "location": conflict.location = try json.integer()
      default: try json.skip()
      }
    }
    if isUpdate { conflict.assignments = assignments }
    return conflict
  }

  private func conflictTarget(_ conflict: inout ConflictSyntax) throws {
    var found = conflict
    try object { key in
      switch key {
      case "conname": found.constraint = try json.string()
      case "whereClause":
        found.unsupported = "a partial index"
        try json.skip()
      case "indexElems":
        try array {
          try object { _ in
            var name: String?
            try object { key in
              if key == "name" { name = try json.string() } else { try json.skip() }
            }
            if let name { found.columns.append(name) } else { found.unsupported = "an index of an expression" }
          }
        }
      default: try json.skip()
      }
    }
    conflict = found
  }

  func update() throws -> UpdateSyntax {
    var update = UpdateSyntax()
    try object { key in
      switch key {
      case "relation": (update.table, update.alias) = try relationAndAlias()
      case "targetList": update.assignments = try targets()
      case "fromClause": update.from = try fromItems()
      case "whereClause": update.filter = try expression()
      case "returningList": update.returning = try targets()
      case "withClause":
        update.unsupported = ("WITH … UPDATE", -1)
        try json.skip()
      default: try json.skip()
      }
    }
    return update
  }

  func delete() throws -> DeleteSyntax {
    var delete = DeleteSyntax()
    try object { key in
      switch key {
      case "relation": (delete.table, delete.alias) = try relationAndAlias()
      case "whereClause": delete.filter = try expression()
      case "returningList": delete.returning = try targets()
      case "usingClause": delete.using = try fromItems()
      case "withClause":
        delete.unsupported = ("WITH … DELETE", -1)
        try json.skip()
      default: try json.skip()
      }
    }
    return delete
  }

  private func fromItems() throws -> [FromSyntax] {
    var items: [FromSyntax] = []
    try array { items.append(try fromNode()) }
    return items
  }
}
