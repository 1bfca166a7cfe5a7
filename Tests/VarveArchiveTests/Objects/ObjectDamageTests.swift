import Testing
import VarveCore
import VarveFormat
import VarveSimulator

@testable import VarveArchive

@Suite struct ObjectDamageTests {
  /// The pages of a small object: how each is read, and its pieces.
  private func pages(seed: UInt64) throws -> [(rowCount: Int, type: FieldType?, page: ObjectPage, bytes: [UInt8])] {
    var g = SeededRandom(seed: seed)
    let object = ObjectSamples.object(blocks: 2, rows: 60, &g)
    let (bytes, rowBlocks) = try object.written()
    return zip(object.blocks, rowBlocks).flatMap { block, found in
      [(block.rowCount, nil, found.times, bytes)]
        + found.fields.map { column, page in
          (block.rowCount, object.schema.fields.first { $0.id == column }?.type, page, bytes)
        }
    }
  }

  private func isRefused(_ read: () throws -> Void) -> Bool {
    do {
      try read()
      return false
    } catch let error as VarveError {
      #expect(error.code == .corruption)
      return true
    } catch {
      Issue.record("\(error)")
      return false
    }
  }

  private func read(_ pieces: [[UInt8]], _ dictionaries: [ObjectDictionary?], _ type: FieldType?, _ rowCount: Int)
    throws
  {
    if let type {
      _ = try ObjectReader.field(type, pieces, dictionaries, rowCount: rowCount)
    } else {
      _ = try ObjectReader.times(pieces, rowCount: rowCount)
    }
  }

  @Test(arguments: 0..<4 as Range<UInt64>) func aChangedByteOfAPackedPageIsFound(seed: UInt64) throws {
    for (rowCount, type, page, bytes) in try pages(seed: seed) {
      let pieces = fetched(page, of: bytes)
      let known = try dictionaries(page, type ?? .timestamp, of: bytes)
      try read(pieces, known, type, rowCount)
      for piece in pieces.indices {
        let size = try pieces[piece].withUnsafeBytes { try ParquetPageHeader.read($0).byteCount }
        for index in pieces[piece].indices {
          var changed = pieces
          changed[piece][index] ^= UInt8(1 << (index % 8))
          // Of the header, statements that nobody reads may change; it must not become other values.
          let isFound = isRefused { try read(changed, known, type, rowCount) }
          if index >= size { #expect(isFound, "byte \(index), seed \(seed)") }
        }
        for count in 0..<pieces[piece].count {
          var cut = pieces
          cut[piece] = Array(cut[piece].prefix(count))
          #expect(isRefused { try read(cut, known, type, rowCount) }, "\(count) bytes, seed \(seed)")
        }
      }
      #expect(isRefused { try read(pieces, known, type, rowCount + 1) })
      #expect(isRefused { try read([], [], type, rowCount) })
      for (number, place) in page.dictionaries.enumerated() {
        guard let place, let type else { continue }
        let dictionary = Array(bytes[place.offset..<(place.offset + place.byteCount)])
        for count in 0..<dictionary.count {
          #expect(
            isRefused { _ = try ObjectReader.dictionary(type, piece: number, Array(dictionary.prefix(count))) })
        }
        #expect(isRefused { _ = try ObjectReader.dictionary(type, piece: number, pieces[number]) })
        #expect(isRefused { try read(pieces, pieces.map { _ in nil }, type, rowCount) })
      }
    }
  }

  @Test func timesThatNanosecondsCannotSayAreRefused() throws {
    func piece(_ word: Int64) -> [UInt8] {
      var pages = ObjectPages(ParquetColumn("time", .int64, isRequired: true))
      let words = Buffer([UInt64(bitPattern: word)])
      var body = ByteWriter()
      FieldValues.encodePlain(words.span, pages.column, bytes: nil, into: &body)
      _ = body.bytes.withUnsafeBytes { pages.append($0, .plain, rowCount: 1, level: 1, ParquetStatistics()) }
      pages.endRowGroup(dictionary: nil)
      return pages.chunks[0].pages[0].bytes
    }
    #expect(try ObjectReader.times([piece(.max)], rowCount: 1).array == [.max])
    #expect(try ObjectReader.times([piece(-7)], rowCount: 1).array == [-7000])
    let beyond: [Int64] = [Int64.max / 1000 + 1, Int64.min / 1000 - 1, Int64.min + 1]
    for word in beyond {
      #expect(throws: VarveError.self) { try ObjectReader.times([piece(word)], rowCount: 1) }
    }
  }
}
