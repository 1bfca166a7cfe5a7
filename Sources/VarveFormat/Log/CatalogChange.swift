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

package enum CatalogChange: Sendable, Hashable {
  case createTable(TableID, name: String, partitionNanoseconds: Int64)
  case addColumn(TableID, ColumnDefinition)
  case dropTable(TableID)
}
