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

  private init(_ table: VirtualTable, oid: UInt32) {
    schema = table.schema
    name = table.name
    self.oid = oid
    columns = table.columns
    rows = table.rows
  }

  private static func type(_ name: String) -> SQLType {
    if name.hasSuffix("[]") { return .array(type(String(name.dropLast(2)))) }
    switch name {
    case "bool": return .bool
    case "int2": return .int2
    case "int4": return .int4
    case "int8": return .int8
    case "float4": return .float4
    case "float8": return .float8
    case "text": return .text
    case "name": return .name
    case "char": return .char
    case "oid": return .oid
    case "regproc": return .regproc
    case "timestamptz": return .timestamptz
    case "int2vector": return .int2vector
    case "oidvector": return .oidvector
    case "interval": return .interval
    default: preconditionFailure("a type of the catalogs: \(name)")
    }
  }

  static let all: [VirtualTable] = {
    var next: UInt32 = 12_000
    return
      (PgCatalog.tables + PgCatalog.emptyTables + InformationSchema.tables + VarveSchema.tables + IngestViews.tables)
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
  static func oid(_ value: UInt32) -> Datum { .int(Int64(value)) }
  static func int(_ value: Int) -> Datum { .int(Int64(value)) }
  static let yes = Datum.bool(true)
  static let no = Datum.bool(false)
}
