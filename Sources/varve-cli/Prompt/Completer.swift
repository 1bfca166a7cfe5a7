// What Tab offers: commands behind a backslash, tables behind FROM and its kin, columns behind `table.`, else columns of
// the statement's tables, functions and keywords.
//
// Names are asked of the database when they are first needed, and again after a statement that may have changed them.

import VarveServer
import VarveWire

struct Completion: Equatable {
  /// Characters before the cursor that a candidate replaces.
  var replacedCount: Int
  var candidates: [String]
}

final class Completer {
  private struct Names {
    var tables: [(schema: String, name: String)] = []
    /// By `schema.table`.
    var columns: [String: [String]] = [:]
    var functions: [String] = []
  }

  private let connection: any SQLConnection
  private var known: Names?
  /// What was typed of the statement in the lines before.
  var pending = ""

  init(_ connection: any SQLConnection) { self.connection = connection }

  func executed(_ sql: String) {
    pending = ""
    let word = sql.split(whereSeparator: \.isWhitespace).first?.lowercased() ?? ""
    if ["create", "drop", "alter", "insert", "copy", "call"].contains(word) { known = nil }
  }

  /// `text`: the line up to the cursor.
  func complete(_ text: String) -> Completion {
    if text.hasPrefix("\\"), !text.contains(" ") {
      return Self.completion(Prompt.commands.filter { $0.hasPrefix(text) }, text)
    }
    let words = Self.words(pending + " " + text)
    let isWordOpen = text.last.map { !Self.isSeparator($0) } ?? false
    let typed = isWordOpen ? words.last ?? "" : ""
    let before = (isWordOpen ? words.dropLast() : words[...]).last?.lowercased() ?? ""
    if text.hasPrefix("\\") { return argument(of: before, typed) }
    if let dot = typed.lastIndex(of: ".") { return behindDot(typed, dot, words) }
    if ["from", "join", "into", "update", "table", "copy", "truncate"].contains(before) {
      return Self.completion(matching(tableNames() + schemas(), typed), typed)
    }
    return Self.completion(
      matching(columns(of: words), typed) + matching(names().functions, typed) + keywords(typed), typed)
  }

  private func argument(of command: String, _ typed: String) -> Completion {
    switch command {
    case "\\d": Self.completion(matching(tableNames(), typed), typed)
    case "\\format": Self.completion(RowFormat.allCases.map(\.rawValue).filter { $0.hasPrefix(typed) }, typed)
    case "\\timing", "\\x": Self.completion(["on", "off"].filter { $0.hasPrefix(typed) }, typed)
    default: Completion(replacedCount: 0, candidates: [])
    }
  }

  /// `schema.table`, or `table.column` where the table may be known by an alias.
  private func behindDot(_ typed: String, _ dot: String.Index, _ words: [String]) -> Completion {
    let qualifier = Self.folded(String(typed[..<dot]))
    let rest = String(typed[typed.index(after: dot)...])
    let tables = names().tables.filter { $0.schema == qualifier }.map { Self.quoted($0.name) }
    let columns = columnNames(ofTable: table(qualifier, words))
    return Self.completion(matching(tables + (tables.isEmpty && columns.isEmpty ? allColumns() : columns), rest), rest)
  }

  /// Of all of the user's tables: the statement may name its own further on.
  private func allColumns() -> [String] {
    names().tables.filter { $0.schema == "public" }.flatMap { columnNames(ofTable: $0.name) }
  }

  /// What stands for the table in the statement: itself, or the word before an alias.
  private func table(_ name: String, _ words: [String]) -> String {
    if names().tables.contains(where: { $0.name == name }) { return name }
    for index in words.indices.dropFirst() where Self.folded(words[index]) == name {
      let previous = words[index - 1].lowercased() == "as" && index > 1 ? words[index - 2] : words[index - 1]
      let table = Self.folded(previous.split(separator: ".").last.map(String.init) ?? previous)
      if names().tables.contains(where: { $0.name == table }) { return table }
    }
    return name
  }

  private func columns(of words: [String]) -> [String] {
    let mentioned = Set(words.map { Self.folded($0.split(separator: ".").last.map(String.init) ?? $0) })
    let tables = names().tables.filter { mentioned.contains($0.name) }.map(\.name)
    return tables.isEmpty ? allColumns() : tables.flatMap { columnNames(ofTable: $0) }
  }

  private func columnNames(ofTable name: String) -> [String] {
    guard let table = names().tables.first(where: { $0.name == name }) else { return [] }
    return (names().columns["\(table.schema).\(table.name)"] ?? []).map(Self.quoted)
  }

  private func tableNames() -> [String] { names().tables.filter { $0.schema == "public" }.map { Self.quoted($0.name) } }
  private func schemas() -> [String] { ["information_schema.", "pg_catalog.", "varve."] }

  private func keywords(_ typed: String) -> [String] {
    guard !typed.isEmpty, !typed.hasPrefix("\"") else { return [] }
    let isLower = typed.contains(where: \.isLowercase)
    let found = Self.keywords.filter { $0.hasPrefix(typed.uppercased()) }
    return isLower ? found.map { $0.lowercased() } : found
  }

  /// Those that begin as typed; without any, those that do so but for their case.
  private func matching(_ names: [String], _ typed: String) -> [String] {
    let exact = names.filter { $0.hasPrefix(typed) }
    if !exact.isEmpty { return exact }
    let wanted = typed.lowercased()
    return names.filter { name in
      // A quote may be missing yet, where the name needs one.
      let bare = name.hasPrefix("\"") && !typed.hasPrefix("\"") ? name.dropFirst() : name[...]
      return bare.lowercased().hasPrefix(wanted)
    }
  }

  private static func completion(_ candidates: [String], _ typed: String) -> Completion {
    Completion(replacedCount: typed.count, candidates: Array(Set(candidates)).sorted())
  }

  // MARK: Names

  private func names() -> Names {
    if let known { return known }
    var names = Names()
    do {
      for row in try connection.rows(Self.columnQuery) {
        guard row.count == 3, let schema = row[0], let table = row[1], let column = row[2] else { continue }
        if names.columns["\(schema).\(table)"] == nil { names.tables.append((schema, table)) }
        names.columns["\(schema).\(table)", default: []].append(column)
      }
      names.functions = try connection.rows("SELECT DISTINCT proname FROM pg_catalog.pg_proc").compactMap { row in
        row.first.flatMap { $0 }.map { $0 + "(" }
      }
      names.functions += Self.functions.map { $0 + "(" }
    } catch {
      // In a transaction that has failed, say: there is nothing to offer now, and Tab is no place for an error.
      return Names()
    }
    known = names
    return names
  }

  private static let columnQuery = """
    SELECT table_schema, table_name, column_name FROM information_schema.columns \
    ORDER BY table_schema, table_name, ordinal_position
    """

  /// As SQL must have it: `"Weather"`.
  private static func quoted(_ name: String) -> String {
    let isPlain =
      !name.isEmpty && name.allSatisfy { ("a"..."z").contains($0) || ("0"..."9").contains($0) || $0 == "_" }
      && !("0"..."9").contains(name.first ?? "0") && !keywords.contains(name.uppercased())
    if isPlain { return name }
    return "\"" + name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
  }

  /// The name that a word of SQL stands for.
  private static func folded(_ word: String) -> String {
    guard word.hasPrefix("\"") else { return word.lowercased() }
    return word.filter { $0 != "\"" }
  }

  private static func isSeparator(_ character: Character) -> Bool {
    character.isWhitespace || "(),;=<>+-*/|".contains(character)
  }

  private static func words(_ text: String) -> [String] {
    text.split(whereSeparator: isSeparator).map(String.init)
  }

  /// What analysts use most; the catalog lists others.
  private static let functions = [
    "abs", "approx_count_distinct", "approx_percentile", "avg", "bool_and", "bool_or", "ceil", "coalesce", "count",
    "date_trunc", "extract", "first", "floor", "generate_series", "greatest", "histogram", "last", "least", "length",
    "lower", "max", "min", "mode", "now", "nullif", "percentile_cont", "percentile_disc", "power", "replace", "round",
    "sign", "sqrt", "stddev", "string_agg", "substring", "sum", "time_bucket", "to_char", "to_ns", "to_timestamp",
    "trim", "upper", "variance",
  ]

  private static let keywords = [
    "ALL", "ALTER", "ANALYZE", "AND", "ANY", "ARRAY", "AS", "ASC", "BEGIN", "BETWEEN", "BY", "CALL", "CASE", "CAST",
    "COMMIT", "COPY", "CREATE", "CROSS", "CURRENT_TIMESTAMP", "DELETE", "DESC", "DISTINCT", "DROP", "ELSE", "END",
    "EXCEPT", "EXISTS", "EXPLAIN", "FALSE", "FILTER", "FIRST", "FROM", "FULL", "GROUP", "HAVING", "IF", "ILIKE", "IN",
    "INNER", "INSERT", "INTERSECT", "INTERVAL", "INTO", "IS", "JOIN", "LAST", "LATERAL", "LEFT", "LIKE", "LIMIT", "NOT",
    "NULL", "NULLS", "OFFSET", "ON", "OR", "ORDER", "OUTER", "OVER", "PARTITION", "RESET", "RIGHT", "ROLLBACK",
    "SELECT",
    "SET", "SHOW", "TABLE", "THEN", "TIMESTAMPTZ", "TRUE", "TRUNCATE", "UNION", "UPDATE", "USING", "VALUES", "WHEN",
    "WHERE", "WITH",
  ]
}
