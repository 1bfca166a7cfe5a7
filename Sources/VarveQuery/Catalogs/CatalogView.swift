// Names and object ids of one moment: the snapshot's tables beside the virtual ones.

import VarveCompute
import VarveCore
import VarveStorage

/// Something that FROM can name.
struct Relation: Sendable {
  enum Source: Sendable {
    case series(TableSchema)
    case virtual(VirtualTable)
  }
  let oid: UInt32
  let schema: String
  let name: String
  let columns: [(name: String, type: SQLType)]
  let source: Source
  var isSystem: Bool {
    if case .virtual = source { return true }
    return false
  }
}

struct Namespace: Sendable {
  let oid: UInt32
  let name: String
  static let all = [
    Namespace(oid: 11, name: "pg_catalog"), Namespace(oid: 2200, name: "public"),
    Namespace(oid: 13_000, name: "information_schema"), Namespace(oid: 13_001, name: "varve"),
  ]
  static func oid(_ name: String) -> UInt32 { all.first { $0.name == name }?.oid ?? 0 }
}

final class CatalogView: Sendable {
  let snapshot: any ReadSnapshot
  let session: SessionState
  /// PostgreSQL gives user objects ids from here on.
  static let firstTableOID: UInt32 = 16_384
  static let ownerOID: UInt32 = 10
  static let databaseOID: UInt32 = 5

  init(snapshot: any ReadSnapshot, session: SessionState) {
    self.snapshot = snapshot
    self.session = session
  }

  static func oid(_ table: TableID) -> UInt32 { firstTableOID &+ table.rawValue }

  /// As the search path finds it: pg_catalog, then public.
  func relation(schema: String?, name: String) -> Relation? {
    if schema == nil || schema == "pg_catalog", let table = VirtualTable.find("pg_catalog", name) {
      return relation(table)
    }
    switch schema {
    case nil, "public": return snapshot.table(named: name).map(relation)
    case let schema?: return VirtualTable.find(schema, name).map(relation)
    }
  }

  func relation(_ table: TableSchema) -> Relation {
    Relation(
      oid: Self.oid(table.id), schema: "public", name: table.name,
      columns: table.sqlColumns.map { ($0.name, $0.column.type) }, source: .series(table))
  }
  func relation(_ table: VirtualTable) -> Relation {
    Relation(
      oid: table.oid, schema: table.schema, name: table.name, columns: table.columns.map { ($0.name, $0.type) },
      source: .virtual(table))
  }

  /// Every relation, the snapshot's tables last.
  func relations() -> [Relation] {
    VirtualTable.all.map(relation) + snapshot.tables().map(relation)
  }

  func relation(oid: Int64) -> Relation? {
    if oid >= Int64(Self.firstTableOID) {
      return snapshot.tables().first { Int64(Self.oid($0.id)) == oid }.map(relation)
    }
    return VirtualTable.all.first { Int64($0.oid) == oid }.map(relation)
  }

  /// What regclass makes of a name: parts quoted or folded, with a schema or without.
  func objectID(_ text: String, _ type: SQLType) -> Int64? {
    guard type == .regclass, let parts = Self.parts(text), let name = parts.last, parts.count <= 2 else { return nil }
    return relation(schema: parts.count == 2 ? parts[0] : nil, name: name).map { Int64($0.oid) }
  }

  /// As regclass prints: with the schema where the search path does not find it.
  func objectName(_ oid: Int64, _ type: SQLType) -> String? {
    guard type == .regclass, let relation = relation(oid: oid) else { return nil }
    let name = Binder.quoteIfNeeded(relation.name)
    let isVisible = relation.schema == "pg_catalog" || relation.schema == "public"
    return isVisible ? name : "\(relation.schema).\(name)"
  }

  /// `a."B c"` → ["a", "B c"]; nil when it is not a name.
  static func parts(_ text: String) -> [String]? {
    var parts: [String] = []
    var part = String.UnicodeScalarView()
    var isQuoted = false
    var hasPart = false
    // Not by characters: a combining mark behind a quote would be one with it.
    var iterator = text.unicodeScalars.makeIterator()
    var pending = iterator.next()
    while let character = pending {
      pending = iterator.next()
      if isQuoted {
        if character != "\"" {
          part.append(character)
        } else if pending == "\"" {
          part.append("\"")
          pending = iterator.next()
        } else {
          isQuoted = false
        }
      } else if character == "\"" {
        isQuoted = true
        hasPart = true
      } else if character == "." {
        guard hasPart else { return nil }
        parts.append(String(part))
        part = .init()
        hasPart = false
      } else {
        part.append(("A"..."Z").contains(character) ? Unicode.Scalar(UInt8(ascii: character) + 32) : character)
        hasPart = true
      }
    }
    guard hasPart, !isQuoted else { return nil }
    return parts + [String(part)]
  }
}
