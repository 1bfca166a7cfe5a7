// All rows of a dimension table as one commit left them: a log header, frames of rows in order of key, and a frame that
// says what the file is. Written whole, synced, and named by a manifest edit. FORMAT.md, "Dimension file".
//
//   frame 1: varint count · rows (prefixed)          frame 2, the last: varint table · varint rows

import VarveCore

/// What the manifest knows of a dimension table's file.
package struct DimensionFileMetadata: Sendable, Hashable {
  package let file: FileID
  package let table: TableID
  package let byteCount: Int
  package let rowCount: Int
  /// The rows are those of this commit.
  package let sequence: Sequence
  package init(file: FileID, table: TableID, byteCount: Int, rowCount: Int, sequence: Sequence) {
    self.file = file
    self.table = table
    self.byteCount = byteCount
    self.rowCount = rowCount
    self.sequence = sequence
  }
}

package enum DimensionFrameKind: UInt8 {
  case rows = 1
  case end = 2
}

/// Makes the bytes of a dimension file, front to back.
package struct DimensionFileBuilder {
  private static let frameByteCount = 256 << 10

  package let file: FileID
  private let table: TableID
  private let sequence: Sequence
  private var body = ByteWriter()
  private var pendingCount = 0
  private var rowCount = 0
  /// Where the next frame begins; the header is written last, when the length is known.
  package private(set) var offset = LogHeader.byteCount

  package init(file: FileID, table: TableID, sequence: Sequence) {
    self.file = file
    self.table = table
    self.sequence = sequence
  }

  /// Gives a frame to write at `offset` as it was before, whenever one is full.
  package mutating func append(_ row: UnsafeRawBufferPointer) -> [UInt8]? {
    body.append(varint: UInt64(row.count))
    body.append(row)
    pendingCount += 1
    rowCount += 1
    return body.count >= Self.frameByteCount ? takeRows() : nil
  }

  /// The last frames, to write at `offset` as it was before.
  package mutating func finish() -> [UInt8] {
    var bytes = pendingCount > 0 ? takeRows() : []
    var end = ByteWriter()
    end.append(varint: UInt64(table.rawValue))
    end.append(varint: UInt64(rowCount))
    bytes += frame(end, .end)
    return bytes
  }

  /// What the manifest will say, once all is written.
  package var metadata: DimensionFileMetadata {
    DimensionFileMetadata(file: file, table: table, byteCount: offset, rowCount: rowCount, sequence: sequence)
  }

  private mutating func takeRows() -> [UInt8] {
    var rows = ByteWriter(reserving: body.count + 10)
    rows.append(varint: UInt64(pendingCount))
    rows.append(body.bytes)
    body.removeAll()
    pendingCount = 0
    return frame(rows, .rows)
  }

  private mutating func frame(_ body: ByteWriter, _ kind: DimensionFrameKind) -> [UInt8] {
    var frame = LogBody.frame(body)
    RecordFrame.seal(
      &frame, kind: kind.rawValue, sequence: sequence, durable: 0, file: file, offset: offset)
    offset += frame.count
    return frame
  }
}

package enum DimensionFileReader {
  /// Gives every row of the file, in order, to `body`, and says what the file is. Whatever does not read is damage: the
  /// file was durable before anything named it. Throws `.corruption` with the place.
  package static func read(_ bytes: [UInt8], place: String, _ body: (UnsafeRawBufferPointer) throws -> Void) throws
    -> DimensionFileMetadata
  {
    let header = try LogHeader.decode(bytes, expected: .dimension, place: place)
    guard bytes.count == header.preallocatedByteCount else {
      throw VarveError(
        .corruption, "the dimension file has \(bytes.count) bytes instead of \(header.preallocatedByteCount)",
        place: place)
    }
    return try bytes.withUnsafeBytes { raw in
      var at = LogHeader.byteCount
      var rowCount = 0
      while at < raw.count {
        do {
          guard let frame = RecordFrame.decode(raw, at: at, file: header.file) else {
            throw VarveError(.corruption, "the dimension file is damaged")
          }
          let unpacked = try LogBody.unpack(UnsafeRawBufferPointer(rebasing: raw[frame.payload]))
          at += frame.frameByteCount
          if frame.kind == DimensionFrameKind.end.rawValue {
            return try end(unpacked, header.file, frame.sequence, rowCount, isLast: at == raw.count, raw.count)
          }
          guard frame.kind == DimensionFrameKind.rows.rawValue else {
            throw VarveError(.corruption, "a dimension file's frame of unknown kind (\(frame.kind))")
          }
          rowCount += try rows(unpacked, body)
        } catch var error as VarveError {
          error.place = error.place ?? "\(place) at \(at)"
          throw error
        }
      }
      throw VarveError(.corruption, "the dimension file has no end", place: place)
    }
  }

  private static func rows(_ unpacked: [UInt8], _ body: (UnsafeRawBufferPointer) throws -> Void) throws -> Int {
    try unpacked.withUnsafeBytes { raw in
      var reader = ByteReader(raw)
      let count = try reader.readCount(minimumByteCount: 2)
      for _ in 0..<count { try body(try reader.readRaw(try reader.readLength())) }
      try reader.expectEnd()
      return count
    }
  }

  private static func end(
    _ unpacked: [UInt8], _ file: FileID, _ sequence: Sequence, _ rowCount: Int, isLast: Bool, _ byteCount: Int
  ) throws -> DimensionFileMetadata {
    var reader = ByteReader(unpacked)
    let table = TableID(rawValue: try reader.readUInt32Varint())
    let count = try reader.readLength()
    try reader.expectEnd()
    guard isLast, count == rowCount else {
      throw VarveError(.corruption, "the dimension file ends with \(count) rows where it holds \(rowCount)")
    }
    return DimensionFileMetadata(
      file: file, table: table, byteCount: byteCount, rowCount: rowCount, sequence: sequence)
  }
}
