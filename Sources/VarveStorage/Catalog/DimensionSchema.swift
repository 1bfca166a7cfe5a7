// What a dimension table is: its columns and its primary key. A value, as `TableSchema` is for series.

import VarveCore
import VarveFormat

package struct DimensionSchema: Sendable, Hashable {
  package let id: TableID
  package private(set) var name: String
  /// In order of creation.
  package private(set) var columns: [DimensionColumn]
  /// Their ids are not given again, and rows may still hold their values.
  package private(set) var dropped: [DimensionColumn] = []
  /// In the key's order.
  package let key: [ColumnID]

  /// Throws `.corruption` for what no Varve makes.
  package init(id: TableID, name: String, columns: [DimensionColumn], key: [ColumnID]) throws {
    self.id = id
    self.name = name
    self.columns = []
    self.key = key
    for column in columns { try append(column) }
    guard !key.isEmpty, Set(key).count == key.count,
      key.allSatisfy({ column($0).map { $0.isNotNull && $0.type.isKey } ?? false })
    else { throw VarveError(.corruption, "table \(id.rawValue) (\"\(name)\") has an impossible primary key") }
  }

  /// Ids below are taken.
  package var nextColumn: Int { columns.count + dropped.count }

  package func column(named name: String) -> DimensionColumn? {
    columns.first { $0.name.utf8.elementsEqual(name.utf8) }
  }

  package func column(_ id: ColumnID) -> DimensionColumn? { columns.first { $0.id == id } }

  mutating func append(_ column: DimensionColumn) throws {
    guard Int(column.id.rawValue) == nextColumn, nextColumn < Limits.columnsPerTable,
      self.column(named: column.name) == nil
    else {
      throw VarveError(.corruption, "column \"\(column.name)\" is added out of order to table \(id.rawValue)")
    }
    columns.append(column)
  }

  mutating func drop(_ column: ColumnID) throws {
    guard let place = columns.firstIndex(where: { $0.id == column }), !key.contains(column) else {
      throw VarveError(.corruption, "column \(column.rawValue) of table \(id.rawValue) cannot be dropped")
    }
    dropped.append(columns.remove(at: place))
    dropped.sort { $0.id < $1.id }
  }

  mutating func rename(_ names: [ColumnName]) throws {
    for name in names {
      guard let place = columns.firstIndex(where: { $0.id == name.id }) else {
        throw VarveError(.corruption, "column \(name.id.rawValue) of table \(id.rawValue) cannot be renamed")
      }
      columns[place].name = name.name
    }
    guard Set(columns.map { Array($0.name.utf8) }).count == columns.count else {
      throw VarveError(.corruption, "two columns of table \(id.rawValue) get one name")
    }
  }

  mutating func rename(to name: String) { self.name = name }

  // MARK: Rows

  /// The key of a row that is checked. Throws `.corruption` for a row that is not of this table.
  package func key(of row: UnsafeRawBufferPointer) throws -> [UInt8] { try key(of: DimensionRow.values(row)) }

  /// Values by column id.
  package func key(of values: [DimensionValue]) throws -> [UInt8] {
    guard values.count <= nextColumn else {
      throw VarveError(.corruption, "a row of table \(id.rawValue) has \(values.count) values")
    }
    for column in columns where Int(column.id.rawValue) < values.count {
      guard values[Int(column.id.rawValue)].fits(column.type) else {
        throw VarveError(.corruption, "a row of table \(id.rawValue) contradicts column \"\(column.name)\"")
      }
    }
    var bytes: [UInt8] = []
    for column in key {
      guard Int(column.rawValue) < values.count, values[Int(column.rawValue)] != .null else {
        throw VarveError(.corruption, "a row of table \(id.rawValue) lacks a value of its primary key")
      }
      DimensionKey.append(values[Int(column.rawValue)], to: &bytes)
    }
    return bytes
  }

  /// A row's values by column id, as the table's columns are now.
  package func values(_ row: UnsafeRawBufferPointer) throws -> [DimensionValue] {
    var values = try DimensionRow.values(row)
    let count = values.count
    values += [DimensionValue](repeating: .null, count: max(0, nextColumn - count))
    for column in columns where Int(column.id.rawValue) >= count { values[Int(column.id.rawValue)] = column.older }
    return values
  }
}
