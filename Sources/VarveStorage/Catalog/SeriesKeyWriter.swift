// The canonical key of a tag set that a record gives by column ids: its tags in order of their names' bytes. The memory
// is used again for the next key.

import VarveCore
import VarveFormat

final class SeriesKeyWriter {
  private struct Tag {
    /// As a key has it, with its length.
    let name: [UInt8]
    var value = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
  }

  private let table: TableID
  /// In order of name.
  private var tags: [Tag] = []
  /// Column id → place in `tags`; -1: no tag.
  private var places: [Int]
  private var bytes = Buffer<UInt8>()

  init(_ table: TableSchema) {
    self.table = table.id
    places = Array(repeating: -1, count: table.nextColumn)
    let named = table.columns.filter(\.isTag).map { (id: $0.id, name: Array($0.name.utf8)) }
      .sorted { $0.name.lexicographicallyPrecedes($1.name) }
    for (place, column) in named.enumerated() {
      places[Int(column.id.rawValue)] = place
      tags.append(Tag(name: withUnsafeBytes(of: UInt16(column.name.count).littleEndian) { Array($0) } + column.name))
    }
  }

  /// Valid until the next key. Throws if a column is no tag of the table.
  func key(_ set: SeriesTags) throws -> UnsafeRawBufferPointer {
    for place in tags.indices { tags[place].value = UnsafeBufferPointer(start: nil, count: 0) }
    try set.forEachTag { column, value in
      let column = Int(column.rawValue)
      guard column < places.count, places[column] >= 0 else {
        throw VarveError(.corruption, "a series of table \(table.rawValue) has a tag that is no column of it")
      }
      tags[places[column]].value = value
    }
    bytes.count = 0
    for tag in tags where tag.value.count > 0 {
      tag.name.withUnsafeBufferPointer { bytes.append($0) }
      withUnsafeBytes(of: UInt32(tag.value.count).littleEndian) {
        bytes.append($0.assumingMemoryBound(to: UInt8.self))
      }
      bytes.append(tag.value)
    }
    return UnsafeRawBufferPointer(bytes.span)
  }
}
