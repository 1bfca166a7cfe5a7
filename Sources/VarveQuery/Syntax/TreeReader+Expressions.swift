// Expressions of the tree.

import VarveCore

extension TreeReader {
  func expressions() throws -> [ExpressionSyntax] {
    var result: [ExpressionSyntax] = []
    try array { result.append(try expression()) }
    return result
  }

  /// One node: `{"ColumnRef":{…}}`.
  func expression() throws -> ExpressionSyntax {
    try nested {
      var result = ExpressionSyntax(kind: .null, location: -1)
      try object { node in result = try expression(node: node) }
      return result
    }
  }

  private func expression(node: String) throws -> ExpressionSyntax {
    switch node {
    case "ColumnRef": try columnReference()
    case "A_Const": try constant()
    case "A_Expr": try operatorExpression()
    case "FuncCall": try call()
    case "TypeCast": try typeCast()
    case "BoolExpr": try booleanExpression()
    case "ParamRef": try simple { .parameter($0.number) }
    case "NullTest": try nullTest()
    case "BooleanTest": try booleanTest()
    case "CaseExpr": try caseExpression()
    case "CoalesceExpr": try simple { .coalesce($0.arguments) }
    case "MinMaxExpr": try simple { .greatest($0.arguments, isLeast: $0.operation == "IS_LEAST") }
    case "SQLValueFunction": try simple { .keyword(TreeReader.keyword($0.operation)) }
    case "A_ArrayExpr": try simple { .array($0.elements) }
    case "RowExpr": try simple { .row($0.arguments) }
    case "MultiAssignRef": try assigned()
    case "SubLink": try sublink()
    case "A_Indirection": try indirection()
    case "CollateClause": try collate()
    case "SetToDefault": try simple { _ in .defaultValue }
    case "GroupingSet": try simple { .groupingSet(TreeReader.groupingSetKind($0.kind), $0.content) }
    case "GroupingFunc": try simple { .grouping($0.arguments) }
    case "NamedArgExpr": try namedArgument()
    case "CurrentOfExpr": try simple { _ in .unsupported("WHERE CURRENT OF") }
    case "XmlExpr", "XmlSerialize": try simple { _ in .unsupported("XML") }
    case "List": try list()
    default: try simple { _ in .unsupported(node) }
    }
  }

  /// The fields that simple nodes share.
  struct SimpleFields {
    var location = 0
    var number = 0
    var operation = ""
    var arguments: [ExpressionSyntax] = []
    var elements: [ExpressionSyntax] = []
    var kind = ""
    var content: [ExpressionSyntax] = []
  }

  private func simple(_ make: (SimpleFields) -> ExpressionKind) throws -> ExpressionSyntax {
    var fields = SimpleFields()
    try object { key in
      switch key {
      case "location": fields.location = try json.integer()
      case "number": fields.number = try json.integer()
      case "op": fields.operation = try json.string()
      case "args": fields.arguments = try expressions()
      case "elements": fields.elements = try expressions()
      case "kind": fields.kind = try json.string()
      case "content": fields.content = try expressions()
      default: try json.skip()
      }
    }
    return ExpressionSyntax(kind: make(fields), location: fields.location)
  }

  private static func groupingSetKind(_ kind: String) -> GroupingSetKind {
    switch kind {
    case "GROUPING_SET_ROLLUP": .rollup
    case "GROUPING_SET_CUBE": .cube
    case "GROUPING_SET_SETS": .sets
    default: .empty
    }
  }

  private static func keyword(_ operation: String) -> String {
    let name = operation.hasPrefix("SVFOP_") ? String(operation.dropFirst(6)) : operation
    return (name.hasSuffix("_N") ? String(name.dropLast(2)) : name).lowercased()
  }

  private func list() throws -> ExpressionSyntax {
    var items: [ExpressionSyntax] = []
    try object { key in
      if key == "items" { items = try expressions() } else { try json.skip() }
    }
    return ExpressionSyntax(kind: .row(items), location: items.first?.location ?? -1)
  }

  private func columnReference() throws -> ExpressionSyntax {
    var fields: [String?] = []
    var location = 0
    try object { key in
      switch key {
      case "fields": fields = try names()
      case "location": location = try json.integer()
      default: try json.skip()
      }
    }
    let plain = fields.compactMap { $0 }
    return ExpressionSyntax(kind: plain.count < fields.count ? .star(plain) : .column(plain), location: location)
  }

  func constant() throws -> ExpressionSyntax {
    var kind = ExpressionKind.null
    var location = 0
    var isInteger = false
    try object { key in
      switch key {
      case "ival":
        kind = .integer(try integerValue())
        isInteger = true
      case "fval": kind = .decimal(try stringValue("fval"))
      case "sval": kind = .string(try stringValue("sval"))
      case "boolval":
        var value = false
        try object { key in
          if key == "boolval" { value = try json.boolean() } else { try json.skip() }
        }
        kind = .boolean(value)
      case "bsval":
        kind = .unsupported("a bit string")
        try json.skip()
      case "location": location = try json.integer()
      default: try json.skip()
      }
    }
    // libpg_query writes integers below 1 as nothing: the text says which it was.
    if isInteger, case .integer(0) = kind { kind = .integer(source.negativeInteger(at: location)) }
    return ExpressionSyntax(kind: kind, location: location)
  }

  private func operatorExpression() throws -> ExpressionSyntax {
    var kind = ""
    var name: [String] = []
    var left: ExpressionSyntax?
    var right: ExpressionSyntax?
    var location = 0
    try object { key in
      switch key {
      case "kind": kind = try json.string()
      case "name": name = try plainNames()
      case "lexpr": left = try expression()
      case "rexpr": right = try expression()
      case "location": location = try json.integer()
      default: try json.skip()
      }
    }
    func make(_ kind: ExpressionKind) -> ExpressionSyntax { ExpressionSyntax(kind: kind, location: location) }
    let symbol = name.last ?? ""
    guard let right else { return make(.unsupported("a postfix operator")) }
    guard let left else {
      // The grammar folds the sign into integer constants; not into longer numbers.
      if symbol == "-", case .decimal(let digits) = right.kind { return make(.decimal("-" + digits)) }
      return make(.prefix(symbol, right))
    }
    var items: [ExpressionSyntax] = []
    if case .row(let elements) = right.kind { items = elements }
    switch kind {
    case "AEXPR_OP", "AEXPR_LIKE", "AEXPR_ILIKE", "AEXPR_SIMILAR": return make(.infix(symbol, left, right))
    case "AEXPR_OP_ANY": return make(.quantified(symbol, left, right, isAll: false))
    case "AEXPR_OP_ALL": return make(.quantified(symbol, left, right, isAll: true))
    case "AEXPR_IN": return make(.inList(left, items, isNegated: symbol == "<>"))
    case "AEXPR_DISTINCT": return make(.isDistinct(left, right, isNegated: false))
    case "AEXPR_NOT_DISTINCT": return make(.isDistinct(left, right, isNegated: true))
    case "AEXPR_NULLIF": return make(.nullIf(left, right))
    default:
      guard kind.hasPrefix("AEXPR_"), items.count == 2, kind.contains("BETWEEN") else {
        return make(.unsupported("this operator"))
      }
      return make(
        .between(
          left, items[0], items[1], isNegated: kind.contains("NOT"), isSymmetric: kind.hasSuffix("SYM")))
    }
  }

  func call() throws -> ExpressionSyntax {
    var call = CallSyntax(name: [])
    var location = 0
    try object { key in
      switch key {
      case "funcname": call.name = try plainNames()
      case "args": call.arguments = try expressions()
      case "agg_order": call.orderBy = try sort()
      case "agg_filter": call.filter = try expression()
      case "agg_star": call.isStar = try json.boolean()
      case "agg_distinct": call.isDistinct = try json.boolean()
      case "agg_within_group": call.isWithinGroup = try json.boolean()
      case "func_variadic": call.isVariadic = try json.boolean()
      case "over": call.window = try window()
      case "location": location = try json.integer()
      default: try json.skip()
      }
    }
    return ExpressionSyntax(kind: .call(call), location: location)
  }

  private func namedArgument() throws -> ExpressionSyntax {
    var name = ""
    var value = ExpressionSyntax(kind: .null, location: -1)
    var location = 0
    try object { key in
      switch key {
      case "name": name = try json.string()
      case "arg": value = try expression()
      case "location": location = try json.integer()
      default: try json.skip()
      }
    }
    return ExpressionSyntax(kind: .named(name, value), location: location)
  }

  private func typeCast() throws -> ExpressionSyntax {
    var operand = ExpressionSyntax(kind: .null, location: -1)
    var type = TypeSyntax()
    var location = 0
    try object { key in
      switch key {
      case "arg": operand = try expression()
      case "typeName": type = try typeName()
      case "location": location = try json.integer()
      default: try json.skip()
      }
    }
    return ExpressionSyntax(kind: .cast(operand, type), location: location < 0 ? operand.location : location)
  }

  private func booleanExpression() throws -> ExpressionSyntax {
    var fields = SimpleFields()
    try object { key in
      switch key {
      case "boolop": fields.operation = try json.string()
      case "args": fields.arguments = try expressions()
      case "location": fields.location = try json.integer()
      default: try json.skip()
      }
    }
    let kind: ExpressionKind
    switch fields.operation {
    case "AND_EXPR": kind = .and(fields.arguments)
    case "OR_EXPR": kind = .or(fields.arguments)
    default: kind = fields.arguments.first.map { .not($0) } ?? .unsupported("NOT without an operand")
    }
    return ExpressionSyntax(kind: kind, location: fields.location)
  }

  /// The fields of tests: an argument and which test.
  private func test(_ name: String) throws -> (ExpressionSyntax, String, Int) {
    var operand = ExpressionSyntax(kind: .null, location: -1)
    var test = ""
    var location = 0
    try object { key in
      switch key {
      case "arg": operand = try expression()
      case name: test = try json.string()
      case "location": location = try json.integer()
      default: try json.skip()
      }
    }
    return (operand, test, location)
  }

  private func nullTest() throws -> ExpressionSyntax {
    let (operand, test, location) = try test("nulltesttype")
    return ExpressionSyntax(kind: .isNull(operand, isNegated: test == "IS_NOT_NULL"), location: location)
  }

  private func booleanTest() throws -> ExpressionSyntax {
    let (operand, test, location) = try test("booltesttype")
    let kinds: [String: BooleanTest] = [
      "IS_TRUE": .isTrue, "IS_NOT_TRUE": .isNotTrue, "IS_FALSE": .isFalse, "IS_NOT_FALSE": .isNotFalse,
      "IS_UNKNOWN": .isUnknown, "IS_NOT_UNKNOWN": .isNotUnknown,
    ]
    guard let kind = kinds[test] else {
      return ExpressionSyntax(kind: .unsupported("this test"), location: location)
    }
    return ExpressionSyntax(kind: .booleanTest(operand, kind), location: location)
  }

  private func caseExpression() throws -> ExpressionSyntax {
    var operand: ExpressionSyntax?
    var otherwise: ExpressionSyntax?
    var cases: [(ExpressionSyntax, ExpressionSyntax)] = []
    var location = 0
    try object { key in
      switch key {
      case "arg": operand = try expression()
      case "defresult": otherwise = try expression()
      case "args":
        try array {
          try object { _ in
            var when = ExpressionSyntax(kind: .null, location: -1)
            var result = when
            try object { key in
              switch key {
              case "expr": when = try expression()
              case "result": result = try expression()
              default: try json.skip()
              }
            }
            cases.append((when, result))
          }
        }
      case "location": location = try json.integer()
      default: try json.skip()
      }
    }
    return ExpressionSyntax(
      kind: .choose(operand: operand, cases: cases, otherwise: otherwise), location: location)
  }

  private func sublink() throws -> ExpressionSyntax {
    var type = ""
    var operand: ExpressionSyntax?
    var symbol = "="
    var query: SelectSyntax?
    var location = 0
    try object { key in
      switch key {
      case "subLinkType": type = try json.string()
      case "testexpr": operand = try expression()
      case "operName": symbol = try plainNames().last ?? "="
      case "subselect": query = try selectNode()
      case "location": location = try json.integer()
      default: try json.skip()
      }
    }
    let kinds: [String: SublinkKind] = [
      "EXISTS_SUBLINK": .exists, "EXPR_SUBLINK": .scalar, "ANY_SUBLINK": .anyOf, "ALL_SUBLINK": .allOf,
      "ARRAY_SUBLINK": .array,
    ]
    guard let kind = kinds[type], let query else {
      return ExpressionSyntax(kind: .unsupported("this kind of subquery"), location: location)
    }
    return ExpressionSyntax(
      kind: .sublink(kind, operator: symbol, operand: operand, query), location: location)
  }

  private func indirection() throws -> ExpressionSyntax {
    var operand = ExpressionSyntax(kind: .null, location: -1)
    try object { key in
      switch key {
      case "arg": operand = try expression()
      case "indirection":
        try array {
          try object { node in
            guard node == "A_Indices" else {
              guard node == "String" else {
                operand = ExpressionSyntax(kind: .unsupported("all fields of a row"), location: operand.location)
                return try json.skip()
              }
              operand = ExpressionSyntax(kind: .field(operand, try stringValue("sval")), location: operand.location)
              return
            }
            var index: ExpressionSyntax?
            var lower: ExpressionSyntax?
            var isSlice = false
            try object { key in
              switch key {
              case "uidx": index = try expression()
              case "lidx": lower = try expression()
              case "is_slice": isSlice = try json.boolean()
              default: try json.skip()
              }
            }
            if case .slice = operand.kind {
              let what = "a slice of an array of several dimensions"
              operand = ExpressionSyntax(kind: .unsupported(what), location: operand.location)
            } else if isSlice {
              operand = ExpressionSyntax(
                kind: .slice(operand, lower: lower, upper: index), location: operand.location)
            } else if let index {
              operand = ExpressionSyntax(kind: .element(operand, index), location: operand.location)
            }
          }
        }
      default: try json.skip()
      }
    }
    return operand
  }

  private func collate() throws -> ExpressionSyntax {
    var operand = ExpressionSyntax(kind: .null, location: -1)
    var name: [String] = []
    var location = 0
    try object { key in
      switch key {
      case "arg": operand = try expression()
      case "collname": name = try plainNames()
      case "location": location = try json.integer()
      default: try json.skip()
      }
    }
    // Text goes by its bytes, which is what these three mean here.
    guard let collation = name.last, ["default", "C", "POSIX", "ucs_basic"].contains(collation) else {
      return ExpressionSyntax(kind: .unsupported("the collation \"\(name.last ?? "")\""), location: location)
    }
    return operand
  }

  /// One of several columns that UPDATE … SET (a, b) = (…) assigns to: its part of the row.
  private func assigned() throws -> ExpressionSyntax {
    var row: ExpressionSyntax?
    var column = 0
    var count = 0
    try object { key in
      switch key {
      case "source": row = try expression()
      case "colno": column = try json.integer()
      case "ncolumns": count = try json.integer()
      default: try json.skip()
      }
    }
    guard let row else { return ExpressionSyntax(kind: .unsupported("this assignment"), location: -1) }
    // DEFAULT stands for the column's.
    if case .row(let items) = row.kind, items.count == count, case .defaultValue = items[column - 1].kind {
      return items[column - 1]
    }
    return ExpressionSyntax(kind: .part(row, column - 1, of: count), location: row.location)
  }
}
