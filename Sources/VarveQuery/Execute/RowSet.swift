// (a, b) IN (SELECT …): the rows of the query as a hash table. A row with a NULL is found by no other; of it can only be
// known what it differs from.

import VarveCompute
import VarveCore

struct RowSet {
  private let rows: QueryBatch
  private let hashes: Buffer<UInt64>
  private var slots: Buffer<UInt32>
  private var rowsWithNull: [Int] = []

  init(_ rows: QueryBatch) {
    self.rows = rows
    hashes = Self.hashes(rows.columns, rows.count)
    var size = 16
    while size < rows.count * 2 { size *= 2 }
    slots = Buffer(repeating: .max, count: size)
    for row in 0..<rows.count {
      if rows.columns.contains(where: { $0.isNull(at: row) }) {
        rowsWithNull.append(row)
        continue
      }
      var slot = Int(truncatingIfNeeded: hashes[row]) & (size - 1)
      while slots[slot] != .max { slot = (slot + 1) & (size - 1) }
      slots[slot] = UInt32(row)
    }
  }

  private static func hashes(_ columns: [Column], _ count: Int) -> Buffer<UInt64> {
    let hashes = Buffer<UInt64>(repeating: 0, count: count)
    for (index, column) in columns.enumerated() { column.hash(into: hashes.mutableSpan, combining: index > 0) }
    return hashes
  }

  /// Unknown where the row is not found and some row differs from it only where one of them is NULL.
  func contains(_ columns: [Column], count: Int) -> Column {
    let states = Buffer<UInt8>(repeating: 0, count: count)
    let probe = Self.hashes(columns, count)
    for row in 0..<count {
      if columns.contains(where: { $0.isNull(at: row) }) {
        if (0..<rows.count).contains(where: { !differs(columns, row, from: $0) }) { states[row] = 2 }
      } else if isFound(columns, row, probe[row]) {
        states[row] = 1
      } else if rowsWithNull.contains(where: { !differs(columns, row, from: $0) }) {
        states[row] = 2
      }
    }
    return Logic.column(states)
  }

  private func isFound(_ columns: [Column], _ row: Int, _ hash: UInt64) -> Bool {
    var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
    while slots[slot] != .max {
      let other = Int(slots[slot])
      if hashes[other] == hash, !differs(columns, row, from: other) { return true }
      slot = (slot + 1) & (slots.count - 1)
    }
    return false
  }

  private func differs(_ columns: [Column], _ row: Int, from other: Int) -> Bool {
    columns.indices.contains { index in
      let (left, right) = (columns[index], rows.columns[index])
      return !left.isNull(at: row) && !right.isNull(at: other) && !left.isSame(row, right, other)
    }
  }
}
