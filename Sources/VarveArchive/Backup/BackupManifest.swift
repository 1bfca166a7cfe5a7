// The object that makes a backup: written last, so that a backup is there or not, and all it names is there before it.
// FORMAT.md, "Backups".

import VarveCore
import VarveFormat
import VarveStorage

/// Which store it is: when its series file was made, as that file's header says. A store that is restored gets a series
/// file of its own, and so is another.
package struct StoreIdentity: Sendable, Hashable, CustomStringConvertible {
  package let rawValue: UInt64
  package init(rawValue: UInt64) { self.rawValue = rawValue }
  package init(_ header: LogHeader) { rawValue = UInt64(bitPattern: header.wallNanoseconds) }

  package init(of store: Store) throws {
    let path = try store.seriesFilePath()
    let file = try store.files.open(path, .read)
    defer { file.close() }
    let head = try file.read(count: LogHeader.byteCount, at: 0)
    self.init(try LogHeader.decode(head, expected: .series, place: path))
  }

  /// As `description` writes it; nil for anything else.
  package init?(_ text: String) {
    guard let value = UInt64(text, radix: 16), hexadecimal(value) == text else { return nil }
    rawValue = value
  }

  package var description: String { hexadecimal(rawValue) }
}

package struct BackupManifest: Sendable, Equatable {
  package struct RowCount: Sendable, Equatable {
    package let table: TableID
    package let rows: Int
    package init(table: TableID, rows: Int) {
      self.table = table
      self.rows = rows
    }
  }

  package var store: StoreIdentity
  /// From 1, one up with each backup of the store.
  package var number: Int
  package var wallNanoseconds: Int64
  /// The last commit that the backup holds.
  package var sequence: Sequence
  /// The first commit that it can be restored to.
  package var leastSequence: Sequence
  /// What the store's manifest says.
  package var checkpoint: ManifestEdit
  package var files: [BackupFile]
  /// Of each table, series and dimension tables, at the last commit; by id.
  package var rowCounts: [RowCount]

  package init(
    store: StoreIdentity, number: Int, wallNanoseconds: Int64, sequence: Sequence, leastSequence: Sequence,
    checkpoint: ManifestEdit, files: [BackupFile], rowCounts: [RowCount]
  ) {
    self.store = store
    self.number = number
    self.wallNanoseconds = wallNanoseconds
    self.sequence = sequence
    self.leastSequence = leastSequence
    self.checkpoint = checkpoint
    self.files = files
    self.rowCounts = rowCounts
  }

  /// Bytes of all pieces.
  package var byteCount: Int { files.reduce(0) { $0 + $1.sentByteCount } }
  /// Where its log ends: where the one that is shipped goes on.
  package var logEnd: LogPosition {
    files.last { $0.kind.isLog }.map { LogPosition(file: $0.id, offset: $0.sentByteCount) } ?? checkpoint.logStart
  }
  /// Bytes that the files take once they are restored.
  package var restoredByteCount: Int { files.reduce(0) { $0 + $1.byteCount } }
}

extension BackupManifest {
  static let version: UInt32 = 2
  private static let magic: UInt64 = 0x4B41_4245_5652_4156  // "VARVEBAK"
  private static let headerByteCount = 32

  package func encoded() -> [UInt8] {
    var body = ByteWriter()
    body.append(u64: store.rawValue)
    body.append(varint: UInt64(number))
    body.append(zigzag: wallNanoseconds)
    body.append(varint: sequence.rawValue)
    body.append(varint: leastSequence.rawValue)
    body.append(prefixed: Array(checkpoint.encodedFrame().dropFirst(RecordFrame.headerByteCount)))
    body.append(varint: UInt64(files.count))
    for file in files { Self.append(file, to: &body) }
    body.append(varint: UInt64(rowCounts.count))
    for count in rowCounts {
      body.append(varint: UInt64(count.table.rawValue))
      body.append(varint: UInt64(count.rows))
    }
    let payload = LogBody.frame(body).dropFirst(RecordFrame.headerByteCount)
    var object = ByteWriter(reserving: Self.headerByteCount + payload.count)
    object.append(u64: Self.magic)
    object.append(u32: Self.version)
    object.append(u32: 0)
    object.append(u64: UInt64(Self.headerByteCount + payload.count))
    object.append(u32: LogHeader.version)
    object.append(u32: 0)
    object.append(Array(payload))
    let checksum = Self.checksum(object.bytes)
    object.patch(u32: checksum, at: 12)
    return object.bytes
  }

  /// Throws `.corruption`, or `.unsupportedVersion` for what a newer Varve wrote. `place` names the object.
  package static func decode(_ bytes: [UInt8], place: String) throws -> BackupManifest {
    do { return try decode(bytes) } catch var error as VarveError {
      error.place = place
      throw error
    }
  }

  // MARK: -

  private static func decode(_ bytes: [UInt8]) throws -> BackupManifest {
    guard bytes.count >= headerByteCount else {
      throw VarveError(.corruption, "the backup's manifest is shorter than its header")
    }
    var header = ByteReader(Array(bytes.prefix(headerByteCount)))
    guard try header.readUInt64() == magic else {
      throw VarveError(.corruption, "not a backup's manifest: the magic does not match")
    }
    let version = try header.readUInt32()
    let stored = try header.readUInt32()
    let byteCount = try header.readUInt64()
    let logVersion = try header.readUInt32()
    guard byteCount == UInt64(bytes.count) else {
      throw VarveError(.corruption, "the backup's manifest has \(bytes.count) bytes instead of \(byteCount)")
    }
    guard checksum(bytes) == stored else {
      throw VarveError(.corruption, "the backup's manifest fails its checksum")
    }
    guard version <= Self.version, logVersion <= LogHeader.version else {
      throw VarveError(
        .unsupportedVersion, "the backup was written by a newer Varve",
        hint: "restore it with the Varve that wrote it, or a later one")
    }
    guard version > 0, logVersion > 0, try header.readUInt32() == 0 else {
      throw VarveError(.corruption, "the backup's manifest has impossible versions")
    }
    let body = try bytes.withUnsafeBytes { raw in
      try LogBody.unpack(UnsafeRawBufferPointer(rebasing: raw[headerByteCount...]))
    }
    var reader = ByteReader(body)
    let manifest = try read(from: &reader, logVersion)
    try reader.expectEnd()
    return manifest
  }

  private static func read(from reader: inout ByteReader, _ logVersion: UInt32) throws -> BackupManifest {
    let store = StoreIdentity(rawValue: try reader.readUInt64())
    let number = try reader.readLength()
    let wall = try reader.readZigzag()
    let sequence = Sequence(rawValue: try reader.readVarint())
    let least = Sequence(rawValue: try reader.readVarint())
    let checkpoint = try reader.readPrefixed().withUnsafeBytes { try ManifestEdit.decode($0, version: logVersion) }
    var files: [BackupFile] = []
    for _ in 0..<(try reader.readCount(minimumByteCount: 12)) { files.append(try readFile(from: &reader)) }
    var rowCounts: [RowCount] = []
    for _ in 0..<(try reader.readCount(minimumByteCount: 2)) {
      rowCounts.append(
        RowCount(table: TableID(rawValue: try reader.readUInt32Varint()), rows: try reader.readLength()))
    }
    guard number > 0, sequence <= .greatest, checkpoint.flushed <= least, least <= sequence,
      Set(files.map(\.id)).count == files.count
    else { throw VarveError(.corruption, "the backup's manifest says what cannot be") }
    return BackupManifest(
      store: store, number: number, wallNanoseconds: wall, sequence: sequence, leastSequence: least,
      checkpoint: checkpoint, files: files, rowCounts: rowCounts)
  }

  private static func append(_ file: BackupFile, to body: inout ByteWriter) {
    body.append(byte: file.kind.rawValue)
    body.append(varint: file.id.rawValue)
    body.append(varint: UInt64(file.byteCount))
    body.append(u64: file.fingerprint)
    body.append(varint: UInt64(file.pieces.count))
    for piece in file.pieces {
      body.append(varint: UInt64(piece.byteCount))
      if let log = piece.log {
        body.append(varint: log.previous.rawValue)
        body.append(varint: log.last.rawValue)
      } else {
        body.append(u32: piece.checksum)
      }
    }
  }

  private static func readFile(from reader: inout ByteReader) throws -> BackupFile {
    guard let kind = BackupFile.Kind(rawValue: try reader.readByte()) else {
      throw VarveError(.corruption, "the backup's manifest names a file of unknown kind")
    }
    let id = FileID(rawValue: try reader.readVarint())
    let byteCount = try reader.readLength()
    let fingerprint = try reader.readUInt64()
    var pieces: [BackupFile.Piece] = []
    var offset = 0
    for _ in 0..<(try reader.readCount(minimumByteCount: kind == .log ? 3 : 5)) {
      let length = try reader.readLength()
      guard length <= byteCount - offset else {
        throw VarveError(.corruption, "the backup's manifest describes file \(id.rawValue) impossibly")
      }
      if kind == .log {
        pieces.append(
          .init(
            LogPiece(
              segment: id, fingerprint: fingerprint, offset: offset, byteCount: length,
              previous: Sequence(rawValue: try reader.readVarint()), last: Sequence(rawValue: try reader.readVarint())))
        )
      } else {
        pieces.append(.init(byteCount: length, checksum: try reader.readUInt32()))
      }
      offset += length
    }
    let file = BackupFile(kind: kind, id: id, byteCount: byteCount, fingerprint: fingerprint, pieces: pieces)
    let isPossible =
      id.rawValue > 0 && id.rawValue < 1 << 32 && byteCount <= 1 << 48
      && pieces.allSatisfy { piece in
        piece.log?.isPossible ?? (1...BackupFile.pieceByteCount).contains(piece.byteCount)
      }
    guard isPossible, file.sentByteCount <= byteCount, !kind.isWhole || file.sentByteCount == byteCount else {
      throw VarveError(.corruption, "the backup's manifest describes file \(id.rawValue) impossibly")
    }
    return file
  }

  /// Over all but itself.
  private static func checksum(_ bytes: [UInt8]) -> UInt32 {
    bytes.withUnsafeBytes { raw in
      let first = CRC32C.checksum(UnsafeRawBufferPointer(rebasing: raw[..<12]))
      return CRC32C.checksum(UnsafeRawBufferPointer(rebasing: raw[16...]), seed: first)
    }
  }
}
