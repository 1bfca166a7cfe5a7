// The payload of a manifest frame: one atomic change of what is live. A checkpoint is an edit that starts from
// nothing. FORMAT.md, "Manifest".

import VarveCore

/// What has become of a chunk's rows.
package enum ChunkLevel: UInt8, Sendable, Comparable {
  /// As one seal wrote them.
  case sealed = 0
  /// Of several chunks, merged.
  case merged = 1
  /// All of their partition, in the smallest form.
  case full = 2
  /// The same, in an object store: the file is a stub.
  case archived = 3
  package static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

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
  package let level: ChunkLevel
  /// No tombstone up to here covers any of its rows. Not below the last sequence.
  package let deletedThrough: Sequence
  /// Bytes of the object of an archived chunk; of others 0. `byteCount` is that of the file, which is its stub.
  package let objectByteCount: Int

  /// `deletedThrough` is the last sequence unless told otherwise: no row of a seal is covered by what came before.
  package init(
    file: FileID, table: TableID, partition: Int64, byteCount: Int, rowCount: Int, valueCount: Int, time: TimeRange,
    firstSeries: SeriesID, lastSeries: SeriesID, firstSequence: Sequence, lastSequence: Sequence,
    level: ChunkLevel = .sealed, deletedThrough: Sequence? = nil, objectByteCount: Int = 0
  ) {
    precondition(level == .archived || objectByteCount == 0, "archived chunks have objects")
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
    self.level = level
    self.deletedThrough = deletedThrough ?? lastSequence
    self.objectByteCount = objectByteCount
  }
}

package struct ManifestEdit: Sendable, Hashable {
  package var wallNanoseconds: Int64
  package var changes: [CatalogChange] = []
  package var addedChunks: [ChunkMetadata] = []
  package var removedChunks: [FileID] = []
  package var addedTombstones: [Tombstone] = []
  /// All that these commits made.
  package var removedTombstones: [TombstoneKey] = []
  /// Each in place of the one that its table had.
  package var dimensionFiles: [DimensionFileMetadata] = []
  /// Tables whose file is given up, with its rows.
  package var removedDimensionFiles: [TableID] = []
  /// Each in place of what its rollup was.
  package var rollups: [RollupState] = []
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
    body.append(varint: UInt64(removedTombstones.count))
    for key in removedTombstones {
      body.append(varint: UInt64(key.table.rawValue))
      body.append(varint: key.sequence.rawValue)
    }
    body.append(varint: UInt64(addedTombstones.count))
    for tombstone in addedTombstones { tombstone.append(to: &body) }
    body.append(varint: UInt64(removedDimensionFiles.count))
    for table in removedDimensionFiles { body.append(varint: UInt64(table.rawValue)) }
    body.append(varint: UInt64(dimensionFiles.count))
    for file in dimensionFiles { file.append(to: &body) }
    body.append(varint: UInt64(rollups.count))
    for rollup in rollups { rollup.append(to: &body) }
    return LogBody.frame(body)
  }

  /// Total. `version` is that of the file.
  package static func decode(_ payload: UnsafeRawBufferPointer, version: UInt32 = LogHeader.version) throws
    -> ManifestEdit
  {
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
    edit.changes = try CatalogChange.read(from: &reader, version: version)
    for _ in 0..<(try reader.readCount(minimumByteCount: 1)) {
      edit.removedChunks.append(FileID(rawValue: try reader.readVarint()))
    }
    for _ in 0..<(try reader.readCount(minimumByteCount: 12)) {
      edit.addedChunks.append(try ChunkMetadata.read(from: &reader, version: version))
    }
    if version >= 2 { try edit.readTombstones(from: &reader) }
    if version >= 3 {
      for _ in 0..<(try reader.readCount(minimumByteCount: 1)) {
        edit.removedDimensionFiles.append(TableID(rawValue: try reader.readUInt32Varint()))
      }
      for _ in 0..<(try reader.readCount(minimumByteCount: 5)) {
        edit.dimensionFiles.append(try DimensionFileMetadata.read(from: &reader))
      }
    }
    if version >= 4 {
      for _ in 0..<(try reader.readCount(minimumByteCount: 5)) {
        edit.rollups.append(try RollupState.read(from: &reader))
      }
    }
    try reader.expectEnd()
    return edit
  }
}

extension ManifestEdit {
  private mutating func readTombstones(from reader: inout ByteReader) throws {
    for _ in 0..<(try reader.readCount(minimumByteCount: 2)) {
      removedTombstones.append(
        TombstoneKey(
          table: TableID(rawValue: try reader.readUInt32Varint()), sequence: Sequence(rawValue: try reader.readVarint())
        ))
    }
    for _ in 0..<(try reader.readCount(minimumByteCount: 5)) {
      addedTombstones.append(try Tombstone.read(from: &reader))
    }
  }
}

extension DimensionFileMetadata {
  func append(to body: inout ByteWriter) {
    body.append(varint: file.rawValue)
    body.append(varint: UInt64(table.rawValue))
    body.append(varint: UInt64(byteCount))
    body.append(varint: UInt64(rowCount))
    body.append(varint: sequence.rawValue)
  }

  static func read(from reader: inout ByteReader) throws -> DimensionFileMetadata {
    let metadata = DimensionFileMetadata(
      file: FileID(rawValue: try reader.readVarint()), table: TableID(rawValue: try reader.readUInt32Varint()),
      byteCount: try reader.readLength(), rowCount: try reader.readLength(),
      sequence: Sequence(rawValue: try reader.readVarint()))
    guard metadata.file.rawValue < 1 << 32, metadata.byteCount <= 1 << 44, metadata.rowCount <= 1 << 44,
      metadata.sequence <= .greatest
    else { throw VarveError(.corruption, "the manifest describes dimension file \(metadata.file.rawValue) impossibly") }
    return metadata
  }
}

extension Sequence {
  /// Far beyond what any store commits: what claims more is damaged, and numbers can be added to it.
  package static let greatest = Sequence(rawValue: 1 << 62)
}

extension ChunkMetadata {
  /// Whether both may hold an identity, as far as their bounds say; those of one merge do not.
  package func mayOverlap(_ other: ChunkMetadata) -> Bool {
    time.overlaps(other.time) && firstSeries <= other.lastSeries && other.firstSeries <= lastSeries
      && (firstSequence, lastSequence) != (other.firstSequence, other.lastSequence)
  }

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
    body.append(byte: level.rawValue)
    body.append(varint: deletedThrough.rawValue - lastSequence.rawValue)
    if level == .archived { body.append(varint: UInt64(objectByteCount)) }
  }

  static func read(from reader: inout ByteReader, version: UInt32) throws -> ChunkMetadata {
    let sealed = ChunkMetadata(
      file: FileID(rawValue: try reader.readVarint()), table: TableID(rawValue: try reader.readUInt32Varint()),
      partition: try reader.readZigzag(), byteCount: try reader.readLength(), rowCount: try reader.readLength(),
      valueCount: try reader.readLength(),
      time: TimeRange(lower: try reader.readZigzag(), upper: try reader.readZigzag()),
      firstSeries: SeriesID(rawValue: try reader.readUInt32Varint()),
      lastSeries: SeriesID(rawValue: try reader.readUInt32Varint()),
      firstSequence: Sequence(rawValue: try reader.readVarint()),
      lastSequence: Sequence(rawValue: try reader.readVarint()))
    guard sealed.file.rawValue < 1 << 32, sealed.byteCount <= Self.countLimit, sealed.valueCount <= Self.countLimit,
      (1...Self.countLimit).contains(sealed.rowCount), sealed.lastSequence <= .greatest, !sealed.time.isEmpty,
      sealed.firstSeries <= sealed.lastSeries, sealed.firstSequence <= sealed.lastSequence
    else { throw impossible(sealed.file) }
    guard version >= 2 else { return sealed }
    guard let level = ChunkLevel(rawValue: try reader.readByte()), version >= 6 || level != .archived else {
      throw impossible(sealed.file)
    }
    let distance = try reader.readVarint()
    guard distance <= Sequence.greatest.rawValue - sealed.lastSequence.rawValue else { throw impossible(sealed.file) }
    let objectByteCount = level == .archived ? try reader.readLength() : 0
    guard objectByteCount <= Self.countLimit else { throw impossible(sealed.file) }
    return sealed.at(
      level, deletedThrough: Sequence(rawValue: sealed.lastSequence.rawValue + distance),
      objectByteCount: objectByteCount)
  }

  private static func impossible(_ file: FileID) -> VarveError {
    VarveError(.corruption, "the manifest describes chunk \(file.rawValue) impossibly")
  }

  private func at(_ level: ChunkLevel, deletedThrough: Sequence, objectByteCount: Int) -> ChunkMetadata {
    ChunkMetadata(
      file: file, table: table, partition: partition, byteCount: byteCount, rowCount: rowCount, valueCount: valueCount,
      time: time, firstSeries: firstSeries, lastSeries: lastSeries, firstSequence: firstSequence,
      lastSequence: lastSequence, level: level, deletedThrough: deletedThrough, objectByteCount: objectByteCount)
  }
}
