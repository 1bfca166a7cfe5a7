// A store of plain Swift values behind the protocols that queries use: what it answers is right by being simple.
// Rows are written with schema on write, merge field by field, and are scanned partition by partition.

import Synchronization
import VarveCore
import VarveFormat

@testable import VarveQuery
@testable import VarveStorage

struct MemoryTable: Sendable {
  enum Cell: Sendable {
    case null
    case word(UInt64)
    case text(String)
  }
  struct RowKey: Hashable, Sendable {
    let series: UInt32
    let time: Int64
  }
  var schema: TableSchema
  var series: [SeriesKey] = []
  var rows: [RowKey: [ColumnID: Cell]] = [:]

  func tags(_ series: UInt32) -> [Name: String] {
    Dictionary(uniqueKeysWithValues: self.series[Int(series)].tags.map { (Name($0.name), $0.value) })
  }
}

final class MemorySnapshot: ReadSnapshot {
  let sequence: Sequence
  let contents: [Name: MemoryTable]
  let order: [String]
  let dimensionTables: Dimensions
  let policies: [TableID: [PolicyKind: [UInt8]]]
  /// Partitions that are archived.
  let archived: [TableID: Set<Int64>]
  let batchRowCount: Int

  /// Dimension tables, as the store has them.
  struct Dimensions: Sendable {
    var catalog = Catalog()
    var rows: [TableID: DimensionRows] = [:]
  }

  init(
    sequence: Sequence, contents: [Name: MemoryTable], order: [String], dimensions: Dimensions,
    policies: [TableID: [PolicyKind: [UInt8]]], archived: [TableID: Set<Int64>], batchRowCount: Int
  ) {
    self.sequence = sequence
    self.contents = contents
    self.order = order
    dimensionTables = dimensions
    self.policies = policies
    self.archived = archived
    self.batchRowCount = batchRowCount
  }

  func dimensions() -> [DimensionSchema] { dimensionTables.catalog.dimensionsInOrder }
  func dimension(named name: String) -> DimensionSchema? { dimensionTables.catalog.dimension(named: name) }
  func rows(of table: DimensionSchema) -> DimensionRows { dimensionTables.rows[table.id] ?? DimensionRows() }
  func table(id: TableID) -> TableSchema? { contents.values.first { $0.schema.id == id }?.schema }
  // There are no rollups here.
  func rollup(_ table: TableID) -> Rollup? { nil }
  func rollups(of source: TableID) -> [Rollup] { [] }
  func policies(of table: TableID) -> [PolicyKind: [UInt8]] { policies[table] ?? [:] }
  var pausedJobs: Set<DatabaseJob> { [] }
  var trustedClock: Int64 { .min }

  func overlaid(with writes: TransactionWrites) throws -> any ReadSnapshot {
    let store = MemoryStore(self)
    try store.write(writes)
    let made = try store.snapshot()
    guard let made = made as? MemorySnapshot else { preconditionFailure("a memory store has such snapshots") }
    return MemorySnapshot(
      sequence: sequence, contents: made.contents, order: order, dimensions: made.dimensionTables, policies: policies,
      archived: archived, batchRowCount: batchRowCount)
  }

  func split(_ delete: DeleteRequest, _ batches: [PointBatch]) -> (published: DeleteRequest?, left: [PointBatch]) {
    let table = table(delete.table)
    let wanted: Set<UInt32>? = if case .some(let ids) = delete.series { Set(ids.map(\.rawValue)) } else { nil }
    let left = batches.compactMap { batch -> PointBatch? in
      guard Name(batch.table) == Name(table.schema.name) else { return batch }
      let rows = (0..<batch.rowCount).filter { row in
        let series = table.series.firstIndex(of: batch.series[Int(batch.rowSeries[row])]).map { UInt32($0) }
        return !(delete.time.contains(batch.times[row]) && (wanted.map { series.map($0.contains) ?? false } ?? true))
      }
      return rows.isEmpty ? nil : batch.gathered(rows)
    }
    return (delete, left)
  }

  func tables() -> [TableSchema] { order.compactMap { contents[Name($0)]?.schema } }
  func table(named name: String) -> TableSchema? { contents[Name(name)]?.schema }
  private func table(_ id: TableID) -> MemoryTable {
    guard let table = contents.values.first(where: { $0.schema.id == id }) else { preconditionFailure("a known table") }
    return table
  }

  func series(of id: TableID, where predicates: [TagPredicate]) -> SeriesSet {
    let table = table(id)
    return .some(
      table.series.indices.filter { index in
        let tags = table.tags(UInt32(index))
        return predicates.allSatisfy { predicate in
          let value = table.schema.column(predicate.column).flatMap { tags[Name($0.name)] }
          switch predicate.condition {
          case .isIn(let values):
            return value.map { value in values.contains { $0.utf8.elementsEqual(value.utf8) } } ?? false
          case .satisfies(let test): return test(value)
          }
        }
      }.map { SeriesID(rawValue: UInt32($0)) })
  }

  func tagColumn(_ column: ColumnID, of id: TableID) -> TagColumn {
    let table = table(id)
    var values = [""]
    let codes = table.series.indices.map { index -> UInt32 in
      guard let name = table.schema.column(column)?.name, let value = table.tags(UInt32(index))[Name(name)] else {
        return 0
      }
      if let known = values.dropFirst().firstIndex(where: { $0.utf8.elementsEqual(value.utf8) }) {
        return UInt32(known)
      }
      values.append(value)
      return UInt32(values.count - 1)
    }
    return TagColumn(codes: codes, values: values)
  }

  func statistics(of id: TableID) -> TableStatistics {
    let table = table(id)
    var result = TableStatistics()
    result.rows = table.rows.count
    result.series = table.series.count
    result.headRows = table.rows.count
    let times = table.rows.keys.map(\.time)
    if let low = times.min(), let high = times.max() { result.time = TimeRange(lower: low, upper: high) }
    result.partitions = Set(times.map { MemoryCursor.partition($0, table.schema.partitionNanoseconds) }).count
    let objects = archivedChunks(of: table.schema)
    result.archivedChunks = objects.count
    result.archivedRows = objects.reduce(0) { $0 + $1.rows }
    result.objectBytes = objects.reduce(0) { $0 + $1.objectBytes }
    result.headRows -= result.archivedRows
    return result
  }

  func estimate(_ request: ScanRequest) throws -> ScanStatistics {
    cursor(request).statistics
  }
  func scan(_ request: ScanRequest, filter: (any RowFilter)?) throws -> any ScanCursor {
    cursor(request)
  }
  private func cursor(_ request: ScanRequest) -> MemoryCursor {
    MemoryCursor(table(request.table), request, batchRowCount, archived: archived[request.table] ?? [])
  }
}

final class MemoryCursor: ScanCursor {
  private let table: MemoryTable
  private let request: ScanRequest
  private var batches: [[MemoryTable.RowKey]] = []
  private(set) var statistics = ScanStatistics()

  static func partition(_ time: Int64, _ width: Int64) -> Int64 {
    time >= 0 ? time / width : (time + 1) / width - 1
  }

  init(_ table: MemoryTable, _ request: ScanRequest, _ batchRowCount: Int, archived: Set<Int64>) {
    self.table = table
    self.request = request
    let width = table.schema.partitionNanoseconds
    let all = Dictionary(grouping: table.rows.keys) { Self.partition($0.time, width) }
    let wanted: Set<UInt32>? = if case .some(let ids) = request.series { Set(ids.map(\.rawValue)) } else { nil }
    for partition in all.keys.sorted(by: { request.newestPartitionFirst ? $0 > $1 : $0 < $1 }) {
      let bounds = TimeRange(lower: partition * width, upper: partition * width + (width - 1))
      statistics.partitions += 1
      if !bounds.overlaps(request.time) {
        statistics.partitionsPruned += 1
        continue
      }
      let rows = (all[partition] ?? []).filter {
        request.time.contains($0.time) && (wanted?.contains($0.series) ?? true)
      }.sorted { ($0.series, $0.time) < ($1.series, $1.time) }
      statistics.rows += rows.count
      if archived.contains(partition), !rows.isEmpty {
        statistics.archive.objects += 1
        statistics.archive.requests += 2
        statistics.archive.byteCount += 8 * rows.count
        statistics.archive.cachedByteCount += 1
      }
      for start in stride(from: 0, to: rows.count, by: batchRowCount) {
        batches.append(Array(rows[start..<min(start + batchRowCount, rows.count)]))
      }
    }
  }

  func next() throws -> ScanBatch? {
    if batches.isEmpty { return nil }
    let keys = batches.removeFirst()
    var runs: [SeriesRun] = []
    for key in keys {
      let series = SeriesID(rawValue: key.series)
      if let last = runs.last, last.series == series {
        runs[runs.count - 1] = SeriesRun(series: series, count: last.count + 1)
      } else {
        runs.append(SeriesRun(series: series, count: 1))
      }
    }
    let fields = request.fields.map { id -> FieldColumn in
      guard case .field(let type)? = table.schema.column(id)?.kind else { preconditionFailure("a field") }
      let words = Buffer<UInt64>()
      let states = Buffer<UInt8>()
      let text: Buffer<UInt8>? = type == .text ? Buffer() : nil
      for key in keys {
        switch table.rows[key]?[id] {
        case nil:
          words.append(0)
          states.append(CellState.absent.rawValue)
        case .null?:
          words.append(0)
          states.append(CellState.null.rawValue)
        case .word(let word)?:
          words.append(word)
          states.append(CellState.value.rawValue)
        case .text(let value)?:
          let bytes = Array(value.utf8)
          words.append(TextRef(offset: text?.count ?? 0, length: bytes.count).word)
          for byte in bytes { text?.append(byte) }
          states.append(CellState.value.rawValue)
        }
      }
      return FieldColumn(type: type, words: words, text: text, states: states)
    }
    return ScanBatch(runs: runs, times: Buffer(keys.map(\.time)), fields: fields)
  }
}

final class MemoryStore: StoreAccess {
  private struct State {
    var sequence = Sequence.zero
    var contents: [Name: MemoryTable] = [:]
    var order: [String] = []
    var nextTable: UInt32 = 0
    var dimensions = MemorySnapshot.Dimensions()
    var policies: [TableID: [PolicyKind: [UInt8]]] = [:]
    var archived: [TableID: Set<Int64>] = [:]
  }
  private let state: Mutex<State>
  let batchRowCount: Int
  let dimensionLocks = DimensionLocks()
  /// nil: no archive is open.
  let archive: MemoryArchive?

  init(batchRowCount: Int = 7, archive: MemoryArchive? = MemoryArchive()) {
    self.batchRowCount = batchRowCount
    self.archive = archive
    state = Mutex(State())
  }

  init(_ snapshot: MemorySnapshot) {
    batchRowCount = snapshot.batchRowCount
    archive = nil
    state = Mutex(
      State(
        sequence: snapshot.sequence, contents: snapshot.contents, order: snapshot.order,
        dimensions: snapshot.dimensionTables, policies: snapshot.policies, archived: snapshot.archived))
  }

  func snapshot() throws -> any ReadSnapshot {
    state.withLock {
      MemorySnapshot(
        sequence: $0.sequence, contents: $0.contents, order: $0.order, dimensions: $0.dimensions,
        policies: $0.policies, archived: $0.archived, batchRowCount: batchRowCount)
    }
  }

  func updateArchived(_ table: TableID, _ body: (inout Set<Int64>) -> Void) {
    state.withLock { body(&$0.archived[table, default: []]) }
  }

  func whileWaiting<T>(_ body: () throws -> T) rethrows -> T { try body() }

  func write(_ transaction: TransactionWrites) throws {
    if !transaction.deletions.isEmpty { _ = try write(deleting: transaction.deletions, []) }
    if !transaction.batches.isEmpty { _ = try write(transaction.batches) }
    try state.withLock { state in
      for write in transaction.dimensions {
        guard state.dimensions.catalog.dimensions[write.schema.id] == write.schema else {
          throw VarveError(.query, "the table was changed", sqlState: "40001")
        }
        state.dimensions.rows[write.schema.id] = write.applied(
          to: state.dimensions.rows[write.schema.id] ?? DimensionRows())
      }
      state.sequence = state.sequence.next
    }
  }

  func createDimension(_ definition: DimensionDefinition) throws {
    try state.withLock { state in
      if state.contents[Name(definition.name)] != nil || state.dimensions.catalog.id(named: definition.name) != nil {
        throw VarveError(.alreadyExists, "table \(definition.name) already exists")
      }
      try state.dimensions.catalog.apply(
        .createDimension(
          TableID(rawValue: state.nextTable), name: definition.name, columns: definition.columns, key: definition.key))
      state.nextTable += 1
    }
  }

  func alterTable(named name: String, _ alterations: [TableAlteration]) throws {
    try state.withLock { state in
      for alteration in alterations {
        if let table = state.dimensions.catalog.dimension(named: name) {
          try Self.alter(table, alteration, &state.dimensions.catalog)
        } else {
          var table = state.contents[Name(name)]
          if let schema = table?.schema { table?.schema = try Self.altered(schema, alteration) }
          state.contents[Name(name)] = table
          if case .renameTable(let new) = alteration {
            state.contents[Name(name)] = nil
            state.contents[Name(new)] = table
            state.order = state.order.map { Name($0) == Name(name) ? new : $0 }
          }
        }
      }
    }
  }

  private static func alter(_ table: DimensionSchema, _ alteration: TableAlteration, _ catalog: inout Catalog) throws {
    func id(_ column: String) throws -> ColumnID {
      guard let found = table.column(named: column) else {
        throw VarveError(.notFound, "no column \(column)", sqlState: "42703")
      }
      return found.id
    }
    func checkNew(_ column: String) throws {
      if table.column(named: column) != nil {
        throw VarveError(.alreadyExists, "column \(column) already exists", sqlState: "42701")
      }
    }
    switch alteration {
    case .addColumn(let column):
      try checkNew(column.name)
      try catalog.apply(
        .addDimensionColumn(
          table.id,
          DimensionColumn(
            id: ColumnID(rawValue: UInt16(table.nextColumn)), name: column.name, type: column.type,
            isNotNull: column.isNotNull, default: column.default, older: column.older)))
    case .dropColumn(let column): try catalog.apply(.dropColumn(table.id, try id(column)))
    case .renameColumn(let column, let new):
      let found = try id(column)
      try checkNew(new)
      try catalog.apply(.renameColumns(table.id, [ColumnName(id: found, name: new)]))
    case .renameTable(let new): try catalog.apply(.renameTables([TableName(id: table.id, name: new)]))
    case .addField: preconditionFailure("a field of a dimension table")
    }
  }

  private static func altered(_ schema: TableSchema, _ alteration: TableAlteration) throws -> TableSchema {
    var schema = schema
    func id(_ column: String) throws -> ColumnID {
      guard let found = schema.column(named: column) else {
        throw VarveError(.notFound, "no column \(column)", sqlState: "42703")
      }
      return found.id
    }
    switch alteration {
    case .addField(let name, let type):
      if schema.column(named: name) != nil {
        throw VarveError(.alreadyExists, "column \(name) already exists", sqlState: "42701")
      }
      schema.append(ColumnSchema(id: ColumnID(rawValue: UInt16(schema.nextColumn)), name: name, kind: .field(type)))
    case .dropColumn(let column): _ = schema.drop(try id(column))
    case .renameColumn(let column, let new):
      let found = try id(column)
      if !schema.rename([ColumnName(id: found, name: new)]) {
        throw VarveError(.alreadyExists, "column \(new) already exists", sqlState: "42701")
      }
    case .renameTable(let new): schema.rename(to: new)
    case .addColumn: preconditionFailure("a dimension table's column of a series table")
    }
    return schema
  }

  func createTable(_ definition: TableDefinition) throws {
    try state.withLock { state in
      if state.contents[Name(definition.name)] != nil || state.dimensions.catalog.id(named: definition.name) != nil {
        throw VarveError(.alreadyExists, "table \(definition.name) already exists")
      }
      var columns: [ColumnSchema] = []
      for tag in definition.tags {
        columns.append(ColumnSchema(id: ColumnID(rawValue: UInt16(columns.count)), name: tag, kind: .tag))
      }
      for (name, type) in definition.fields {
        columns.append(ColumnSchema(id: ColumnID(rawValue: UInt16(columns.count)), name: name, kind: .field(type)))
      }
      state.contents[Name(definition.name)] = MemoryTable(
        schema: TableSchema(
          id: TableID(rawValue: state.nextTable), name: definition.name, columns: columns,
          partitionNanoseconds: definition.partitionNanoseconds))
      state.order.append(definition.name)
      state.nextTable += 1
    }
  }

  /// Nothing is counted.
  func ingestReport() -> IngestReport { IngestReport() }
  func maintenanceStatistics() -> MaintenanceStatistics { MaintenanceStatistics() }
  func maintenanceReport() -> MaintenanceReport { MaintenanceReport() }
  func beginWrite(_ batches: [PointBatch], from writer: IngestWriter) throws -> PendingWrite {
    let write = PendingWrite()
    write.complete(.success(try self.write(batches)))
    return write
  }
  var isSaturated: Bool { false }
  var latestTime: Int64 { .max }

  func flushBlocking() throws -> Sequence { state.withLock { $0.sequence } }
  /// There are no chunks that could become fewer.
  func compactBlocking(table: String?, check: () throws -> Void) throws -> [CompactionReport] {
    let names = try snapshot().tables().map(\.name)
    if let table, !names.contains(where: { Name($0) == Name(table) }) {
      throw VarveError(.notFound, "table \"\(table)\" does not exist", sqlState: "42P01")
    }
    return (table.map { [$0] } ?? names).map {
      CompactionReport(table: $0, chunksBefore: 0, chunksAfter: 0, bytesBefore: 0, bytesAfter: 0)
    }
  }

  func write(deleting deletions: [DeleteRequest], _ batches: [PointBatch]) throws -> [WriteResult] {
    try state.withLock { state in
      for deletion in deletions {
        guard let (name, found) = state.contents.first(where: { $0.value.schema.id == deletion.table }) else {
          throw VarveError(.notFound, "the table to delete from does not exist any more", sqlState: "42P01")
        }
        var table = found
        let wanted: Set<UInt32>? = if case .some(let ids) = deletion.series { Set(ids.map(\.rawValue)) } else { nil }
        table.rows = table.rows.filter { key, _ in
          !(deletion.time.contains(key.time) && (wanted?.contains(key.series) ?? true))
        }
        state.contents[name] = table
      }
      state.sequence = state.sequence.next
    }
    return try write(batches)
  }

  func backupBlocking(_ request: BackupRequest, check: () throws -> Void) throws -> BackupReport {
    guard let place = request.place else {
      throw VarveError(.invalidArgument, "no place for backups is set", sqlState: "22004")
    }
    return BackupReport(
      store: "0000000000000001", number: 1, sequence: .zero, files: 1, byteCount: 64, sentByteCount: 64,
      sharedByteCount: 0, nanoseconds: 0,
      warnings: place.hasSuffix("damaged") ? ["backup 0 is damaged"] : [])
  }
  func verifyBlocking(check: () throws -> Void) throws -> VerifyReport { VerifyReport() }
  // There are no rollups here.
  func change(_ rollup: RollupChange) throws {
    guard case .policy(let table, let kind, let policy) = rollup else {
      throw VarveError(.unsupported, "no rollups here")
    }
    state.withLock { $0.policies[table, default: [:]][kind] = policy }
  }
  func commit(_ rollups: RollupCommit) throws -> Sequence { throw VarveError(.unsupported, "no rollups here") }

  func dropTable(named name: String, cascade: Bool) throws {
    try state.withLock { state in
      if let table = state.dimensions.catalog.dimension(named: name) {
        state.dimensions.rows[table.id] = nil
        return try state.dimensions.catalog.apply(.dropTable(table.id))
      }
      guard state.contents.removeValue(forKey: Name(name)) != nil else {
        throw VarveError(.notFound, "no table \(name)")
      }
      state.order.removeAll { Name($0) == Name(name) }
    }
  }

  func write(_ batches: [PointBatch]) throws -> [WriteResult] {
    try batches.map { batch in
      if (try snapshot()).table(named: batch.table) == nil {
        try createTable(TableDefinition(name: batch.table, tags: [], fields: []))
      }
      return state.withLock { state in
        state.sequence = state.sequence.next
        guard var table = state.contents[Name(batch.table)] else { preconditionFailure("just created") }
        func column(_ name: String, _ kind: ColumnSchema.Kind) -> ColumnID {
          if let known = table.schema.column(named: name) { return known.id }
          let id = ColumnID(rawValue: UInt16(table.schema.nextColumn))
          table.schema.append(ColumnSchema(id: id, name: name, kind: kind))
          return id
        }
        for key in batch.series { for tag in key.tags { _ = column(tag.name, .tag) } }
        let ids = batch.fields.map { column($0.name, .field($0.column.type)) }
        for row in 0..<batch.rowCount {
          let key = batch.series[Int(batch.rowSeries[row])]
          if !table.series.contains(key) { table.series.append(key) }
          let series = UInt32(table.series.firstIndex(of: key) ?? 0)
          let rowKey = MemoryTable.RowKey(series: series, time: batch.times[row])
          var cells = table.rows[rowKey] ?? [:]
          for (field, id) in zip(batch.fields, ids) {
            switch field.column.state(row) {
            case .absent: break
            case .null: cells[id] = .null
            case .value:
              cells[id] = field.column.type == .text ? .text(field.column.string(row)) : .word(field.column.words[row])
            }
          }
          table.rows[rowKey] = cells
        }
        state.contents[Name(batch.table)] = table
        return WriteResult(sequence: state.sequence, rowsWritten: batch.rowCount, rejections: [])
      }
    }
  }
}
