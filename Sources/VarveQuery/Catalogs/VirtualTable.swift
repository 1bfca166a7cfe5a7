// Tables that are computed when they are read: the catalogs. They go through the executor like any other.

import VarveCompute
import VarveCore

struct VirtualTable: Sendable {
  typealias Row = [Datum]
  let schema: String
  let name: String
  let oid: UInt32
  let columns: [(name: String, type: SQLType)]
  let rows: @Sendable (CatalogView) throws -> [Row]

  /// Columns as `name type name type …`, in pg_type's names. With `oid` 0 one is given by place.
  init(
    _ schema: String, _ name: String, oid: UInt32 = 0, _ columns: String,
    rows: @escaping @Sendable (CatalogView) throws -> [Row] = { _ in [] }
  ) {
    self.schema = schema
    self.name = name
    self.oid = oid
    var parsed: [(name: String, type: SQLType)] = []
    let words = columns.split(separator: " ")
    for index in stride(from: 0, to: words.count - 1, by: 2) {
      parsed.append((String(words[index]), Self.type(String(words[index + 1]))))
    }
    self.columns = parsed
    self.rows = rows
  }

  /// Rows as values by column; what a row does not name is NULL.
  init(
    _ schema: String, _ name: String, oid: UInt32 = 0, _ columns: String,
    cells: @escaping @Sendable (CatalogView) throws -> [[String: Datum]]
  ) {
    let names = columns.split(separator: " ").enumerated().filter { $0.offset % 2 == 0 }.map { String($0.element) }
    self.init(schema, name, oid: oid, columns) { view in
      try cells(view).map { row in
        precondition(row.keys.allSatisfy(names.contains), "a value for each of the columns of \(name)")
        return names.map { row[$0] ?? .null }
      }
    }
  }

  private init(_ table: VirtualTable, oid: UInt32) {
    schema = table.schema
    name = table.name
    self.oid = oid
    columns = table.columns
    rows = table.rows
  }

  private static func type(_ name: String) -> SQLType {
    guard let type = try? SQLType.named(name) else { preconditionFailure("a type of the catalogs: \(name)") }
    return type
  }

  /// Ids from here on are given by place; below are PostgreSQL's own.
  static let firstFreeOID: UInt32 = 12_000

  static let all: [VirtualTable] = {
    var next = firstFreeOID
    return
      (PgCatalog.tables + DimensionCatalog.tables + FunctionCatalogs.tables + StatisticsCatalogs.tables
      + EmptyCatalogs.tables + InformationSchema.tables + EmptyInformationSchema.tables + VarveSchema.tables
      + IngestViews.tables + QueryViews.tables + MaintenanceViews.tables + RollupViews.tables)
      .map { table in
        if table.oid != 0 { return table }
        next += 1
        return VirtualTable(table, oid: next)
      }
  }()

  private static let byName: [Name: VirtualTable] = Dictionary(
    uniqueKeysWithValues: all.map { (Name("\($0.schema).\($0.name)"), $0) })

  static func find(_ schema: String, _ name: String) -> VirtualTable? { byName[Name("\(schema).\(name)")] }
}

/// Short for rows of catalogs.
enum Cell {
  static func text(_ value: String) -> Datum { .text(value) }
  static func text(_ value: String?) -> Datum { value.map { .text($0) } ?? .null }
  static func oid(_ value: UInt32) -> Datum { .int(Int64(value)) }
  static func int(_ value: Int) -> Datum { .int(Int64(value)) }
  static let yes = Datum.bool(true)
  static let no = Datum.bool(false)
}
