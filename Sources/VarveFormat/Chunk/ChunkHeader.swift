// The first 80 bytes of a chunk. FORMAT.md, "Chunk".
//
//    0  u64  magic "VARVECHK"
//    8  u32  format version
//   12  u32  CRC-32C, salted with file id and offset 0: bytes 0..<12 and 16..<80
//   16  u64  file id
//   24  u32  table id
//   28  u32  zero
//   32  i64  partition: floor(time / width) of every row
//   40  i64  partition width, ns
//   48  u64  first sequence
//   56  u64  last sequence
//   64  i64  wall time of creation, ns since 1970
//   72  u64  zero

import VarveCore

/// What a chunk is, known before its first row.
package struct ChunkIdentity: Sendable, Hashable {
  package var file: FileID
  package var table: TableID
  /// floor(time / width) of every row.
  package var partition: Int64
  package var partitionNanoseconds: Int64
  /// The commits whose rows it holds.
  package var firstSequence: Sequence
  package var lastSequence: Sequence
  package var wallNanoseconds: Int64

  package init(
    file: FileID, table: TableID, partition: Int64, partitionNanoseconds: Int64, firstSequence: Sequence,
    lastSequence: Sequence, wallNanoseconds: Int64
  ) {
    precondition(partitionNanoseconds > 0, "a partition has a width")
    precondition(firstSequence <= lastSequence, "sequences in order")
    self.file = file
    self.table = table
    self.partition = partition
    self.partitionNanoseconds = partitionNanoseconds
    self.firstSequence = firstSequence
    self.lastSequence = lastSequence
    self.wallNanoseconds = wallNanoseconds
  }

  /// floor(time / width).
  package static func partition(of time: Int64, nanoseconds width: Int64) -> Int64 {
    let quotient = time / width
    return time % width < 0 ? quotient - 1 : quotient
  }

  /// The times of the partition, as far as there are such. Of a partition that lies wholly beyond, which no row can have,
  /// the nearest time there is.
  package var timeRange: TimeRange {
    let (start, startOverflow) = partition.multipliedReportingOverflow(by: partitionNanoseconds)
    let (next, nextOverflow) = partition.addingReportingOverflow(1)
    let (end, endOverflow) = next.multipliedReportingOverflow(by: partitionNanoseconds)
    let lower = startOverflow ? (partition < 0 ? Int64.min : .max) : start
    let upper = nextOverflow || endOverflow ? (partition < 0 ? Int64.min : .max) : end - 1
    return TimeRange(lower: lower, upper: max(lower, upper))
  }
}

package enum ChunkHeader {
  package static let byteCount = 80
  /// What is written.
  package static let version: UInt32 = 2
  /// What is read. Version 1 has no codecs from 13 on, no presence 4, smaller row blocks and no summaries; everything
  /// else is the same.
  package static let readableVersions: ClosedRange<UInt32> = 1...2
  static let magic: UInt64 = 0x4B48_4345_5652_4156  // "VARVECHK"

  /// Rows that a row block of a version may have.
  static func rowBlockRowCount(version: UInt32) -> Int { version == 1 ? 8_192 : Limits.rowBlockRowCount }

  package static func encoded(_ identity: ChunkIdentity) -> [UInt8] {
    var out = ByteWriter(reserving: byteCount)
    out.append(u64: magic)
    out.append(u32: version)
    out.append(u32: 0)
    out.append(u64: identity.file.rawValue)
    out.append(u32: identity.table.rawValue)
    out.append(u32: 0)
    out.append(i64: identity.partition)
    out.append(i64: identity.partitionNanoseconds)
    out.append(u64: identity.firstSequence.rawValue)
    out.append(u64: identity.lastSequence.rawValue)
    out.append(i64: identity.wallNanoseconds)
    out.append(u64: 0)
    out.patch(u32: out.bytes.withUnsafeBytes { checksum($0, file: identity.file) }, at: 12)
    return out.bytes
  }

  private static func checksum(_ raw: UnsafeRawBufferPointer, file: FileID) -> UInt32 {
    let front = CRC32C.salted(UnsafeRawBufferPointer(rebasing: raw[0..<12]), file: file, offset: 0)
    return CRC32C.checksum(UnsafeRawBufferPointer(rebasing: raw[16..<byteCount]), seed: front)
  }

  /// The header at the front of `bytes`. `file`, where given, is the id that the file must have. Throws
  /// `.corruption`, or `.unsupportedVersion` for a chunk that a newer Varve wrote. Total.
  package static func decode(_ bytes: UnsafeRawBufferPointer, file: FileID?, place: String) throws -> (
    identity: ChunkIdentity, version: UInt32
  ) {
    try placed(place) {
      guard bytes.count >= byteCount else { throw VarveError(.corruption, "a chunk is shorter than its header") }
      var reader = ByteReader(UnsafeRawBufferPointer(rebasing: bytes[..<byteCount]))
      guard try reader.readUInt64() == magic else {
        throw VarveError(.corruption, "not a chunk: the magic does not match")
      }
      let version = try reader.readUInt32()
      let stored = try reader.readUInt32()
      let found = FileID(rawValue: try reader.readUInt64())
      guard stored == checksum(bytes, file: found) else {
        throw VarveError(.corruption, "a chunk's header fails its checksum")
      }
      guard readableVersions.contains(version) else {
        if version > Self.version {
          throw VarveError(
            .unsupportedVersion, "the chunk has format version \(version); this Varve reads up to \(Self.version)",
            hint: "open it with the newer Varve that wrote it")
        }
        throw VarveError(.corruption, "a chunk has an impossible format version \(version)")
      }
      guard file == nil || file == found else {
        throw VarveError(.corruption, "the file holds chunk \(found.rawValue): it was swapped or renamed")
      }
      let table = TableID(rawValue: try reader.readUInt32())
      let zero = try reader.readUInt32()
      let (partition, width) = (try reader.readInt64(), try reader.readInt64())
      let (first, last) = (try reader.readUInt64(), try reader.readUInt64())
      let wall = try reader.readInt64()
      guard zero == 0, try reader.readUInt64() == 0, width > 0, first <= last else {
        throw VarveError(.corruption, "a chunk's header holds impossible values")
      }
      let identity = ChunkIdentity(
        file: found, table: table, partition: partition, partitionNanoseconds: width,
        firstSequence: Sequence(rawValue: first), lastSequence: Sequence(rawValue: last), wallNanoseconds: wall)
      return (identity, version)
    }
  }
}

/// Runs `body`; an error without a place gets this one.
func placed<T>(_ place: @autoclosure () -> String, _ body: () throws -> T) throws -> T {
  do {
    return try body()
  } catch var error as VarveError {
    if error.place == nil { error.place = place() }
    throw error
  }
}
