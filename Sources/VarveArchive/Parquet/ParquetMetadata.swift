// What a Parquet file says about itself in its footer, as values
// (https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift).

enum ParquetEncoding: Int, Sendable {
  case plain = 0
  case plainDictionary = 2
  case runLength = 3
  case bitPacked = 4
  case deltaBinaryPacked = 5
  case deltaLengthBytes = 6
  case deltaBytes = 7
  case dictionary = 8
  case byteStreamSplit = 9
}

package enum ParquetCodec: Int, Sendable {
  case uncompressed = 0
  case snappy = 1
  case gzip = 2
  case lzo = 3
  case brotli = 4
  /// Hadoop's framing of LZ4 blocks, in which writers did not agree.
  case lz4 = 5
  case zstd = 6
  case lz4Raw = 7
}

/// Smallest and largest value as their plain bytes, in the order of the column's type.
package struct ParquetStatistics: Equatable, Sendable {
  package var nullCount: Int?
  /// nil: not known, or there is no value that can be compared.
  package var minimum: [UInt8]?
  package var maximum: [UInt8]?
  /// The bounds are values of the column, and not only beyond them. Column indexes do not say.
  package var isMinimumExact = true
  package var isMaximumExact = true
}

package struct ParquetColumnChunk: Sendable {
  package var valueCount = 0
  var encodings: [ParquetEncoding] = []
  package var codec = ParquetCodec.zstd
  package var dataOffset = 0
  package var dictionaryOffset: Int?
  /// Of all pages with their headers.
  package var compressedByteCount = 0
  package var uncompressedByteCount = 0
  package var statistics = ParquetStatistics()
  /// Data pages by encoding, in order of their first.
  private(set) var pageCounts: [(encoding: ParquetEncoding, count: Int)] = []
  package var offsetIndex: Range<Int>?
  package var columnIndex: Range<Int>?

  package init() {}

  /// Counts data pages of an encoding.
  mutating func count(_ encoding: ParquetEncoding, pages: Int = 1) {
    if let place = pageCounts.firstIndex(where: { $0.encoding == encoding }) {
      pageCounts[place].count += pages
    } else {
      pageCounts.append((encoding, pages))
    }
  }

  /// Where its pages stand.
  package var byteRange: Range<Int> {
    let start = min(dataOffset, dictionaryOffset ?? dataOffset)
    return start..<(start + compressedByteCount)
  }
}

package struct ParquetRowGroup: Sendable {
  package var rowCount = 0
  package var columns: [ParquetColumnChunk] = []
  package var sorting: [ParquetSorting] = []
  package init() {}
}

/// Rows of a row group are in order of these columns, the first one first.
package struct ParquetSorting: Equatable, Sendable {
  package var column: Int
  package var isDescending: Bool
  package var areNullsFirst: Bool
  package init(column: Int, isDescending: Bool = false, areNullsFirst: Bool = false) {
    self.column = column
    self.isDescending = isDescending
    self.areNullsFirst = areNullsFirst
  }
}

package struct ParquetMetadata: Sendable {
  package var columns: [ParquetColumn]
  package var rowCount = 0
  package var rowGroups: [ParquetRowGroup] = []
  package var keyValues: [(key: String, value: String)] = []
  package var createdBy = ""
  package init(columns: [ParquetColumn]) { self.columns = columns }
}

/// Where a data page stands, and its first row within the row group.
package struct ParquetPageLocation: Equatable, Sendable {
  package var offset: Int
  package var byteCount: Int
  package var firstRow: Int
}

/// What the pages of a column chunk hold, for readers that leave pages out.
package struct ParquetColumnIndex: Sendable {
  package enum Boundaries: Int, Sendable { case unordered = 0, ascending, descending }
  package var pages: [ParquetStatistics]
  package var boundaries: Boundaries
}
