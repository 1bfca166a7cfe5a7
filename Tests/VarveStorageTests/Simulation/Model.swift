// The model: what a store must hold, as plainly as can be said. A table maps identities to fields; a later write
// replaces the fields it names. A row that contradicts what its table's columns are is not taken, and creates nothing.

import VarveCore

struct Identity: Hashable, CustomStringConvertible {
  var tags: [String: String]
  var time: Int64
  var description: String {
    "\(tags.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",")) @\(time)"
  }
}

enum Cell: Hashable {
  case double(UInt64)
  case integer(Int64)
  case text(String)
  case other(FieldType, UInt64)
  case null
}

struct ModelRow {
  var table: String
  var identity: Identity
  var fields: [String: Cell]
}

struct Model: Equatable {
  struct Schema: Equatable {
    var tags: Set<String> = []
    var fields: [String: FieldType] = [:]

    init() {}
  }

  /// Tables that have rows. Cells that are NULL are left out.
  var tables: [String: [Identity: [String: Cell]]] = [:]
  /// All series tables.
  var schemas: [String: Schema] = [:]
  var dimensions: [String: ModelDimension] = [:]

  /// False for a row that is not taken.
  @discardableResult
  mutating func write(_ row: ModelRow) -> Bool {
    guard let schema = schemas[row.table, default: Schema()].taking(row) else { return false }
    schemas[row.table] = schema
    var cells = tables[row.table, default: [:]][row.identity] ?? [:]
    for (name, cell) in row.fields { cells[name] = cell.stored(as: schema.fields[name]) }
    tables[row.table, default: [:]][row.identity] = cells
    return true
  }

  /// False if there is no such table.
  mutating func delete(_ delete: ModelDelete) -> Bool {
    guard schemas[delete.table] != nil else { return false }
    let left = tables[delete.table, default: [:]].filter { identity, _ in
      !(delete.host.map { identity.tags["host"] == $0 } ?? true && delete.time.contains(identity.time))
    }
    tables[delete.table] = left.isEmpty ? nil : left
    return true
  }

  /// False for a name that is taken.
  mutating func create(_ table: String, _ schema: Schema) -> Bool {
    if schemas[table] != nil || dimensions[table] != nil { return false }
    schemas[table] = schema
    return true
  }

  /// False if there is no such table.
  mutating func drop(_ table: String) -> Bool {
    tables[table] = nil
    if dimensions.removeValue(forKey: table) != nil { return true }
    return schemas.removeValue(forKey: table) != nil
  }

  var rowCount: Int {
    tables.values.reduce(0) { $0 + $1.count } + dimensions.values.reduce(0) { $0 + $1.rows.count }
  }
}

extension Model.Schema {
  /// The schema with what the row adds to it; nil if the row contradicts it.
  func taking(_ row: ModelRow) -> Self? {
    var result = self
    for tag in row.identity.tags.keys {
      if result.fields[tag] != nil || row.fields[tag] != nil { return nil }
      result.tags.insert(tag)
    }
    for (name, cell) in row.fields {
      if result.tags.contains(name) { return nil }
      // A column that begins with NULL is one of doubles, unless the batch says more.
      guard let known = result.fields[name] else {
        result.fields[name] = cell.type ?? .float64
        continue
      }
      guard let type = cell.type, type != known else { continue }
      guard type == .int64, known == .float64 else { return nil }
    }
    return result
  }
}

extension Cell {
  /// As a column of `type` holds it: an integer in a column of doubles is one; NULL is nothing.
  fileprivate func stored(as type: FieldType?) -> Cell? {
    switch self {
    case .null: nil
    case .integer(let value) where type == .float64: .double(Double(value).bitPattern)
    default: self
    }
  }
}
