// The rows of all dimension tables, as a value: published ones that snapshots copy, and what a commit makes of them.

import VarveCore
import VarveFormat

struct DimensionTable: Sendable {
  var rows = DimensionRows()
  /// The last commit that changed the rows.
  var changed = Sequence.zero
  /// The commit whose rows its file holds; nil without one.
  var saved: Sequence?

  /// Whether the next seal has to write it.
  var isUnsaved: Bool { saved.map { $0 < changed } ?? (changed > .zero) }
}

struct DimensionTables: Sendable {
  private(set) var byTable: [TableID: DimensionTable] = [:]

  subscript(table: TableID) -> DimensionTable { byTable[table] ?? DimensionTable() }

  var byteCount: Int { byTable.values.reduce(0) { $0 + $1.rows.byteCount } }

  mutating func set(_ rows: DimensionRows, of table: TableID, changed: Sequence) {
    byTable[table, default: DimensionTable()].rows = rows
    byTable[table, default: DimensionTable()].changed = changed
  }

  mutating func setSaved(_ sequence: Sequence?, of table: TableID) {
    byTable[table, default: DimensionTable()].saved = sequence
  }

  mutating func remove(_ table: TableID) { byTable[table] = nil }

  /// Those whose rows no file has.
  var unsaved: [(table: TableID, rows: DimensionRows)] {
    byTable.filter { $0.value.isUnsaved }.sorted { $0.key < $1.key }.map { ($0.key, $0.value.rows) }
  }
}

/// What a statement or a transaction does to the rows of one dimension table.
package struct DimensionWrite: Sendable {
  /// As the rows were made for it: if the table has changed since, nothing is done.
  package let schema: DimensionSchema
  /// All rows go first.
  package let isCleared: Bool
  /// In strictly ascending order of key.
  package let changes: [DimensionRows.Change]

  package init(schema: DimensionSchema, isCleared: Bool = false, changes: [DimensionRows.Change]) {
    self.schema = schema
    self.isCleared = isCleared
    self.changes = changes
  }

  package var byteCount: Int { changes.reduce(256) { $0 + $1.key.count + ($1.row?.count ?? 0) + 64 } }

  package func applied(to rows: DimensionRows) -> DimensionRows {
    var rows = isCleared ? DimensionRows() : rows
    rows.apply(changes)
    return rows
  }

  var record: DimensionChanges {
    DimensionChanges(
      table: schema.id, isCleared: isCleared,
      changes: changes.map { change in change.row.map { .put($0) } ?? .remove(change.key) })
  }
}

extension DimensionRows {
  /// What a record says, upon these rows. Throws `.corruption` for rows that are not the table's.
  package mutating func replay(_ record: DimensionChanges, _ schema: DimensionSchema) throws {
    if record.isCleared { self = DimensionRows() }
    var changes: [Change] = []
    changes.reserveCapacity(record.changes.count)
    for each in record.changes {
      let change =
        switch each {
        case .put(let row): Change(key: try row.withUnsafeBytes { try schema.key(of: $0) }, row: row)
        case .remove(let key): Change(key: key, row: nil)
        }
      guard changes.last.map({ $0.key.lexicographicallyPrecedes(change.key) }) ?? true else {
        throw VarveError(.corruption, "a record changes rows of table \(schema.id.rawValue) out of order")
      }
      changes.append(change)
    }
    apply(changes)
  }
}
