// COPY … FROM STDIN: its options, checked in the order and with the words of PostgreSQL 15 (copy.c), and its columns.

import VarveCompute
import VarveCore
import VarveStorage

extension Binder {
  func bindCopy(_ copy: CopySyntax) throws -> CopyPlan {
    let location = copy.table.location
    if let (what, place, hint) = copy.unsupported {
      throw place >= 0 ? source.unsupported(what, at: place, hint: hint) : source.unsupported(what, at: 0, hint: hint)
    }
    var options = CopyOptionReader(source: source)
    for option in copy.options { try options.take(option) }
    try options.check(at: location)
    let table = try writableTable(copy.table)
    let columns =
      copy.columns.isEmpty ? table.sqlColumns : try writtenColumns(copy.columns.map { ($0, location) }, of: table)
    guard columns.contains(where: { $0.column == .time }) else {
      throw error(
        "23502", "null value in column \"time\" of relation \"\(table.name)\" violates not-null constraint",
        at: location,
        hint: "Send the column time: rows of one series that are all of now would be one row.")
    }
    var plan = options.plan(of: table.name)
    plan.columns = columns.map { name, column in
      switch column {
      case .time: CopyPlan.Column(name: name, target: .time)
      case .tag: CopyPlan.Column(name: name, target: .tag)
      case .field(_, let type): CopyPlan.Column(name: name, target: .field(type))
      }
    }
    for (list, what, flag) in [
      (options.forceNotNull, "FORCE_NOT_NULL", \CopyPlan.Column.isNeverNull),
      (options.forceNull, "FORCE_NULL", \CopyPlan.Column.isNullInQuotes),
    ] {
      guard let list else { continue }
      for column in try writtenColumns(list.map { ($0, location) }, of: table) {
        guard let index = plan.columns.firstIndex(where: { $0.name.isSameName(as: column.name) }) else {
          throw error("42P10", "\(what) column \"\(column.name)\" not referenced by COPY", at: location)
        }
        plan.columns[index][keyPath: flag] = true
      }
    }
    return plan
  }
}

/// The options of one COPY.
private struct CopyOptionReader {
  let source: SourceText
  private var seen: Set<String> = []
  private var format = CopyPlan.Format.text
  private var delimiter: String?
  private var null: String?
  private var quote: String?
  private var escape: String?
  private var header = CopyPlan.Header.none
  private(set) var forceNotNull: [String]?
  private(set) var forceNull: [String]?
  private var forceQuote = false

  init(source: SourceText) { self.source = source }

  mutating func take(_ option: OptionSyntax) throws {
    let known = [
      "format", "freeze", "delimiter", "null", "header", "quote", "escape", "force_quote", "force_not_null",
      "force_null",
      "encoding",
    ]
    guard known.contains(option.name) else {
      throw source.error("42601", "option \"\(option.name)\" not recognized", at: option.location)
    }
    guard seen.insert(option.name).inserted else {
      throw source.error("42601", "conflicting or redundant options", at: option.location)
    }
    switch option.name {
    case "format":
      guard let named = CopyPlan.Format(rawValue: try text(option)) else {
        throw source.error("22023", "COPY format \"\(option.value ?? "")\" not recognized", at: option.location)
      }
      format = named
    // Rows are never written twice here, frozen or not.
    case "freeze": _ = try boolean(option, orMatch: false)
    case "delimiter": delimiter = try text(option)
    case "null": null = try text(option)
    case "header": header = try boolean(option, orMatch: true)
    case "quote": quote = try text(option)
    case "escape": escape = try text(option)
    case "force_quote": forceQuote = true
    case "force_not_null": forceNotNull = try list(option)
    case "force_null": forceNull = try list(option)
    default:
      let encoding = try text(option)
      guard ["utf8", "unicode", "sqlascii"].contains(encoding.lowercased().filter { $0.isLetter || $0.isNumber }) else {
        throw source.unsupported(
          "COPY in encoding \"\(encoding)\"", at: option.location, hint: "Send UTF8, as iconv makes it.")
      }
    }
  }

  private func text(_ option: OptionSyntax) throws -> String {
    guard let value = option.value else {
      throw source.error("42601", "\(option.name) requires a parameter", at: option.location)
    }
    return value
  }

  private func list(_ option: OptionSyntax) throws -> [String] {
    guard let list = option.list else {
      throw source.error(
        "22023", "argument to option \"\(option.name)\" must be a list of column names", at: option.location)
    }
    return list
  }

  private func boolean(_ option: OptionSyntax, orMatch: Bool) throws -> CopyPlan.Header {
    switch option.value?.lowercased() {
    case nil, "true", "on", "1": return .skipped
    case "false", "off", "0": return .none
    case "match" where orMatch: return .matched
    default:
      throw source.error(
        "42601", "\(option.name) requires a Boolean value\(orMatch ? " or \"match\"" : "")", at: option.location)
    }
  }

  /// What does not go together.
  func check(at location: Int) throws {
    func refuse(_ sqlState: String, _ message: String) throws -> Never {
      throw source.error(sqlState, message, at: location)
    }
    if format == .binary {
      if delimiter != nil { try refuse("42601", "cannot specify DELIMITER in BINARY mode") }
      if null != nil { try refuse("42601", "cannot specify NULL in BINARY mode") }
    }
    let isCSV = format == .csv
    let delimiter = self.delimiter ?? (isCSV ? "," : "\t")
    let null = self.null ?? (isCSV ? "" : "\\N")
    let quote = self.quote ?? "\""
    let escape = self.escape ?? quote
    if delimiter.utf8.count != 1 { try refuse("0A000", "COPY delimiter must be a single one-byte character") }
    if delimiter == "\n" || delimiter == "\r" {
      try refuse("22023", "COPY delimiter cannot be newline or carriage return")
    }
    if null.utf8.contains(where: { $0 == 0x0A || $0 == 0x0D }) {
      try refuse("22023", "COPY null representation cannot use newline or carriage return")
    }
    if !isCSV, "\\.abcdefghijklmnopqrstuvwxyz0123456789".contains(delimiter) {
      try refuse("22023", "COPY delimiter cannot be \"\(delimiter)\"")
    }
    if format == .binary, header != .none { try refuse("0A000", "cannot specify HEADER in BINARY mode") }
    if !isCSV, self.quote != nil { try refuse("0A000", "COPY quote available only in CSV mode") }
    if isCSV, quote.utf8.count != 1 { try refuse("0A000", "COPY quote must be a single one-byte character") }
    if isCSV, delimiter == quote { try refuse("22023", "COPY delimiter and quote must be different") }
    if !isCSV, self.escape != nil { try refuse("0A000", "COPY escape available only in CSV mode") }
    if isCSV, escape.utf8.count != 1 { try refuse("0A000", "COPY escape must be a single one-byte character") }
    if forceQuote {
      try refuse(
        "0A000", isCSV ? "COPY force quote only available using COPY TO" : "COPY force quote available only in CSV mode"
      )
    }
    if !isCSV, forceNotNull != nil { try refuse("0A000", "COPY force not null available only in CSV mode") }
    if !isCSV, forceNull != nil { try refuse("0A000", "COPY force null available only in CSV mode") }
    if null.utf8.contains(delimiter.utf8.first ?? 0) {
      try refuse("0A000", "COPY delimiter must not appear in the NULL specification")
    }
    if isCSV, null.utf8.contains(quote.utf8.first ?? 0) {
      try refuse("0A000", "CSV quote character must not appear in the NULL specification")
    }
  }

  /// Without columns.
  func plan(of table: String) -> CopyPlan {
    var plan = CopyPlan(table: table, columns: [])
    plan.format = format
    plan.header = header
    if format == .csv {
      plan.delimiter = UInt8(ascii: ",")
      plan.null = []
    }
    if let byte = delimiter?.utf8.first { plan.delimiter = byte }
    if let null { plan.null = Array(null.utf8) }
    if let byte = quote?.utf8.first { plan.quote = byte }
    plan.escape = escape?.utf8.first ?? plan.quote
    return plan
  }
}
