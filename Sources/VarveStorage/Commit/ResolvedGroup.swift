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
  /// What the record says of dimension tables, and what they become.
  private(set) var dimensionChanges: [DimensionChanges] = []
  private(set) var dimensions: DimensionTables
  private(set) var dimensionByteCount = 0
  private let dimensionByteLimit: Int
  /// Come true last.
  private(set) var steps: [RollupStep] = []
  /// Rollups that a refresh writes.
  private(set) var writtenRollups: [TableID] = []
  private let rollups: RollupStates
  private let lastRollupWrites: [TableID: Sequence]
  private var entries: [Entry] = []
  private let tombstones: TombstoneSet

  /// Everything is as it is now.
  init(
    tombstones: TombstoneSet, dimensions: DimensionTables, dimensionByteLimit: Int, rollups: RollupStates,
    lastRollupWrites: [TableID: Sequence]
  ) {
    self.rollups = rollups
    self.lastRollupWrites = lastRollupWrites
    self.tombstones = tombstones
    self.dimensions = dimensions
    self.dimensionByteLimit = dimensionByteLimit
  }

  /// Of the rows in memory; their record takes less.
  var byteCount: Int { rows.reduce(dimensionByteCount) { $0 + $1.block.byteCount } }

  var hasEffect: Bool {
    !rows.isEmpty || !deletions.isEmpty || !changes.isEmpty || !series.isEmpty || !dimensionChanges.isEmpty
      || !steps.isEmpty
  }

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
      case .transaction(let writes): try add(writes, &resolver)
      case .createTable(let definition):
        try TableDDL.create(definition, &resolver)
        entries.append(.definition)
      case .createDimension(let definition):
        try TableDDL.create(definition, &resolver)
        entries.append(.definition)
      case .alterTable(let name, let alterations):
        try TableDDL.alter(name, alterations, &resolver)
        entries.append(.definition)
      case .dropTable(let name, let cascade):
        let tables = try TableDDL.drop(name, cascade: cascade, &resolver)
        // Rows that earlier requests of this group brought go with their table.
        rows.removeAll { tables.contains($0.partition.table) }
        entries.append(.definition)
      case .rollupDefinition(let change):
        steps += try RollupDDL.apply(change, rollups, &resolver)
        entries.append(.definition)
      case .rollups(let commit): try add(commit, &resolver)
      }
    } catch {
      entries.append(.failed(asVarveError(error)))
    }
  }

  /// All of it or nothing: a row that is not taken takes the rest with it.
  private mutating func add(_ writes: TransactionWrites, _ resolver: inout BatchResolver) throws {
    let found = try resolve(writes.deletions, resolver.catalog)
    var tables = dimensions
    for write in writes.dimensions { try apply(write, to: &tables, resolver.catalog) }
    // Last, since it makes names that the rows bring.
    let resolved = try writes.batches.map { try resolver.resolve($0) }
    for batch in resolved {
      guard let rejection = batch.rejections.first else { continue }
      throw VarveError(rejection.code, "a row was not taken: \(rejection.message)", hint: "Nothing was written.")
    }
    dimensions = tables
    dimensionChanges += writes.dimensions.map(\.record)
    dimensionByteCount += writes.dimensions.reduce(0) { $0 + $1.byteCount }
    deletions += found
    for batch in resolved { rows += batch.rows }
    entries.append(.deletion(resolved))
  }

  /// All of it or nothing, too.
  private mutating func add(_ commit: RollupCommit, _ resolver: inout BatchResolver) throws {
    try commit.check(resolver.catalog, rollups, lastRollupWrites)
    var deletions = commit.writes.flatMap { write in
      write.clearing.map { Deletion(table: write.table, series: .all, time: $0) }
    }
    if let drop = commit.drop, drop.before > .min {
      deletions.append(
        Deletion(table: drop.source, series: .all, time: TimeRange(lower: .min, upper: drop.before - 1)))
    }
    var resolved: [ResolvedBatch] = []
    for write in commit.writes {
      resolved += try write.batches.map { try resolver.resolve($0, ofRollup: write.table) }
    }
    if let rejection = resolved.lazy.compactMap(\.rejections.first).first {
      throw VarveError(rejection.code, "a row of a rollup was not taken: \(rejection.message)")
    }
    self.deletions += deletions
    for batch in resolved { rows += batch.rows }
    steps += commit.writes.flatMap { write in write.steps.map { RollupStep(write.table, $0) } }
    writtenRollups += commit.writes.filter { !$0.batches.isEmpty || !$0.clearing.isEmpty }.map(\.table)
    // A refresh of a rollup whose rows went must not bring them back.
    if let drop = commit.drop, resolver.catalog.rollups[drop.source] != nil { writtenRollups.append(drop.source) }
    entries.append(.deletion(resolved))
  }

  private func apply(_ write: DimensionWrite, to tables: inout DimensionTables, _ catalog: Catalog) throws {
    guard catalog.dimensions[write.schema.id] == write.schema else {
      throw VarveError(
        .query, "could not serialize access: table \"\(write.schema.name)\" was changed meanwhile",
        hint: "Try the statement again.", sqlState: "40001")
    }
    let before = tables[write.schema.id].rows
    let after = write.applied(to: before)
    guard
      after.byteCount <= before.byteCount || tables.byteCount - before.byteCount + after.byteCount <= dimensionByteLimit
    else {
      throw VarveError(
        .limitExceeded,
        "the rows of all dimension tables would take more than \(dimensionByteLimit >> 20) MiB of memory",
        hint: "Delete rows, or make the table a series table: one with a column time timestamptz.", sqlState: "53200")
    }
    tables.set(after, of: write.schema.id, changed: .zero)
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
      hint: "CALL compact_chunks('\(table.name)') makes them real, for what is archived archive_run('\(table.name)', "
        + "now()); then the same delete succeeds", sqlState: "54000")
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
