// What a table is: its columns and the width of its partitions. Schemas are values; a snapshot holds the ones of
// its moment.

import VarveCore

package struct ColumnSchema: Sendable, Hashable {
  package enum Kind: Sendable, Hashable {
    /// Part of the identity; text.
    case tag
    case field(FieldType)
  }
  package let id: ColumnID
  package let name: String
  package let kind: Kind
  package init(id: ColumnID, name: String, kind: Kind) {
    self.id = id
    self.name = name
    self.kind = kind
  }
  package var isTag: Bool { kind == .tag }
}

package struct TableSchema: Sendable, Hashable {
  package let id: TableID
  package let name: String
  /// Tags and fields in order of creation; `time` comes before them all and is not listed.
  package var columns: [ColumnSchema]
  package let partitionNanoseconds: Int64

  package static let defaultPartitionNanoseconds: Int64 = 86_400_000_000_000

  package init(
    id: TableID, name: String, columns: [ColumnSchema] = [],
    partitionNanoseconds: Int64 = TableSchema.defaultPartitionNanoseconds
  ) {
    self.id = id
    self.name = name
    self.columns = columns
    self.partitionNanoseconds = partitionNanoseconds
  }

  package var tags: [ColumnSchema] { columns.filter(\.isTag) }
  package var fields: [ColumnSchema] { columns.filter { !$0.isTag } }
  package func column(named name: String) -> ColumnSchema? { columns.first { $0.name.utf8.elementsEqual(name.utf8) } }
  package func column(_ id: ColumnID) -> ColumnSchema? { columns.first { $0.id == id } }
}
