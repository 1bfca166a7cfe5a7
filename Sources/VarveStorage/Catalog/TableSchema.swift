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
  package private(set) var columns: [ColumnSchema]
  package let partitionNanoseconds: Int64
  /// Place in `columns` by the name's bytes.
  private var places: [[UInt8]: Int]

  package static let defaultPartitionNanoseconds: Int64 = 86_400_000_000_000

  package init(
    id: TableID, name: String, columns: [ColumnSchema] = [],
    partitionNanoseconds: Int64 = TableSchema.defaultPartitionNanoseconds
  ) {
    self.id = id
    self.name = name
    self.columns = []
    self.partitionNanoseconds = partitionNanoseconds
    places = [:]
    for column in columns { append(column) }
  }

  package mutating func append(_ column: ColumnSchema) {
    let isNew = places.updateValue(columns.count, forKey: Array(column.name.utf8)) == nil
    precondition(isNew, "a table has a column's name once")
    columns.append(column)
  }

  package var tags: [ColumnSchema] { columns.filter(\.isTag) }
  package var fields: [ColumnSchema] { columns.filter { !$0.isTag } }
  package func column(named name: String) -> ColumnSchema? { places[Array(name.utf8)].map { columns[$0] } }

  package func column(_ id: ColumnID) -> ColumnSchema? {
    let place = Int(id.rawValue)
    return place < columns.count && columns[place].id == id ? columns[place] : columns.first { $0.id == id }
  }
}
