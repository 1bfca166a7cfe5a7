// All tables and their columns, as a value. The store keeps two: the published one that snapshots see, and the
// commit's own, which may already hold what the record being written will make durable.

import VarveCore
import VarveFormat

package struct Catalog: Sendable {
  package private(set) var tables: [TableID: TableSchema] = [:]
  package private(set) var dimensions: [TableID: DimensionSchema] = [:]
  /// Of the series tables that are rollups.
  package private(set) var rollups: [TableID: RollupDefinition] = [:]
  package private(set) var policies: [TableID: [PolicyKind: [UInt8]]] = [:]
  /// Of those that every database has.
  package private(set) var pausedJobs: Set<DatabaseJob> = []
  /// The highest time of day that is believed; see `observe`.
  package private(set) var trustedClock = Int64.min
  /// By the name's bytes: Swift's String equality would take canonically equivalent names for one.
  private var idsByName: [[UInt8]: TableID] = [:]
  package private(set) var nextTable = TableID(rawValue: 1)

  package init() {}

  /// The series table of the name.
  package func table(named name: String) -> TableSchema? { idsByName[Array(name.utf8)].flatMap { tables[$0] } }
  package func dimension(named name: String) -> DimensionSchema? {
    idsByName[Array(name.utf8)].flatMap { dimensions[$0] }
  }
  /// Of a table of either kind.
  package func id(named name: String) -> TableID? { idsByName[Array(name.utf8)] }
  package var tableCount: Int { tables.count + dimensions.count }

  /// In order of creation.
  package var inOrder: [TableSchema] { tables.values.sorted { $0.id < $1.id } }
  package var dimensionsInOrder: [DimensionSchema] { dimensions.values.sorted { $0.id < $1.id } }

  package mutating func apply(_ change: CatalogChange) throws {
    switch change {
    case .createTable(let id, let name, let width):
      guard width > 0 else { throw VarveError(.corruption, "table \(id.rawValue) has no partition width") }
      try add(id, name)
      tables[id] = TableSchema(id: id, name: name, partitionNanoseconds: width)
    case .addColumn(let table, let column):
      guard var schema = tables[table], Int(column.id.rawValue) == schema.nextColumn,
        schema.nextColumn < Limits.columnsPerTable, schema.column(named: column.name) == nil
      else {
        throw VarveError(.corruption, "the log adds column \"\(column.name)\" out of order to table \(table.rawValue)")
      }
      schema.append(ColumnSchema(column))
      tables[table] = schema
    case .dropTable(let id):
      guard rollups(of: id).isEmpty else {
        throw VarveError(.corruption, "the log drops table \(id.rawValue), which has rollups")
      }
      rollups[id] = nil
      policies[id] = nil
      guard let name = tables.removeValue(forKey: id)?.name ?? dimensions.removeValue(forKey: id)?.name else {
        throw VarveError(.corruption, "the log drops table \(id.rawValue), which does not exist")
      }
      idsByName[Array(name.utf8)] = nil
    case .createDimension(let id, let name, let columns, let key):
      try add(id, name)
      dimensions[id] = try DimensionSchema(id: id, name: name, columns: columns, key: key)
    case .addDimensionColumn(let table, let column):
      try changeDimension(table) { try $0.append(column) }
    case .dropColumn(let table, let column):
      if dimensions[table] != nil { return try changeDimension(table) { try $0.drop(column) } }
      guard tables[table]?.drop(column) ?? false else {
        throw VarveError(
          .corruption, "the log drops column \(column.rawValue) of table \(table.rawValue), which is no field")
      }
    case .renameColumns(let table, let names):
      if dimensions[table] != nil { return try changeDimension(table) { try $0.rename(names) } }
      guard tables[table]?.rename(names) ?? false else {
        throw VarveError(.corruption, "the log renames columns of table \(table.rawValue) impossibly")
      }
    case .renameTables(let names): try rename(names)
    case .setRollup(let id, let definition): try set(definition, of: id)
    case .setPolicy(let id, let kind, let text):
      guard tables[id] != nil else {
        throw VarveError(.corruption, "the log gives table \(id.rawValue), which does not exist, a policy")
      }
      policies[id, default: [:]][kind] = text.isEmpty ? nil : text
      if policies[id]?.isEmpty ?? false { policies[id] = nil }
    case .trustClock(let time): trustedClock = time
    case .pauseJob(let job, true): pausedJobs.insert(job)
    case .pauseJob(let job, false): pausedJobs.remove(job)
    }
  }

  /// A source comes before its rollups, so that what they stand on ends somewhere.
  private mutating func set(_ definition: RollupDefinition, of id: TableID) throws {
    guard tables[id] != nil, let source = tables[definition.source], source.id < id,
      definition.columns.allSatisfy({ source.column($0) != nil }),
      rollups[id].map({ $0.source == definition.source }) ?? true
    else { throw VarveError(.corruption, "the log makes table \(id.rawValue) a rollup of what is not there") }
    rollups[id] = definition
  }

  /// In order of creation.
  package func rollups(of source: TableID) -> [TableID] {
    rollups.filter { $0.value.source == source }.map(\.key).sorted()
  }

  /// Believes the time of day of a commit unless it is more than a week past what was believed before: then a clock has
  /// jumped, or nothing was written for so long, and somebody has to say which.
  package mutating func observe(wallNanoseconds: Int64) {
    guard trustedClock == .min || Self.believes(wallNanoseconds, trusted: trustedClock) else { return }
    trustedClock = max(trustedClock, wallNanoseconds)
  }

  /// Whether what is old at this time of day may go for that. Where nothing was ever committed, nothing may.
  package static func believes(_ wallNanoseconds: Int64, trusted: Int64) -> Bool {
    guard trusted > .min else { return false }
    let limit = trusted.addingReportingOverflow(trustedJumpNanoseconds)
    return limit.overflow || wallNanoseconds <= limit.partialValue
  }

  package static let trustedJumpNanoseconds: Int64 = 7 * 86_400_000_000_000

  private mutating func add(_ id: TableID, _ name: String) throws {
    guard tables[id] == nil, dimensions[id] == nil, idsByName[Array(name.utf8)] == nil, id.rawValue < UInt32.max else {
      throw VarveError(.corruption, "table \(id.rawValue) (\"\(name)\") is created twice or beyond all ids")
    }
    idsByName[Array(name.utf8)] = id
    reserve(upTo: id)
  }

  private mutating func changeDimension(_ table: TableID, _ body: (inout DimensionSchema) throws -> Void) throws {
    guard var schema = dimensions[table] else {
      throw VarveError(.corruption, "the log changes dimension table \(table.rawValue), which does not exist")
    }
    try body(&schema)
    dimensions[table] = schema
  }

  private mutating func rename(_ names: [TableName]) throws {
    for name in names {
      guard let old = tables[name.id]?.name ?? dimensions[name.id]?.name else {
        throw VarveError(.corruption, "the log renames table \(name.id.rawValue), which does not exist")
      }
      idsByName[Array(old.utf8)] = nil
    }
    for name in names {
      guard idsByName.updateValue(name.id, forKey: Array(name.name.utf8)) == nil else {
        throw VarveError(.corruption, "the log gives two tables the name \"\(name.name)\"")
      }
      tables[name.id]?.rename(to: name.name)
      dimensions[name.id]?.rename(to: name.name)
    }
  }

  /// Keeps ids of tables that are gone from being given again.
  package mutating func reserve(upTo id: TableID) {
    nextTable = max(nextTable, TableID(rawValue: id.rawValue + 1))
  }
}

extension ColumnSchema {
  package init(_ definition: ColumnDefinition) {
    self.init(
      id: definition.id, name: definition.name,
      kind: definition.fieldType.map { .field($0) } ?? .tag)
  }

  package var definition: ColumnDefinition {
    switch kind {
    case .tag: ColumnDefinition(id: id, name: name, fieldType: nil)
    case .field(let type): ColumnDefinition(id: id, name: name, fieldType: type)
    }
  }
}
