// SELECT, VALUES and set operations of the tree, and what stands in FROM.

import VarveCore

extension TreeReader {
  /// `{"SelectStmt":{…}}`; nil for another statement (a data-modifying WITH).
  func selectNode() throws -> SelectSyntax? {
    var result: SelectSyntax?
    try object { node in
      if node == "SelectStmt" { result = try select() } else { try json.skip() }
    }
    return result
  }

  func select() throws -> SelectSyntax {
    try nested {
      let select = SelectSyntax()
      var operation = ""
      var isAll = false
      var left: SelectSyntax?
      var right: SelectSyntax?
      var rows: [[ExpressionSyntax]]?
      try object { key in
        switch key {
        case "distinctClause":
          select.isDistinct = true
          try array {
            // Plain DISTINCT is a list of one empty node.
            let expression = try self.expression()
            if expression.location >= 0 { select.distinctOn.append(expression) }
          }
        case "targetList": select.targets = try targets()
        case "fromClause": try array { try object { node in select.from.append(try from(node: node)) } }
        case "whereClause": select.filter = try expression()
        case "groupClause": select.groupBy = try expressions()
        case "groupDistinct": select.isGroupDistinct = try json.boolean()
        case "havingClause": select.having = try expression()
        case "valuesLists":
          var lists: [[ExpressionSyntax]] = []
          try array {
            if case .row(let items) = try expression().kind { lists.append(items) }
          }
          rows = lists
        case "sortClause": select.orderBy = try sort()
        case "limitOffset": select.offset = try expression()
        case "limitCount": select.limit = try expression()
        case "limitOption": select.hasTies = try json.string() == "LIMIT_OPTION_WITH_TIES"
        case "withClause": select.commonTables = try commonTables()
        case "windowClause": try array { try object { _ in select.windows.append(try window()) } }
        case "lockingClause":
          select.unsupported = ("locking rows (FOR UPDATE or FOR SHARE)", -1)
          try json.skip()
        case "intoClause":
          select.unsupported = ("SELECT INTO", -1)
          try json.skip()
        case "op": operation = try json.string()
        case "all": isAll = try json.boolean()
        case "larg": left = try self.select()
        case "rarg": right = try self.select()
        default: try json.skip()
        }
      }
      if let rows { select.body = .values(rows) }
      if let left, let right {
        switch operation {
        case "SETOP_UNION": select.body = .operation(.union, isAll: isAll, left, right)
        case "SETOP_INTERSECT": select.body = .operation(.intersect, isAll: isAll, left, right)
        default: select.body = .operation(.except, isAll: isAll, left, right)
        }
      }
      return select
    }
  }

  /// `{…}` of a WindowDef.
  func window() throws -> WindowSyntax {
    var window = WindowSyntax()
    try object { key in
      switch key {
      case "name": window.name = try json.string()
      case "refname": window.base = try json.string()
      case "partitionClause": window.partition = try expressions()
      case "orderClause": window.orderBy = try sort()
      case "frameOptions": window.frame.take(options: try json.integer())
      case "startOffset": window.frame.startOffset = try expression()
      case "endOffset": window.frame.endOffset = try expression()
      case "location": window.location = try json.integer()
      default: try json.skip()
      }
    }
    return window
  }

  func commonTables() throws -> [CommonTableSyntax] {
    var result: [CommonTableSyntax] = []
    var isRecursive = false
    try object { key in
      switch key {
      case "recursive": isRecursive = try json.boolean()
      case "ctes":
        try array {
          try object { _ in
            var table = CommonTableSyntax()
            try object { key in
              switch key {
              case "ctename": table.name = try json.string()
              case "aliascolnames": table.columns = try plainNames()
              case "ctequery": table.query = try selectNode()
              case "location": table.location = try json.integer()
              default: try json.skip()
              }
            }
            result.append(table)
          }
        }
      default: try json.skip()
      }
    }
    for index in result.indices { result[index].isRecursive = isRecursive }
    return result
  }

  private func from(node: String) throws -> FromSyntax {
    switch node {
    case "RangeVar":
      let (relation, alias) = try relationAndAlias()
      return .table(relation, alias)
    case "RangeSubselect": return try nested { try subselect() }
    case "RangeFunction": return try nested { try function() }
    case "JoinExpr": return try nested { try join() }
    default:
      try json.skip()
      return .unsupported(node == "RangeTableSample" ? "TABLESAMPLE" : node, location: -1)
    }
  }

  func fromNode() throws -> FromSyntax {
    var result = FromSyntax.unsupported("this FROM item", location: -1)
    try object { node in result = try from(node: node) }
    return result
  }

  private func subselect() throws -> FromSyntax {
    var query: SelectSyntax?
    var alias: AliasSyntax?
    var isLateral = false
    try object { key in
      switch key {
      case "lateral": isLateral = try json.boolean()
      case "subquery": query = try selectNode()
      case "alias": alias = try self.alias()
      default: try json.skip()
      }
    }
    guard let query else { return .unsupported("this subquery", location: -1) }
    return .query(query, alias, isLateral: isLateral)
  }

  private func function() throws -> FromSyntax {
    var calls: [ExpressionSyntax] = []
    var alias: AliasSyntax?
    var withOrdinality = false
    var hasDefinitions = false
    try object { key in
      switch key {
      case "ordinality": withOrdinality = try json.boolean()
      case "functions":
        try array {
          // A list of the call and its column definitions, which are an empty node.
          if case .row(let items) = try expression().kind, let call = items.first { calls.append(call) }
        }
      case "alias": alias = try self.alias()
      case "coldeflist":
        hasDefinitions = true
        try json.skip()
      default: try json.skip()
      }
    }
    guard calls.count == 1, !hasDefinitions else {
      return .unsupported("ROWS FROM and column definitions", location: calls.first?.location ?? -1)
    }
    return .function(calls[0], alias, withOrdinality: withOrdinality)
  }

  private func join() throws -> FromSyntax {
    var kind = ""
    var left = FromSyntax.unsupported("this join", location: -1)
    var right = left
    var condition: ExpressionSyntax?
    var using: [String] = []
    var isNatural = false
    var alias: AliasSyntax?
    try object { key in
      switch key {
      case "jointype": kind = try json.string()
      case "isNatural": isNatural = try json.boolean()
      case "larg": left = try fromNode()
      case "rarg": right = try fromNode()
      case "usingClause": using = try plainNames()
      case "quals": condition = try expression()
      case "alias": alias = try self.alias()
      default: try json.skip()
      }
    }
    let kinds: [String: FromSyntax.JoinKind] = [
      "JOIN_INNER": .inner, "JOIN_LEFT": .left, "JOIN_RIGHT": .right, "JOIN_FULL": .full,
    ]
    guard let joinKind = kinds[kind] else { return .unsupported("this kind of join", location: -1) }
    return .join(joinKind, left, right, on: condition, using: using, isNatural: isNatural, alias)
  }
}
