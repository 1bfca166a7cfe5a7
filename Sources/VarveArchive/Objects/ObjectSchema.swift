// What an object holds: the columns of a series table by their ids. FORMAT.md, "Archived objects".

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
