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
  package private(set) var tablesWithNewSeries = Set<TableID>()
  package let seriesOf: (TableID) -> SeriesIndex
  /// Rows with later stamps are rejected.
  package let latestTime: Int64
  private var namesByTable: [TableID: TagNames] = [:]

  package init(catalog: Catalog, seriesOf: @escaping (TableID) -> SeriesIndex, latestTime: Int64) {
    self.catalog = catalog
    self.seriesOf = seriesOf
    self.latestTime = latestTime
  }

  package mutating func resolve(_ batch: PointBatch) throws -> ResolvedBatch {
    guard batch.rowCount <= Limits.rowsPerBatch else {
      throw VarveError(
        .limitExceeded, "a batch holds at most \(Limits.rowsPerBatch) rows, not \(batch.rowCount)",
        hint: "write it in parts")
    }
    var result = ResolvedBatch()
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

  // MARK: - A batch, or one row of it

  private mutating func resolve(_ batch: PointBatch, rows: [Int], into result: inout ResolvedBatch) throws {
    var rejected = RowRejections(batch: batch)
    let table = catalog.table(named: batch.table)
    // A series that is known has passed all checks of its tags; looking it up is the hot path.
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
    result.rejections += rejected.rejections
    let taken = rejected.isEmpty ? rows : rows.filter { !rejected.contains($0) }
    guard !taken.isEmpty else { return }
    try store(batch, taken, known, &result)
  }

  private mutating func store(
    _ batch: PointBatch, _ rows: [Int], _ known: [Int: SeriesID], _ result: inout ResolvedBatch
  ) throws {
    let table = try tableID(batch.table)
    let whole = rows.count == batch.rowCount
    let series = try seriesIDs(batch, rows, table, known)
    let times = whole ? batch.times : Buffer(rows.map { batch.times[$0] })
    let fields = try fieldColumns(batch, rows, table, whole: whole)
    result.rowCount += rows.count
    guard let width = catalog.tables[table]?.partitionNanoseconds else {
      preconditionFailure("a table that was just made")
    }
    for part in PartitionSplit.split(times: times, width: width) {
      let key = PartitionKey(table: table, index: part.index)
      guard let order = part.rows else {
        result.rows.append(ResolvedRows(partition: key, block: HeadBlock(series: series, times: times, fields: fields)))
        continue
      }
      result.rows.append(ResolvedRows(partition: key, block: HeadBlock.gathered(order, series, times, fields)))
    }
  }

  // MARK: - What must hold

  private func checkNames(_ batch: PointBatch, _ rows: [Int], _ newKeys: [Int], _ rejected: inout RowRejections) {
    if let problem = NameRule.problem(batch.table, of: "table") {
      rejected.reject(rows, column: 1, .nameTooLong, problem)
      return
    }
    for field in batch.fields {
      if field.name == "time" {
        rejected.reject(
          rows.filter { field.column.state($0) != .absent }, column: field.sourceColumn, .reservedName,
          "a field cannot be named \"time\": that is the time stamp's column")
      } else if let problem = NameRule.problem(field.name, of: "field") {
        rejected.reject(
          rows.filter { field.column.state($0) != .absent }, column: field.sourceColumn, .nameTooLong, problem)
      }
    }
    for index in newKeys {
      let key = batch.series[index]
      var problem: (VarveError.Code, String)?
      key.forEachTag { name, value in
        let name = String(decoding: name, as: UTF8.self)
        if name == "time" {
          problem = (.reservedName, "a tag cannot be named \"time\": that is the time stamp's column")
        } else if let tooLong = NameRule.problem(name, of: "tag") {
          problem = (.nameTooLong, tooLong)
        } else if value.count > Limits.tagValueByteCount {
          problem = (
            .valueTooLong,
            "the value of tag \"\(name)\" has \(value.count) bytes; at most \(Limits.tagValueByteCount) are taken"
          )
        }
      }
      if let problem {
        rejected.reject(rows.filter { batch.rowSeries[$0] == UInt32(index) }, column: 1, problem.0, problem.1)
      }
    }
  }

  private func checkTimes(_ batch: PointBatch, _ rows: [Int], _ rejected: inout RowRejections) {
    var late = false
    for row in rows where batch.times[row] > latestTime { late = true }
    guard late else { return }
    rejected.reject(
      rows.filter { batch.times[$0] > latestTime }, column: 1, .timestampInFuture,
      "the time stamp is further in the future than --max-future allows")
  }

  private func checkTags(
    _ batch: PointBatch, _ rows: [Int], _ newKeys: [Int], _ table: TableSchema, _ rejected: inout RowRejections
  ) {
    for index in newKeys {
      let key = batch.series[index]
      var clash: String?
      key.forEachTag { name, _ in
        let name = String(decoding: name, as: UTF8.self)
        if let column = table.column(named: name), !column.isTag { clash = name }
      }
      if let clash {
        rejected.reject(
          rows.filter { batch.rowSeries[$0] == UInt32(index) }, column: 1, .nameConflict,
          "\"\(clash)\" is a field of table \"\(table.name)\", so it cannot be a tag")
      }
    }
  }

  private func checkFields(_ batch: PointBatch, _ rows: [Int], _ table: TableSchema, _ rejected: inout RowRejections) {
    for field in batch.fields {
      guard let column = table.column(named: field.name) else { continue }
      switch column.kind {
      case .tag:
        rejected.reject(
          rows.filter { field.column.state($0) != .absent }, column: field.sourceColumn, .nameConflict,
          "\"\(field.name)\" is a tag of table \"\(table.name)\", so it cannot be a field")
      case .field(let type):
        guard field.column.type != type, !(field.column.type == .int64 && type == .float64) else { continue }
        // A NULL has no type that could be wrong.
        rejected.reject(
          rows.filter { field.column.state($0) == .value }, column: field.sourceColumn, .typeConflict,
          "field \"\(field.name)\" of table \"\(table.name)\" is \(type.sqlName), not \(field.column.type.sqlName)")
      }
    }
  }

  /// A field may not have the name of a tag on its own line. (For series that are known, `checkFields` finds it.)
  private func checkFieldsAgainstTags(
    _ batch: PointBatch, _ rows: [Int], _ newKeys: [Int], _ rejected: inout RowRejections
  ) {
    guard !newKeys.isEmpty else { return }
    var tagNames = Set<[UInt8]>()
    for index in newKeys { batch.series[index].forEachTag { name, _ in tagNames.insert(Array(name)) } }
    for field in batch.fields where tagNames.contains(Array(field.name.utf8)) {
      rejected.reject(
        rows.filter { field.column.state($0) != .absent && batch.series[Int(batch.rowSeries[$0])].hasTag(field.name) },
        column: field.sourceColumn, .nameConflict,
        "\"\(field.name)\" is a tag of this line, so it cannot be a field too")
    }
  }

  // MARK: - Ids

  private mutating func tableID(_ name: String) throws -> TableID {
    if let table = catalog.table(named: name) { return table.id }
    guard catalog.tables.count < Limits.tables else {
      throw VarveError(.limitExceeded, "a database holds at most \(Limits.tables) tables")
    }
    let id = catalog.nextTable
    try apply(.createTable(id, name: name, partitionNanoseconds: TableSchema.defaultPartitionNanoseconds))
    return id
  }

  private mutating func columnID(_ table: TableID, _ name: String, _ type: FieldType?) throws -> ColumnID {
    guard let schema = catalog.tables[table] else { preconditionFailure("columns are added to tables that exist") }
    if let column = schema.column(named: name) { return column.id }
    guard schema.columns.count < Limits.columnsPerTable else {
      throw VarveError(.limitExceeded, "table \"\(schema.name)\" holds at most \(Limits.columnsPerTable) columns")
    }
    let id = ColumnID(rawValue: UInt16(schema.columns.count))
    try apply(.addColumn(table, ColumnDefinition(id: id, name: name, fieldType: type)))
    return id
  }

  /// Indexes of the tag sets that the rows have.
  private func usedSeries(_ batch: PointBatch, _ rows: [Int]) -> [Int] {
    if rows.count == batch.rowCount { return Array(batch.series.indices) }
    return Set(rows.map { Int(batch.rowSeries[$0]) }).sorted()
  }

  /// By index of the tag set; looked up only for those that are used.
  private mutating func knownSeries(_ batch: PointBatch, _ used: [Int], _ table: TableSchema?) -> [Int: SeriesID] {
    guard let table else { return [:] }
    let index = seriesOf(table.id)
    let names = tagNames(table.id)
    var known: [Int: SeriesID] = [:]
    known.reserveCapacity(used.count)
    for each in used {
      if let id = index.find(batch.series[each], column: names.find) { known[each] = id }
    }
    return known
  }

  private mutating func seriesIDs(
    _ batch: PointBatch, _ rows: [Int], _ table: TableID, _ known: [Int: SeriesID]
  ) throws -> Buffer<UInt32> {
    var ids = [UInt32](repeating: .max, count: batch.series.count)
    for (local, id) in known { ids[local] = id.rawValue }
    let out = Buffer<UInt32>(capacity: rows.count)
    let rowSeries = batch.rowSeries.span
    for row in rows {
      let local = Int(rowSeries[row])
      if ids[local] == .max { ids[local] = try addSeries(batch.series[local], table).rawValue }
      out.append(ids[local])
    }
    return out
  }

  private mutating func addSeries(_ key: SeriesKey, _ table: TableID) throws -> SeriesID {
    var failure: (any Error)?
    key.forEachTag { name, _ in
      do { _ = try columnID(table, String(decoding: name, as: UTF8.self), nil) } catch { failure = failure ?? error }
    }
    if let failure { throw failure }
    let index = seriesOf(table)
    let names = tagNames(table)
    tablesWithNewSeries.insert(table)
    // A batch may list one tag set twice.
    return try index.find(key, column: names.find) ?? index.add(key, column: names.find)
  }

  private mutating func tagNames(_ table: TableID) -> TagNames {
    if let names = namesByTable[table] { return names }
    guard let schema = catalog.tables[table] else { preconditionFailure("tags of a table that exists") }
    let names = TagNames(schema)
    namesByTable[table] = names
    return names
  }

  private mutating func fieldColumns(
    _ batch: PointBatch, _ rows: [Int], _ table: TableID, whole: Bool
  ) throws -> [(id: ColumnID, column: FieldColumn)] {
    var columns: [ColumnID: FieldColumn] = [:]
    for field in batch.fields {
      // Columns that only rejected rows had are not created.
      guard rows.contains(where: { field.column.state($0) != .absent }) else { continue }
      let id = try columnID(table, field.name, field.column.type)
      guard case .field(let type) = catalog.tables[table]?.column(id)?.kind else {
        preconditionFailure("checked before")
      }
      var column = whole ? field.column : field.column.gathered(rows)
      if column.type != type { column = column.converted(to: type) }
      columns[id] = columns[id].map { $0.overlaid(with: column) } ?? column
    }
    return columns.keys.sorted().compactMap { id in columns[id].map { (id, $0) } }
  }
}

extension SeriesKey {
  func hasTag(_ wanted: String) -> Bool {
    var found = false
    forEachTag { name, _ in if name.elementsEqual(wanted.utf8) { found = true } }
    return found
  }
}
