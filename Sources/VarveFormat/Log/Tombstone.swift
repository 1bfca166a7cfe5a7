// What a delete says: some series of a table, within a range of time. FORMAT.md, "Deletion".
//
// With the sequence of its commit it is a tombstone, and covers all rows of its series and times that commits before it
// brought, and none that its own commit or a later one brings.

import VarveCore

package struct Deletion: Sendable, Hashable {
  package let table: TableID
  package let series: SeriesRanges
  package let time: TimeRange
  package init(table: TableID, series: SeriesRanges, time: TimeRange) {
    self.table = table
    self.series = series
    self.time = time
  }
}

package struct Tombstone: Sendable, Hashable {
  package let deletion: Deletion
  package let sequence: Sequence
  package init(_ deletion: Deletion, sequence: Sequence) {
    self.deletion = deletion
    self.sequence = sequence
  }
  package var key: TombstoneKey { TombstoneKey(table: deletion.table, sequence: sequence) }

  /// Whether the chunk may hold rows that this covers, as far as what the manifest says of it goes.
  package func mayCover(_ chunk: ChunkMetadata) -> Bool {
    chunk.deletedThrough < sequence && chunk.table == deletion.table && deletion.time.overlaps(chunk.time)
      && deletion.series.overlaps(chunk.firstSeries.rawValue...chunk.lastSeries.rawValue)
  }
}

/// Names the tombstones that one commit made in one table: they come and go together.
package struct TombstoneKey: Sendable, Hashable, Comparable {
  package let table: TableID
  package let sequence: Sequence
  package init(table: TableID, sequence: Sequence) {
    self.table = table
    self.sequence = sequence
  }
  package static func < (a: Self, b: Self) -> Bool { (a.table, a.sequence) < (b.table, b.sequence) }
}

extension Deletion {
  /// varint table id, zigzag first time, zigzag last time, series.
  func append(to body: inout ByteWriter) {
    body.append(varint: UInt64(table.rawValue))
    body.append(zigzag: time.lower)
    body.append(zigzag: time.upper)
    series.append(to: &body)
  }

  static func read(from reader: inout ByteReader) throws -> Deletion {
    let table = TableID(rawValue: try reader.readUInt32Varint())
    let time = TimeRange(lower: try reader.readZigzag(), upper: try reader.readZigzag())
    guard !time.isEmpty else { throw VarveError(.corruption, "a deletion ends before it begins") }
    return Deletion(table: table, series: try SeriesRanges.read(from: &reader), time: time)
  }
}

extension Tombstone {
  /// varint sequence, then the deletion.
  func append(to body: inout ByteWriter) {
    body.append(varint: sequence.rawValue)
    deletion.append(to: &body)
  }

  static func read(from reader: inout ByteReader) throws -> Tombstone {
    let sequence = Sequence(rawValue: try reader.readVarint())
    return Tombstone(try Deletion.read(from: &reader), sequence: sequence)
  }
}
