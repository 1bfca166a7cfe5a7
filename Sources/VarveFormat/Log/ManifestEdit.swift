// The payload of a manifest frame: one atomic change of what is live. A checkpoint is an edit that starts from
// nothing. FORMAT.md, "Manifest edit".

import VarveCore

/// What the manifest knows of a chunk, so that scans prune without opening it.
package struct ChunkMetadata: Sendable, Hashable {
  package let file: FileID
  package let table: TableID
  /// floor(time / partition width) of every row.
  package let partition: Int64
  package let byteCount: Int
  package let rowCount: Int
  package let valueCount: Int
  package let time: TimeRange
  package let firstSeries: SeriesID
  package let lastSeries: SeriesID
  /// The commits whose rows it holds; chunks with common identities have disjoint ranges.
  package let firstSequence: Sequence
  package let lastSequence: Sequence

  package init(
    file: FileID, table: TableID, partition: Int64, byteCount: Int, rowCount: Int, valueCount: Int, time: TimeRange,
    firstSeries: SeriesID, lastSeries: SeriesID, firstSequence: Sequence, lastSequence: Sequence
  ) {
    self.file = file
    self.table = table
    self.partition = partition
    self.byteCount = byteCount
    self.rowCount = rowCount
    self.valueCount = valueCount
    self.time = time
    self.firstSeries = firstSeries
    self.lastSeries = lastSeries
    self.firstSequence = firstSequence
    self.lastSequence = lastSequence
  }
}

package struct ManifestEdit: Sendable, Hashable {
  package var wallNanoseconds: Int64
  package var changes: [CatalogChange] = []
  package var addedChunks: [ChunkMetadata] = []
  package var removedChunks: [FileID] = []
  /// Every row of commits up to here is in chunks.
  package var flushed: Sequence
  /// Where replay begins.
  package var logStart: LogPosition
  /// The series file and how much of it counts.
  package var seriesFile: FileID
  package var seriesByteCount: Int
  /// Ids below are taken.
  package var nextFile: FileID
  /// Table ids below are taken.
  package var nextTable: TableID

  package init(
    wallNanoseconds: Int64, flushed: Sequence, logStart: LogPosition, seriesFile: FileID, seriesByteCount: Int,
    nextFile: FileID, nextTable: TableID
  ) {
    self.wallNanoseconds = wallNanoseconds
    self.flushed = flushed
    self.logStart = logStart
    self.seriesFile = seriesFile
    self.seriesByteCount = seriesByteCount
    self.nextFile = nextFile
    self.nextTable = nextTable
  }

  package func encodedFrame() -> [UInt8] {
    var body = ByteWriter()
    body.append(zigzag: wallNanoseconds)
    body.append(varint: flushed.rawValue)
    body.append(varint: logStart.rawValue)
    body.append(varint: seriesFile.rawValue)
    body.append(varint: UInt64(seriesByteCount))
    body.append(varint: nextFile.rawValue)
    body.append(varint: UInt64(nextTable.rawValue))
    CatalogChange.append(changes, to: &body)
    body.append(varint: UInt64(removedChunks.count))
    for file in removedChunks { body.append(varint: file.rawValue) }
    body.append(varint: UInt64(addedChunks.count))
    for chunk in addedChunks { chunk.append(to: &body) }
    return LogBody.frame(body)
  }

  package static func decode(_ payload: UnsafeRawBufferPointer) throws -> ManifestEdit {
    let bytes = try LogBody.unpack(payload)
    var reader = ByteReader(bytes)
    var edit = ManifestEdit(
      wallNanoseconds: try reader.readZigzag(), flushed: Sequence(rawValue: try reader.readVarint()),
      logStart: LogPosition(rawValue: try reader.readVarint()), seriesFile: FileID(rawValue: try reader.readVarint()),
      seriesByteCount: try reader.readLength(), nextFile: FileID(rawValue: try reader.readVarint()),
      nextTable: TableID(rawValue: try reader.readUInt32Varint()))
    guard edit.flushed <= .greatest, edit.nextFile.rawValue <= 1 << 32 else {
      throw VarveError(.corruption, "the manifest counts commits or files beyond all that can be")
    }
    edit.changes = try CatalogChange.read(from: &reader)
    for _ in 0..<(try reader.readCount(minimumByteCount: 1)) {
      edit.removedChunks.append(FileID(rawValue: try reader.readVarint()))
    }
    for _ in 0..<(try reader.readCount(minimumByteCount: 12)) {
      edit.addedChunks.append(try ChunkMetadata.read(from: &reader))
    }
    try reader.expectEnd()
    return edit
  }
}

extension Sequence {
  /// Far beyond what any store commits: what claims more is damaged, and numbers can be added to it.
  package static let greatest = Sequence(rawValue: 1 << 62)
}

extension ChunkMetadata {
  /// Of bytes, rows and values: sums over all chunks stay far from overflow.
  private static let countLimit = 1 << 44

  func append(to body: inout ByteWriter) {
    body.append(varint: file.rawValue)
    body.append(varint: UInt64(table.rawValue))
    body.append(zigzag: partition)
    body.append(varint: UInt64(byteCount))
    body.append(varint: UInt64(rowCount))
    body.append(varint: UInt64(valueCount))
    body.append(zigzag: time.lower)
    body.append(zigzag: time.upper)
    body.append(varint: UInt64(firstSeries.rawValue))
    body.append(varint: UInt64(lastSeries.rawValue))
    body.append(varint: firstSequence.rawValue)
    body.append(varint: lastSequence.rawValue)
  }

  static func read(from reader: inout ByteReader) throws -> ChunkMetadata {
    let chunk = ChunkMetadata(
      file: FileID(rawValue: try reader.readVarint()), table: TableID(rawValue: try reader.readUInt32Varint()),
      partition: try reader.readZigzag(), byteCount: try reader.readLength(), rowCount: try reader.readLength(),
      valueCount: try reader.readLength(),
      time: TimeRange(lower: try reader.readZigzag(), upper: try reader.readZigzag()),
      firstSeries: SeriesID(rawValue: try reader.readUInt32Varint()),
      lastSeries: SeriesID(rawValue: try reader.readUInt32Varint()),
      firstSequence: Sequence(rawValue: try reader.readVarint()),
      lastSequence: Sequence(rawValue: try reader.readVarint()))
    guard chunk.file.rawValue < 1 << 32, chunk.byteCount <= Self.countLimit, chunk.valueCount <= Self.countLimit,
      (1...Self.countLimit).contains(chunk.rowCount), chunk.lastSequence <= .greatest, !chunk.time.isEmpty,
      chunk.firstSeries <= chunk.lastSeries,
      chunk.firstSequence <= chunk.lastSequence
    else { throw VarveError(.corruption, "the manifest describes chunk \(chunk.file.rawValue) impossibly") }
    return chunk
  }
}
