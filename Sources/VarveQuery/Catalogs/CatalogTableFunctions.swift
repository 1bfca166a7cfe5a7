// Functions about the catalogs that give rows.

import VarveCompute
import VarveCore

enum CatalogTableFunctions {
  static let names: Set<String> = [
    "_pg_expandarray", "aclexplode", "generate_subscripts", "pg_get_keywords", "pg_listening_channels",
    "pg_options_to_table", "pg_partition_tree",
  ]

  static func find(_ name: String, _ arguments: [SQLType]) throws -> TableFunction? {
    switch (name, arguments.count) {
    case ("_pg_expandarray", 1): arguments[0].element.map { expanded(arguments[0], $0) }
    case ("aclexplode", 1): privileges
    case ("generate_subscripts", 2): arguments[0].element == nil ? nil : subscripts(arguments[0])
    case ("pg_get_keywords", 0): keywords
    case ("pg_listening_channels", 0): channels
    case ("pg_options_to_table", 1): options
    case ("pg_partition_tree", 1): partitions
    default: nil
    }
  }

  /// No privileges are kept.
  private static let privileges = TableFunction(
    name: "aclexplode", argumentTypes: [.array(.text)], types: [.oid, .oid, .text, .bool],
    columnNames: ["grantor", "grantee", "privilege_type", "is_grantable"]
  ) { _, _ in [] }

  /// What the session listens to.
  private static let channels = TableFunction(
    name: "pg_listening_channels", argumentTypes: [], types: [.text], columnNames: ["pg_listening_channels"]
  ) { _, context in context.catalog.session.listening.map { [.text($0.text)] } }

  private static let options = TableFunction(
    name: "pg_options_to_table", argumentTypes: [.array(.text)], types: [.text, .text],
    columnNames: ["option_name", "option_value"]
  ) { arguments, _ in
    guard case .array(let items) = arguments[0] else { return [] }
    return items.map { item in
      let parts = SystemFunctions.text(item).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      return [.text(String(parts[0])), parts.count > 1 ? .text(String(parts[1])) : .null]
    }
  }

  /// Every table is the root and the only leaf of its tree; a view has none.
  private static let partitions = TableFunction(
    name: "pg_partition_tree", argumentTypes: [.regclass], types: [.regclass, .regclass, .bool, .int4],
    columnNames: ["relid", "parentrelid", "isleaf", "level"]
  ) { arguments, context in
    guard case .int(let oid) = arguments[0], context.catalog.relation(oid: oid)?.isView == false else { return [] }
    return [[.int(oid), .null, Cell.yes, .int(0)]]
  }

  private static func subscripts(_ array: SQLType) -> TableFunction {
    TableFunction(name: "generate_subscripts", argumentTypes: [array, .int4], types: [.int4]) { arguments, _ in
      guard case .array(let items) = arguments[0], arguments[1] == .int(1) else { return [] }
      // Vectors of the catalogs count from 0, as in PostgreSQL.
      let first = array == .int2vector || array == .oidvector ? 0 : 1
      return items.indices.map { [Cell.int($0 + first)] }
    }
  }

  /// The elements with their numbers, from 1 on.
  private static func expanded(_ array: SQLType, _ element: SQLType) -> TableFunction {
    TableFunction(
      name: "_pg_expandarray", argumentTypes: [array], types: [element.isInteger ? .int4 : element, .int4],
      columnNames: ["x", "n"]
    ) { arguments, _ in
      guard case .array(let items) = arguments[0] else { return [] }
      return items.enumerated().map { [$1, Cell.int($0 + 1)] }
    }
  }

  private static let keywords = TableFunction(
    name: "pg_get_keywords", argumentTypes: [], types: [.text, .char, .bool, .text, .text],
    columnNames: ["word", "catcode", "barelabel", "catdesc", "baredesc"]
  ) { _, _ in
    Self.reserved.map { [.text($0), .text("R"), Cell.yes, .text("reserved"), .text("can be bare label")] }
  }

  /// Words that no name can be without quotes, in PostgreSQL 15's grammar.
  private static let reserved = [
    "all", "analyse", "analyze", "and", "any", "array", "as", "asc", "asymmetric", "both", "case", "cast", "check",
    "collate", "column", "constraint", "create", "current_catalog", "current_date", "current_role", "current_time",
    "current_timestamp", "current_user", "default", "deferrable", "desc", "distinct", "do", "else", "end", "except",
    "false", "fetch", "for", "foreign", "from", "grant", "group", "having", "in", "initially", "intersect", "into",
    "lateral", "leading", "limit", "localtime", "localtimestamp", "not", "null", "offset", "on", "only", "or", "order",
    "placing", "primary", "references", "returning", "select", "session_user", "some", "symmetric", "table", "then",
    "to", "trailing", "true", "union", "unique", "user", "using", "variadic", "when", "where", "window", "with",
  ]
}
