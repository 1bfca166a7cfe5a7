// A group of requests on its way through the commit: what its record will say, and what each request will be told.

import VarveCore
import VarveFormat

struct ResolvedGroup {
  private enum Entry {
    case batches([ResolvedBatch])
    case deletion([ResolvedBatch])
    case definition
    case failed(VarveError)
  }

  var changes: [CatalogChange] = []
  var series: [SeriesRecord] = []
  private(set) var rows: [ResolvedRows] = []
  /// Come true before the rows.
  private(set) var deletions: [Deletion] = []
  private var entries: [Entry] = []
  private let tombstones: TombstoneSet

  /// `tombstones` are those that are kept already.
  init(tombstones: TombstoneSet) { self.tombstones = tombstones }

  /// Of the rows in memory; their record takes less.
  var byteCount: Int { rows.reduce(0) { $0 + $1.block.byteCount } }

  var hasEffect: Bool { !rows.isEmpty || !deletions.isEmpty || !changes.isEmpty || !series.isEmpty }

  mutating func add(_ request: CommitRequest, _ resolver: inout BatchResolver) {
    do {
      switch request {
      case .write(let batches):
        let resolved = try batches.map { try resolver.resolve($0) }
        for batch in resolved { rows += batch.rows }
        entries.append(.batches(resolved))
      case .delete(let requests, then: let batches):
        let found = try resolve(requests, resolver.catalog)
        let resolved = try batches.map { try resolver.resolve($0) }
        deletions += found
        for batch in resolved { rows += batch.rows }
        entries.append(.deletion(resolved))
      case .createTable(let definition):
        try TableDDL.create(definition, &resolver)
        entries.append(.definition)
      case .dropTable(let name):
        let table = try TableDDL.drop(name, &resolver)
        // Rows that earlier requests of this group brought go with their table.
        rows.removeAll { $0.partition.table == table }
        entries.append(.definition)
      }
    } catch {
      entries.append(.failed(asVarveError(error)))
    }
  }

  /// Deletions of no series are left out.
  private func resolve(_ requests: [DeleteRequest], _ catalog: Catalog) throws -> [Deletion] {
    var result: [Deletion] = []
    for request in requests where !request.time.isEmpty {
      guard let table = catalog.tables[request.table] else {
        throw VarveError(.notFound, "the table to delete from does not exist any more", sqlState: "42P01")
      }
      let series: SeriesRanges
      switch request.series {
      case .all: series = .all
      case .some(let list): series = SeriesRanges(list)
      }
      if series.isEmpty { continue }
      result.append(Deletion(table: table.id, series: series, time: request.time))
      try checkLimits(result.filter { $0.table == table.id }, table)
    }
    return result
  }

  private func checkLimits(_ new: [Deletion], _ table: TableSchema) throws {
    let known = tombstones.size(of: table.id)
    let rangeCount = known.rangeCount + new.reduce(0) { $0 + $1.series.ranges.count }
    guard known.count + new.count > Limits.tombstonesPerTable || rangeCount > Limits.tombstoneRangesPerTable else {
      return
    }
    throw VarveError(
      .limitExceeded,
      "table \"\(table.name)\" has \(known.count) deletes that are not compacted yet; at most "
        + "\(Limits.tombstonesPerTable), of \(Limits.tombstoneRangesPerTable) ranges of series, are kept",
      hint: "CALL compact_chunks('\(table.name)') makes them real; then the same delete succeeds", sqlState: "54000")
  }

  func outcomes(sequence: Sequence) -> [CommitOutcome] {
    entries.map { entry in
      switch entry {
      case .batches(let batches): .success(Self.results(batches, sequence))
      case .deletion(let batches) where !batches.isEmpty: .success(Self.results(batches, sequence))
      case .deletion, .definition: .success([WriteResult(sequence: sequence, rowsWritten: 0, rejections: [])])
      case .failed(let error): .failure(error)
      }
    }
  }

  private static func results(_ batches: [ResolvedBatch], _ sequence: Sequence) -> [WriteResult] {
    batches.map {
      WriteResult(sequence: $0.rowCount > 0 ? sequence : .zero, rowsWritten: $0.rowCount, rejections: $0.rejections)
    }
  }
}

/// CREATE TABLE and DROP TABLE as catalog changes.
enum TableDDL {
  static func create(_ definition: TableDefinition, _ resolver: inout BatchResolver) throws {
    try check(definition)
    guard resolver.catalog.table(named: definition.name) == nil else {
      throw VarveError(.alreadyExists, "relation \"\(definition.name)\" already exists", sqlState: "42P07")
    }
    guard resolver.catalog.tables.count < Limits.tables else {
      throw VarveError(.limitExceeded, "a database holds at most \(Limits.tables) tables")
    }
    let id = resolver.catalog.nextTable
    try resolver.apply(.createTable(id, name: definition.name, partitionNanoseconds: definition.partitionNanoseconds))
    var columns: [ColumnDefinition] = []
    for tag in definition.tags {
      columns.append(ColumnDefinition(id: ColumnID(rawValue: UInt16(columns.count)), name: tag, fieldType: nil))
    }
    for field in definition.fields {
      columns.append(
        ColumnDefinition(id: ColumnID(rawValue: UInt16(columns.count)), name: field.name, fieldType: field.type))
    }
    for column in columns { try resolver.apply(.addColumn(id, column)) }
  }

  static func drop(_ name: String, _ resolver: inout BatchResolver) throws -> TableID {
    guard let table = resolver.catalog.table(named: name) else {
      throw VarveError(.notFound, "table \"\(name)\" does not exist", sqlState: "42P01")
    }
    try resolver.apply(.dropTable(table.id))
    return table.id
  }

  private static func check(_ definition: TableDefinition) throws {
    if let problem = NameRule.problem(definition.name, of: "table") {
      throw VarveError(.invalidArgument, problem, sqlState: "42602")
    }
    guard definition.partitionNanoseconds >= 60_000_000_000 else {
      throw VarveError(.invalidArgument, "varve.partition must be at least one minute", sqlState: "22023")
    }
    let names = definition.tags + definition.fields.map(\.name)
    guard names.count <= Limits.columnsPerTable else {
      throw VarveError(.limitExceeded, "a table holds at most \(Limits.columnsPerTable) columns", sqlState: "54011")
    }
    var seen = Set<[UInt8]>()
    for name in names {
      if let problem = NameRule.problem(name, of: "column") {
        throw VarveError(.invalidArgument, problem, sqlState: "42602")
      }
      guard name != "time" else {
        throw VarveError(.reservedName, "\"time\" is the time stamp's column", sqlState: "42701")
      }
      guard seen.insert(Array(name.utf8)).inserted else {
        throw VarveError(.invalidArgument, "column \"\(name)\" specified more than once", sqlState: "42701")
      }
    }
  }
}
