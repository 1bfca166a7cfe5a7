// The work of the text functions on single strings.

import CVarve
import VarveCore

package enum TextKernels {
  /// Characters: bytes that do not continue one.
  static func length(_ bytes: UnsafeBufferPointer<UInt8>) -> Int {
    var count = 0
    for byte in bytes { count &+= byte & 0xC0 != 0x80 ? 1 : 0 }
    return count
  }

  static func measure(_ column: Column, _ n: Int, _ op: (UnsafeBufferPointer<UInt8>) -> Int) throws -> Column {
    if Evaluation.isConstantNull(column) { return .null(.int4, count: n) }
    let view = TextView(column)
    let out = Buffer<UInt64>(repeating: 0, count: n)
    for i in 0..<n where !column.isNull(at: i) { out.base[i] = UInt64(op(view.bytes(i))) }
    return Column(type: .int4, count: n, storage: .words(out), nulls: column.nulls)
  }

  static func mapCase(_ bytes: UnsafeBufferPointer<UInt8>, upper: Bool, into builder: inout ColumnBuilder) throws {
    if bytes.allSatisfy({ $0 < 0x80 }) {
      let low: UInt8 = upper ? 0x61 : 0x41
      try builder.append(text: bytes.map { $0 >= low && $0 <= low + 25 ? $0 ^ 0x20 : $0 })
      return
    }
    let text = String(decoding: bytes, as: UTF8.self)
    var out = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      let mapped = upper ? scalar.properties.uppercaseMapping : scalar.properties.lowercaseMapping
      if mapped.unicodeScalars.count == 1, let single = mapped.unicodeScalars.first {
        out.append(single)
      } else {
        out.append(scalar)
      }
    }
    try builder.append(text: String(out))
  }

  /// From the 1-based character `from`; positions before the string count, as in SQL.
  static func substring(_ text: String, from: Int64, count: Int64?) -> String {
    let scalars = text.unicodeScalars
    let start = max(from, 1)
    if let count {
      let (end, overflow) = from.addingReportingOverflow(count)
      if !overflow {
        if end <= start { return "" }
        return String(scalars.dropFirst(Int(start - 1)).prefix(Int(end - start)))
      }
    }
    return String(scalars.dropFirst(Int(start - 1)))
  }

  static func trimSpaces(_ bytes: UnsafeBufferPointer<UInt8>, leading: Bool, trailing: Bool)
    -> UnsafeBufferPointer<UInt8>
  {
    var start = 0
    var end = bytes.count
    if leading { while start < end, bytes[start] == 0x20 { start += 1 } }
    if trailing { while end > start, bytes[end - 1] == 0x20 { end -= 1 } }
    return UnsafeBufferPointer(rebasing: bytes[start..<end])
  }

  static func trim(_ text: String, _ characters: String, leading: Bool, trailing: Bool) -> String {
    let set = Set(characters.unicodeScalars)
    var scalars = Array(text.unicodeScalars)[...]
    if leading { scalars = scalars.drop { set.contains($0) } }
    if trailing { while let last = scalars.last, set.contains(last) { scalars.removeLast() } }
    var out = String.UnicodeScalarView()
    out.append(contentsOf: scalars)
    return String(out)
  }

  /// Byte offset of `needle`, from `start`; nil if it is not there.
  static func find(_ text: [UInt8], _ needle: [UInt8], from start: Int) -> Int? {
    if needle.isEmpty { return start }
    var i = start
    while i + needle.count <= text.count {
      if text[i] == needle[0], text[i..<(i + needle.count)].elementsEqual(needle) { return i }
      i += 1
    }
    return nil
  }

  /// 1-based character position; 0: not there.
  static func position(_ text: [UInt8], _ needle: [UInt8]) -> Int {
    guard let at = find(text, needle, from: 0) else { return 0 }
    return text[..<at].reduce(1) { $0 + ($1 & 0xC0 != 0x80 ? 1 : 0) }
  }

  static func replace(_ text: [UInt8], _ needle: [UInt8], _ other: [UInt8]) throws -> String {
    if needle.isEmpty { return String(decoding: text, as: UTF8.self) }
    var out: [UInt8] = []
    var i = 0
    while let at = find(text, needle, from: i) {
      out += text[i..<at]
      out += other
      i = at + needle.count
      guard out.count < 1 << 24 else { throw SQLError.make("54000", "text of more than 16 MiB") }
    }
    out += text[i...]
    return String(decoding: out, as: UTF8.self)
  }

  static func split(_ text: [UInt8], _ separator: [UInt8]) -> [ArraySlice<UInt8>] {
    if separator.isEmpty { return [text[...]] }
    var parts: [ArraySlice<UInt8>] = []
    var i = 0
    while let at = find(text, separator, from: i) {
      parts.append(text[i..<at])
      i = at + separator.count
    }
    parts.append(text[i...])
    return parts
  }

  static func pad(_ text: String, to count: Int64, with fill: String, left: Bool) throws -> String {
    let scalars = text.unicodeScalars
    let have = scalars.count
    let want = Int(max(count, 0))
    guard want < 1 << 22 else { throw SQLError.make("54000", "requested length too large") }
    if have >= want { return String(scalars.prefix(want)) }
    let pattern = Array(fill.unicodeScalars)
    if pattern.isEmpty { return text }
    var padding = String.UnicodeScalarView()
    for i in 0..<(want - have) { padding.append(pattern[i % pattern.count]) }
    return left ? String(padding) + text : text + String(padding)
  }

  /// As SQL has to write the name.
  package static func quoteIdentifier(_ name: String) -> String {
    let plain =
      !name.isEmpty
      && name.utf8.enumerated().allSatisfy { i, c in
        (c >= 0x61 && c <= 0x7A) || c == UInt8(ascii: "_") || (i > 0 && c >= 0x30 && c <= 0x39)
      }
    if plain && !reserved.contains(name) { return name }
    return "\"" + double(name, "\"") + "\""
  }

  package static func quoteLiteral(_ text: String) -> String {
    let quoted = double(text, "'")
    return text.contains("\\") ? "E'" + double(quoted, "\\") + "'" : "'" + quoted + "'"
  }

  private static func double(_ text: String, _ mark: Character) -> String {
    var out = ""
    for c in text {
      if c == mark { out.append(c) }
      out.append(c)
    }
    return out
  }

  /// PostgreSQL's keywords that are no plain column names.
  private static let reserved: Set<String> = [
    "all", "analyse", "analyze", "and", "any", "array", "as", "asc", "asymmetric", "authorization", "between", "bigint",
    "binary", "bit", "boolean", "both", "case", "cast", "char", "character", "check", "coalesce", "collate",
    "collation",
    "column", "concurrently", "constraint", "create", "cross", "current_catalog", "current_date", "current_role",
    "current_schema", "current_time", "current_timestamp", "current_user", "dec", "decimal", "default", "deferrable",
    "desc", "distinct", "do", "else", "end", "except", "exists", "extract", "false", "fetch", "float", "for", "foreign",
    "freeze", "from", "full", "grant", "greatest", "group", "grouping", "having", "ilike", "in", "initially", "inner",
    "inout", "int", "integer", "intersect", "interval", "into", "is", "isnull", "join", "lateral", "leading", "least",
    "left", "like", "limit", "localtime", "localtimestamp", "national", "natural", "nchar", "none", "normalize", "not",
    "notnull", "null", "nullif", "numeric", "offset", "on", "only", "or", "order", "out", "outer", "overlaps",
    "overlay", "placing", "position", "precision", "primary", "real", "references", "returning", "right", "row",
    "select", "session_user", "setof", "similar", "smallint", "some", "substring", "symmetric", "table",
    "tablesample", "then", "time", "timestamp", "to", "trailing", "treat", "trim", "true", "union", "unique", "user",
    "using", "values", "varchar", "variadic", "verbose", "when", "where", "window", "with", "xmlattributes",
    "xmlconcat", "xmlelement", "xmlexists", "xmlforest", "xmlnamespaces", "xmlparse", "xmlpi", "xmlroot",
    "xmlserialize", "xmltable",
  ]
}
