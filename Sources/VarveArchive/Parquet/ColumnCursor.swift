// The rows of one column chunk, page by page, from any row on. With an offset index only pages that have rows asked for are
// read; without, the chunk is read in order, some bytes ahead.

import CZlib
import VarveCore

struct ColumnCursor {
  /// Bytes asked for at a time where nobody knows where a page ends.
  private static let windowByteCount = 1 << 20
  /// A header with long statistics.
  private static let headerByteLimit = 1 << 20

  private let file: ParquetFile
  private let chunk: ParquetColumnChunk
  private var decoder: PageDecoder
  private let rowCount: Int
  private var pages: ArraySlice<ParquetPageLocation>?
  /// Where the next page begins, and what lies beyond all that may be read for it.
  private var position: Int
  private var end: Int
  /// Bytes of the file that were read ahead, and where they begin.
  private var window: (start: Int, bytes: [UInt8])
  /// The row behind those that were given.
  private(set) var row = 0

  /// From the page on that has row `first`, which `next` begins with or before.
  init(_ file: ParquetFile, group: Int, column: Int, first: Int = 0) throws {
    self.file = file
    chunk = file.metadata.rowGroups[group].columns[column]
    decoder = PageDecoder(file.metadata.columns[column])
    rowCount = file.metadata.rowGroups[group].rowCount
    position = chunk.byteRange.lowerBound
    end = chunk.byteRange.upperBound
    window = (position, [])
    guard chunk.valueCount == rowCount else {
      throw VarveError(.corruption, "a column chunk of \(chunk.valueCount) values for \(rowCount) rows")
    }
    if first > 0, let pages = try file.pageLocations(group: group, column: column), let start = pages.first {
      // What stands before the first data page is the dictionary.
      if start.offset > position { try readDictionary(upTo: min(start.offset, end)) }
      let at = (pages.firstIndex { $0.firstRow > first } ?? pages.count) - 1
      self.pages = pages[at...]
      row = pages[at].firstRow
    }
  }

  private mutating func readDictionary(upTo end: Int) throws {
    self.end = end
    let (header, body) = try readPage()
    guard header.type == .dictionary else {
      throw VarveError(.corruption, "what stands before the first page is no dictionary")
    }
    try decoder.takeDictionary(header, try unpack(header, body))
  }

  /// The rows of the next page; nil: there are no more.
  mutating func next() throws -> ParquetVector? {
    if let pages {
      guard let page = pages.first else { return nil }
      self.pages = pages.dropFirst()
      guard chunk.byteRange.contains(page.offset), page.offset + page.byteCount <= chunk.byteRange.upperBound else {
        throw VarveError(.corruption, "an offset index names a page outside its column chunk")
      }
      position = page.offset
      end = page.offset + page.byteCount
    }
    while row < rowCount {
      let (header, body) = try readPage()
      switch header.type {
      case .index: continue
      case .dictionary: try decoder.takeDictionary(header, try unpack(header, body))
      case .data, .dataV2:
        guard header.valueCount > 0, header.valueCount <= rowCount - row else {
          throw VarveError(.corruption, "pages of more rows than the \(rowCount) of their row group, or of none")
        }
        let vector = try decoder.decode(header, try unpack(header, body))
        row += vector.count
        return vector
      }
    }
    return nil
  }

  // MARK: Bytes

  /// The page at `position`, as it stands in the file, which moves behind it.
  private mutating func readPage() throws -> (ParquetPageHeader, [UInt8]) {
    var wanted = 4096
    while true {
      let available = try bytes(at: position, wanted)
      do {
        let (header, size) = try available.withUnsafeBytes { try ParquetPageHeader.read($0) }
        let body = try bytes(at: position + size, header.compressedByteCount)
        guard body.count >= header.compressedByteCount else {
          throw VarveError(.corruption, "a page reaches beyond its column chunk")
        }
        position += size + header.compressedByteCount
        return (header, Array(body.prefix(header.compressedByteCount)))
      } catch let error as VarveError
        where error.code == .corruption && available.count >= wanted
        && wanted < Self.headerByteLimit
      {
        // The header may be longer than what was looked at.
        wanted *= 16
      }
    }
  }

  /// `count` bytes at a place, or as many as there are before the end.
  private mutating func bytes(at start: Int, _ count: Int) throws -> ArraySlice<UInt8> {
    guard start <= end else { return [] }
    let wanted = min(count, end - start)
    if start < window.start || start + wanted > window.start + window.bytes.count {
      let length = min(end - start, max(wanted, Self.windowByteCount))
      window = (start, try file.readPiece(start..<(start + length)))
    }
    return window.bytes[(start - window.start)...].prefix(max(wanted, 0))
  }

  private func unpack(_ header: ParquetPageHeader, _ body: [UInt8]) throws -> [UInt8] {
    if let checksum = header.checksum {
      let found = body.withUnsafeBufferPointer { crc32_z(0, $0.baseAddress, $0.count) }
      guard UInt32(truncatingIfNeeded: found) == checksum else {
        throw VarveError(.corruption, "a page does not have the checksum that its header says")
      }
    }
    guard header.type == .dataV2 else {
      return try PageCompression.decompress(body[...], chunk.codec, header.uncompressedByteCount)
    }
    // Levels are never packed.
    let (levels, isBeyond) = header.repetitionByteCount.addingReportingOverflow(header.definitionByteCount)
    guard !isBeyond, levels <= body.count, levels <= header.uncompressedByteCount else {
      throw VarveError(.corruption, "the levels of a page reach beyond it")
    }
    let codec = header.isCompressed ? chunk.codec : .uncompressed
    // A page without values has nothing to unpack.
    if body.count == levels { return body }
    return body[..<levels]
      + (try PageCompression.decompress(body[levels...], codec, header.uncompressedByteCount - levels))
  }
}

extension PageCompression {
  fileprivate static func decompress(_ page: ArraySlice<UInt8>, _ codec: ParquetCodec, _ byteCount: Int) throws
    -> [UInt8]
  {
    try page.withUnsafeBytes { try decompress($0, codec, byteCount: byteCount) }
  }
}
