// Footer, indexes and page headers as bytes. Names of fields stand beside their numbers in parquet.thrift.

import VarveFormat

enum ParquetPageType: Int {
  case data = 0
  case index = 1
  case dictionary = 2
  case dataV2 = 3
}

extension ParquetMetadata {
  /// The footer's structure, without its length and the magic behind it.
  var bytes: [UInt8] {
    var out = CompactWriter()
    out.element { out in
      // Pages are of version 1, logical types and column indexes notwithstanding.
      out.field(1, int32: 1)
      out.field(2, list: columns.count + 1, of: .structure) { out in
        out.element { root in
          root.field(4, text: "schema")
          root.field(5, int32: columns.count)
        }
        for column in columns { out.element { column.write(to: &$0) } }
      }
      out.field(3, int64: rowCount)
      out.field(4, list: rowGroups.count, of: .structure) { out in
        for (ordinal, group) in rowGroups.enumerated() { out.element { group.write(to: &$0, ordinal, columns) } }
      }
      if !keyValues.isEmpty {
        out.field(5, list: keyValues.count, of: .structure) { out in
          for (key, value) in keyValues {
            out.element { pair in
              pair.field(1, text: key)
              pair.field(2, text: value)
            }
          }
        }
      }
      out.field(6, text: createdBy)
      out.field(7, list: columns.count, of: .structure) { out in
        // Values are in the order that their type defines.
        for _ in columns { out.element { $0.field(1) { _ in } } }
      }
    }
    return out.bytes
  }
}

extension ParquetColumn {
  func write(to out: inout CompactWriter) {
    out.field(1, int32: type.rawValue)
    if type == .fixedBytes { out.field(2, int32: byteWidth) }
    out.field(3, int32: isRequired ? 0 : 1)
    out.field(4, text: name)
    if let convertedType { out.field(6, int32: convertedType) }
    if case .decimal(let precision, let scale) = meaning {
      out.field(7, int32: scale)
      out.field(8, int32: precision)
    }
    if meaning != .plain { out.field(10) { writeLogicalType(to: &$0) } }
  }

  private func writeLogicalType(to out: inout CompactWriter) {
    func moment(_ out: inout CompactWriter, _ unit: ParquetTimeUnit, _ isUTC: Bool) {
      out.field(1, bool: isUTC)
      out.field(2) { $0.field(unit.rawValue) { _ in } }
    }
    switch meaning {
    case .plain: break
    case .text: out.field(1) { _ in }
    case .decimal(let precision, let scale):
      out.field(5) { out in
        out.field(1, int32: scale)
        out.field(2, int32: precision)
      }
    case .date: out.field(6) { _ in }
    case .time(let unit, let isUTC): out.field(7) { moment(&$0, unit, isUTC) }
    case .timestamp(let unit, let isUTC): out.field(8) { moment(&$0, unit, isUTC) }
    case .integer(let bitWidth, let isSigned):
      out.field(10) { out in
        out.field(1, byte: UInt8(bitWidth))
        out.field(2, bool: isSigned)
      }
    case .json: out.field(12) { _ in }
    case .uuid: out.field(14) { _ in }
    }
  }

  /// What readers from before logical types know the column by.
  private var convertedType: Int? {
    switch meaning {
    case .text: 0
    case .decimal: 5
    case .date: 6
    case .time(.milliseconds, isUTC: true): 7
    case .time(.microseconds, isUTC: true): 8
    case .timestamp(.milliseconds, isUTC: true): 9
    case .timestamp(.microseconds, isUTC: true): 10
    case .integer(8, isSigned: false): 11
    case .integer(16, isSigned: false): 12
    case .integer(32, isSigned: false): 13
    case .integer(64, isSigned: false): 14
    case .integer(8, isSigned: true): 15
    case .integer(16, isSigned: true): 16
    case .integer(32, isSigned: true): 17
    case .integer(64, isSigned: true): 18
    case .json: 19
    case .plain, .uuid, .time, .timestamp, .integer: nil
    }
  }
}

extension ParquetRowGroup {
  func write(to out: inout CompactWriter, _ ordinal: Int, _ schema: [ParquetColumn]) {
    out.field(1, list: columns.count, of: .structure) { out in
      for (column, chunk) in zip(schema, columns) { out.element { chunk.write(to: &$0, column) } }
    }
    out.field(2, int64: columns.reduce(0) { $0 + $1.uncompressedByteCount })
    out.field(3, int64: rowCount)
    if !sorting.isEmpty {
      out.field(4, list: sorting.count, of: .structure) { out in
        for each in sorting {
          out.element { out in
            out.field(1, int32: each.column)
            out.field(2, bool: each.isDescending)
            out.field(3, bool: each.areNullsFirst)
          }
        }
      }
    }
    if let first = columns.first { out.field(5, int64: first.byteRange.lowerBound) }
    out.field(6, int64: columns.reduce(0) { $0 + $1.compressedByteCount })
    // The field has 16 bits; readers count by themselves where it is missing.
    if ordinal <= Int(Int16.max) { out.field(7, int16: ordinal) }
  }
}

extension ParquetColumnChunk {
  func write(to out: inout CompactWriter, _ column: ParquetColumn) {
    out.field(2, int64: byteRange.lowerBound)
    out.field(3) { out in
      out.field(1, int32: column.type.rawValue)
      out.field(2, list: encodings.count, of: .int32) { out in
        for encoding in encodings { out.element(integer: encoding.rawValue) }
      }
      out.field(3, list: 1, of: .binary) { $0.element(binary: Array(column.name.utf8)) }
      out.field(4, int32: codec.rawValue)
      out.field(5, int64: valueCount)
      out.field(6, int64: uncompressedByteCount)
      out.field(7, int64: compressedByteCount)
      out.field(9, int64: dataOffset)
      if let dictionaryOffset { out.field(11, int64: dictionaryOffset) }
      out.field(12) { statistics.write(to: &$0) }
      out.field(13, list: pageCounts.count + (dictionaryOffset == nil ? 0 : 1), of: .structure) { out in
        if dictionaryOffset != nil { Self.write(pages: 1, .dictionary, .plain, to: &out) }
        for (encoding, count) in pageCounts { Self.write(pages: count, .data, encoding, to: &out) }
      }
    }
    if let offsetIndex {
      out.field(4, int64: offsetIndex.lowerBound)
      out.field(5, int32: offsetIndex.count)
    }
    if let columnIndex {
      out.field(6, int64: columnIndex.lowerBound)
      out.field(7, int32: columnIndex.count)
    }
  }

  private static func write(
    pages: Int, _ type: ParquetPageType, _ encoding: ParquetEncoding, to out: inout CompactWriter
  ) {
    out.element { out in
      out.field(1, int32: type.rawValue)
      out.field(2, int32: encoding.rawValue)
      out.field(3, int32: pages)
    }
  }
}

extension ParquetStatistics {
  func write(to out: inout CompactWriter) {
    if let nullCount { out.field(3, int64: nullCount) }
    if let maximum { out.field(5, binary: maximum) }
    if let minimum { out.field(6, binary: minimum) }
    if maximum != nil { out.field(7, bool: isMaximumExact) }
    if minimum != nil { out.field(8, bool: isMinimumExact) }
  }
}

extension ParquetColumnIndex {
  var bytes: [UInt8] {
    var out = CompactWriter()
    out.element { out in
      out.field(1, list: pages.count, of: .yes) { out in
        for page in pages { out.element(bool: page.minimum == nil) }
      }
      out.field(2, list: pages.count, of: .binary) { out in
        for page in pages { out.element(binary: page.minimum ?? []) }
      }
      out.field(3, list: pages.count, of: .binary) { out in
        for page in pages { out.element(binary: page.maximum ?? []) }
      }
      out.field(4, int32: boundaries.rawValue)
      out.field(5, list: pages.count, of: .int64) { out in
        for page in pages { out.element(integer: page.nullCount ?? 0) }
      }
    }
    return out.bytes
  }
}

extension [ParquetPageLocation] {
  /// The offset index of a column chunk.
  var bytes: [UInt8] {
    var out = CompactWriter()
    out.element { out in
      out.field(1, list: count, of: .structure) { out in
        for page in self {
          out.element { out in
            out.field(1, int64: page.offset)
            out.field(2, int32: page.byteCount)
            out.field(3, int64: page.firstRow)
          }
        }
      }
    }
    return out.bytes
  }
}

/// What stands before each page.
struct ParquetPageHeader {
  var type: ParquetPageType
  var encoding: ParquetEncoding
  /// With those that are NULL.
  var valueCount: Int
  var uncompressedByteCount: Int
  var compressedByteCount: Int
  /// CRC-32 of the page as it stands in the file.
  var checksum: UInt32?
  /// Version 2: bytes of the levels, which stand uncompressed before the values, and whether these are compressed.
  var definitionByteCount = 0
  var repetitionByteCount = 0
  var isCompressed = true
  var definitionEncoding = ParquetEncoding.runLength

  var bytes: [UInt8] {
    var out = CompactWriter()
    out.element { out in
      out.field(1, int32: type.rawValue)
      out.field(2, int32: uncompressedByteCount)
      out.field(3, int32: compressedByteCount)
      if let checksum { out.field(4, int32: Int(Int32(bitPattern: checksum))) }
      if type == .dictionary {
        out.field(7) { out in
          out.field(1, int32: valueCount)
          out.field(2, int32: encoding.rawValue)
        }
      } else {
        out.field(5) { out in
          out.field(1, int32: valueCount)
          out.field(2, int32: encoding.rawValue)
          out.field(3, int32: ParquetEncoding.runLength.rawValue)
          out.field(4, int32: ParquetEncoding.runLength.rawValue)
        }
      }
    }
    return out.bytes
  }
}
