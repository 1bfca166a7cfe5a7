// The meaning of the rollups that a snapshot has, by their statements. Bound once for each state of the schema, and shared
// by the sessions of a database.

import Synchronization
import VarveCompute
import VarveCore
import VarveFormat
import VarveStorage

final class RollupCatalog: Sendable {
  private struct Key: Hashable {
    let schema: TableSchema
    let definition: RollupDefinition
    let source: TableSchema
  }
  private let bound = Mutex<[Key: RollupStatement]>([:])
  private static let capacity = 1024

  /// nil: the table is no rollup.
  func rollup(_ id: TableID, _ catalog: CatalogView) throws -> BoundRollup? {
    guard let found = catalog.snapshot.rollup(id) else { return nil }
    guard let source = catalog.snapshot.table(id: found.definition.source) else {
      throw VarveError(.corruption, "the source of rollup \"\(found.schema.name)\" is not there")
    }
    let key = Key(schema: found.schema, definition: found.definition, source: source)
    let known = bound.withLock { $0[key] }
    let statement = try known ?? bind(found.definition, source, catalog)
    if known == nil {
      bound.withLock { bound in
        if bound.count >= Self.capacity { bound.removeAll() }
        bound[key] = statement
      }
    }
    return BoundRollup(schema: found.schema, definition: found.definition, statement: statement)
  }

  private func bind(_ definition: RollupDefinition, _ source: TableSchema, _ catalog: CatalogView) throws
    -> RollupStatement
  {
    let parsed = try SQLParser.parse(definition.statement)
    guard case .select(let select)? = parsed.first?.syntax else {
      throw VarveError(.corruption, "a rollup's statement is no SELECT: \(definition.statement)")
    }
    let binder = Binder(
      source: parsed[0].source, catalog: catalog, session: catalog.session,
      evaluation: EvaluationContext(now: 0, timeZone: "UTC", zones: catalog.session.zones), parameterTypes: [])
    binder.fixedSource = try rollup(source.id, catalog).map { .rollup($0) } ?? .table(source)
    return try RollupBinder(binder).bind(select, definition.additions)
  }
}

extension CatalogView {
  /// nil: the table is no rollup.
  func rollup(_ id: TableID) throws -> BoundRollup? { try session.monitor.rollups.rollup(id, self) }
  func rollups(of source: TableID) throws -> [BoundRollup] {
    try snapshot.rollups(of: source).compactMap { try rollup($0.schema.id) }
  }
}
