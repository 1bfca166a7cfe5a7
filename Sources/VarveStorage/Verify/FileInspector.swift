// Any file of the format in human terms: `varve inspect`.

import VarveCore
import VarveFormat
import VarveIO

package enum FileInspector {
  /// What the file is, and what is in it. Damage within a log or a manifest is a line of its own, and what can be read
  /// around it is shown; a file that is none of ours throws.
  package static func describe(_ path: String, files: any FileSystem) throws -> [String] {
    let file = try files.open(path, .read)
    defer { file.close() }
    let magic = try file.read(count: 8, at: 0)
    guard magic.count == 8 else {
      throw VarveError(.corruption, "the file is too short to be one of Varve's", place: path)
    }
    let word = magic.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) }
    if let kind = LogHeader.Kind(rawValue: word) { return try describe(kind, try file.readAll(limit: 1 << 30), path) }
    if magic.withUnsafeBytes({ StubHeader.isStub($0) }) { return try describeStub(file) }
    let byteCount = try file.byteCount()
    return try ChunkDescription.lines(fileByteCount: byteCount, file: nil, place: path, rowBlocks: true) { reference in
      try file.read(count: reference.byteCount, at: reference.offset)
    }
  }

  private static func describe(_ kind: LogHeader.Kind, _ bytes: [UInt8], _ path: String) throws -> [String] {
    let header = try LogHeader.decode(bytes, expected: kind, place: path)
    var lines = [
      "\(kind.label) \(header.file.rawValue): \(bytes.count) bytes, format \(header.version), written at \(header.wallNanoseconds)"
    ]
    bytes.withUnsafeBytes { raw in
      let scan = LogScan(raw, file: header.file)
      for frame in scan.frames {
        let payload = UnsafeRawBufferPointer(rebasing: raw[frame.payload])
        let offset = frame.payload.lowerBound - RecordFrame.headerByteCount
        lines.append("at \(offset), \(frame.frameByteCount) bytes: " + describe(kind, header.version, frame, payload))
      }
      lines.append(
        "records end at \(scan.end)"
          + (scan.hasFramesBehindEnd ? "; valid records stand behind that: damaged, or a torn tail" : ""))
    }
    return lines
  }

  private static func describeStub(_ file: any File) throws -> [String] {
    let stub = try StubFile(file, file: nil, StubMapCache(), nil)
    let map = try stub.map()
    let pieces = map.pages.reduce(0) { $0 + $1.source.pieces.reduce(0) { $0 + $1.byteCount } }
    let contents = try ChunkContents.open(
      fileByteCount: stub.header.chunkByteCount, file: nil, place: file.path, cheapByteCount: stub.header.tailByteCount
    ) { try ChunkHandle.read(stub, $0, file.path) }
    let (identity, footer, index) = (contents.identity, contents.footer, contents.index)
    var lines = [
      "stub \(identity.file.rawValue): \(try file.byteCount()) bytes, stands for a chunk of table \(identity.table.rawValue)",
      "object \(map.object.key): \(map.object.byteCount) bytes, CRC-32C \(String(map.object.checksum, radix: 16))",
      "partition \(identity.partition) of \(identity.partitionNanoseconds) ns, sequences \(identity.firstSequence.rawValue)...\(identity.lastSequence.rawValue), written at \(identity.wallNanoseconds)",
      "\(footer.rowCount) rows, \(footer.valueCount) values; times \(footer.time.lower)...\(footer.time.upper); series \(footer.firstSeries.rawValue)...\(footer.lastSeries.rawValue)",
      "\(index.rowBlocks.count) row blocks, \(map.pages.count) pages made of \(pieces) bytes of the object; summaries of \(index.summaries?.step.label ?? "none")",
    ]
    for (number, (block, entry)) in zip(map.rowBlocks, index.rowBlocks).enumerated() {
      let pieces = map.pages[block.pages].flatMap(\.source.pieces)
      lines.append(
        "row block \(number): \(entry.rowCount) rows, series \(entry.firstSeries.rawValue)...\(entry.lastSeries.rawValue) (\(entry.runCount)), times \(entry.time.lower)...\(entry.time.upper), pieces "
          + pieces.map { "\($0.offset)+\($0.byteCount)" }.joined(separator: " "))
    }
    return lines
  }

  private static func describe(
    _ kind: LogHeader.Kind, _ version: UInt32, _ frame: RecordFrame, _ payload: UnsafeRawBufferPointer
  ) -> String {
    do {
      switch kind {
      case .segment: return try describeCommit(version, frame, payload)
      case .manifest: return try describeEdit(version, frame, payload)
      case .series:
        let unpacked = try LogBody.unpack(payload)
        var reader = ByteReader(unpacked)
        let record = try SeriesRecord.read(from: &reader)
        return "series \(record.first.rawValue)+\(record.count) of table \(record.table.rawValue)"
      case .dimension: return try describeRows(frame, payload)
      }
    } catch {
      return "DAMAGED: \(error)"
    }
  }

  private static func describeCommit(
    _ version: UInt32, _ frame: RecordFrame, _ payload: UnsafeRawBufferPointer
  ) throws -> String {
    switch WriteAheadLog.Kind(rawValue: frame.kind) {
    case .mark: return "mark: durable up to \(LogPosition(rawValue: frame.durable))"
    case .begin:
      guard payload.count == 8 else { return "DAMAGED: a begin frame of \(payload.count) bytes" }
      let end = LogPosition(rawValue: UInt64(littleEndian: payload.loadUnaligned(as: UInt64.self)))
      return "begin: the log goes on from \(end)"
    case .commit:
      let record = try CommitRecord.decode(payload, version: version)
      let rows = record.rows.map { "\($0.times.count) rows × \($0.fields.count) fields of table \($0.table.rawValue)" }
      let series = record.series.reduce(0) { $0 + $1.count }
      return "commit \(frame.sequence.rawValue): \(record.changes.count) catalog changes, \(series) new series, "
        + (record.deletions.isEmpty ? "" : "\(record.deletions.count) deletions, ")
        + record.dimensions.map(describe).joined()
        + (record.steps.isEmpty ? "" : "\(record.steps.count) steps of rollups, ")
        + (rows.isEmpty ? "no rows" : rows.joined(separator: ", "))
    case nil: return "DAMAGED: unknown kind \(frame.kind)"
    }
  }

  private static func describe(_ changes: DimensionChanges) -> String {
    let puts = changes.changes.count { if case .put = $0 { true } else { false } }
    return "dimension table \(changes.table.rawValue): \(changes.isCleared ? "cleared, " : "")"
      + "\(puts) rows put, \(changes.changes.count - puts) removed, "
  }

  private static func describeRows(_ frame: RecordFrame, _ payload: UnsafeRawBufferPointer) throws -> String {
    let unpacked = try LogBody.unpack(payload)
    var reader = ByteReader(unpacked)
    switch DimensionFrameKind(rawValue: frame.kind) {
    case .rows: return "\(try reader.readLength()) rows"
    case .end:
      return "end: table \(try reader.readUInt32Varint()) as of commit \(frame.sequence.rawValue), "
        + "\(try reader.readLength()) rows"
    case nil: return "DAMAGED: unknown kind \(frame.kind)"
    }
  }

  private static func describeEdit(
    _ version: UInt32, _ frame: RecordFrame, _ payload: UnsafeRawBufferPointer
  ) throws -> String {
    switch ManifestLog.Kind(rawValue: frame.kind) {
    case .mark: return "mark: durable up to \(LogPosition(rawValue: frame.durable))"
    case .checkpoint, .edit:
      let edit = try ManifestEdit.decode(payload, version: version)
      return
        "\(frame.kind == 1 ? "checkpoint" : "edit") \(frame.sequence.rawValue): flushed commit \(edit.flushed.rawValue), log from \(edit.logStart), "
        + "\(edit.changes.count) catalog changes, +\(edit.addedChunks.count) −\(edit.removedChunks.count) chunks, +\(edit.addedTombstones.count) −\(edit.removedTombstones.count) tombstones, +\(edit.dimensionFiles.count) −\(edit.removedDimensionFiles.count) dimension files, \(edit.rollups.count) states of rollups, series file \(edit.seriesFile.rawValue) to byte \(edit.seriesByteCount)"
    case nil: return "DAMAGED: unknown kind \(frame.kind)"
    }
  }
}
