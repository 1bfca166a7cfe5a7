// Names become ids: tables, columns and series are looked up, or created with the change that the record will hold.

import VarveCore
import VarveFormat

extension BatchResolver {
  mutating func tableID(_ name: String) throws -> TableID {
    if let table = catalog.table(named: name) { return table.id }
    precondition(catalog.tableCount < Limits.tables, "rows beyond the limit were rejected")
    let id = catalog.nextTable
    try apply(.createTable(id, name: name, partitionNanoseconds: TableSchema.defaultPartitionNanoseconds))
    return id
  }

  mutating func columnID(_ table: TableID, _ name: String, _ type: FieldType?) throws -> ColumnID {
    guard let schema = catalog.tables[table] else { preconditionFailure("columns are added to tables that exist") }
    if let column = schema.column(named: name) { return column.id }
    precondition(schema.nextColumn < Limits.columnsPerTable, "rows beyond the limit were rejected")
    let id = ColumnID(rawValue: UInt16(schema.nextColumn))
    try apply(.addColumn(table, ColumnDefinition(id: id, name: name, fieldType: type)))
    return id
  }

  /// Indexes of the tag sets that the rows have.
  func usedSeries(_ batch: PointBatch, _ rows: [Int]) -> [Int] {
    if rows.count == batch.rowCount { return Array(batch.series.indices) }
    return Set(rows.map { Int(batch.rowSeries[$0]) }).sorted()
  }

  /// By index of the tag set; looked up only for those that are used.
  mutating func knownSeries(_ batch: PointBatch, _ used: [Int], _ table: TableSchema?) -> [Int: SeriesID] {
    guard let table else { return [:] }
    let index = seriesOf(table.id)
    let names = tagNames(table.id)
    var known: [Int: SeriesID] = [:]
    known.reserveCapacity(used.count)
    for each in used {
      if let id = index.find(batch.series[each], column: names.find) { known[each] = id }
    }
    return known
  }

  mutating func seriesIDs(
    _ batch: PointBatch, _ rows: [Int], _ table: TableID, _ known: [Int: SeriesID]
  ) throws -> Buffer<UInt32> {
    var ids = [UInt32](repeating: .max, count: batch.series.count)
    for (local, id) in known { ids[local] = id.rawValue }
    let out = Buffer<UInt32>(capacity: rows.count)
    let rowSeries = batch.rowSeries.span
    for row in rows {
      let local = Int(rowSeries[row])
      if ids[local] == .max { ids[local] = try addSeries(batch.series[local], table).rawValue }
      out.append(ids[local])
    }
    return out
  }

  mutating func addSeries(_ key: SeriesKey, _ table: TableID) throws -> SeriesID {
    var failure: (any Error)?
    key.forEachTag { name, _ in
      do { _ = try columnID(table, String(decoding: name, as: UTF8.self), nil) } catch { failure = failure ?? error }
    }
    if let failure { throw failure }
    let index = seriesOf(table)
    let names = tagNames(table)
    tablesWithNewSeries.insert(table)
    // A batch may list one tag set twice.
    if let known = index.find(key, column: names.find) { return known }
    seriesRoom.byteCount -= SeriesIndex.byteCount(ofNew: key)
    return try index.add(key, column: names.find)
  }

  mutating func tagNames(_ table: TableID) -> TagNames {
    if let names = namesByTable[table] { return names }
    guard let schema = catalog.tables[table] else { preconditionFailure("tags of a table that exists") }
    let names = TagNames(schema)
    namesByTable[table] = names
    return names
  }

  mutating func fieldColumns(
    _ batch: PointBatch, _ rows: [Int], _ table: TableID, whole: Bool
  ) throws -> [(id: ColumnID, column: FieldColumn)] {
    var columns: [ColumnID: FieldColumn] = [:]
    for field in batch.fields {
      // Columns that only rejected rows had are not created.
      guard rows.contains(where: { field.column.state($0) != .absent }) else { continue }
      let id = try columnID(table, field.name, field.column.type)
      guard case .field(let type) = catalog.tables[table]?.column(id)?.kind else {
        preconditionFailure("checked before")
      }
      var column = whole ? field.column : field.column.gathered(rows)
      if column.type != type { column = column.converted(to: type) }
      columns[id] = columns[id].map { $0.overlaid(with: column) } ?? column
    }
    return columns.keys.sorted().compactMap { id in columns[id].map { (id, $0) } }
  }
}
