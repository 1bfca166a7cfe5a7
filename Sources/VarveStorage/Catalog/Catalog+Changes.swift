// What leads from one catalog to another: what manifest edits and their checkpoints say.
//
// In an order in which no name is ever taken: what goes, then new names, then what comes. A column that came and went in
// between is added and dropped, since its id must not be given again.

import VarveCore
import VarveFormat

extension Catalog {
  /// What leads from `older` to this catalog.
  func changes(since older: Catalog) -> [CatalogChange] {
    var changes: [CatalogChange] = []
    let all = Set(tables.keys).union(dimensions.keys)
    // Rollups, whose ids are the higher, before what they are made from.
    for id in Set(older.tables.keys).union(older.dimensions.keys).sorted(by: >) where !all.contains(id) {
      changes.append(.dropTable(id))
    }
    let renamed = all.sorted().compactMap { id -> TableName? in
      guard let name = name(of: id), let old = older.name(of: id), !old.utf8.elementsEqual(name.utf8) else {
        return nil
      }
      return TableName(id: id, name: name)
    }
    if !renamed.isEmpty { changes.append(.renameTables(renamed)) }
    for table in inOrder { changes += Self.changes(from: older.tables[table.id], to: table) }
    for table in dimensionsInOrder { changes += Self.changes(from: older.dimensions[table.id], to: table) }
    for (id, definition) in rollups.sorted(by: { $0.key < $1.key }) where older.rollups[id] != definition {
      changes.append(.setRollup(id, definition))
    }
    changes += policyChanges(since: older)
    for job in DatabaseJob.allCases where pausedJobs.contains(job) != older.pausedJobs.contains(job) {
      changes.append(.pauseJob(job, pausedJobs.contains(job)))
    }
    if trustedClock != older.trustedClock { changes.append(.trustClock(trustedClock)) }
    return changes
  }

  private func policyChanges(since older: Catalog) -> [CatalogChange] {
    tables.keys.sorted().flatMap { table in
      PolicyKind.allCases.compactMap { kind in
        let (old, new) = (older.policies[table]?[kind] ?? [], policies[table]?[kind] ?? [])
        return old == new ? nil : .setPolicy(table, kind, new)
      }
    }
  }

  private func name(of table: TableID) -> String? { tables[table]?.name ?? dimensions[table]?.name }

  private static func changes(from older: TableSchema?, to table: TableSchema) -> [CatalogChange] {
    var changes: [CatalogChange] = []
    if older == nil {
      changes.append(.createTable(table.id, name: table.name, partitionNanoseconds: table.partitionNanoseconds))
    }
    let known = older?.nextColumn ?? 0
    for column in table.dropped where Int(column.id.rawValue) < known && older?.column(column.id) != nil {
      changes.append(.dropColumn(table.id, column.id))
    }
    changes += renames(
      table.id, from: (older?.columns ?? []).map { ($0.id, $0.name) }, to: table.columns.map { ($0.id, $0.name) })
    for column in (table.columns + table.dropped).sorted(by: { $0.id < $1.id }) where Int(column.id.rawValue) >= known {
      let isDropped = table.column(column.id) == nil
      let name = isDropped ? freeName(table.columns.map(\.name)) : column.name
      let definition = ColumnDefinition(id: column.id, name: name, fieldType: column.definition.fieldType)
      changes.append(.addColumn(table.id, definition))
      if isDropped { changes.append(.dropColumn(table.id, column.id)) }
    }
    return changes
  }

  private static func changes(from older: DimensionSchema?, to table: DimensionSchema) -> [CatalogChange] {
    var changes: [CatalogChange] = []
    // The key's columns are never dropped: the table begins with all that there are up to the last of them.
    let begun = older?.nextColumn ?? Int(table.key.map(\.rawValue).max() ?? 0) + 1
    let live = table.columns.map(\.name)
    let all = (table.columns + table.dropped).sorted { $0.id < $1.id }
    if older == nil {
      var columns = Array(all.prefix(begun))
      var given = live
      for place in columns.indices where table.column(columns[place].id) == nil {
        columns[place].name = freeName(given)
        given.append(columns[place].name)
      }
      changes.append(.createDimension(table.id, name: table.name, columns: columns, key: table.key))
    }
    for column in table.dropped
    where Int(column.id.rawValue) < begun && (older.map { $0.column(column.id) != nil } ?? true) {
      changes.append(.dropColumn(table.id, column.id))
    }
    if let older {
      changes += renames(
        table.id, from: older.columns.map { ($0.id, $0.name) }, to: table.columns.map { ($0.id, $0.name) })
    }
    for var column in all.dropFirst(begun) {
      let isDropped = table.column(column.id) == nil
      if isDropped { column.name = freeName(live) }
      changes.append(.addDimensionColumn(table.id, column))
      if isDropped { changes.append(.dropColumn(table.id, column.id)) }
    }
    return changes
  }

  private static func renames(
    _ table: TableID, from older: [(id: ColumnID, name: String)], to columns: [(id: ColumnID, name: String)]
  ) -> [CatalogChange] {
    let old = Dictionary(uniqueKeysWithValues: older.map { ($0.id, $0.name) })
    let names = columns.compactMap { column in
      old[column.id].flatMap {
        $0.utf8.elementsEqual(column.name.utf8) ? nil : ColumnName(id: column.id, name: column.name)
      }
    }
    return names.isEmpty ? [] : [.renameColumns(table, names)]
  }

  /// A name that is none of these, for a column that is dropped at once.
  private static func freeName(_ taken: [String]) -> String {
    let taken = Set(taken.map { Array($0.utf8) })
    var number = 0
    while taken.contains(Array("dropped \(number)".utf8)) { number += 1 }
    return "dropped \(number)"
  }
}
