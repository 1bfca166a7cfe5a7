// libpg_query's JSON → our syntax trees, in one pass: each method consumes one JSON value. Fields that libpg_query
// leaves out have their zero value (a missing location is 0). Node names are those of PostgreSQL's parsenodes.h.

import VarveCore

final class TreeReader {
  var json: JSONReader
  let source: SourceText
  private var depth = 0

  init(_ bytes: UnsafeBufferPointer<UInt8>, source: SourceText) {
    json = JSONReader(bytes)
    self.source = source
  }

  /// Runs `body` one level deeper. Throws 54001 beyond the limit, so that no text can exhaust the stack.
  func nested<T>(_ body: () throws -> T) throws -> T {
    guard depth < Limits.expressionDepth else {
      throw VarveError(
        .limitExceeded, "the statement is nested more than \(Limits.expressionDepth) levels deep",
        hint: "Write long chains of OR as IN (…), and long sums as an aggregate.", sqlState: "54001")
    }
    depth += 1
    defer { depth -= 1 }
    return try body()
  }

  // MARK: Pieces

  /// Visits the keys of an object; `body` consumes each value.
  @inline(__always) func object(_ body: (String) throws -> Void) throws {
    try json.beginObject()
    while let key = try json.nextKey() { try body(key) }
  }
  @inline(__always) func array(_ body: () throws -> Void) throws {
    try json.beginArray()
    while try json.hasElement() { try body() }
  }

  /// `[{"String":{"sval":"a"}}, …]`; a star gives nil.
  func names() throws -> [String?] {
    var result: [String?] = []
    try array {
      try object { node in
        if node == "String" {
          result.append(try stringValue("sval"))
        } else {
          if node == "A_Star" { result.append(nil) }
          try json.skip()
        }
      }
    }
    return result
  }
  func plainNames() throws -> [String] { try names().compactMap { $0 } }

  /// `{"sval":"a"}`, where an empty value is left out.
  func stringValue(_ wanted: String) throws -> String {
    var value = ""
    try object { key in
      if key == wanted { value = try json.string() } else { try json.skip() }
    }
    return value
  }
  func integerValue() throws -> Int {
    var value = 0
    try object { key in
      if key == "ival" { value = try json.integer() } else { try json.skip() }
    }
    return value
  }

  func relation() throws -> RelationSyntax {
    try relationAndAlias().0
  }
  func relationAndAlias() throws -> (RelationSyntax, AliasSyntax?) {
    var relation = RelationSyntax()
    var alias: AliasSyntax?
    try object { key in
      switch key {
      case "schemaname": relation.schema = try json.string()
      case "relname": relation.name = try json.string()
      case "location": relation.location = try json.integer()
      case "alias": alias = try self.alias()
      default: try json.skip()
      }
    }
    return (relation, alias)
  }

  func alias() throws -> AliasSyntax {
    var alias = AliasSyntax()
    try object { key in
      switch key {
      case "aliasname": alias.name = try json.string()
      case "colnames": alias.columns = try plainNames()
      default: try json.skip()
      }
    }
    return alias
  }

  func typeName() throws -> TypeSyntax {
    var type = TypeSyntax()
    try object { key in
      switch key {
      case "names": type.names = try plainNames()
      case "location": type.location = try json.integer()
      case "typmods":
        for modifier in try expressions() {
          guard case .integer(let value) = modifier.kind else {
            throw source.error("42601", "type modifiers must be simple constants", at: type.location)
          }
          type.modifiers.append(value)
        }
      case "arrayBounds":
        type.isArray = true
        try json.skip()
      default: try json.skip()
      }
    }
    return type
  }

  func sort() throws -> [SortSyntax] {
    var result: [SortSyntax] = []
    try array {
      try object { _ in
        var sort = SortSyntax(expression: ExpressionSyntax(kind: .null, location: -1))
        try object { key in
          switch key {
          case "node": sort.expression = try expression()
          case "sortby_dir":
            switch try json.string() {
            case "SORTBY_DESC": sort.isDescending = true
            default: break
            }
          case "useOp":
            switch try plainNames().last {
            case "<": break
            case ">": sort.isDescending = true
            case let symbol:
              sort.expression = ExpressionSyntax(
                kind: .unsupported("ORDER BY … USING \(symbol ?? "")"), location: sort.expression.location)
            }
          case "sortby_nulls":
            switch try json.string() {
            case "SORTBY_NULLS_FIRST": sort.nulls = .first
            case "SORTBY_NULLS_LAST": sort.nulls = .last
            default: break
            }
          default: try json.skip()
          }
        }
        result.append(sort)
      }
    }
    return result
  }

  func targets() throws -> [TargetSyntax] {
    var result: [TargetSyntax] = []
    try array {
      try object { _ in
        var target = TargetSyntax()
        try object { key in
          switch key {
          case "name": target.name = try json.string()
          case "val": target.expression = try expression()
          case "location": target.location = try json.integer()
          case "indirection":
            target.hasIndirection = true
            try json.skip()
          default: try json.skip()
          }
        }
        result.append(target)
      }
    }
    return result
  }

  /// `[{"DefElem":{…}}]`: options of WITH, EXPLAIN, BEGIN.
  func options() throws -> [OptionSyntax] {
    var result: [OptionSyntax] = []
    try array {
      try object { _ in result.append(try option()) }
    }
    return result
  }

  func option() throws -> OptionSyntax {
    var option = OptionSyntax()
    try object { key in
      switch key {
      case "defnamespace": option.namespace = try json.string()
      case "defname": option.name = try json.string()
      case "location": option.location = try json.integer()
      case "arg":
        try object { node in
          switch node {
          case "String": option.value = try stringValue("sval")
          case "Float": option.value = try stringValue("fval")
          case "Integer": option.value = String(try integerValue())
          case "Boolean":
            var value = false
            try object { key in
              if key == "boolval" { value = try json.boolean() } else { try json.skip() }
            }
            option.value = value ? "true" : "false"
          case "TypeName": option.value = try typeName().names.last
          case "A_Const": option.value = TreeReader.text(of: try constant())
          case "A_Star":
            option.isStar = true
            try json.skip()
          case "List":
            try object { key in
              if key == "items" { option.list = try plainNames() } else { try json.skip() }
            }
          default: try json.skip()
          }
        }
      default: try json.skip()
      }
    }
    return option
  }

  /// A constant as settings and options take it; nil for what is not a constant.
  static func text(of expression: ExpressionSyntax) -> String? {
    switch expression.kind {
    case .integer(let value): String(value)
    case .decimal(let digits): digits
    case .string(let text): text
    case .boolean(let value): value ? "true" : "false"
    case .prefix("-", let operand): text(of: operand).map { "-" + $0 }
    case .cast(let operand, _): text(of: operand)
    case .column(let names): names.last
    default: nil
    }
  }
}
