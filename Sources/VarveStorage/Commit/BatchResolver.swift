// Step one of a commit: names become ids. Each batch's tables, columns and series are looked up or created, rows that
// contradict the schema are set aside with their reason, and what is left is cut by partition.
//
// Lines count one by one: a row that is rejected creates nothing. Where the rows of one batch could disagree among
// themselves about what a new name is (a tag here, a field there; an integer, then a string), the rows that touch such a
// name are resolved one by one, so that the earlier line decides.

import VarveCore
import VarveFormat

/// Rows ready for log and head.
package struct ResolvedRows {
  package let partition: PartitionKey
  package let block: HeadBlock
}

package struct ResolvedBatch {
  package var rows: [ResolvedRows] = []
  package var rowCount = 0
  package var rejections: [Rejection] = []
}

package struct BatchResolver {
  /// The commit's own catalog; changes made here are in `changes` too.
  package var catalog: Catalog
  package private(set) var changes: [CatalogChange] = []
  package var tablesWithNewSeries = Set<TableID>()
  package let seriesOf: (TableID) -> SeriesIndex
  /// Rows with later stamps are rejected.
  package let latestTime: Int64
  /// Asked when a batch brings new series, and kept up to date from then on.
  private let measureSeriesRoom: () -> SeriesRoom
  private lazy var measuredSeriesRoom = measureSeriesRoom()
  var namesByTable: [TableID: TagNames] = [:]

  package init(
    catalog: Catalog, seriesOf: @escaping (TableID) -> SeriesIndex, seriesRoom: @escaping () -> SeriesRoom,
    latestTime: Int64
  ) {
    self.catalog = catalog
    self.seriesOf = seriesOf
    measureSeriesRoom = seriesRoom
    self.latestTime = latestTime
  }

  /// `rollup` is the one that the rows may belong to; nobody but a refresh writes any.
  package mutating func resolve(_ batch: PointBatch, ofRollup rollup: TableID? = nil) throws -> ResolvedBatch {
    guard batch.rowCount <= Limits.rowsPerBatch else {
      throw VarveError(
        .limitExceeded, "a batch holds at most \(Limits.rowsPerBatch) rows, not \(batch.rowCount)",
        hint: "write it in parts")
    }
    if !catalog.rollups.isEmpty, let id = catalog.table(named: batch.table)?.id, id != rollup,
      catalog.rollups[id] != nil
    {
      return rejecting(batch, "\"\(batch.table)\" is a rollup: its rows are made from another table's")
    }
    return try resolveKnown(batch) ?? resolveNew(batch)
  }

  private func rejecting(_ batch: PointBatch, _ message: String) -> ResolvedBatch {
    var rejected = RowRejections(batch: batch)
    rejected.reject(Array(0..<batch.rowCount), column: 1, .nameConflict, message)
    var result = ResolvedBatch()
    result.rejections = rejected.rejections
    return result
  }

  /// A batch that may bring new names, or break rules.
  private mutating func resolveNew(_ batch: PointBatch) throws -> ResolvedBatch {
    var result = ResolvedBatch()
    if catalog.dimension(named: batch.table) != nil {
      return rejecting(batch, "\"\(batch.table)\" is a dimension table: its rows come by SQL")
    }
    var rest = Array(0..<batch.rowCount)[...]
    var contest = ContestedNames(batch, catalog.table(named: batch.table))
    while !contest.isEmpty, let contested = rest.firstIndex(where: { contest.touches($0) }) {
      if contested > rest.startIndex { try resolve(batch, rows: Array(rest[..<contested]), into: &result) }
      let takenBefore = result.rowCount
      try resolve(batch, rows: [rest[contested]], into: &result)
      rest = rest[(contested + 1)...]
      // Only a row that was taken decides what a name is.
      if result.rowCount > takenBefore { contest = ContestedNames(batch, catalog.table(named: batch.table)) }
    }
    if !rest.isEmpty { try resolve(batch, rows: Array(rest), into: &result) }
    return result
  }

  /// A DDL change, made by name.
  package mutating func apply(_ change: CatalogChange) throws {
    try catalog.apply(change)
    changes.append(change)
    if case .addColumn(let table, _) = change { namesByTable[table] = nil }
  }

  var seriesRoom: SeriesRoom {
    mutating get { measuredSeriesRoom }
    set { measuredSeriesRoom = newValue }
  }

  // MARK: - A batch, or some rows of it

  private mutating func resolve(_ batch: PointBatch, rows: [Int], into result: inout ResolvedBatch) throws {
    var rejected = RowRejections(batch: batch)
    let table = catalog.table(named: batch.table)
    // A series that is known has passed all checks of its tags.
    let used = usedSeries(batch, rows)
    let known = knownSeries(batch, used, table)
    let newKeys = used.filter { known[$0] == nil }
    checkNames(batch, rows, newKeys, &rejected)
    checkTimes(batch, rows, &rejected)
    if let table {
      checkTags(batch, rows, newKeys, table, &rejected)
      checkFields(batch, rows, table, &rejected)
    }
    checkFieldsAgainstTags(batch, rows, newKeys, &rejected)
    checkLimits(batch, rows, newKeys, table, &rejected)
    result.rejections += rejected.rejections
    let taken = rejected.isEmpty ? rows : rows.filter { !rejected.contains($0) }
    guard !taken.isEmpty else { return }
    let id = try tableID(batch.table)
    let whole = taken.count == batch.rowCount
    let series = try seriesIDs(batch, taken, id, known)
    let times = whole ? batch.times : Buffer(taken.map { batch.times[$0] })
    let fields = try fieldColumns(batch, taken, id, whole: whole)
    guard let width = catalog.tables[id]?.partitionNanoseconds else {
      preconditionFailure("a table that was just made")
    }
    result.add(series, times, fields, table: id, partitionWidth: width)
  }
}

extension ResolvedBatch {
  /// Rows of one table, cut by partition.
  mutating func add(
    _ series: Buffer<UInt32>, _ times: Buffer<Int64>, _ fields: [(id: ColumnID, column: FieldColumn)], table: TableID,
    partitionWidth: Int64
  ) {
    rowCount += times.count
    for part in PartitionSplit.split(times: times, width: partitionWidth) {
      let key = PartitionKey(table: table, index: part.index)
      let block =
        part.rows.map { HeadBlock.gathered($0, series, times, fields) }
        ?? HeadBlock(series: series, times: times, fields: fields)
      rows.append(ResolvedRows(partition: key, block: block))
    }
  }
}
