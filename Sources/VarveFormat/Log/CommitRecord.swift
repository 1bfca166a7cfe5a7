// The payload of a commit: what became true in it. FORMAT.md, "Commit record".
//
// New tables and columns come first, then new series, then rows: replay in file order never meets a name it does
// not know. Deletions stand behind the rows and come true before them; changes of dimension tables and steps of rollups
// stand last. Rows are columns, narrowed to the bytes their range needs (`LogColumn`), and the whole body is LZ4.

import VarveCore

/// The rows of one table in one partition, as committed.
package struct RowsRecord: Sendable {
  package let table: TableID
  package let series: Buffer<UInt32>
  package let times: Buffer<Int64>
  package let fields: [(id: ColumnID, column: FieldColumn)]
  package init(
    table: TableID, series: Buffer<UInt32>, times: Buffer<Int64>, fields: [(id: ColumnID, column: FieldColumn)]
  ) {
    self.table = table
    self.series = series
    self.times = times
    self.fields = fields
  }
}

package struct CommitRecord: Sendable {
  package var wallNanoseconds: Int64
  package var changes: [CatalogChange]
  package var series: [SeriesRecord]
  package var rows: [RowsRecord]
  /// Come true before the rows do: they cover nothing of their own record.
  package var deletions: [Deletion]
  /// One table may stand in it more than once: in order.
  package var dimensions: [DimensionChanges]
  /// Come true after all else.
  package var steps: [RollupStep]
  package init(
    wallNanoseconds: Int64, changes: [CatalogChange] = [], series: [SeriesRecord] = [], rows: [RowsRecord] = [],
    deletions: [Deletion] = [], dimensions: [DimensionChanges] = [], steps: [RollupStep] = []
  ) {
    self.wallNanoseconds = wallNanoseconds
    self.changes = changes
    self.series = series
    self.rows = rows
    self.deletions = deletions
    self.dimensions = dimensions
    self.steps = steps
  }

  /// The frame's bytes: room for the frame header, then the payload. `RecordFrame.seal` completes it.
  package func encodedFrame() -> [UInt8] {
    var body = ByteWriter()
    body.append(zigzag: wallNanoseconds)
    CatalogChange.append(changes, to: &body)
    body.append(varint: UInt64(series.count))
    for each in series { each.append(to: &body) }
    body.append(varint: UInt64(rows.count))
    for each in rows { each.append(to: &body) }
    // What is empty to the end is left out.
    if !deletions.isEmpty || !dimensions.isEmpty || !steps.isEmpty {
      body.append(varint: UInt64(deletions.count))
      for each in deletions { each.append(to: &body) }
    }
    if !dimensions.isEmpty || !steps.isEmpty {
      body.append(varint: UInt64(dimensions.count))
      for each in dimensions { each.append(to: &body) }
    }
    if !steps.isEmpty {
      body.append(varint: UInt64(steps.count))
      for each in steps { each.append(to: &body) }
    }
    return LogBody.frame(body)
  }

  /// Of the commit that has this payload.
  package static func wallNanoseconds(of payload: UnsafeRawBufferPointer) throws -> Int64 {
    var reader = ByteReader(try LogBody.unpack(payload))
    return try reader.readZigzag()
  }

  /// Total: throws `.corruption` for bytes that no `encodedFrame` made. `version` is that of the file.
  package static func decode(_ payload: UnsafeRawBufferPointer, version: UInt32 = LogHeader.version) throws
    -> CommitRecord
  {
    let bytes = try LogBody.unpack(payload)
    var reader = ByteReader(bytes)
    var record = CommitRecord(wallNanoseconds: try reader.readZigzag())
    record.changes = try CatalogChange.read(from: &reader, version: version)
    for _ in 0..<(try reader.readCount(minimumByteCount: 3)) {
      record.series.append(try SeriesRecord.read(from: &reader))
    }
    for _ in 0..<(try reader.readCount(minimumByteCount: 4)) { record.rows.append(try RowsRecord.read(from: &reader)) }
    if version >= 2, !reader.isAtEnd {
      let count = try reader.readCount(minimumByteCount: 4)
      for _ in 0..<count { record.deletions.append(try Deletion.read(from: &reader)) }
      guard count > 0 || (version >= 3 && !reader.isAtEnd) else {
        throw VarveError(.corruption, "a record ends with a count of no deletions")
      }
    }
    if version >= 3, !reader.isAtEnd {
      let count = try reader.readCount(minimumByteCount: 3)
      for _ in 0..<count { record.dimensions.append(try DimensionChanges.read(from: &reader)) }
      guard count > 0 || (version >= 4 && !reader.isAtEnd) else {
        throw VarveError(.corruption, "a record ends with a count of no changed tables")
      }
    }
    if version >= 4, !reader.isAtEnd {
      let count = try reader.readCount(minimumByteCount: 3)
      guard count > 0 else { throw VarveError(.corruption, "a record ends with a count of no steps of rollups") }
      for _ in 0..<count { record.steps.append(try RollupStep.read(from: &reader)) }
    }
    try reader.expectEnd()
    return record
  }
}

extension RowsRecord {
  func append(to body: inout ByteWriter) {
    body.append(varint: UInt64(table.rawValue))
    body.append(varint: UInt64(times.count))
    LogColumn.append(series: series.span, to: &body)
    LogColumn.append(times: times.span, to: &body)
    body.append(varint: UInt64(fields.count))
    for field in fields {
      body.append(varint: UInt64(field.id.rawValue))
      LogColumn.append(field.column, to: &body)
    }
  }

  static func read(from reader: inout ByteReader) throws -> RowsRecord {
    let table = TableID(rawValue: try reader.readUInt32Varint())
    let rowCount = try reader.readCount(minimumByteCount: 0)
    guard rowCount > 0, rowCount <= Limits.rowsPerBatch else {
      throw VarveError(.corruption, "a record claims \(rowCount) rows in one block")
    }
    let series = try LogColumn.readSeries(rowCount, from: &reader)
    let times = try LogColumn.readTimes(rowCount, from: &reader)
    var fields: [(id: ColumnID, column: FieldColumn)] = []
    for _ in 0..<(try reader.readCount(minimumByteCount: 3)) {
      let id = ColumnID(rawValue: try reader.readUInt16Varint())
      guard fields.last.map({ $0.id < id }) ?? true else {
        throw VarveError(.corruption, "a record's fields are out of order")
      }
      fields.append((id, try LogColumn.readField(rowCount, from: &reader)))
    }
    return RowsRecord(table: table, series: series, times: times, fields: fields)
  }
}
