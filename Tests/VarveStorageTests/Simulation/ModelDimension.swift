// Dimension tables of the model: rows by their primary key `id`, and columns that come, go and change their names.

import VarveCore
import VarveFormat
import VarveStorage

struct ModelDimension: Equatable {
  /// Names of the columns beside `id`, in order of creation; all are bigint.
  var columns = ["n"]
  var rows: [String: [String: Int64]] = [:]

  static func definition(_ name: String) -> DimensionDefinition {
    DimensionDefinition(
      name: name,
      columns: [
        DimensionColumn(id: ColumnID(rawValue: 0), name: "id", type: .text, isNotNull: true),
        DimensionColumn(id: ColumnID(rawValue: 1), name: "n", type: .bigint),
      ], key: [ColumnID(rawValue: 0)])
  }
}

/// What a transaction does to one dimension table: rows by key, nil for one that goes. Columns that the table does not
/// have are left out.
struct ModelChanges {
  var table: String
  var isCleared = false
  var rows: [String: [String: Int64]?] = [:]

  /// False if there is no such table.
  func apply(to model: inout Model) -> Bool {
    guard var table = model.dimensions[self.table] else { return false }
    if isCleared { table.rows = [:] }
    for (key, row) in rows { table.rows[key] = row.map { row in row.filter { table.columns.contains($0.key) } } }
    model.dimensions[self.table] = table
    return true
  }

  /// As SQL makes it of the table that the snapshot has; for one that is not there, of a table that never was.
  func forStore(_ snapshot: Snapshot) throws -> DimensionWrite {
    let definition = ModelDimension.definition(table)
    let schema =
      try snapshot.dimension(named: table)
      ?? DimensionSchema(
        id: TableID(rawValue: .max), name: table, columns: definition.columns, key: definition.key)
    let changes = try rows.map { key, row -> DimensionRows.Change in
      var values = [DimensionValue](repeating: .null, count: schema.nextColumn)
      values[0] = .bytes(Array(key.utf8))
      for column in schema.columns.dropFirst() {
        if let value = row?[column.name] { values[Int(column.id.rawValue)] = .integer(value) }
      }
      return DimensionRows.Change(key: try schema.key(of: values), row: row.map { _ in DimensionRow.encoded(values) })
    }
    return DimensionWrite(
      schema: schema, isCleared: isCleared, changes: changes.sorted { $0.key.lexicographicallyPrecedes($1.key) })
  }
}

enum ModelAlteration {
  /// Rows that are there get the value.
  case add(String, older: Int64?)
  case drop(String)
  case rename(String, to: String)
  case renameTable(String)

  /// What the store must refuse, if so.
  func apply(to model: inout Model, _ name: String) -> VarveError.Code? {
    guard var table = model.dimensions[name] else { return .notFound }
    switch self {
    case .add(let column, let older):
      if table.columns.contains(column) { return .alreadyExists }
      table.columns.append(column)
      if let older { for key in table.rows.keys { table.rows[key]?[column] = older } }
    case .drop(let column):
      guard table.columns.contains(column) else { return .notFound }
      table.columns.removeAll { $0 == column }
      for key in table.rows.keys { table.rows[key]?[column] = nil }
    case .rename(let column, let new):
      guard let place = table.columns.firstIndex(of: column) else { return .notFound }
      if table.columns.contains(new) { return .alreadyExists }
      table.columns[place] = new
      for (key, row) in table.rows {
        table.rows[key]?[column] = nil
        table.rows[key]?[new] = row[column]
      }
    case .renameTable(let new):
      if model.dimensions[new] != nil || model.schemas[new] != nil { return .alreadyExists }
      model.dimensions[name] = nil
      model.dimensions[new] = table
      return nil
    }
    model.dimensions[name] = table
    return nil
  }

  var forStore: TableAlteration {
    switch self {
    case .add(let column, let older):
      .addColumn(
        DimensionColumn(
          id: ColumnID(rawValue: 0), name: column, type: .bigint, default: older.map { .value(.integer($0)) },
          older: older.map { .integer($0) } ?? .null))
    case .drop(let column): .dropColumn(column)
    case .rename(let column, let new): .renameColumn(column, to: new)
    case .renameTable(let new): .renameTable(to: new)
    }
  }
}

extension ModelDimension {
  init(_ schema: DimensionSchema, _ rows: DimensionRows) throws {
    columns = schema.columns.dropFirst().map(\.name)
    try rows.forEachRow { row in
      let values = try schema.values(row)
      guard case .bytes(let key) = values[0] else { throw VarveError(.query, "a row without a key") }
      var cells: [String: Int64] = [:]
      for column in schema.columns.dropFirst() {
        if case .integer(let value) = values[Int(column.id.rawValue)] { cells[column.name] = value }
      }
      guard self.rows.updateValue(cells, forKey: String(decoding: key, as: UTF8.self)) == nil else {
        throw VarveError(.query, "a table has a key twice")
      }
    }
    guard rows.rowCount == self.rows.count else { throw VarveError(.query, "a table counts its rows wrongly") }
  }
}
