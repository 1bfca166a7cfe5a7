// What a table is: its columns and the width of its partitions. Schemas are values; a snapshot holds the ones of
// its moment.

import VarveCore
import VarveFormat

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
  package private(set) var name: String
  /// Tags and fields in order of creation; `time` comes before them all and is not listed.
  package private(set) var columns: [ColumnSchema]
  /// Fields that are gone. Their ids are not given again, since chunks may still hold their pages.
  package private(set) var dropped: [ColumnSchema] = []
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

  /// Ids below are taken.
  package var nextColumn: Int { columns.count + dropped.count }

  /// Gives nothing of what the field held: false if it is no field of the table.
  mutating func drop(_ column: ColumnID) -> Bool {
    guard let place = columns.firstIndex(where: { $0.id == column }), !columns[place].isTag else { return false }
    dropped.append(columns.remove(at: place))
    dropped.sort { $0.id < $1.id }
    index()
    return true
  }

  /// False, with the schema in no good state, if there is no such column or two get one name.
  mutating func rename(_ names: [ColumnName]) -> Bool {
    for name in names {
      guard let place = columns.firstIndex(where: { $0.id == name.id }) else { return false }
      columns[place] = ColumnSchema(id: name.id, name: name.name, kind: columns[place].kind)
    }
    index()
    return places.count == columns.count
  }

  mutating func rename(to name: String) { self.name = name }

  private mutating func index() {
    places = [:]
    for (place, column) in columns.enumerated() { places[Array(column.name.utf8)] = place }
  }

  package var tags: [ColumnSchema] { columns.filter(\.isTag) }
  package var fields: [ColumnSchema] { columns.filter { !$0.isTag } }
  package func column(named name: String) -> ColumnSchema? { places[Array(name.utf8)].map { columns[$0] } }

  /// Also a column that is dropped, whose pages chunks may still have.
  package func everHad(_ id: ColumnID) -> ColumnSchema? { column(id) ?? dropped.first { $0.id == id } }

  package func column(_ id: ColumnID) -> ColumnSchema? {
    let place = Int(id.rawValue)
    return place < columns.count && columns[place].id == id ? columns[place] : columns.first { $0.id == id }
  }
}
