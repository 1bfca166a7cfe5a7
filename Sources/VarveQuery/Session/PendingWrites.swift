// What a transaction has written and not committed.

import VarveCore
import VarveStorage

struct PendingWrites {
  /// Rows of series tables, as far as later deletes of the transaction have left them.
  private(set) var batches: [PointBatch] = []
  /// What is deleted of rows that others committed, before the transaction's own come.
  private(set) var deletes: [PendingDelete] = []
  private var dimensions: [TableID: DimensionChangesByKey] = [:]
  private(set) var byteCount = 0
  /// Counts the changes.
  private(set) var version = 0

  private struct DimensionChangesByKey {
    let schema: DimensionSchema
    var isCleared = false
    var changes: [[UInt8]: [UInt8]?] = [:]
  }

  var isEmpty: Bool { batches.isEmpty && deletes.isEmpty && dimensions.isEmpty }
  var changesDimensions: Bool { !dimensions.isEmpty }

  mutating func add(_ batch: PointBatch) {
    version += 1
    byteCount += batch.byteCount
    batches.append(batch)
  }

  /// A delete, and the rows that it leaves of the transaction's own.
  mutating func add(_ delete: PendingDelete?, leaving left: [PointBatch]) {
    version += 1
    if let delete { deletes.append(delete) }
    byteCount += left.reduce(0) { $0 + $1.byteCount } - batches.reduce(0) { $0 + $1.byteCount }
    batches = left
  }

  mutating func add(_ changes: [[UInt8]: [UInt8]?], to table: DimensionSchema) {
    guard !changes.isEmpty else { return }
    version += 1
    var known = dimensions[table.id] ?? DimensionChangesByKey(schema: table)
    for (key, row) in changes {
      byteCount += key.count + (row?.count ?? 0) + 64
      known.changes[key] = .some(row)
    }
    dimensions[table.id] = known
  }

  mutating func clear(_ table: DimensionSchema) {
    version += 1
    dimensions[table.id] = DimensionChangesByKey(schema: table, isCleared: true)
  }

  /// What was written at an earlier time, as a change of its own.
  mutating func goBack(to earlier: PendingWrites) {
    let next = version + 1
    self = earlier
    version = next
  }

  var transaction: TransactionWrites {
    TransactionWrites(
      deletions: deletes.map(\.request), batches: batches,
      dimensions: dimensions.sorted { $0.key < $1.key }.map { _, table in
        DimensionWrite(
          schema: table.schema, isCleared: table.isCleared,
          changes: table.changes.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map {
            DimensionRows.Change(key: $0.key, row: $0.value)
          })
      })
  }
}
