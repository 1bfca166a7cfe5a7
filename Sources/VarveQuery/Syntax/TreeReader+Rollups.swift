// CREATE MATERIALIZED VIEW.

import VarveCore

extension TreeReader {
  func createRollup() throws -> StatementSyntax {
    var create = CreateRollupSyntax()
    var kind = ""
    try object { key in
      switch key {
      case "query":
        try object { node in
          if node == "SelectStmt" { create.select = try select() } else { try json.skip() }
        }
      case "into": try into(&create)
      case "objtype": kind = try json.string()
      case "if_not_exists": create.ifNotExists = try json.boolean()
      default: try json.skip()
      }
    }
    guard kind == "OBJECT_MATVIEW" else {
      return .unsupported("CREATE TABLE AS", hint: "CREATE TABLE, then INSERT … SELECT.")
    }
    return .createRollup(create)
  }

  private func into(_ create: inout CreateRollupSyntax) throws {
    try object { key in
      switch key {
      case "rel": create.name = try relation()
      case "colNames":
        create.hasColumnNames = true
        try json.skip()
      case "options": create.options = try options()
      case "skipData": create.hasNoData = try json.boolean()
      default: try json.skip()
      }
    }
  }
}
