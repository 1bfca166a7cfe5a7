// Names and object ids of one moment: the snapshot's tables beside the virtual ones.

import VarveCompute
import VarveCore
import VarveStorage

/// Something that FROM can name.
struct Relation: Sendable {
  enum Source: Sendable {
    case series(TableSchema)
    /// The table that holds its rows.
    case rollup(TableSchema)
    case dimension(DimensionSchema)
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
  /// What pg_class calls a view: all that is made up when it is read, but the catalogs that PostgreSQL stores.
  var isView: Bool {
    if case .rollup = source { return true }
    return isSystem && !(schema == "pg_catalog" && oid < VirtualTable.firstFreeOID)
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
    case nil, "public":
      return snapshot.table(named: name).map(relation) ?? snapshot.dimension(named: name).map(relation)
    case let schema?: return VirtualTable.find(schema, name).map(relation)
    }
  }

  func relation(_ table: TableSchema) -> Relation {
    if snapshot.rollup(table.id) != nil { return rollupRelation(table) }
    return Relation(
      oid: Self.oid(table.id), schema: "public", name: table.name,
      columns: table.sqlColumns.map { ($0.name, $0.column.type) }, source: .series(table))
  }
  private func rollupRelation(_ table: TableSchema) -> Relation {
    let columns: [ResultColumn]
    do { columns = try rollup(table.id)?.statement.columns ?? [] } catch {
      // What it consists of cannot be told. Whoever reads it is told why; lists of relations go on.
      columns = []
    }
    return Relation(
      oid: Self.oid(table.id), schema: "public", name: table.name, columns: columns.map { ($0.name, $0.type) },
      source: .rollup(table))
  }
  func relation(_ source: RollupSource) -> Relation {
    switch source {
    case .table(let table): relation(table)
    case .rollup(let rollup): relation(rollup.schema)
    }
  }
  func relation(_ table: DimensionSchema) -> Relation {
    Relation(
      oid: Self.oid(table.id), schema: "public", name: table.name, columns: table.sqlColumns,
      source: .dimension(table))
  }
  func relation(_ table: VirtualTable) -> Relation {
    Relation(
      oid: table.oid, schema: table.schema, name: table.name, columns: table.columns.map { ($0.name, $0.type) },
      source: .virtual(table))
  }

  /// Every relation, the snapshot's tables last.
  func relations() -> [Relation] {
    VirtualTable.all.map(relation) + userRelations()
  }

  func userRelations() -> [Relation] {
    (snapshot.tables().map(relation) + snapshot.dimensions().map(relation)).sorted { $0.oid < $1.oid }
  }

  func relation(oid: Int64) -> Relation? {
    if oid >= Int64(Self.firstTableOID) {
      return userRelations().first { Int64($0.oid) == oid }
    }
    return VirtualTable.all.first { Int64($0.oid) == oid }.map(relation)
  }

  /// What regclass and regproc make of a name: parts quoted or folded, with a schema or without.
  func objectID(_ text: String, _ type: SQLType) throws -> Int64? {
    if type == .regproc { return try functionID(text) }
    if type == .regtype { return PseudoType.find(text).map { Int64($0.oid) } }
    guard type == .regclass, let parts = Self.parts(text), let name = parts.last, parts.count <= 2 else { return nil }
    return relation(schema: parts.count == 2 ? parts[0] : nil, name: name).map { Int64($0.oid) }
  }

  /// Reads the text of arrays; pg_type names it, and clients know arrays by it.
  private static let arrayInput: (oid: Int64, name: String) = (750, "array_in")

  /// `lower`, `pg_catalog.lower`, and with the types of its arguments: `time_bucket(interval, timestamptz)`.
  private func functionID(_ text: String) throws -> Int64? {
    let open = text.firstIndex(of: "(")
    guard let parts = Self.parts(String(text[..<(open ?? text.endIndex)])), let name = parts.last, parts.count <= 2
    else {
      return nil
    }
    if name == Self.arrayInput.name { return Self.arrayInput.oid }
    var functions = (FunctionListing.byName[name] ?? []).filter { parts.count == 1 || $0.schema == parts[0] }
    if let open, text.hasSuffix(")") {
      let list = text[text.index(after: open)...].dropLast()
      let types = try list.split(separator: ",").map { try SQLType.parse(String($0.drop { $0 == " " }))?.oid }
      functions = functions.filter { $0.arguments.map(\.oid) == types }
    }
    if functions.count > 1 { throw SQLError.make("42725", "more than one function named \"\(name)\"") }
    return functions.first?.oid
  }

  /// As regclass prints: with the schema where the search path does not find it.
  func objectName(_ oid: Int64, _ type: SQLType) -> String? {
    if type == .regproc {
      return oid == Self.arrayInput.oid ? Self.arrayInput.name : FunctionListing.find(oid: oid)?.name
    }
    if type == .regtype { return PseudoType.all.first { Int64($0.oid) == oid }?.name }
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
