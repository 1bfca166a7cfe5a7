// Packed pages put together to a file: row groups, indexes of pages, footer.

import VarveCore
import VarveFormat

/// A column of the file that row blocks are read from.
enum ObjectPart: Hashable {
  case time
  case timeRemainder
  /// By place in the schema.
  case field(Int)
  case remainder(Int)
}

struct ObjectAssembly {
  private static let magic = Array("PAR1".utf8)

  private var metadata: ParquetMetadata
  private var columns: [(pages: ObjectPages, part: ObjectPart?)] = []
  private var words: [String] = []
  private var bytes: [UInt8]

  init(rowGroups: [ParquetRowGroup], byteCount: Int) {
    metadata = ParquetMetadata(columns: [])
    metadata.rowGroups = rowGroups
    metadata.rowCount = rowGroups.reduce(0) { $0 + $1.rowCount }
    bytes = Self.magic
    bytes.reserveCapacity(byteCount + byteCount / 16 + 65_536)
  }

  /// The next column, and the word that says which one it is.
  mutating func add(_ pages: ObjectPages, _ word: String, as part: ObjectPart?) {
    metadata.columns.append(pages.column)
    columns.append((pages, part))
    words.append(word)
  }

  consuming func finish(keyValues: [(key: String, value: String)]) -> PlacedObject {
    var placed: [[PlacedChunk]] = []
    for group in metadata.rowGroups.indices {
      placed.append(columns.map { $0.pages.chunks[group].place($0.pages.column, into: &bytes) })
    }
    for group in placed.indices {
      for column in columns.indices {
        guard let index = placed[group][column].index else { continue }
        placed[group][column].chunk.columnIndex = append(index.bytes)
      }
    }
    for group in placed.indices {
      for column in columns.indices {
        placed[group][column].chunk.offsetIndex = append(placed[group][column].locations.bytes)
      }
      metadata.rowGroups[group].columns = placed[group].map(\.chunk)
    }
    metadata.keyValues = keyValues + [("varve.columns", words.joined(separator: " "))]
    metadata.createdBy = ParquetWriter.Options().createdBy
    let footer = metadata.bytes
    bytes += footer
    withUnsafeBytes(of: UInt32(footer.count).littleEndian) { bytes += $0 }
    bytes += Self.magic
    var parts: [ObjectPart: Int] = [:]
    for (place, column) in columns.enumerated() {
      if let part = column.part { parts[part] = place }
    }
    return PlacedObject(bytes: bytes, chunks: placed, parts: parts)
  }

  private mutating func append(_ piece: [UInt8]) -> Range<Int> {
    let start = bytes.count
    bytes += piece
    return start..<bytes.count
  }
}

struct PlacedObject {
  let bytes: [UInt8]
  /// By row group, then by column.
  let chunks: [[PlacedChunk]]
  let parts: [ObjectPart: Int]

  func place(of part: ObjectPart, _ group: Int, _ page: Int) -> (page: ObjectPiece, dictionary: ObjectPiece?) {
    guard let column = parts[part] else { preconditionFailure("a column with pages that are read is in the file") }
    let chunk = chunks[group][column]
    let location = chunk.locations[page]
    let piece = ObjectPiece(offset: location.offset, byteCount: location.byteCount)
    return (piece, chunk.isIndexed[page] ? chunk.dictionary : nil)
  }
}
