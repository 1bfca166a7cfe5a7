// Statements of the tree.

import VarveCore

extension TreeReader {
  func statements() throws -> [ParsedStatement] {
    var result: [ParsedStatement] = []
    let bytes = Array(source.text.utf8)
    try object { key in
      guard key == "stmts" else { return try json.skip() }
      try array {
        var syntax = StatementSyntax.empty
        var start = 0
        var length = 0
        try object { key in
          switch key {
          case "stmt": syntax = try statementNode()
          case "stmt_location": start = try json.integer()
          case "stmt_len": length = try json.integer()
          default: try json.skip()
          }
        }
        let lower = min(max(start, 0), bytes.count)
        let upper = length > 0 ? min(lower + length, bytes.count) : bytes.count
        result.append(
          ParsedStatement(
            syntax: syntax, source: source, text: String(decoding: bytes[lower..<upper], as: UTF8.self)))
      }
    }
    if result.count == 1 { result[0].isAlone = true }
    return result
  }

  private func statementNode() throws -> StatementSyntax {
    var result = StatementSyntax.empty
    try object { node in result = try nested { try statement(node: node) } }
    return result
  }

  private func statement(node: String) throws -> StatementSyntax {
    switch node {
    case "SelectStmt": return .select(try select())
    case "InsertStmt": return .insert(try insert())
    case "UpdateStmt": return .update(try update())
    case "DeleteStmt": return .delete(try delete())
    case "TruncateStmt": return .truncate(try truncate())
    case "CopyStmt": return .copy(try copy())
    case "CreateStmt": return .createTable(try createTable())
    case "AlterTableStmt": return try alterTable()
    case "RenameStmt": return try rename()
    case "DropStmt": return try drop()
    case "ExplainStmt": return try explain()
    case "VariableSetStmt": return try set()
    case "VariableShowStmt": return .show(try stringValue("name"))
    case "TransactionStmt": return try transaction()
    case "DiscardStmt":
      try json.skip()
      return .discard
    case "DeallocateStmt":
      let name = try stringValue("name")
      return .deallocate(name.isEmpty ? nil : name)
    case "PrepareStmt": return try prepare()
    case "ExecuteStmt": return try execute()
    case "CallStmt": return try callStatement()
    case "CreateTableAsStmt": return try createRollup()
    case "ListenStmt": return .listen(try stringValue("conditionname"))
    case "UnlistenStmt":
      let channel = try stringValue("conditionname")
      return .unlisten(channel.isEmpty ? nil : channel)
    case "NotifyStmt": return try notify()
    case "DeclareCursorStmt": return .declare(try declareCursor())
    case "FetchStmt": return .fetch(try fetch())
    case "ClosePortalStmt":
      let name = try stringValue("portalname")
      return .closeCursor(name.isEmpty ? nil : name)
    default:
      try json.skip()
      return TreeReader.refused(node)
    }
  }

  /// What PostgreSQL has and this has not: its name, and the nearest thing that works.
  private static func refused(_ node: String) -> StatementSyntax {
    switch node {
    case "ViewStmt": .unsupported("CREATE VIEW", hint: "Use a subquery or WITH.")
    case "RefreshMatViewStmt":
      .unsupported(
        "REFRESH MATERIALIZED VIEW",
        hint: "A rollup refreshes by itself, and is never stale. CALL refresh_continuous_aggregate('name', NULL, NULL)"
          + " does it now.")
    case "IndexStmt":
      .unsupported("CREATE INDEX", hint: "Series are indexed by their tags, and rows by time, without it.")
    case "MergeStmt": .unsupported("MERGE", hint: "INSERT replaces fields of rows with the same tags and time.")
    case "VacuumStmt": .unsupported("VACUUM and ANALYZE", hint: "The store maintains itself.")
    case "CreatedbStmt", "DropdbStmt":
      .unsupported("CREATE and DROP DATABASE", hint: "Each data directory is one database.")
    case "CreateRoleStmt", "AlterRoleStmt", "DropRoleStmt", "GrantStmt", "GrantRoleStmt":
      .unsupported("managing roles and privileges", hint: nil)
    case "LockStmt": .unsupported("LOCK", hint: "Readers see a snapshot; no lock is needed.")
    case "DoStmt", "CreateFunctionStmt": .unsupported("procedural code", hint: nil)
    default:
      .unsupported(
        node.hasSuffix("Stmt") ? "this statement (\(node.dropLast(4)))" : "this statement",
        hint: "SELECT, INSERT, CREATE TABLE, DROP TABLE, EXPLAIN, SET, SHOW, BEGIN and COMMIT work.")
    }
  }

  private func truncate() throws -> [RelationSyntax] {
    var tables: [RelationSyntax] = []
    try object { key in
      // RESTART IDENTITY and CASCADE find nothing here that they could reach.
      guard key == "relations" else { return try json.skip() }
      try array { try object { _ in tables.append(try relation()) } }
    }
    return tables
  }

  private func drop() throws -> StatementSyntax {
    var drop = DropTableSyntax()
    var type = ""
    try object { key in
      switch key {
      case "objects":
        try array {
          try object { node in
            guard node == "List" else { return try json.skip() }
            try object { key in
              if key == "items" { drop.tables.append(try plainNames()) } else { try json.skip() }
            }
          }
        }
      case "removeType": type = try json.string()
      case "missing_ok": drop.ifExists = try json.boolean()
      case "behavior": drop.cascades = try json.string() == "DROP_CASCADE"
      default: try json.skip()
      }
    }
    drop.isRollup = type == "OBJECT_MATVIEW"
    guard type == "OBJECT_TABLE" || drop.isRollup else {
      return .unsupported(
        "DROP of anything but a table or a materialized view", hint: "DROP TABLE and DROP MATERIALIZED VIEW work.")
    }
    return .dropTable(drop)
  }

  private func explain() throws -> StatementSyntax {
    var query = StatementSyntax.empty
    var explainOptions: [OptionSyntax] = []
    try object { key in
      switch key {
      case "query": query = try statementNode()
      case "options": explainOptions = try options()
      default: try json.skip()
      }
    }
    return .explain(query, options: explainOptions)
  }

  private func set() throws -> StatementSyntax {
    var set = SetSyntax()
    var kind = ""
    var transactionOptions: [OptionSyntax] = []
    try object { key in
      switch key {
      case "kind": kind = try json.string()
      case "name": set.name = try json.string()
      case "is_local": set.isLocal = try json.boolean()
      case "args":
        try array {
          try object { node in
            switch node {
            case "DefElem": transactionOptions.append(try option())
            case "A_Const":
              if let text = TreeReader.text(of: try constant()) { set.values.append(text) }
            case "TypeCast":
              // SET TIME ZONE INTERVAL '…'.
              var value: String?
              try object { key in
                if key == "arg" { value = TreeReader.text(of: try expression()) } else { try json.skip() }
              }
              if let value { set.values.append(value) }
            default: try json.skip()
            }
          }
        }
      default: try json.skip()
      }
    }
    switch kind {
    case "VAR_SET_MULTI": return .setTransaction(options: transactionOptions)
    case "VAR_SET_DEFAULT": set.kind = .toDefault
    case "VAR_RESET": set.kind = .reset
    case "VAR_RESET_ALL": set.kind = .resetAll
    case "VAR_SET_CURRENT": return .unsupported("SET … FROM CURRENT", hint: nil)
    default: break
    }
    return .set(set)
  }

  private func transaction() throws -> StatementSyntax {
    var kind = ""
    var transactionOptions: [OptionSyntax] = []
    var chain = false
    var savepoint = ""
    try object { key in
      switch key {
      case "kind": kind = try json.string()
      case "options": transactionOptions = try options()
      case "savepoint_name": savepoint = try json.string()
      case "chain": chain = try json.boolean()
      default: try json.skip()
      }
    }
    if chain { return .transaction(.unsupported("AND CHAIN")) }
    switch kind {
    case "TRANS_STMT_BEGIN", "TRANS_STMT_START": return .transaction(.begin(options: transactionOptions))
    case "TRANS_STMT_COMMIT": return .transaction(.commit)
    case "TRANS_STMT_ROLLBACK": return .transaction(.rollback)
    case "TRANS_STMT_SAVEPOINT": return .transaction(.savepoint(savepoint))
    case "TRANS_STMT_RELEASE": return .transaction(.release(savepoint))
    case "TRANS_STMT_ROLLBACK_TO": return .transaction(.rollbackTo(savepoint))
    default: return .transaction(.unsupported("two-phase commit"))
    }
  }

  private func callStatement() throws -> StatementSyntax {
    var procedure: ExpressionSyntax?
    try object { key in
      if key == "funccall" { procedure = try call() } else { try json.skip() }
    }
    guard let procedure, case .call(let call) = procedure.kind else { return .unsupported("this CALL", hint: nil) }
    return .call(call, location: procedure.location)
  }

  private func notify() throws -> StatementSyntax {
    var (channel, payload) = ("", "")
    try object { key in
      switch key {
      case "conditionname": channel = try json.string()
      case "payload": payload = try json.string()
      default: try json.skip()
      }
    }
    return .notify(channel, payload: payload)
  }

  private func prepare() throws -> StatementSyntax {
    var name = ""
    var types: [TypeSyntax] = []
    var query = StatementSyntax.empty
    try object { key in
      switch key {
      case "name": name = try json.string()
      case "argtypes": try array { try object { _ in types.append(try typeName()) } }
      case "query": query = try statementNode()
      default: try json.skip()
      }
    }
    return .prepare(name: name, types: types, query)
  }

  private func execute() throws -> StatementSyntax {
    var name = ""
    var arguments: [ExpressionSyntax] = []
    try object { key in
      switch key {
      case "name": name = try json.string()
      case "params": arguments = try expressions()
      default: try json.skip()
      }
    }
    return .execute(name: name, arguments)
  }
}
