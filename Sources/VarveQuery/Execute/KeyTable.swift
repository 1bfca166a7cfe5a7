// Hash tables over rows of columns: groups, distinct rows, sides of joins. Two rows are one key as GROUP BY sees
// it: NULLs equal each other, text goes by its bytes.

import VarveCompute
import VarveCore

/// Numbers distinct rows from 0 in order of appearance.
struct KeyTable {
  private let types: [SQLType]
  /// The keys of the groups, in chunks as they were found.
  private var chunks: [[Column]] = []
  private var chunkStarts: [Int] = []
  /// Group → chunk and row.
  private let places = Buffer<UInt64>()
  private let hashes = Buffer<UInt64>()
  private var slots = Buffer<UInt32>(repeating: .max, count: 64)
  private(set) var count = 0

  init(types: [SQLType]) { self.types = types }

  /// The group of each row. New ones are numbered as they come. `memory` pays for their keys.
  mutating func assign(_ keys: [Column], count rows: Int, memory: MemoryAccount) throws -> Buffer<UInt32> {
    let groups = Buffer<UInt32>(repeating: 0, count: rows)
    if keys.isEmpty {
      if rows > 0 { count = 1 }
      return groups
    }
    let rowHashes = Buffer<UInt64>(repeating: 0, count: rows)
    for (index, key) in keys.enumerated() { key.hash(into: rowHashes.mutableSpan, combining: index > 0) }
    let newRows = Buffer<UInt32>()
    let chunk = chunks.count
    for row in 0..<rows {
      if (count + 1) * 2 > slots.count { grow() }
      let hash = rowHashes[row]
      var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
      while true {
        let group = slots[slot]
        if group == .max {
          slots[slot] = UInt32(count)
          groups[row] = UInt32(count)
          hashes.append(hash)
          places.append(UInt64(chunk) << 32 | UInt64(newRows.count))
          newRows.append(UInt32(row))
          count += 1
          break
        }
        if hashes[Int(group)] == hash, matches(Int(group), keys, row, chunk, newRows) {
          groups[row] = group
          break
        }
        slot = (slot + 1) & (slots.count - 1)
      }
    }
    if newRows.count > 0 {
      let kept = keys.map { $0.gather(newRows.span) }
      try memory.charge(kept.reduce(newRows.count * 24) { $0 + $1.byteCount })
      chunks.append(kept)
    }
    return groups
  }

  private func matches(_ group: Int, _ keys: [Column], _ row: Int, _ current: Int, _ newRows: Buffer<UInt32>) -> Bool {
    let place = places[group]
    let chunk = Int(place >> 32)
    let other = Int(place & 0xFFFF_FFFF)
    if chunk == current {
      // Found in this very batch: not gathered yet.
      let otherRow = Int(newRows[other])
      return keys.allSatisfy { $0.isSame(row, $0, otherRow) }
    }
    for index in keys.indices where !keys[index].isSame(row, chunks[chunk][index], other) { return false }
    return true
  }

  private mutating func grow() {
    let larger = Buffer<UInt32>(repeating: .max, count: slots.count * 2)
    for group in 0..<count {
      var slot = Int(truncatingIfNeeded: hashes[group]) & (larger.count - 1)
      while larger[slot] != .max { slot = (slot + 1) & (larger.count - 1) }
      larger[slot] = UInt32(group)
    }
    slots = larger
  }

  /// The key columns, a row a group.
  func keys() -> [Column] {
    types.indices.map { index in
      chunks.isEmpty ? .null(types[index], count: 0) : .concat(chunks.map { $0[index] }, type: types[index])
    }
  }
}

/// A set of values of one column, for IN.
struct KeySet {
  private let values: Column
  private let hasNull: Bool
  private let hashes: Buffer<UInt64>
  private var slots: Buffer<UInt32>

  init(_ values: Column) {
    self.values = values
    hasNull = values.hasNulls
    hashes = Buffer(repeating: 0, count: values.count)
    values.hash(into: hashes.mutableSpan, combining: false)
    var size = 16
    while size < values.count * 2 { size *= 2 }
    slots = Buffer(repeating: .max, count: size)
    for row in 0..<values.count where !values.isNull(at: row) {
      var slot = Int(truncatingIfNeeded: hashes[row]) & (size - 1)
      while slots[slot] != .max { slot = (slot + 1) & (size - 1) }
      slots[slot] = UInt32(row)
    }
  }

  /// IN: unknown where the value is NULL, or where it is not found and the set has a NULL.
  func contains(_ column: Column) -> Column {
    let states = Buffer<UInt8>(repeating: 0, count: column.count)
    if values.count == 0 { return Logic.column(states) }
    let probe = Buffer<UInt64>(repeating: 0, count: column.count)
    column.hash(into: probe.mutableSpan, combining: false)
    for row in 0..<column.count {
      if column.isNull(at: row) {
        states[row] = 2
        continue
      }
      states[row] = hasNull ? 2 : 0
      var slot = Int(truncatingIfNeeded: probe[row]) & (slots.count - 1)
      while slots[slot] != .max {
        let other = Int(slots[slot])
        if hashes[other] == probe[row], column.isSame(row, values, other) {
          states[row] = 1
          break
        }
        slot = (slot + 1) & (slots.count - 1)
      }
    }
    return Logic.column(states)
  }
}
