// CREATE, ALTER and DROP of rollups and of policies, as catalog changes and steps.

import VarveCore
import VarveFormat

package enum RollupChange: Sendable {
  /// A series table, what fills it, and its policies. `definition` names the source by id, which must still have its
  /// columns.
  case create(TableDefinition, RollupDefinition, policies: [PolicyKind: [UInt8]] = [:])
  /// More fields, by another statement, to which the rollup's rows that are not frozen are to be made anew; of those that
  /// are, the definition says that the fields are not known. `to` has the additions of `from`.
  case extend(TableID, from: RollupDefinition, to: RollupDefinition, fields: [(name: String, type: FieldType)])
  /// nil: no policy any more.
  case policy(TableID, PolicyKind, [UInt8]?)
  /// Several at once.
  case policies([(table: TableID, kind: PolicyKind, policy: [UInt8]?)])
  /// The time of day is what it should be.
  case trustClock(Int64)
  case pauseJob(DatabaseJob, Bool)
}

enum RollupDDL {
  /// What is made from the table, and what is made from that: rollups before their sources.
  static func dependents(of table: TableID, _ catalog: Catalog) -> [TableID] {
    var found: [TableID] = []
    var sources: Set<TableID> = [table]
    // A source's id is below those of its rollups.
    for (id, definition) in catalog.rollups.sorted(by: { $0.key < $1.key }) where sources.contains(definition.source) {
      sources.insert(id)
      found.append(id)
    }
    return found.reversed()
  }

  /// Name of a rollup that needs the column.
  static func rollup(using column: ColumnID, of table: TableID, _ catalog: Catalog) -> String? {
    catalog.rollups(of: table).first { catalog.rollups[$0]?.columns.contains(column) ?? false }
      .flatMap { catalog.tables[$0]?.name }
  }

  /// Steps that the change brings about.
  static func apply(
    _ change: RollupChange, _ states: RollupStates, _ resolver: inout BatchResolver
  ) throws -> [RollupStep] {
    switch change {
    case .create(let table, let definition, let policies):
      try check(definition, resolver.catalog)
      try TableDDL.create(table, &resolver)
      guard let id = resolver.catalog.id(named: table.name) else { preconditionFailure("a table that was just made") }
      try resolver.apply(.setRollup(id, definition))
      for kind in PolicyKind.allCases {
        if let policy = policies[kind] { try resolver.apply(.setPolicy(id, kind, policy)) }
      }
      // From here on there is something to know of it.
      return [RollupStep(id, .threshold(.min))]
    case .extend(let id, let old, let new, let fields):
      guard let name = resolver.catalog.tables[id]?.name, resolver.catalog.rollups[id] == old else {
        throw RollupCommit.conflict("it was changed meanwhile")
      }
      try check(new, resolver.catalog)
      let state = states[id]
      var extended = new
      if !fields.isEmpty, state.frozen > .min {
        let known = resolver.catalog.tables[id]?.fields.count ?? 0
        extended.additions.append(RollupDefinition.Addition(firstField: known, knownFrom: state.frozen))
      }
      try TableDDL.alter(name, fields.map { .addField($0.name, $0.type) }, &resolver)
      try resolver.apply(.setRollup(id, extended))
      return !fields.isEmpty && state.frozen < state.watermark
        ? [RollupStep(id, .invalidated(lower: state.frozen, upper: state.watermark))] : []
    case .policy(let table, let kind, let text):
      try set(text, kind, of: table, &resolver)
      return []
    case .policies(let changes):
      for change in changes { try set(change.policy, change.kind, of: change.table, &resolver) }
      return []
    case .trustClock(let time):
      try resolver.apply(.trustClock(time))
      return []
    case .pauseJob(let job, let isPaused):
      precondition(job.canBePaused, "who pauses a job has looked whether it can be")
      try resolver.apply(.pauseJob(job, isPaused))
      return []
    }
  }

  private static func set(_ policy: [UInt8]?, _ kind: PolicyKind, of table: TableID, _ resolver: inout BatchResolver)
    throws
  {
    guard resolver.catalog.tables[table] != nil else {
      throw VarveError(.notFound, "the table does not exist any more", sqlState: "42P01")
    }
    try resolver.apply(.setPolicy(table, kind, policy ?? []))
  }

  private static func check(_ definition: RollupDefinition, _ catalog: Catalog) throws {
    guard definition.statement.utf8.count <= Limits.rollupStatementByteCount else {
      throw VarveError(
        .limitExceeded, "a rollup's statement has at most \(Limits.rollupStatementByteCount) bytes", sqlState: "54000")
    }
    guard let source = catalog.tables[definition.source], definition.columns.allSatisfy({ source.column($0) != nil })
    else { throw RollupCommit.conflict("its source was changed meanwhile") }
  }
}
