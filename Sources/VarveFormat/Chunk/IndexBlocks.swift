// What row blocks and summary blocks have in common in a chunk's index: rows and series, pages that lie back to back, and
// fields that name their column by how many are skipped before it. FORMAT.md, "Chunk index".

import VarveCore

/// Rows and series of a block.
struct IndexedRows {
  let rowCount: Int
  let runCount: Int
  let firstSeries: SeriesID
  let lastSeries: SeriesID

  /// `previousSeries`: the last of the block before.
  func append(to out: inout ByteWriter, previousSeries: inout UInt32) {
    out.append(varint: UInt64(rowCount))
    out.append(varint: UInt64(runCount))
    out.append(varint: UInt64(firstSeries.rawValue - previousSeries))
    out.append(varint: UInt64(lastSeries.rawValue - firstSeries.rawValue))
    previousSeries = lastSeries.rawValue
  }
}

/// Least and greatest of a block's times or buckets.
struct IndexedRange {
  let lower: Int64
  let upper: Int64

  func append(to out: inout ByteWriter) {
    out.append(zigzag: lower)
    out.append(varint: UInt64(bitPattern: upper &- lower))
  }

  static func read(_ reader: inout ByteReader) throws -> IndexedRange {
    let lower = try reader.readZigzag()
    return IndexedRange(
      lower: lower, upper: Int64(bitPattern: UInt64(bitPattern: lower) &+ (try reader.readVarint())))
  }
}

typealias IndexedColumn = (id: ColumnID, type: FieldType)

/// The fields of a block; `body` writes what follows on each one's column.
func appendIndexedFields<Field>(
  _ fields: [Field], _ columns: [IndexedColumn], _ column: (Field) -> ColumnID, to out: inout ByteWriter,
  _ body: (Field, inout ByteWriter) -> Void
) {
  out.append(varint: UInt64(fields.count))
  var ordinal = 0
  var next = 0
  for field in fields {
    while columns[ordinal].id < column(field) { ordinal += 1 }
    out.append(varint: UInt64(ordinal - next))
    next = ordinal + 1
    body(field, &out)
  }
}

/// What the entries of an index that are read so far add up to.
struct IndexTotals {
  var offset: Int
  let end: Int
  let blockRowCount: Int
  var series: UInt32 = 0
  var rows = 0
  var values = 0
  var least = Int64.max
  var greatest = Int64.min

  mutating func readPage(_ reader: inout ByteReader) throws -> PageReference {
    let byteCount = try reader.readLength()
    guard byteCount >= PageHeader.byteCount, byteCount <= end - offset else {
      throw VarveError(.corruption, "a page of \(byteCount) bytes does not fit its chunk")
    }
    defer { offset += byteCount }
    return PageReference(offset: offset, byteCount: byteCount)
  }

  /// `what` is a block, for errors.
  mutating func readRows(_ what: String, _ reader: inout ByteReader) throws -> IndexedRows {
    let rowCount = try reader.readLength()
    let runCount = try reader.readLength()
    guard rowCount >= 1, rowCount <= blockRowCount, runCount >= 1, runCount <= rowCount else {
      throw VarveError(.corruption, "a \(what) of \(rowCount) rows in \(runCount) series is impossible")
    }
    let first = try readSeries(&reader)
    let last = try readSeries(&reader)
    guard last.rawValue - first.rawValue >= UInt32(runCount - 1), runCount > 1 || first == last else {
      throw VarveError(.corruption, "a \(what) has too many series for its range")
    }
    return IndexedRows(rowCount: rowCount, runCount: runCount, firstSeries: first, lastSeries: last)
  }

  private mutating func readSeries(_ reader: inout ByteReader) throws -> SeriesID {
    let (next, overflow) = series.addingReportingOverflow(try reader.readUInt32Varint())
    guard !overflow else { throw VarveError(.corruption, "a series id is beyond 32 bits") }
    series = next
    return SeriesID(rawValue: next)
  }

  /// `body` reads what follows on a field's column: at least `minimumByteCount` with it.
  mutating func readFields<Field>(
    of what: String, _ columns: [IndexedColumn], minimumByteCount: Int, _ reader: inout ByteReader,
    _ body: (IndexedColumn, inout IndexTotals, inout ByteReader) throws -> Field
  ) throws -> [Field] {
    let count = try reader.readCount(minimumByteCount: minimumByteCount)
    guard count <= columns.count else {
      throw VarveError(.corruption, "a \(what) has more fields than its chunk has columns")
    }
    var fields: [Field] = []
    fields.reserveCapacity(count)
    var ordinal = 0
    for _ in 0..<count {
      let skipped = try reader.readLength()
      guard skipped < columns.count - ordinal else {
        throw VarveError(.corruption, "a \(what) has a field that its chunk does not have")
      }
      ordinal += skipped
      fields.append(try body(columns[ordinal], &self, &reader))
      ordinal += 1
    }
    return fields
  }
}
