/// What commit records and manifest edits say about tables. FORMAT.md, "Commit record".

import VarveCore

/// A column as files name it; no field type means a tag.
package struct ColumnDefinition: Sendable, Hashable {
  package let id: ColumnID
  package let name: String
  package let fieldType: FieldType?
  package init(id: ColumnID, name: String, fieldType: FieldType?) {
    self.id = id
    self.name = name
    self.fieldType = fieldType
  }
}

package struct ColumnName: Sendable, Hashable {
  package let id: ColumnID
  package let name: String
  package init(id: ColumnID, name: String) {
    self.id = id
    self.name = name
  }
}

package struct TableName: Sendable, Hashable {
  package let id: TableID
  package let name: String
  package init(id: TableID, name: String) {
    self.id = id
    self.name = name
  }
}

package enum CatalogChange: Sendable, Hashable {
  case createTable(TableID, name: String, partitionNanoseconds: Int64)
  case addColumn(TableID, ColumnDefinition)
  case dropTable(TableID)
  /// The key's columns are in the key's order.
  case createDimension(TableID, name: String, columns: [DimensionColumn], key: [ColumnID])
  case addDimensionColumn(TableID, DimensionColumn)
  /// Its id is not given again.
  case dropColumn(TableID, ColumnID)
  /// All at once, so that names can change places.
  case renameColumns(TableID, [ColumnName])
  case renameTables([TableName])
  /// Makes a series table a rollup, or gives one another statement.
  case setRollup(TableID, RollupDefinition)
  /// What is done by itself for a table, in words of the layers above; none: nothing any more.
  case setPolicy(TableID, PolicyKind, [UInt8])
  /// The highest time of day that is believed.
  case trustClock(Int64)
  /// A job that every database has is not done by itself for now, or is again.
  case pauseJob(DatabaseJob, Bool)
}
