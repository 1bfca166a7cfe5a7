// The indexes of pages and the header of a page, read. Total.

import VarveCore

extension [ParquetPageLocation] {
  package init(offsetIndex bytes: UnsafeRawBufferPointer) throws {
    var pages: [ParquetPageLocation] = []
    var reader = CompactReader(bytes)
    try reader.structure { reader, id, type in
      guard id == 1 else { return false }
      try reader.list(type) { reader, _ in
        var page = ParquetPageLocation(offset: 0, byteCount: 0, firstRow: 0)
        try reader.structure { reader, id, type in
          switch id {
          case 1: page.offset = try reader.integer(type)
          case 2: page.byteCount = try reader.integer(type)
          case 3: page.firstRow = try reader.integer(type)
          default: return false
          }
          return true
        }
        pages.append(page)
      }
      return true
    }
    for (page, next) in zip(pages, pages.dropFirst()) where page.firstRow >= next.firstRow {
      throw VarveError(.corruption, "the pages of an offset index are not in order")
    }
    guard pages.allSatisfy({ $0.offset >= 0 && $0.byteCount >= 0 && $0.offset <= Int.max - $0.byteCount }),
      pages.first.map({ $0.firstRow == 0 }) ?? true
    else { throw VarveError(.corruption, "an offset index names places that no file has") }
    self = pages
  }
}

extension ParquetColumnIndex {
  package init(_ bytes: UnsafeRawBufferPointer) throws {
    var reader = CompactReader(bytes)
    var areNull: [Bool] = []
    var minima: [[UInt8]] = []
    var maxima: [[UInt8]] = []
    var nullCounts: [Int] = []
    var boundaries = Boundaries.unordered
    try reader.structure { reader, id, type in
      switch id {
      case 1: try reader.list(type) { reader, _ in areNull.append(try reader.booleanElement()) }
      case 2: try reader.list(type) { reader, type in minima.append(try reader.binary(type)) }
      case 3: try reader.list(type) { reader, type in maxima.append(try reader.binary(type)) }
      case 4: boundaries = Boundaries(rawValue: try reader.integer(type)) ?? .unordered
      case 5: try reader.list(type) { reader, type in nullCounts.append(try reader.integer(type)) }
      default: return false
      }
      return true
    }
    guard minima.count == areNull.count, maxima.count == areNull.count,
      nullCounts.isEmpty || nullCounts.count == areNull.count
    else { throw VarveError(.corruption, "a column index tells of more pages in one place than in another") }
    self.boundaries = boundaries
    pages = areNull.indices.map { page in
      ParquetStatistics(
        nullCount: nullCounts.isEmpty ? nil : nullCounts[page], minimum: areNull[page] ? nil : minima[page],
        maximum: areNull[page] ? nil : maxima[page], isMinimumExact: false, isMaximumExact: false)
    }
  }
}

extension ParquetPageHeader {
  /// The header at the start of `bytes`, and its own size.
  static func read(_ bytes: UnsafeRawBufferPointer) throws -> (header: ParquetPageHeader, byteCount: Int) {
    var reader = CompactReader(bytes)
    var header = ParquetPageHeader(
      type: .index, encoding: .plain, valueCount: 0, uncompressedByteCount: 0, compressedByteCount: 0)
    try reader.structure { reader, id, type in
      switch id {
      case 1:
        // Pages of types to come are passed over like those of an index.
        header.type = ParquetPageType(rawValue: try reader.integer(type)) ?? .index
      case 2: header.uncompressedByteCount = try reader.integer(type)
      case 3: header.compressedByteCount = try reader.integer(type)
      case 4: header.checksum = UInt32(truncatingIfNeeded: try reader.integer(type))
      case 5, 7, 8:
        guard type == .structure else { return false }
        try header.readKind(&reader, isV2: id == 8)
      default: return false
      }
      return true
    }
    guard header.compressedByteCount >= 0, header.uncompressedByteCount >= 0, header.valueCount >= 0,
      header.definitionByteCount >= 0, header.repetitionByteCount >= 0
    else { throw VarveError(.corruption, "a page of less than no bytes or values") }
    return (header, reader.position)
  }

  private mutating func readKind(_ reader: inout CompactReader, isV2: Bool) throws {
    var header = self
    try reader.structure { reader, id, type in
      switch (id, isV2) {
      case (1, _): header.valueCount = try reader.integer(type)
      case (2, false), (4, true): header.encoding = try Self.encoding(&reader, type)
      // Of a dictionary page, whether it is sorted stands here.
      case (3, false) where type == .int32: header.definitionEncoding = try Self.encoding(&reader, type)
      case (5, true): header.definitionByteCount = try reader.integer(type)
      case (6, true): header.repetitionByteCount = try reader.integer(type)
      case (7, true): header.isCompressed = try reader.boolean(type)
      default: return false
      }
      return true
    }
    self = header
  }

  private static func encoding(_ reader: inout CompactReader, _ type: CompactType) throws -> ParquetEncoding {
    let code = try reader.integer(type)
    guard let encoding = ParquetEncoding(rawValue: code) else {
      throw VarveError(.unsupported, "values encoded by method \(code), which is not known")
    }
    return encoding
  }
}
