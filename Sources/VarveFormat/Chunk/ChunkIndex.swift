// Where everything in a chunk lies, and what the zone maps say of it. FORMAT.md, "Chunk index".
//
// Pages lie back to back from the header to the index, so lengths alone place them, and no two can overlap.

import VarveCore

/// Where a page lies in its file.
package struct PageReference: Sendable, Hashable {
  package var offset: Int
  package var byteCount: Int
  package init(offset: Int, byteCount: Int) {
    self.offset = offset
    self.byteCount = byteCount
  }
}

/// A field's page in a row block.
package struct FieldPage: Sendable, Hashable {
  package var column: ColumnID
  package var type: FieldType
  package var page: PageReference
  package var zone: ZoneMap
}

/// A row block as the index knows it.
package struct RowBlockEntry: Sendable, Hashable {
  package var rowCount: Int
  /// Series in it.
  package var runCount: Int
  package var firstSeries: SeriesID
  package var lastSeries: SeriesID
  package var time: TimeRange
  package var seriesPage: PageReference
  package var timesPage: PageReference
  /// By column id, ascending. A column without an entry is absent in all rows.
  package var fields: [FieldPage]

  package func field(_ column: ColumnID) -> FieldPage? { fieldNumber(column).map { fields[$0] } }

  /// Its place in `fields`.
  package func fieldNumber(_ column: ColumnID) -> Int? {
    var low = 0
    var high = fields.count
    while low < high {
      let middle = (low + high) / 2
      if fields[middle].column < column { low = middle + 1 } else { high = middle }
    }
    return low < fields.count && fields[low].column == column ? low : nil
  }

  /// All bytes of the block: series, times and field pages lie in this order, back to back.
  package var extent: PageReference {
    let last = fields.last?.page ?? timesPage
    return PageReference(offset: seriesPage.offset, byteCount: last.offset + last.byteCount - seriesPage.offset)
  }
}

package struct ChunkIndex: Sendable {
  /// Every field column of the chunk, by id, ascending.
  package var columns: [(id: ColumnID, type: FieldType)]
  /// In order of (series, time): a block's last series is at most the next one's first.
  package var rowBlocks: [RowBlockEntry]
  /// Nil: the chunk has none.
  package var summaries: SummaryIndex?
  package init(
    columns: [(id: ColumnID, type: FieldType)], rowBlocks: [RowBlockEntry], summaries: SummaryIndex? = nil
  ) {
    self.columns = columns
    self.rowBlocks = rowBlocks
    self.summaries = summaries
  }
}

extension ChunkIndex {
  func encoded() -> [UInt8] {
    var out = ByteWriter(reserving: rowBlocks.count * (32 + columns.count * 48) + 64)
    out.append(varint: UInt64(columns.count))
    for column in columns {
      out.append(varint: UInt64(column.id.rawValue))
      out.append(byte: column.type.rawValue)
    }
    out.append(varint: UInt64(rowBlocks.count))
    var previousSeries: UInt32 = 0
    for block in rowBlocks {
      IndexedRows(
        rowCount: block.rowCount, runCount: block.runCount, firstSeries: block.firstSeries, lastSeries: block.lastSeries
      ).append(to: &out, previousSeries: &previousSeries)
      IndexedRange(lower: block.time.lower, upper: block.time.upper).append(to: &out)
      out.append(varint: UInt64(block.seriesPage.byteCount))
      out.append(varint: UInt64(block.timesPage.byteCount))
      appendIndexedFields(block.fields, columns, \.column, to: &out) { field, out in
        out.append(varint: UInt64(field.page.byteCount))
        field.zone.append(type: field.type, to: &out)
      }
    }
    SummaryIndex.append(summaries, columns: columns, to: &out)
    return out.bytes
  }

  /// The index from its own bytes, checked against itself, the footer and the partition. Total; memory taken is
  /// bounded by the bytes read.
  package static func decode(
    _ bytes: UnsafeRawBufferPointer, identity: ChunkIdentity, version: UInt32, footer: ChunkFooter,
    place: String
  ) throws -> ChunkIndex {
    try placed(place) {
      guard bytes.count == footer.indexByteCount,
        CRC32C.salted(bytes, file: identity.file, offset: footer.indexOffset) == footer.indexChecksum
      else { throw VarveError(.corruption, "a chunk's index fails its checksum") }
      return try decodeUnchecked(bytes, identity: identity, version: version, footer: footer)
    }
  }

  /// As `decode`, of bytes whose checksum is not in question.
  static func decodeUnchecked(
    _ bytes: UnsafeRawBufferPointer, identity: ChunkIdentity, version: UInt32, footer: ChunkFooter
  ) throws -> ChunkIndex {
    var reader = ByteReader(bytes)
    var columns: [(id: ColumnID, type: FieldType)] = []
    for _ in 0..<(try reader.readCount(minimumByteCount: 2)) {
      let id = ColumnID(rawValue: try reader.readUInt16Varint())
      let type = try reader.readByte()
      guard let type = FieldType(rawValue: type), columns.last.map({ $0.id < id }) ?? true else {
        throw VarveError(.corruption, "a chunk's columns are out of order or of unknown type (\(type))")
      }
      columns.append((id, type))
    }
    guard try reader.readCount(minimumByteCount: 9) == footer.rowBlockCount else {
      throw VarveError(.corruption, "a chunk's index and footer disagree on the number of row blocks")
    }
    var state = IndexTotals(
      offset: ChunkHeader.byteCount, end: footer.indexOffset,
      blockRowCount: ChunkHeader.rowBlockRowCount(version: version))
    var blocks: [RowBlockEntry] = []
    blocks.reserveCapacity(footer.rowBlockCount)
    for _ in 0..<footer.rowBlockCount {
      blocks.append(try readBlock(columns, identity, &state, &reader))
    }
    let summaries = version >= 2 ? try SummaryIndex.read(columns, identity, &state, &reader) : nil
    try reader.expectEnd()
    let time = blocks.isEmpty ? TimeRange(lower: 0, upper: -1) : TimeRange(lower: state.least, upper: state.greatest)
    guard state.offset == footer.indexOffset, state.rows == footer.rowCount, state.values == footer.valueCount,
      time == footer.time, (blocks.first?.firstSeries.rawValue ?? 0) == footer.firstSeries.rawValue,
      (blocks.last?.lastSeries.rawValue ?? 0) == footer.lastSeries.rawValue
    else { throw VarveError(.corruption, "a chunk's index does not add up to its footer") }
    return ChunkIndex(columns: columns, rowBlocks: blocks, summaries: summaries)
  }

  private static func readBlock(
    _ columns: [IndexedColumn], _ identity: ChunkIdentity, _ state: inout IndexTotals, _ reader: inout ByteReader
  ) throws -> RowBlockEntry {
    let rows = try state.readRows("row block", &reader)
    let time = try IndexedRange.read(&reader)
    guard time.lower <= time.upper,
      ChunkIdentity.partition(of: time.lower, nanoseconds: identity.partitionNanoseconds) == identity.partition,
      ChunkIdentity.partition(of: time.upper, nanoseconds: identity.partitionNanoseconds) == identity.partition
    else { throw VarveError(.corruption, "a row block's times lie outside the chunk's partition") }
    let seriesPage = try state.readPage(&reader)
    let timesPage = try state.readPage(&reader)
    let fields = try state.readFields(of: "row block", columns, minimumByteCount: 4, &reader) {
      column, state, reader in
      let page = try state.readPage(&reader)
      let zone = try ZoneMap.read(type: column.type, rowCount: rows.rowCount, from: &reader)
      state.values += zone.valueCount
      return FieldPage(column: column.id, type: column.type, page: page, zone: zone)
    }
    state.rows += rows.rowCount
    state.least = min(state.least, time.lower)
    state.greatest = max(state.greatest, time.upper)
    return RowBlockEntry(
      rowCount: rows.rowCount, runCount: rows.runCount, firstSeries: rows.firstSeries, lastSeries: rows.lastSeries,
      time: TimeRange(lower: time.lower, upper: time.upper), seriesPage: seriesPage, timesPage: timesPage,
      fields: fields)
  }
}
