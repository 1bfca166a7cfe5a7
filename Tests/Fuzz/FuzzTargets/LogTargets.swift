// Records of the log, the manifest and the series file. Inputs are bodies: nobody guesses a checksum.

import VarveCore
import VarveFormat
import VarveStorage

/// The payload that holds `body` uncompressed.
private func payload(_ body: [UInt8]) -> [UInt8] {
  var out = ByteWriter()
  out.append(byte: 0)
  out.append(u32: UInt32(body.count))
  out.append(body)
  return out.bytes
}

/// Throws are fine; traps are not.
func attempt(_ body: () throws -> Void) {
  do { try body() } catch is VarveError {} catch { preconditionFailure("\(error)") }
}

@Sendable func fuzzCommitRecord(_ bytes: [UInt8]) {
  // As it is, which reaches the envelope and LZ4; and as a body.
  attempt { _ = try bytes.withUnsafeBytes { try CommitRecord.decode($0) } }
  attempt {
    let record = try payload(bytes).withUnsafeBytes { try CommitRecord.decode($0) }
    var catalog = Catalog()
    for change in record.changes { try catalog.apply(change) }
    let series = SeriesIndexes(hash: WideHash(seed: 1))
    for each in record.series { try series.apply(each, catalog: catalog) }
    for deletion in record.deletions {
      for id in [UInt32.min, 1, 255, .max] { _ = deletion.series.contains(SeriesID(rawValue: id)) }
    }
    for change in record.dimensions {
      guard let schema = catalog.dimensions[change.table] else { continue }
      var rows = DimensionRows()
      try rows.replay(change, schema)
      try rows.forEachRow { _ = try schema.values($0) }
    }
    for rows in record.rows { _ = HeadBlock(series: rows.series, times: rows.times, fields: rows.fields).sortedOrder() }
    // What was read can be written, and read again.
    let again = record.encodedFrame()
    let reread = try again[RecordFrame.headerByteCount...].withUnsafeBytes { try CommitRecord.decode($0) }
    precondition(reread.deletions == record.deletions, "deletions are read as they were written")
    precondition(reread.changes == record.changes, "catalog changes are read as they were written")
    precondition(
      reread.dimensions.map(\.changes) == record.dimensions.map(\.changes), "rows are read as they were written")
    // What version 1 had, it has still; deletions it had not.
    attempt {
      let old = try payload(bytes).withUnsafeBytes { try CommitRecord.decode($0, version: 1) }
      precondition(old.deletions.isEmpty && record.deletions.isEmpty, "version 1 has no deletions")
    }
  }
}

@Sendable func fuzzManifestEdit(_ bytes: [UInt8]) {
  attempt { _ = try payload(bytes).withUnsafeBytes { try ManifestEdit.decode($0, version: 1) } }
  attempt {
    let edit = try payload(bytes).withUnsafeBytes { try ManifestEdit.decode($0) }
    var state = ManifestState()
    try state.apply(edit)
    let frame = state.checkpoint.encodedFrame()
    var again = ManifestState()
    try again.apply(try frame[RecordFrame.headerByteCount...].withUnsafeBytes { try ManifestEdit.decode($0) })
    precondition(again.checkpoint == state.checkpoint, "a checkpoint says what the state is")
    try state.apply(edit)
  }
}

@Sendable func fuzzSeriesRecord(_ bytes: [UInt8]) {
  attempt {
    var reader = ByteReader(bytes)
    var catalog = Catalog()
    let table = TableID(rawValue: 1)
    try catalog.apply(.createTable(table, name: "t", partitionNanoseconds: 1))
    for id in 0..<4 {
      let column = ColumnDefinition(
        id: ColumnID(rawValue: UInt16(id)), name: "c\(id)", fieldType: id == 3 ? .int64 : nil)
      try catalog.apply(.addColumn(table, column))
    }
    let series = SeriesIndexes(hash: WideHash(seed: 1))
    while !reader.isAtEnd { try series.apply(try SeriesRecord.read(from: &reader), catalog: catalog) }
    for id in 0..<series[table].count { _ = series[table].tags(of: SeriesID(rawValue: UInt32(id))) }
  }
}

/// A dimension file behind a header that is right, and frames whose checksums are.
@Sendable func fuzzDimensionFile(_ bytes: [UInt8]) {
  attempt { _ = try DimensionFileReader.read(bytes, place: "here") { _ in } }
  // Two frames of the bytes, the second as an end.
  let file = FileID(rawValue: 1)
  let cut = bytes.count / 2
  var whole = [UInt8](repeating: 0, count: LogHeader.byteCount)
  for (part, kind) in [(bytes[..<cut], UInt8(1)), (bytes[cut...], 2)] {
    var frame = [UInt8](repeating: 0, count: RecordFrame.headerByteCount) + payload(Array(part))
    RecordFrame.seal(&frame, kind: kind, sequence: .zero, durable: 0, file: file, offset: whole.count)
    whole += frame
  }
  let header = LogHeader(kind: .dimension, file: file, preallocatedByteCount: whole.count, wallNanoseconds: 0)
  whole.replaceSubrange(0..<LogHeader.byteCount, with: header.encoded())
  attempt { _ = try DimensionFileReader.read(whole, place: "here") { _ = try DimensionRow.values($0) } }
}

/// A whole file of frames, as it is: the scan and the headers.
@Sendable func fuzzLogFile(_ bytes: [UInt8]) {
  for kind in LogHeader.Kind.allCases { attempt { _ = try LogHeader.decode(bytes, expected: kind, place: "here") } }
  bytes.withUnsafeBytes { raw in
    for start in [0, LogHeader.byteCount, bytes.count / 2] {
      let scan = LogScan(raw, file: FileID(rawValue: 1), from: start)
      precondition(scan.end <= max(bytes.count, start), "a chain ends within its file")
    }
    _ = LogScan(raw, file: FileID(rawValue: 1), from: LogHeader.byteCount, limit: bytes.count / 2)
  }
}
