// The pages of one column as they are packed, row group by row group, until the file is put together.

import CZlib
import VarveCore
import VarveFormat

/// A data page as it stands in the file.
struct PackedPage {
  var bytes: [UInt8]
  /// With its header.
  var uncompressedByteCount: Int
  var encoding: ParquetEncoding
  var rowCount: Int
  var statistics: ParquetStatistics
}

/// A column chunk whose place is not known.
struct PackedChunk {
  var pages: [PackedPage] = []
  var dictionary: (bytes: [UInt8], uncompressedByteCount: Int)?
}

struct ObjectPages {
  let column: ParquetColumn
  /// Of row groups that ended.
  private(set) var chunks: [PackedChunk] = []
  private var open = PackedChunk()
  /// Bytes of all that was packed.
  private(set) var byteCount = 0

  init(_ column: ParquetColumn) { self.column = column }

  /// Pages of the row group at hand.
  var openCount: Int { open.pages.count }

  /// Packs the next page; answers how many bytes it takes.
  @discardableResult
  mutating func append(
    _ body: UnsafeRawBufferPointer, _ encoding: ParquetEncoding, rowCount: Int, level: Int32,
    _ statistics: ParquetStatistics
  ) -> Int {
    let (bytes, size) = Self.pack(body, .data, encoding, valueCount: rowCount, level: level)
    open.pages.append(
      PackedPage(
        bytes: bytes, uncompressedByteCount: size, encoding: encoding, rowCount: rowCount, statistics: statistics))
    byteCount += bytes.count
    return bytes.count
  }

  /// Ends the row group. `dictionary`: the values that its pages' indices refer to, plain.
  mutating func endRowGroup(dictionary: (body: [UInt8], valueCount: Int)?) {
    if let dictionary, open.pages.contains(where: { $0.encoding == .dictionary }) {
      open.dictionary = dictionary.body.withUnsafeBytes {
        Self.pack($0, .dictionary, .plain, valueCount: dictionary.valueCount, level: 3)
      }
      byteCount += open.dictionary?.bytes.count ?? 0
    }
    chunks.append(open)
    open = PackedChunk()
  }

  private static func pack(
    _ body: UnsafeRawBufferPointer, _ type: ParquetPageType, _ encoding: ParquetEncoding, valueCount: Int, level: Int32
  ) -> ([UInt8], Int) {
    let packed = Zstd.compress(body, level: level)
    var header = ParquetPageHeader(
      type: type, encoding: encoding, valueCount: valueCount, uncompressedByteCount: body.count,
      compressedByteCount: packed.count)
    header.checksum = packed.withUnsafeBufferPointer {
      UInt32(truncatingIfNeeded: crc32_z(0, $0.baseAddress, $0.count))
    }
    let bytes = header.bytes
    return (bytes + packed, bytes.count + body.count)
  }
}

extension PackedChunk {
  /// Appends the pages, and says where they stand and what readers are told of them.
  func place(_ column: ParquetColumn, into out: inout [UInt8]) -> PlacedChunk {
    var placed = PlacedChunk()
    var chunk = ParquetColumnChunk()
    let start = out.count
    // Levels are runs; so it stands in the list first.
    chunk.encodings = [.runLength]
    if let dictionary {
      placed.dictionary = ObjectPiece(offset: start, byteCount: dictionary.bytes.count)
      chunk.dictionaryOffset = start
      chunk.uncompressedByteCount = dictionary.uncompressedByteCount
      chunk.encodings.append(.plain)
      out += dictionary.bytes
    }
    chunk.dataOffset = out.count
    for page in pages {
      placed.locations.append(
        ParquetPageLocation(offset: out.count, byteCount: page.bytes.count, firstRow: chunk.valueCount))
      placed.isIndexed.append(page.encoding == .dictionary)
      out += page.bytes
      chunk.valueCount += page.rowCount
      chunk.uncompressedByteCount += page.uncompressedByteCount
      chunk.count(page.encoding)
    }
    for (encoding, _) in chunk.pageCounts where !chunk.encodings.contains(encoding) { chunk.encodings.append(encoding) }
    chunk.compressedByteCount = out.count - start
    let order = StatisticsOrder(column)
    chunk.statistics = order.union(pages.map(\.statistics))
    placed.index = order.index(pages.map(\.statistics), rowCounts: pages.map(\.rowCount))
    placed.chunk = chunk
    return placed
  }
}

/// A column chunk that has its place.
struct PlacedChunk {
  var chunk = ParquetColumnChunk()
  var dictionary: ObjectPiece?
  var locations: [ParquetPageLocation] = []
  /// Whether pages refer to the dictionary.
  var isIndexed: [Bool] = []
  /// nil: a page has values that are in no order.
  var index: ParquetColumnIndex?
}
