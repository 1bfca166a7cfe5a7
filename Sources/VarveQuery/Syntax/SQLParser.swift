// SQL text → syntax trees, by PostgreSQL's own grammar (libpg_query). The tree arrives as JSON and is turned into
// ours in one pass. Nothing outside of this folder knows of libpg_query.

import CPgQuery
import CVarve
import VarveCore

enum SQLParser {
  /// What to write in place of another language's ASOF JOIN.
  static let asOfHint =
    "Write LEFT JOIN LATERAL (SELECT … FROM t WHERE t.key = o.key AND t.time <= o.time"
    + " ORDER BY t.time DESC LIMIT 1) AS t ON true."

  /// The statements of a query string; none for an empty one. Throws 42601 with the position.
  static func parse(_ sql: String) throws -> [ParsedStatement] {
    let byteCount = sql.utf8.count
    guard byteCount <= Limits.queryTextByteCount else {
      throw VarveError(
        .limitExceeded, "a query string of \(byteCount) bytes is longer than \(Limits.queryTextByteCount)",
        hint: "Send the data with COPY or line protocol, or in several statements.", sqlState: "54000")
    }
    guard !sql.utf8.contains(0) else {
      throw VarveError(.syntax, "a query string cannot contain a zero byte", sqlState: "42601")
    }
    let source = SourceText(sql)
    var text = sql
    if let rows = text.withUTF8({ LiteralRows.find($0) }), let insert = try insert(rows, source) { return [insert] }
    return try statements(sql, source)
  }

  /// What `parse` gives, with each row of VALUES as syntax.
  static func parseWhole(_ source: SourceText) throws -> [ParsedStatement] { try statements(source.text, source) }

  /// nil: the rows are not all that this statement inserts.
  private static func insert(_ rows: LiteralRows, _ source: SourceText) throws -> ParsedStatement? {
    let head = String(decoding: source.text.utf8.prefix(rows.headByteCount), as: UTF8.self)
    guard case .insert(var insert) = try statements(head, source).first?.syntax,
      let query = insert.query, case .values(let first) = query.body, first.count == 1, first[0].count == rows.width,
      query.orderBy.isEmpty, query.limit == nil, query.offset == nil, query.commonTables.isEmpty
    else { return nil }
    insert.literalRows = rows
    var statement = ParsedStatement(
      syntax: .insert(insert), source: source,
      text: String(decoding: source.text.utf8.prefix(rows.statementByteCount), as: UTF8.self))
    statement.isAlone = true
    return statement
  }

  /// Of a text that is `source`'s or the beginning of it.
  private static func statements(_ sql: String, _ source: SourceText) throws -> [ParsedStatement] {
    let result = sql.withCString { pg_query_parse($0) }
    defer { pg_query_free_parse_result(result) }
    if let error = result.error {
      let message = error.pointee.message.map { String(cString: $0) } ?? "syntax error"
      let position = Int(error.pointee.cursorpos)
      // The grammar's other errors do not tell their SQLSTATE.
      let isOfFrame = message.hasPrefix("frame ")
      throw VarveError(
        .syntax, message, hint: message.lowercased() == "syntax error at or near \"asof\"" ? asOfHint : nil,
        sqlState: isOfFrame ? "42P20" : "42601", position: position > 0 ? position : nil)
    }
    guard let tree = result.parse_tree else { return [] }
    guard let end = cvarve_memchr(tree, 0, .max) else { return [] }
    let length = end - UnsafeRawPointer(tree)
    return try tree.withMemoryRebound(to: UInt8.self, capacity: length) { bytes in
      let reader = TreeReader(UnsafeBufferPointer(start: bytes, count: length), source: source)
      return try reader.statements()
    }
  }
}
