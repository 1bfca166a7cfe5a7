// New series of one table, with consecutive ids: in commit records and in the series file. FORMAT.md, "Series file".
//
//   varint table · varint first id · varint count · for each series: varint tags · (varint column · prefixed value)…
//
// The tag sets are kept as they are written, and checked whole when they are read: millions of series pass with a copy
// of their bytes and no allocation each.

import VarveCore

package struct SeriesRecord: Sendable {
  package let table: TableID
  package let first: SeriesID
  package private(set) var count = 0
  private var tagSets = ByteWriter()

  package init(table: TableID, first: SeriesID) {
    self.table = table
    self.first = first
  }

  /// Tags stand by column id ascending; values are UTF-8 and not empty.
  package mutating func append(_ tags: [(column: ColumnID, value: UnsafeBufferPointer<UInt8>)]) {
    tagSets.append(varint: UInt64(tags.count))
    for tag in tags {
      tagSets.append(varint: UInt64(tag.column.rawValue))
      tagSets.append(varint: UInt64(tag.value.count))
      tagSets.append(UnsafeRawBufferPointer(tag.value))
    }
    count += 1
  }

  package mutating func append(_ tags: SeriesTags) {
    tagSets.append(tags.bytes)
    count += 1
  }

  /// Visits the tag sets in order of id.
  package func forEachSeries(_ body: (SeriesTags) throws -> Void) throws {
    try tagSets.bytes.withUnsafeBytes { raw in
      var reader = ByteReader(raw)
      for _ in 0..<count { try body(try SeriesTags.read(from: &reader, isChecked: true)) }
    }
  }

  package func append(to body: inout ByteWriter) {
    body.append(varint: UInt64(table.rawValue))
    body.append(varint: UInt64(first.rawValue))
    body.append(varint: UInt64(count))
    body.append(tagSets.bytes)
  }

  package static func read(from reader: inout ByteReader) throws -> SeriesRecord {
    let table = TableID(rawValue: try reader.readUInt32Varint())
    var record = SeriesRecord(table: table, first: SeriesID(rawValue: try reader.readUInt32Varint()))
    record.count = try reader.readCount(minimumByteCount: 1)
    let all = reader.rest
    let start = reader.position
    for _ in 0..<record.count { _ = try SeriesTags.read(from: &reader, isChecked: false) }
    record.tagSets.append(UnsafeRawBufferPointer(rebasing: all[..<(reader.position - start)]))
    return record
  }
}

/// The tag set of one series of a record. Valid as long as the bytes it was read from.
package struct SeriesTags {
  package let tagCount: Int
  /// As in the record.
  let bytes: UnsafeRawBufferPointer

  /// Tags come by column id ascending.
  package func forEachTag(
    _ body: (_ column: ColumnID, _ value: UnsafeBufferPointer<UInt8>) throws -> Void
  ) throws {
    var reader = ByteReader(bytes)
    for _ in 0..<(try reader.readLength()) {
      let column = ColumnID(rawValue: try reader.readUInt16Varint())
      try body(column, try reader.readRaw(try reader.readLength()).assumingMemoryBound(to: UInt8.self))
    }
  }

  /// Total. What was checked before is only stepped over.
  fileprivate static func read(from reader: inout ByteReader, isChecked: Bool) throws -> SeriesTags {
    let all = reader.rest
    let start = reader.position
    let tagCount = try reader.readCount(minimumByteCount: 2)
    var previous = -1
    for _ in 0..<tagCount {
      let column = Int(try reader.readUInt16Varint())
      let value = try reader.readRaw(try reader.readLength())
      if isChecked { continue }
      guard previous < column, !value.isEmpty, value.count <= Limits.tagValueByteCount, isUTF8(value) else {
        throw VarveError(.corruption, "a series has tags out of order, twice, empty, too long or not in UTF-8")
      }
      previous = column
    }
    return SeriesTags(
      tagCount: tagCount, bytes: UnsafeRawBufferPointer(rebasing: all[..<(reader.position - start)]))
  }
}

/// Whether the bytes are valid UTF-8.
package func isUTF8(_ bytes: UnsafeRawBufferPointer) -> Bool {
  var i = 0
  while i + 8 <= bytes.count {
    if bytes.loadUnaligned(fromByteOffset: i, as: UInt64.self) & 0x8080_8080_8080_8080 != 0 { break }
    i += 8
  }
  while i < bytes.count, bytes[i] < 0x80 { i += 1 }
  // What is left begins with a whole character.
  return i == bytes.count || String(validating: bytes[i...], as: UTF8.self) != nil
}
