// CREATE TABLE, ALTER TABLE and DROP TABLE as catalog changes.

import VarveCore
import VarveFormat

enum TableDDL {
  static func create(_ definition: TableDefinition, _ resolver: inout BatchResolver) throws {
    try check(definition)
    let id = try newTable(definition.name, resolver.catalog)
    try resolver.apply(.createTable(id, name: definition.name, partitionNanoseconds: definition.partitionNanoseconds))
    var columns: [ColumnDefinition] = []
    for tag in definition.tags {
      columns.append(ColumnDefinition(id: ColumnID(rawValue: UInt16(columns.count)), name: tag, fieldType: nil))
    }
    for field in definition.fields {
      columns.append(
        ColumnDefinition(id: ColumnID(rawValue: UInt16(columns.count)), name: field.name, fieldType: field.type))
    }
    for column in columns { try resolver.apply(.addColumn(id, column)) }
  }

  /// The tables that went.
  static func drop(_ name: String, cascade: Bool, _ resolver: inout BatchResolver) throws -> [TableID] {
    guard let table = resolver.catalog.id(named: name) else {
      throw VarveError(.notFound, "table \"\(name)\" does not exist", sqlState: "42P01")
    }
    let dependents = RollupDDL.dependents(of: table, resolver.catalog)
    guard cascade || dependents.isEmpty else {
      let names = dependents.reversed().compactMap { resolver.catalog.tables[$0]?.name }
      throw VarveError(
        .query, "cannot drop \"\(name)\" because rollups are made from it: \(names.joined(separator: ", "))",
        hint: "Use DROP ... CASCADE to drop them too.", sqlState: "2BP01")
    }
    for id in dependents + [table] { try resolver.apply(.dropTable(id)) }
    return dependents + [table]
  }

  static func create(_ definition: DimensionDefinition, _ resolver: inout BatchResolver) throws {
    try checkColumns(definition.columns.map(\.name))
    let id = try newTable(definition.name, resolver.catalog)
    try resolver.apply(
      .createDimension(id, name: definition.name, columns: definition.columns, key: definition.key))
  }

  /// Id of a table that is to be made.
  private static func newTable(_ name: String, _ catalog: Catalog) throws -> TableID {
    try checkTableName(name, catalog)
    guard catalog.tableCount < Limits.tables else {
      throw VarveError(.limitExceeded, "a database holds at most \(Limits.tables) tables")
    }
    return catalog.nextTable
  }

  private static func checkTableName(_ name: String, _ catalog: Catalog) throws {
    if let problem = NameRule.problem(name, of: "table") {
      throw VarveError(.invalidArgument, problem, sqlState: "42602")
    }
    guard catalog.id(named: name) == nil else {
      throw VarveError(.alreadyExists, "relation \"\(name)\" already exists", sqlState: "42P07")
    }
  }

  // MARK: ALTER TABLE

  static func alter(_ name: String, _ alterations: [TableAlteration], _ resolver: inout BatchResolver) throws {
    for alteration in alterations {
      let catalog = resolver.catalog
      guard let id = catalog.id(named: name) else {
        throw VarveError(.notFound, "relation \"\(name)\" does not exist", sqlState: "42P01")
      }
      let columns =
        catalog.tables[id]?.columns.map { ($0.name, $0.id) } ?? catalog.dimensions[id]?.columns.map { ($0.name, $0.id) }
        ?? []
      func find(_ column: String) throws -> ColumnID {
        guard let found = columns.first(where: { $0.0.utf8.elementsEqual(column.utf8) }) else {
          throw VarveError(
            .notFound, "column \"\(column)\" of relation \"\(name)\" does not exist", sqlState: "42703")
        }
        return found.1
      }
      func checkNew(_ column: String) throws {
        try checkColumn(column)
        guard !columns.contains(where: { $0.0.utf8.elementsEqual(column.utf8) }) else {
          throw VarveError(
            .alreadyExists, "column \"\(column)\" of relation \"\(name)\" already exists", sqlState: "42701")
        }
      }
      let next = ColumnID(rawValue: UInt16(catalog.tables[id]?.nextColumn ?? catalog.dimensions[id]?.nextColumn ?? 0))
      func checkRoom() throws {
        guard Int(next.rawValue) < Limits.columnsPerTable else {
          throw VarveError(
            .limitExceeded, "a table holds at most \(Limits.columnsPerTable) columns, dropped ones included",
            sqlState: "54011")
        }
      }
      func checkFree(_ column: ColumnID, _ name: String) throws {
        guard let rollup = RollupDDL.rollup(using: column, of: id, catalog) else { return }
        throw VarveError(
          .query, "column \"\(name)\" cannot be changed because rollup \"\(rollup)\" is made from it",
          hint: "Drop the rollup first.", sqlState: "2BP01")
      }
      switch alteration {
      case .addField(let column, let type):
        try checkNew(column)
        try checkRoom()
        try resolver.apply(.addColumn(id, ColumnDefinition(id: next, name: column, fieldType: type)))
      case .addColumn(let column):
        try checkNew(column.name)
        try checkRoom()
        try resolver.apply(
          .addDimensionColumn(
            id,
            DimensionColumn(
              id: next, name: column.name, type: column.type, isNotNull: column.isNotNull, default: column.default,
              older: column.older)))
      case .dropColumn(let column):
        let found = try find(column)
        try checkFree(found, column)
        try resolver.apply(.dropColumn(id, found))
      case .renameColumn(let column, let new):
        let found = try find(column)
        try checkFree(found, column)
        try checkNew(new)
        try resolver.apply(.renameColumns(id, [ColumnName(id: found, name: new)]))
      case .renameTable(let new):
        try checkTableName(new, catalog)
        try resolver.apply(.renameTables([TableName(id: id, name: new)]))
      }
    }
  }

  // MARK: Checks

  private static func check(_ definition: TableDefinition) throws {
    guard definition.partitionNanoseconds >= 60_000_000_000 else {
      throw VarveError(.invalidArgument, "varve.partition must be at least one minute", sqlState: "22023")
    }
    let names = definition.tags + definition.fields.map(\.name)
    try checkColumns(names)
  }

  private static func checkColumns(_ names: [String]) throws {
    guard names.count <= Limits.columnsPerTable else {
      throw VarveError(.limitExceeded, "a table holds at most \(Limits.columnsPerTable) columns", sqlState: "54011")
    }
    var seen = Set<[UInt8]>()
    for name in names {
      try checkColumn(name)
      guard seen.insert(Array(name.utf8)).inserted else {
        throw VarveError(.invalidArgument, "column \"\(name)\" specified more than once", sqlState: "42701")
      }
    }
  }

  private static func checkColumn(_ name: String) throws {
    if let problem = NameRule.problem(name, of: "column") {
      throw VarveError(.invalidArgument, problem, sqlState: "42602")
    }
    guard name != "time" else {
      throw VarveError(.reservedName, "\"time\" is the time stamp's column", sqlState: "42701")
    }
  }
}
