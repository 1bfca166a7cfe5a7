// All tables and their columns, as a value. The store keeps two: the published one that snapshots see, and the
// commit's own, which may already hold what the record being written will make durable.

import VarveCore
import VarveFormat

package struct Catalog: Sendable {
  package private(set) var tables: [TableID: TableSchema] = [:]
  /// By the name's bytes: Swift's String equality would take canonically equivalent names for one.
  private var idsByName: [[UInt8]: TableID] = [:]
  package private(set) var nextTable = TableID(rawValue: 1)

  package init() {}

  package func table(named name: String) -> TableSchema? { idsByName[Array(name.utf8)].flatMap { tables[$0] } }

  /// In order of creation.
  package var inOrder: [TableSchema] { tables.values.sorted { $0.id < $1.id } }

  package mutating func apply(_ change: CatalogChange) throws {
    switch change {
    case .createTable(let id, let name, let width):
      guard tables[id] == nil, idsByName[Array(name.utf8)] == nil, width > 0, id.rawValue < UInt32.max else {
        throw VarveError(
          .corruption,
          "table \(id.rawValue) (\"\(name)\") is created twice, without a partition width or beyond all ids")
      }
      tables[id] = TableSchema(id: id, name: name, partitionNanoseconds: width)
      idsByName[Array(name.utf8)] = id
      reserve(upTo: id)
    case .addColumn(let table, let column):
      guard var schema = tables[table], Int(column.id.rawValue) == schema.columns.count,
        schema.columns.count < Limits.columnsPerTable, schema.column(named: column.name) == nil
      else {
        throw VarveError(.corruption, "the log adds column \"\(column.name)\" out of order to table \(table.rawValue)")
      }
      schema.append(ColumnSchema(column))
      tables[table] = schema
    case .dropTable(let id):
      guard let schema = tables.removeValue(forKey: id) else {
        throw VarveError(.corruption, "the log drops table \(id.rawValue), which does not exist")
      }
      idsByName[Array(schema.name.utf8)] = nil
    }
  }

  /// Keeps ids of tables that are gone from being given again.
  package mutating func reserve(upTo id: TableID) {
    nextTable = max(nextTable, TableID(rawValue: id.rawValue + 1))
  }
}

extension ColumnSchema {
  package init(_ definition: ColumnDefinition) {
    self.init(
      id: definition.id, name: definition.name,
      kind: definition.fieldType.map { .field($0) } ?? .tag)
  }

  package var definition: ColumnDefinition {
    switch kind {
    case .tag: ColumnDefinition(id: id, name: name, fieldType: nil)
    case .field(let type): ColumnDefinition(id: id, name: name, fieldType: type)
    }
  }
}
