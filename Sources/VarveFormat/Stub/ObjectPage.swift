// Where an object, the Parquet file of an archived chunk, has what the chunk's pages are made from.

import VarveCore

/// A Parquet page, header and all.
package struct ObjectPiece: Sendable, Hashable {
  package var offset: Int
  package var byteCount: Int
  package init(offset: Int, byteCount: Int) {
    self.offset = offset
    self.byteCount = byteCount
  }
}

/// What one page of a chunk is made from: one piece, or two where a time has nanoseconds beyond its microseconds.
package struct ObjectPage: Sendable, Hashable {
  package var pieces: [ObjectPiece]
  /// Of each piece, the dictionary page that it refers to; nil: none.
  package var dictionaries: [ObjectPiece?]
  package init(pieces: [ObjectPiece], dictionaries: [ObjectPiece?]) {
    self.pieces = pieces
    self.dictionaries = dictionaries
  }
}

/// The pages of a row block.
package struct ObjectRowBlock: Sendable {
  package var times: ObjectPage
  /// By column id, ascending. A column that is absent in all rows has none.
  package var fields: [(column: ColumnID, page: ObjectPage)]
  package init(times: ObjectPage, fields: [(column: ColumnID, page: ObjectPage)]) {
    self.times = times
    self.fields = fields
  }
}

/// An object as its stub knows it.
package struct ArchivedObject: Sendable, Hashable {
  /// Within the archive.
  package var key: String
  package var byteCount: Int
  /// CRC-32C of all its bytes.
  package var checksum: UInt32
  package init(key: String, byteCount: Int, checksum: UInt32) {
    self.key = key
    self.byteCount = byteCount
    self.checksum = checksum
  }
}
