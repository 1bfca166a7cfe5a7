// COPY: its options, checked in the order and with the words of PostgreSQL 15 (copy.c), and its columns.

import VarveCompute
import VarveCore
import VarveStorage

extension Binder {
  func bindCopy(_ copy: CopySyntax) throws -> CopyPlan {
    let location = copy.table.location
    let options = try copyOptions(copy, at: location)
    var plan: CopyPlan
    switch try writableRelation(copy.table).source {
    case .series(let table): plan = try copyPlan(copy, into: table, options.shape)
    case .dimension(let table): plan = try copyPlan(copy, into: table, options.shape)
    case .virtual, .rollup: preconditionFailure("these were refused")
    }
    for (list, what, flag) in [
      (options.forceNotNull, "FORCE_NOT_NULL", \CopyPlan.Column.isNeverNull),
      (options.forceNull, "FORCE_NULL", \CopyPlan.Column.isNullInQuotes),
    ] {
      guard let list else { continue }
      try checkColumns(list, of: try writableRelation(copy.table), at: location)
      for name in list {
        guard let index = plan.columns.firstIndex(where: { $0.name.isSameName(as: name) }) else {
          throw error("42P10", "\(what) column \"\(name)\" not referenced by COPY", at: location)
        }
        plan.columns[index][keyPath: flag] = true
      }
    }
    return plan
  }

  private func copyPlan(_ copy: CopySyntax, into table: TableSchema, _ shape: CopyShape) throws -> CopyPlan {
    let location = copy.table.location
    dependencies.append(table)
    let columns =
      copy.columns.isEmpty ? table.sqlColumns : try writtenColumns(copy.columns.map { ($0, location) }, of: table)
    guard columns.contains(where: { $0.column == .time }) else {
      throw error(
        "23502", "null value in column \"time\" of relation \"\(table.name)\" violates not-null constraint",
        at: location,
        hint: "Send the column time: rows of one series that are all of now would be one row.")
    }
    return CopyPlan(
      table: table.name,
      columns: columns.map { name, column in
        switch column {
        case .time: CopyPlan.Column(name: name, target: .time)
        case .tag: CopyPlan.Column(name: name, target: .tag)
        case .field(_, let type): CopyPlan.Column(name: name, target: .field(type))
        }
      }, shape: shape)
  }

  private func copyPlan(_ copy: CopySyntax, into table: DimensionSchema, _ shape: CopyShape) throws -> CopyPlan {
    let location = copy.table.location
    dimensions.append(table)
    var places: [Int] = []
    for name in copy.columns {
      let place = try place(of: name, in: table, at: location)
      if places.contains(place) {
        throw error("42701", "column \"\(name)\" specified more than once", at: location)
      }
      places.append(place)
    }
    if copy.columns.isEmpty { places = Array(table.columns.indices) }
    let defaults = try table.columns.indices.filter { !places.contains($0) }.map { place in
      (place, try defaultValue(of: table.columns[place]))
    }
    return CopyPlan(
      table: table.name,
      columns: places.map { place in
        let column = table.columns[place]
        return CopyPlan.Column(name: column.name, target: .value(column.type.sqlType))
      }, shape: shape, dimension: DimensionCopyPlan(table: table, places: places, defaults: defaults))
  }

  func bindCopyOut(_ copy: CopySyntax) throws -> CopyOutPlan {
    let location = copy.query == nil ? copy.table.location : -1
    let options = try copyOptions(copy, at: location)
    var table: Relation?
    if copy.query == nil {
      let relation = try readableTable(copy.table)
      try checkColumns(copy.columns, of: relation, at: location)
      table = relation
    }
    let bound = try bindSelect(copy.query ?? Self.selection(of: copy), QueryLevel(parent: nil))
    if !parameterTypes.isEmpty {
      throw error("42P02", "there is no parameter $1", at: -1, hint: "COPY takes none: write the value in its place.")
    }
    var quoted = bound.columns.map { _ in options.quotesAll }
    if let names = options.forceQuote {
      try checkColumns(names, of: table, among: bound.columns.map(\.name), at: location)
      for name in names {
        guard let index = bound.columns.firstIndex(where: { $0.name.isSameName(as: name) }) else {
          throw error("42P10", "FORCE_QUOTE column \"\(name)\" not referenced by COPY", at: location)
        }
        quoted[index] = true
      }
    }
    return CopyOutPlan(
      rows: try Planner.plan(bound.plan), columns: bound.columns, shape: options.shape, quoted: quoted)
  }

  private func readableTable(_ name: RelationSyntax) throws -> Relation {
    guard let relation = catalog.relation(schema: name.schema, name: name.name) else { throw missingTable(name) }
    if relation.isView {
      throw error(
        "42809", "cannot copy from view \"\(relation.name)\"", at: name.location,
        hint: "Try the COPY (SELECT ...) TO variant.")
    }
    return relation
  }

  /// Each name is a column, of the table if there is one, and named once.
  private func checkColumns(_ names: [String], of table: Relation?, among columns: [String] = [], at location: Int)
    throws
  {
    let known = Set((table?.columns.map(\.name) ?? columns).map { Name($0) })
    var seen: Set<Name> = []
    for name in names {
      guard known.contains(Name(name)) else {
        let owner = table.map { " of relation \"\($0.name)\"" } ?? ""
        throw error("42703", "column \"\(name)\"\(owner) does not exist", at: location)
      }
      guard seen.insert(Name(name)).inserted else {
        throw error("42701", "column \"\(name)\" specified more than once", at: location)
      }
    }
  }

  private func copyOptions(_ copy: CopySyntax, at location: Int) throws -> CopyOptionReader {
    if let (what, place, hint) = copy.unsupported { throw source.unsupported(what, at: max(place, 0), hint: hint) }
    var options = CopyOptionReader(source: source, isFrom: copy.isFrom)
    for option in copy.options { try options.take(option) }
    try options.check(at: location)
    return options
  }

  /// `SELECT columns FROM table`.
  private static func selection(of copy: CopySyntax) -> SelectSyntax {
    let location = copy.table.location
    let select = SelectSyntax()
    select.from = [.table(copy.table, nil)]
    let kinds: [ExpressionKind] = copy.columns.isEmpty ? [.star([])] : copy.columns.map { .column([$0]) }
    select.targets = kinds.map { kind in
      TargetSyntax(expression: ExpressionSyntax(kind: kind, location: location), location: location)
    }
    return select
  }
}

/// The options of one COPY.
private struct CopyOptionReader {
  let source: SourceText
  private var seen: Set<String> = []
  private var format = CopyShape.Format.text
  private var delimiter: String?
  private var null: String?
  private var quote: String?
  private var escape: String?
  private var header = CopyShape.Header.none
  private(set) var forceNotNull: [String]?
  private(set) var forceNull: [String]?
  private(set) var forceQuote: [String]?
  private(set) var quotesAll = false
  private let isFrom: Bool

  init(source: SourceText, isFrom: Bool) {
    self.source = source
    self.isFrom = isFrom
  }

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
      guard let named = CopyShape.Format(rawValue: try text(option)) else {
        throw source.error("22023", "COPY format \"\(option.value ?? "")\" not recognized", at: option.location)
      }
      if isFrom, named == .parquet {
        throw source.unsupported(
          "COPY … FROM STDIN of a Parquet file", at: option.location,
          hint: "It is read from its end: load it with varve import --format parquet --connect URL FILE.")
      }
      format = named
    // Rows are never written twice here, frozen or not.
    case "freeze": _ = try boolean(option, orMatch: false)
    case "delimiter": delimiter = try text(option)
    case "null": null = try text(option)
    case "header": header = try boolean(option, orMatch: true)
    case "quote": quote = try text(option)
    case "escape": escape = try text(option)
    case "force_quote":
      quotesAll = option.isStar
      forceQuote = option.isStar ? nil : try list(option)
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

  private func boolean(_ option: OptionSyntax, orMatch: Bool) throws -> CopyShape.Header {
    switch option.value?.lowercased() {
    case nil, "true", "on", "1": return .present
    case "false", "off", "0": return .none
    case "match" where orMatch:
      if isFrom { return .matched }
      throw source.error("0A000", "cannot use \"match\" with HEADER in COPY TO", at: option.location)
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
    // The words are those of the binary format.
    if format == .binary || format == .parquet {
      let mode = format.rawValue.uppercased()
      if delimiter != nil { try refuse("42601", "cannot specify DELIMITER in \(mode) mode") }
      if null != nil { try refuse("42601", "cannot specify NULL in \(mode) mode") }
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
    if format == .binary || format == .parquet, header != .none {
      try refuse("0A000", "cannot specify HEADER in \(format.rawValue.uppercased()) mode")
    }
    if !isCSV, self.quote != nil { try refuse("0A000", "COPY quote available only in CSV mode") }
    if isCSV, quote.utf8.count != 1 { try refuse("0A000", "COPY quote must be a single one-byte character") }
    if isCSV, delimiter == quote { try refuse("22023", "COPY delimiter and quote must be different") }
    if !isCSV, self.escape != nil { try refuse("0A000", "COPY escape available only in CSV mode") }
    if isCSV, escape.utf8.count != 1 { try refuse("0A000", "COPY escape must be a single one-byte character") }
    let forcesQuotes = forceQuote != nil || quotesAll
    if !isCSV, forcesQuotes { try refuse("0A000", "COPY force quote available only in CSV mode") }
    if forcesQuotes, isFrom { try refuse("0A000", "COPY force quote only available using COPY TO") }
    if !isCSV, forceNotNull != nil { try refuse("0A000", "COPY force not null available only in CSV mode") }
    if forceNotNull != nil, !isFrom { try refuse("0A000", "COPY force not null only available using COPY FROM") }
    if !isCSV, forceNull != nil { try refuse("0A000", "COPY force null available only in CSV mode") }
    if forceNull != nil, !isFrom { try refuse("0A000", "COPY force null only available using COPY FROM") }
    if null.utf8.contains(delimiter.utf8.first ?? 0) {
      try refuse("0A000", "COPY delimiter must not appear in the NULL specification")
    }
    if isCSV, null.utf8.contains(quote.utf8.first ?? 0) {
      try refuse("0A000", "CSV quote character must not appear in the NULL specification")
    }
  }

  var shape: CopyShape {
    var shape = CopyShape(format: format, header: header)
    if format == .csv {
      shape.delimiter = UInt8(ascii: ",")
      shape.null = []
    }
    if let byte = delimiter?.utf8.first { shape.delimiter = byte }
    if let null { shape.null = Array(null.utf8) }
    if let byte = quote?.utf8.first { shape.quote = byte }
    shape.escape = escape?.utf8.first ?? shape.quote
    return shape
  }
}
