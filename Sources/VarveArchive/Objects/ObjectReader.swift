// The pages of an object as columns again, from the pieces that were fetched for them and nothing else. Total: pieces that
// are not what they were give `.corruption`. What a page holds stands under the checksum in its header; the header, which
// has none, must be byte for byte what the writer makes of what it says.

import CZlib
import VarveCore
import VarveFormat

/// A dictionary page, decoded once for the pages that refer to it.
package struct ObjectDictionary: Sendable {
  let values: PageDictionary
}

package enum ObjectReader {
  /// The times of a row block of `rowCount` rows.
  package static func times(_ pieces: [[UInt8]], rowCount: Int) throws -> Buffer<Int64> {
    let whole = ParquetColumn("time", .int64, .timestamp(.microseconds, isUTC: true), isRequired: true)
    let rest = ParquetColumn("time_nanos", .int32, isRequired: true)
    try expectPieces(pieces, atMost: 2)
    let words = try vector(whole, pieces[0], nil, rowCount).words
    let remainders = pieces.count == 2 ? try vector(rest, pieces[1], nil, rowCount).words : nil
    try ParquetTimes.join(words.base, rowCount, remainders: remainders?.base)
    let times = Buffer<Int64>(capacity: rowCount)
    words.base.withMemoryRebound(to: Int64.self, capacity: rowCount) {
      times.append(UnsafeBufferPointer(start: $0, count: rowCount))
    }
    return times
  }

  /// A field's column of a row block of `rowCount` rows: NULL is absent.
  package static func field(
    _ type: FieldType, _ pieces: [[UInt8]], _ dictionaries: [ObjectDictionary?], rowCount: Int
  ) throws -> FieldColumn {
    try expectPieces(pieces, atMost: type == .timestamp ? 2 : 1)
    precondition(dictionaries.count == pieces.count, "each piece says whether it has a dictionary")
    let column = ObjectLayout.column("", type)
    let vector = try vector(column, pieces[0], dictionaries[0], rowCount)
    var words = vector.words
    switch type {
    case .uint64: words = try integers(vector)
    case .timestamp:
      var remainders: Buffer<UInt64>?
      if pieces.count == 2 {
        let rest = try self.vector(ParquetColumn("", .int32), pieces[1], dictionaries[1], rowCount)
        guard isSame(rest.presence, vector.presence) else {
          throw VarveError(.corruption, "times and what their microseconds leave stand in different rows")
        }
        remainders = rest.words
      }
      try ParquetTimes.join(words.base, rowCount, remainders: remainders?.base)
    default: break
    }
    let text = type == .text ? vector.bytes ?? Buffer() : nil
    return FieldColumn(type: type, words: words, text: text, states: vector.presence)
  }

  /// A dictionary page of a field; `piece` counts the pieces of the field's page: 1 is what microseconds leave.
  package static func dictionary(_ type: FieldType, piece: Int, _ bytes: [UInt8]) throws -> ObjectDictionary {
    let column = piece == 0 ? ObjectLayout.column("", type) : ParquetColumn("", .int32)
    let (header, body) = try page(bytes)
    guard header.type == .dictionary else { throw VarveError(.corruption, "a page is no dictionary") }
    return ObjectDictionary(values: try corruption { try PageDictionary(column, header, body) })
  }

  // MARK: Pages

  private static func expectPieces(_ pieces: [[UInt8]], atMost count: Int) throws {
    guard (1...count).contains(pieces.count) else {
      throw VarveError(.corruption, "a page of \(pieces.count) pieces")
    }
  }

  private static func vector(
    _ column: ParquetColumn, _ piece: [UInt8], _ dictionary: ObjectDictionary?, _ rowCount: Int
  ) throws -> ParquetVector {
    let (header, body) = try page(piece)
    guard header.type == .data, header.valueCount == rowCount, rowCount <= Limits.rowBlockRowCount else {
      throw VarveError(.corruption, "a page of \(header.valueCount) rows where \(rowCount) are expected")
    }
    return try corruption { try PageDecoder(column, dictionary?.values).decode(header, body, isWhole: true) }
  }

  /// What files of others may have and is not read, or is too large, an object never had.
  private static func corruption<T>(_ body: () throws -> T) throws -> T {
    do {
      return try body()
    } catch let error as VarveError where error.code == .unsupported || error.code == .limitExceeded {
      throw VarveError(.corruption, error.message)
    }
  }

  /// The header, and what the page holds.
  private static func page(_ bytes: [UInt8]) throws -> (ParquetPageHeader, [UInt8]) {
    try bytes.withUnsafeBytes { raw in
      let (header, size) = try corruption { try ParquetPageHeader.read(raw) }
      guard size <= raw.count, raw.count - size == header.compressedByteCount, let checksum = header.checksum,
        header.bytes.elementsEqual(raw[..<size])
      else {
        throw VarveError(.corruption, "a page of \(raw.count) bytes is not what its header says")
      }
      let packed = UnsafeRawBufferPointer(rebasing: raw[size...])
      let found = crc32_z(0, packed.bindMemory(to: UInt8.self).baseAddress, packed.count)
      guard UInt32(truncatingIfNeeded: found) == checksum else {
        throw VarveError(.corruption, "a page does not have the checksum that its header says")
      }
      let body = try corruption {
        try PageCompression.decompress(packed, .zstd, byteCount: header.uncompressedByteCount)
      }
      return (header, body)
    }
  }

  // MARK: Words

  private static func isSame(_ a: Buffer<UInt8>?, _ b: Buffer<UInt8>?) -> Bool {
    guard let a, let b else { return a == nil && b == nil }
    return a.span.elementsEqual(b.span)
  }

  /// The integers that numbers of nine bytes are.
  private static func integers(_ vector: ParquetVector) throws -> Buffer<UInt64> {
    let words = Buffer<UInt64>(repeating: 0, count: vector.count)
    guard let bytes = vector.bytes else { return words }
    var beyond: UInt8 = 0
    for row in 0..<vector.count where vector.isPresent(row) {
      let place = UnsafeRawPointer(bytes.base) + TextRef(word: vector.words.base[row]).offset
      beyond |= place.load(as: UInt8.self)
      words.base[row] = UInt64(bigEndian: (place + 1).loadUnaligned(as: UInt64.self))
    }
    guard beyond == 0 else { throw VarveError(.corruption, "a number that is below 0 or has more than 64 bits") }
    return words
  }
}
