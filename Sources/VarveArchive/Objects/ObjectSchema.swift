// What an object holds, and where: the columns of a series table by their ids, and the pages of each row block of the
// chunk that it is made of. FORMAT.md, "Archived objects".

import VarveCore

/// The columns of a series table, beside the time.
package struct ObjectSchema: Sendable {
  package struct Tag: Sendable {
    package var id: ColumnID
    package var name: String
    package init(id: ColumnID, name: String) {
      self.id = id
      self.name = name
    }
  }

  package struct Field: Sendable {
    package var id: ColumnID
    package var name: String
    package var type: FieldType
    package init(id: ColumnID, name: String, type: FieldType) {
      self.id = id
      self.name = name
      self.type = type
    }
  }

  /// In the table's order.
  package let tags: [Tag]
  /// By id.
  package let fields: [Field]

  package init(tags: [Tag], fields: [Field]) {
    precondition(zip(fields, fields.dropFirst()).allSatisfy { $0.id < $1.id }, "fields come by id, each once")
    self.tags = tags
    self.fields = fields
  }
}

/// Bytes of an object: a page with its header.
package struct ObjectPiece: Sendable, Hashable {
  package var offset: Int
  package var byteCount: Int
  package init(offset: Int, byteCount: Int) {
    self.offset = offset
    self.byteCount = byteCount
  }
}

/// What a page of a chunk is made from: one data page; of times of which some are not whole microseconds, a second one
/// with what these leave.
package struct ObjectPage: Sendable, Hashable {
  package var pieces: [ObjectPiece]
  /// The dictionary page that each piece refers to; nil: none. Pieces of one column that stand close share it.
  package var dictionaries: [ObjectPiece?]
  package init(pieces: [ObjectPiece], dictionaries: [ObjectPiece?]) {
    precondition(pieces.count == dictionaries.count, "each piece says whether it has a dictionary")
    self.pieces = pieces
    self.dictionaries = dictionaries
  }
}

/// The pages of one row block.
package struct ObjectRowBlock: Sendable {
  package var times: ObjectPage
  /// By id; those that are absent in all rows have none.
  package var fields: [(column: ColumnID, page: ObjectPage)]
  package init(times: ObjectPage, fields: [(column: ColumnID, page: ObjectPage)]) {
    self.times = times
    self.fields = fields
  }
}
