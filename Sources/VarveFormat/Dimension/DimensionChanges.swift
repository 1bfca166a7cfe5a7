// What a commit does to the rows of one dimension table. FORMAT.md, "Dimension changes".
//
//   varint table · u8 flags (1: all rows go first) · varint count · for each, in order of key:
//   varint length of the row, and the row; or 0 and the key of a row that goes (prefixed)

import VarveCore

package struct DimensionChanges: Sendable {
  package enum Change: Sendable, Hashable {
    /// The whole row, in place of the one with its key.
    case put([UInt8])
    /// The key. There may be no such row.
    case remove([UInt8])
  }

  package let table: TableID
  package let isCleared: Bool
  package let changes: [Change]

  package init(table: TableID, isCleared: Bool = false, changes: [Change]) {
    self.table = table
    self.isCleared = isCleared
    self.changes = changes
  }

  func append(to body: inout ByteWriter) {
    body.append(varint: UInt64(table.rawValue))
    body.append(byte: isCleared ? 1 : 0)
    body.append(varint: UInt64(changes.count))
    for change in changes {
      switch change {
      case .put(let row): body.append(prefixed: row)
      case .remove(let key):
        body.append(varint: 0)
        body.append(prefixed: key)
      }
    }
  }

  static func read(from reader: inout ByteReader) throws -> DimensionChanges {
    let table = TableID(rawValue: try reader.readUInt32Varint())
    let flags = try reader.readByte()
    guard flags <= 1 else { throw VarveError(.corruption, "a record changes a table in an unknown way (\(flags))") }
    var changes: [Change] = []
    let count = try reader.readCount(minimumByteCount: 2)
    guard count > 0 || flags == 1 else { throw VarveError(.corruption, "a record changes nothing of a table") }
    changes.reserveCapacity(count)
    for _ in 0..<count {
      let row = try reader.readPrefixed()
      changes.append(row.isEmpty ? .remove(try reader.readPrefixed()) : .put(row))
    }
    return DimensionChanges(table: table, isCleared: flags == 1, changes: changes)
  }
}
