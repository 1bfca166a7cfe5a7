// A snapshot with what a transaction has written over it, for the transaction's own statements.
//
// Its rows stand behind the published ones as head blocks of its own. Series that only they have get numbers from the end
// of the index as it was when the overlay was made: what the index gives for later series of others is left out, since no
// row of the snapshot has them. Nothing of it reaches the store.

import VarveCore
import VarveFormat

/// Series of one table that only the overlay has.
struct ProvisionalSeries: Sendable {
  /// Series that the index had; the overlay's own are numbered from here.
  let first: Int
  private(set) var keys: [SeriesKey] = []
  private var ids: [SeriesKey: UInt32] = [:]

  init(first: Int) { self.first = first }

  mutating func id(of key: SeriesKey) -> UInt32 {
    if let known = ids[key] { return known }
    let id = UInt32(first + keys.count)
    ids[key] = id
    keys.append(key)
    return id
  }
}

extension Snapshot {
  package func overlaid(with writes: TransactionWrites) throws -> any ReadSnapshot {
    var state = state
    var provisional = provisional
    for write in writes.dimensions {
      guard state.catalog.dimensions[write.schema.id] == write.schema else { throw Self.changed(write.schema.name) }
      state.dimensions.set(
        write.applied(to: state.dimensions[write.schema.id].rows), of: write.schema.id, changed: state.sequence)
    }
    let deletions = writes.deletions.compactMap { request -> Deletion? in
      let series: SeriesRanges = if case .some(let list) = request.series { SeriesRanges(list) } else { .all }
      return series.isEmpty || request.time.isEmpty
        ? nil : Deletion(table: request.table, series: series, time: request.time)
    }
    state.active.remove(deletions)
    for deletion in deletions {
      state.tombstones.add(Tombstone(deletion, sequence: state.sequence.next))
      state.rollups.note(deletion, state.catalog, state.sequence.next)
    }
    for batch in writes.batches {
      guard let table = state.catalog.table(named: batch.table) else { throw Self.changed(batch.table) }
      var series = provisional[table.id] ?? ProvisionalSeries(first: indexes[table.id]?.count ?? 0)
      let ids = number(batch, table, &series)
      provisional[table.id] = series
      var resolved = ResolvedBatch()
      resolved.add(
        Buffer(batch.rowSeries.span.map { ids[Int($0)] }), batch.times, try fields(of: batch, table), table: table.id,
        partitionWidth: table.partitionNanoseconds)
      for rows in resolved.rows {
        state.active.append(rows.block, to: rows.partition)
        state.rollups.note(rows.block, of: table.id, state.catalog, state.sequence.next)
      }
    }
    return Snapshot(self, state: state, provisional: provisional)
  }

  package func split(_ delete: DeleteRequest, _ batches: [PointBatch]) -> (
    published: DeleteRequest?, left: [PointBatch]
  ) {
    guard let table = state.catalog.tables[delete.table] else { return (delete, batches) }
    var series = provisional[table.id] ?? ProvisionalSeries(first: indexes[table.id]?.count ?? 0)
    var published: DeleteRequest? = delete
    var wanted: Set<UInt32>?
    if case .some(let list) = delete.series {
      wanted = Set(list.map(\.rawValue))
      let known = list.filter { Int($0.rawValue) < series.first }
      published = known.isEmpty ? nil : DeleteRequest(table: delete.table, series: .some(known), time: delete.time)
    }
    let left = batches.compactMap { batch -> PointBatch? in
      guard batch.table.utf8.elementsEqual(table.name.utf8) else { return batch }
      let ids = number(batch, table, &series)
      let rows = (0..<batch.rowCount).filter { row in
        !(delete.time.contains(batch.times[row]) && (wanted?.contains(ids[Int(batch.rowSeries[row])]) ?? true))
      }
      return rows.count == batch.rowCount ? batch : rows.isEmpty ? nil : batch.gathered(rows)
    }
    return (published, left)
  }

  /// The number of each of the batch's series.
  private func number(_ batch: PointBatch, _ table: TableSchema, _ series: inout ProvisionalSeries) -> [UInt32] {
    let names = TagNames(table)
    return batch.series.map { key in
      if let known = indexes[table.id]?.find(key, column: names.find), Int(known.rawValue) < series.first {
        return known.rawValue
      }
      return series.id(of: key)
    }
  }

  /// By column id; a later field of a name that a batch has twice hides the earlier.
  private func fields(of batch: PointBatch, _ table: TableSchema) throws -> [(id: ColumnID, column: FieldColumn)] {
    var columns: [ColumnID: FieldColumn] = [:]
    for field in batch.fields {
      guard let column = table.column(named: field.name), case .field(let type) = column.kind,
        type == field.column.type || (type == .float64 && field.column.type == .int64)
      else { throw Self.changed(table.name) }
      let own = type == field.column.type ? field.column : field.column.converted(to: type)
      columns[column.id] = columns[column.id].map { $0.overlaid(with: own) } ?? own
    }
    return columns.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }

  private static func changed(_ table: String) -> VarveError {
    VarveError(
      .query, "could not serialize access: table \"\(table)\" was changed meanwhile",
      hint: "Try the transaction again.", sqlState: "40001")
  }

  // MARK: What reading needs of it

  /// Of the overlay's series, those for which the conditions hold, behind those of the index that it knows.
  func series(_ found: [UInt32], of table: TableID, where predicates: [TagPredicate]) -> [UInt32] {
    guard let own = provisional[table], let schema = state.catalog.tables[table] else { return found }
    let matching = own.keys.enumerated().filter { _, key in
      predicates.allSatisfy { predicate in
        let value = schema.column(predicate.column).flatMap { Self.value(of: $0.name, in: key) }
        return switch predicate.condition {
        case .isIn(let values):
          value.map { value in values.contains { $0.utf8.elementsEqual(value.utf8) } } ?? false
        case .satisfies(let test): test(value)
        }
      }
    }
    return found.filter { Int($0) < own.first } + matching.map { UInt32(own.first + $0.offset) }
  }

  func tagColumn(_ column: TagColumn, _ id: ColumnID, of table: TableID) -> TagColumn {
    guard let own = provisional[table], let name = state.catalog.tables[table]?.column(id)?.name else { return column }
    var codes = column.withCodes { Array($0.prefix(own.first)) }
    codes += [UInt32](repeating: 0, count: own.first - codes.count)
    var values = column.values
    var known: [[UInt8]: UInt32] = [:]
    for (code, value) in values.enumerated().dropFirst() { known[Array(value.utf8)] = UInt32(code) }
    for key in own.keys {
      guard let value = Self.value(of: name, in: key) else {
        codes.append(0)
        continue
      }
      if let code = known[Array(value.utf8)] {
        codes.append(code)
      } else {
        known[Array(value.utf8)] = UInt32(values.count)
        codes.append(UInt32(values.count))
        values.append(value)
      }
    }
    return TagColumn(codes: codes, values: values)
  }

  private static func value(of name: String, in key: SeriesKey) -> String? {
    key.tags.first { $0.name.utf8.elementsEqual(name.utf8) }?.value
  }
}

extension PointBatch {
  /// Some of its rows.
  func gathered(_ rows: [Int]) -> PointBatch {
    PointBatch(
      table: table, series: series, rowSeries: Buffer(rows.map { rowSeries[$0] }),
      times: Buffer(rows.map { times[$0] }),
      fields: fields.map { Field(name: $0.name, column: $0.column.gathered(rows), sourceColumn: $0.sourceColumn) },
      lines: lines.map { lines in Buffer(rows.map { lines[$0] }) })
  }
}
