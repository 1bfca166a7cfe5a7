// What a stub says of the chunk's pages: where those stand that it kept, and what the others are made from.
// FORMAT.md, "Stub".

import VarveCore

package struct StubMap: Sendable {
  /// A page that the stub does not have.
  package struct MadePage: Sendable {
    /// nil: times.
    package var type: FieldType?
    package var rowCount: Int
    /// Where it lies in the chunk.
    package var reference: PageReference
    /// The first four bytes of its plain form.
    package var checksum: UInt32
    package var source: ObjectPage
  }

  package struct RowBlock: Sendable {
    package var rowCount: Int
    /// Where it lies in the chunk.
    package var seriesPage: PageReference
    /// Where it lies in the stub.
    package var keptOffset: Int
    /// Of `pages`: its times and its fields.
    package var pages: Range<Int>
  }

  package var object: ArchivedObject
  package var rowBlocks: [RowBlock] = []
  /// In order of their places.
  package var pages: [MadePage] = []
  /// Where the chunk's header stands in the stub.
  package private(set) var headerOffset = 0
  /// Where the chunk's tail stands in the stub.
  package private(set) var tailOffset = 0

  package init(object: ArchivedObject) { self.object = object }

  // MARK: - Bytes

  func encoded() -> [UInt8] {
    var out = ByteWriter(reserving: pages.count * 16 + 256)
    out.append(prefixed: Array(object.key.utf8))
    out.append(varint: UInt64(object.byteCount))
    out.append(u32: object.checksum)
    let dictionaries = Set(pages.flatMap { $0.source.dictionaries.compactMap { $0 } }).sorted { $0.offset < $1.offset }
    out.append(varint: UInt64(dictionaries.count))
    var numbers: [ObjectPiece: Int] = [:]
    for (number, dictionary) in dictionaries.enumerated() {
      numbers[dictionary] = number
      out.append(varint: UInt64(dictionary.offset))
      out.append(varint: UInt64(dictionary.byteCount))
    }
    out.append(varint: UInt64(rowBlocks.count))
    var previousEnd = 0
    for block in rowBlocks {
      out.append(varint: UInt64(block.rowCount))
      out.append(varint: UInt64(block.seriesPage.byteCount))
      out.append(varint: UInt64(block.pages.count))
      for page in pages[block.pages] {
        out.append(byte: (page.type.map(PageContent.field) ?? .times).rawValue)
        out.append(varint: UInt64(page.reference.byteCount))
        out.append(u32: page.checksum)
        out.append(varint: UInt64(page.source.pieces.count))
        for (piece, dictionary) in zip(page.source.pieces, page.source.dictionaries) {
          out.append(zigzag: Int64(piece.offset - previousEnd))
          out.append(varint: UInt64(piece.byteCount))
          out.append(varint: UInt64(dictionary.flatMap { numbers[$0] }.map { $0 + 1 } ?? 0))
          previousEnd = piece.offset + piece.byteCount
        }
      }
    }
    return out.bytes
  }

  /// The map behind the header, which is sound. Total; memory taken is bounded by the bytes read.
  package static func decode(_ bytes: UnsafeRawBufferPointer, _ header: StubHeader, place: String) throws -> StubMap {
    try placed(place) {
      try check(bytes, header)
      return try decodeUnchecked(bytes, header)
    }
  }

  /// Which object it is that the map, all of which is given, says the pages of.
  package static func object(
    _ bytes: UnsafeRawBufferPointer, _ header: StubHeader, place: String
  ) throws -> ArchivedObject {
    try placed(place) {
      try check(bytes, header)
      var reader = ByteReader(bytes)
      return try readObject(&reader)
    }
  }

  private static func check(_ bytes: UnsafeRawBufferPointer, _ header: StubHeader) throws {
    guard bytes.count == header.mapByteCount,
      CRC32C.salted(bytes, file: header.file, offset: StubHeader.byteCount) == header.mapChecksum
    else { throw VarveError(.corruption, "a stub's map fails its checksum") }
  }

  private static func readObject(_ reader: inout ByteReader) throws -> ArchivedObject {
    guard let key = String(validating: try reader.readPrefixed(), as: UTF8.self) else {
      throw VarveError(.corruption, "a stub's key is not UTF-8")
    }
    let object = ArchivedObject(key: key, byteCount: try reader.readLength(), checksum: try reader.readUInt32())
    guard object.byteCount <= ChunkFooter.fileByteCountLimit else {
      throw VarveError(.corruption, "a stub's object is larger than any")
    }
    return object
  }

  static func decodeUnchecked(_ bytes: UnsafeRawBufferPointer, _ header: StubHeader) throws -> StubMap {
    var reader = ByteReader(bytes)
    var map = StubMap(object: try readObject(&reader))
    let dictionaries = try (0..<(try reader.readCount(minimumByteCount: 2))).map { _ in
      try map.piece(from: try reader.readLength(), &reader)
    }
    map.headerOffset = StubHeader.byteCount + header.mapByteCount
    var (offset, kept) = (ChunkHeader.byteCount, map.headerOffset + ChunkHeader.byteCount)
    var previousEnd = 0
    for _ in 0..<(try reader.readCount(minimumByteCount: 8)) {
      let rowCount = try reader.readLength()
      guard (1...Limits.rowBlockRowCount).contains(rowCount) else {
        throw VarveError(.corruption, "a stub has a row block of \(rowCount) rows")
      }
      let series = try readReference(&offset, header, &reader)
      let first = map.pages.count
      for _ in 0..<(try reader.readCount(minimumByteCount: 8)) {
        let code = try reader.readByte()
        let type: FieldType?
        switch PageContent(rawValue: code) {
        case .times where map.pages.count == first: type = nil
        case .field(let found) where map.pages.count > first: type = found
        default: throw VarveError(.corruption, "a stub has a page of kind \(code) where none can be")
        }
        let reference = try readReference(&offset, header, &reader)
        let checksum = try reader.readUInt32()
        var source = ObjectPage(pieces: [], dictionaries: [])
        let pieceCount = try reader.readLength()
        guard (1...2).contains(pieceCount) else {
          throw VarveError(.corruption, "a stub makes a page of \(pieceCount) pieces")
        }
        for _ in 0..<pieceCount {
          let (start, overflow) = Int64(previousEnd).addingReportingOverflow(try reader.readZigzag())
          guard !overflow, start >= 0 else { throw VarveError(.corruption, "a stub's piece lies before its object") }
          let piece = try map.piece(from: Int(start), &reader)
          previousEnd = piece.offset + piece.byteCount
          let number = try reader.readLength()
          guard number <= dictionaries.count else {
            throw VarveError(.corruption, "a stub's piece has a dictionary that is not there")
          }
          source.pieces.append(piece)
          source.dictionaries.append(number == 0 ? nil : dictionaries[number - 1])
        }
        map.pages.append(
          MadePage(type: type, rowCount: rowCount, reference: reference, checksum: checksum, source: source))
      }
      guard map.pages.count > first else { throw VarveError(.corruption, "a stub has a row block without times") }
      map.rowBlocks.append(
        RowBlock(rowCount: rowCount, seriesPage: series, keptOffset: kept, pages: first..<map.pages.count))
      kept += series.byteCount
    }
    try reader.expectEnd()
    map.tailOffset = kept
    guard offset == header.tailOffset else { throw VarveError(.corruption, "a stub's pages do not add up") }
    return map
  }

  private func piece(from offset: Int, _ reader: inout ByteReader) throws -> ObjectPiece {
    let byteCount = try reader.readLength()
    guard byteCount <= object.byteCount, offset <= object.byteCount - byteCount else {
      throw VarveError(.corruption, "a stub's piece lies behind its object")
    }
    return ObjectPiece(offset: offset, byteCount: byteCount)
  }

  private static func readReference(
    _ offset: inout Int, _ header: StubHeader, _ reader: inout ByteReader
  ) throws -> PageReference {
    let byteCount = try reader.readLength()
    guard byteCount >= PageHeader.byteCount, byteCount <= header.tailOffset - offset else {
      throw VarveError(.corruption, "a page of \(byteCount) bytes does not fit its chunk")
    }
    defer { offset += byteCount }
    return PageReference(offset: offset, byteCount: byteCount)
  }

  /// Bytes of the stub.
  package func fileByteCount(_ header: StubHeader) -> Int { tailOffset + header.tailByteCount }
}
