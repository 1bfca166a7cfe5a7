// What the store must answer to a request, and what the model makes of it.

import VarveCore
import VarveStorage

extension Request {
  /// Whether it shares a commit with others of its group.
  var isWrite: Bool {
    switch self {
    case .write, .transaction: true
    default: false
    }
  }

  func forStore(_ store: Store) throws -> CommitRequest {
    switch self {
    case .write(let rows): return .write(batches(rows))
    case .delete(let delete, then: let rows): return .delete([delete.forStore(store.snapshot())], then: batches(rows))
    case .drop(let table): return .dropTable(table)
    case .transaction(let rows, let changes):
      let snapshot = store.snapshot()
      return .transaction(
        TransactionWrites(batches: batches(rows), dimensions: try changes.map { try $0.forStore(snapshot) }))
    case .createDimension(let table): return .createDimension(ModelDimension.definition(table))
    case .alter(let table, let alteration): return .alterTable(table, [alteration.forStore])
    case .create(let table, let schema, let width):
      return .createTable(
        TableDefinition(
          name: table, tags: schema.tags.sorted(),
          fields: schema.fields.sorted { $0.key < $1.key }.map { ($0.key, $0.value) },
          partitionNanoseconds: width))
    }
  }

  /// What the store must answer.
  enum Answer {
    case rows(taken: Int, rejected: Int)
    case done
    case refused(VarveError.Code)
  }

  func apply(to model: inout Model) -> Answer {
    switch self {
    case .write(let rows):
      var taken = 0
      // As batches carry them: table by table.
      for batch in byTable(rows) { for row in batch where model.write(row) { taken += 1 } }
      return .rows(taken: taken, rejected: rows.count - taken)
    case .delete(let delete, then: let rows):
      guard model.delete(delete) else { return .refused(.notFound) }
      return Request.write(rows).apply(to: &model)
    case .drop(let table): return model.drop(table) ? .done : .refused(.notFound)
    case .transaction(let rows, let changes):
      var changed = model
      for each in changes where !each.apply(to: &changed) { return .refused(.query) }
      for row in rows { changed.write(row) }
      model = changed
      return .rows(taken: rows.count, rejected: 0)
    case .createDimension(let table):
      if model.dimensions[table] != nil || model.schemas[table] != nil { return .refused(.alreadyExists) }
      model.dimensions[table] = ModelDimension()
      return .done
    case .alter(let table, let alteration):
      return alteration.apply(to: &model, table).map { .refused($0) } ?? .done
    case .create(let table, let schema, _): return model.create(table, schema) ? .done : .refused(.alreadyExists)
    }
  }
}

extension Request.Answer {
  /// Throws the store's failure, or records that it answers what the model does not.
  func check(_ outcome: CommitOutcome) throws {
    switch (self, outcome) {
    case (.rows(let taken, let rejected), .success(let results)):
      let found = (results.reduce(0) { $0 + $1.rowsWritten }, results.reduce(0) { $0 + $1.rejections.count })
      if found != (taken, rejected) {
        throw VarveError(.query, "\(found) rows taken and rejected instead of \((taken, rejected)): \(results)")
      }
    case (.done, .success): break
    case (.refused(let code), .failure(let error)) where error.code == code: break
    case (_, .failure(let error)): throw error
    case (.refused(let code), .success): throw VarveError(.query, "the store did what it had to refuse (\(code))")
    }
  }
}

extension ModelDelete {
  /// As SQL makes it: the series are those of the snapshot.
  func forStore(_ snapshot: Snapshot) -> DeleteRequest {
    guard let schema = snapshot.table(named: table) else { return DeleteRequest(table: TableID(rawValue: .max)) }
    guard let host else { return DeleteRequest(table: schema.id, time: time) }
    guard let column = schema.column(named: "host"), column.isTag else {
      return DeleteRequest(table: schema.id, series: .some([]), time: time)
    }
    let series = snapshot.series(of: schema.id, where: [TagPredicate(column: column.id, condition: .isIn([host]))])
    return DeleteRequest(table: schema.id, series: series, time: time)
  }
}
