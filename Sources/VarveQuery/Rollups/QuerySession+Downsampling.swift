// add_downsampling_policy and remove_downsampling_policy.
//
//   rollups made, without rows → what is dropped when, one commit → rollups filled
//
// What fails before that commit takes the rollups with it; a crash there leaves rollups that the same call takes over.
// Nothing is dropped before its rollups have it, so it does not matter when they are filled.

import VarveCompute
import VarveCore
import VarveFormat
import VarveStorage

extension QuerySession {
  /// A table or rollup of the call, and what is to be done about it.
  private struct Step {
    enum Change {
      case none, create
      case add([(name: String, expression: String)])
    }
    let relation: String
    /// nil: it is the table.
    let source: String?
    var bucket = ""
    let dropAfter: Interval?
    var statement: DownsamplingStatement?
    var change = Change.none
    var addsPolicy = false
  }

  /// A row a table or rollup.
  func addDownsampling(_ arguments: ProcedureArguments, _ binder: Binder) throws -> [[Datum]] {
    let isDry = arguments.isTrue(3)
    if !isDry { try checkWritable("add_downsampling_policy") }
    let table = try downsampled(arguments, binder.catalog)
    guard let json = arguments.text(1) else { throw arguments.error("22023", "levels must not be NULL", at: 1) }
    let wanted: Downsampling
    do { wanted = try Downsampling(json, at: clock.wallNanoseconds()) } catch var error as VarveError {
      error.position = arguments.source.position(arguments.locations[1])
      throw error
    }
    let steps = try steps(wanted, table, arguments, binder.catalog)
    if !isDry { try carryOut(steps) }
    return try steps.map(row)
  }

  func removeDownsampling(_ arguments: ProcedureArguments) throws {
    try checkWritable("remove_downsampling_policy")
    let catalog = CatalogView(snapshot: try store.snapshot(), session: state)
    let table = try downsampled(arguments, catalog)
    var members: Set<TableID> = [table.id]
    // A source's id is below those of its rollups.
    for rollup in catalog.snapshot.tables().compactMap({ catalog.snapshot.rollup($0.id) })
    where members.contains(rollup.definition.source) && Downsampling.isName(rollup.schema.name, of: table.name) {
      members.insert(rollup.schema.id)
    }
    guard members.count > 1 else {
      let message = "downsampling policy not found for \"\(table.name)\""
      guard arguments.isTrue(1) else { throw arguments.error("42704", message, at: 0) }
      return state.add(.notice(severity: "NOTICE", sqlState: "42704", message: message + ", skipping"))
    }
    let policies = members.filter { catalog.snapshot.policies(of: $0)[.retention] != nil }.sorted()
    try store.change(.policies(policies.map { ($0, .retention, nil) }))
  }

  private func downsampled(_ arguments: ProcedureArguments, _ catalog: CatalogView) throws -> TableSchema {
    let name = arguments.text(0) ?? ""
    guard let parts = CatalogView.parts(name), (1...2).contains(parts.count) else {
      throw arguments.error("42602", "invalid name syntax: \"\(name)\"", at: 0)
    }
    switch catalog.relation(schema: parts.count > 1 ? parts[0] : nil, name: parts.last ?? "")?.source {
    case .series(let table): return table
    case nil: throw arguments.error("42P01", "relation \"\(name)\" does not exist", at: 0)
    case .rollup:
      throw arguments.error(
        "42809", "\"\(name)\" is a rollup", at: 0, hint: "Name the table that it is made from, and all its levels.")
    case .dimension, .virtual: throw arguments.error("42809", "\"\(name)\" is not a series table", at: 0)
    }
  }

  // MARK: What is to be done

  private func steps(
    _ wanted: Downsampling, _ table: TableSchema, _ arguments: ProcedureArguments, _ catalog: CatalogView
  ) throws -> [Step] {
    var steps = [Step(relation: table.name, source: nil, dropAfter: wanted.rawDropAfter)]
    for level in wanted.levels {
      let below = steps[steps.count - 1]
      let bucket = try text(level.bucket)
      let statement = DownsamplingStatement(table, from: below.relation, isFirst: below.source == nil, width: bucket)
      var step = Step(
        relation: "\(table.name)_\(level.suffix)", source: below.relation, bucket: bucket, dropAfter: level.dropAfter,
        statement: statement)
      step.change = try change(step, statement, arguments, catalog)
      steps.append(step)
    }
    for place in steps.indices { steps[place].addsPolicy = try lacksPolicy(steps[place], arguments, catalog) }
    return steps
  }

  private func change(
    _ step: Step, _ statement: DownsamplingStatement, _ arguments: ProcedureArguments, _ catalog: CatalogView
  ) throws -> Step.Change {
    guard let relation = catalog.relation(schema: nil, name: step.relation) else { return .create }
    func exists(_ hint: String) -> VarveError {
      arguments.error("42P07", "relation \"\(step.relation)\" already exists", at: 0, hint: hint)
    }
    guard case .rollup(let schema) = relation.source, let rollup = try catalog.rollup(schema.id),
      rollup.statement.source.name.isSameName(as: step.source ?? ""), rollup.statement.bucketText == step.bucket
    else { throw exists("It is another rollup or table than this would make: rename it.") }
    guard arguments.isTrue(2) else { throw exists("if_not_exists => true takes it as it is, and adds what it lacks.") }
    let missing = statement.columns.filter { column in
      !relation.columns.contains { $0.name.isSameName(as: column.name) }
    }
    return missing.isEmpty ? .none : .add(missing)
  }

  private func lacksPolicy(_ step: Step, _ arguments: ProcedureArguments, _ catalog: CatalogView) throws -> Bool {
    guard let table = catalog.snapshot.table(named: step.relation),
      let bytes = catalog.snapshot.policies(of: table.id)[.retention]
    else { return step.dropAfter != nil }
    let kept = try AgePolicy(bytes).age
    guard arguments.isTrue(2), kept == step.dropAfter else {
      throw arguments.error(
        "42710", "\"\(step.relation)\" has a retention policy: rows go after \(try text(kept))", at: 0,
        hint: "remove_retention_policy or remove_downsampling_policy removes it.")
    }
    return false
  }

  private func row(_ step: Step) throws -> [Datum] {
    let change =
      switch step.change {
      case .create: "rollup"
      case .add(let columns): "columns \(columns.map(\.name).joined(separator: ", "))"
      case .none: ""
      }
    let changes = [change, step.addsPolicy ? "retention policy" : ""].filter { !$0.isEmpty }
    return [
      .text(step.relation), step.source.map { .text($0) } ?? .null, step.source == nil ? .null : .text(step.bucket),
      try step.dropAfter.map { .text(try text($0)) } ?? .null,
      changes.isEmpty ? .null : .text(changes.joined(separator: "; ")), step.statement.map { .text($0.text) } ?? .null,
    ]
  }

  private func text(_ interval: Interval) throws -> String {
    try TypeText.string(.interval(interval), type: .interval, context: EvaluationContext(now: 0))
  }

  // MARK: Doing it

  private func carryOut(_ steps: [Step]) throws {
    var made: [String] = []
    do {
      for step in steps {
        switch step.change {
        case .none: continue
        case .create:
          try create(step)
          made.append(step.relation)
        case .add(let columns): try add(columns, to: step)
        }
      }
      let snapshot = try store.snapshot()
      let policies = try steps.filter(\.addsPolicy).map { step in
        guard let table = snapshot.table(named: step.relation), let age = step.dropAfter else {
          throw SQLError.make("42P01", "relation \"\(step.relation)\" does not exist any more", hint: "Try again.")
        }
        return (table: table.id, kind: PolicyKind.retention, policy: Optional(AgePolicy(age).bytes))
      }
      if !policies.isEmpty { try store.change(.policies(policies)) }
    } catch {
      for name in made.reversed() { try store.dropTable(named: name, cascade: false) }
      throw error
    }
    for name in made { try fill(name) }
  }

  private func create(_ step: Step) throws {
    guard let statement = step.statement else { preconditionFailure("a level has a statement") }
    let name = TextKernels.quoteIdentifier(step.relation)
    let text = "CREATE MATERIALIZED VIEW \(name) WITH (continuous) AS \(statement.text) WITH NO DATA"
    guard let parsed = try SQLParser.parse(text).first, case .createRollup(let create) = parsed.syntax else {
      preconditionFailure("a CREATE MATERIALIZED VIEW")
    }
    do { _ = try createRollup(create, parsed) } catch { throw Self.withoutPosition(error) }
  }

  /// By names of the level below, whose missing columns were added before.
  private func add(_ columns: [(name: String, expression: String)], to step: Step) throws {
    let catalog = CatalogView(snapshot: try store.snapshot(), session: state)
    guard let statement = step.statement, let table = catalog.snapshot.table(named: step.relation),
      let rollup = try catalog.rollup(table.id),
      case .select(let select)? = try SQLParser.parse(statement.text).first?.syntax
    else { throw SQLError.make("42P01", "relation \"\(step.relation)\" does not exist any more", hint: "Try again.") }
    do {
      let source = SourceText(statement.text)
      let bound = try bindRollup(select, source, catalog, over: rollup.statement.source)
      let added = columns.map { column in
        let type = bound.columns.first { $0.name.isSameName(as: column.name) }?.type ?? .text
        let name = TextKernels.quoteIdentifier(column.name)
        return "ADD COLUMN \(name) \(type.name) GENERATED ALWAYS AS (\(column.expression)) STORED"
      }
      let name = TextKernels.quoteIdentifier(step.relation)
      let text = "ALTER MATERIALIZED VIEW \(name) \(added.joined(separator: ", "))"
      guard let parsed = try SQLParser.parse(text).first, case .alterTable(let alter) = parsed.syntax else {
        preconditionFailure("an ALTER MATERIALIZED VIEW")
      }
      _ = try alterRollup(alter, parsed.source)
    } catch { throw Self.withoutPosition(error) }
  }

  /// What it points at is not what somebody wrote.
  private static func withoutPosition(_ error: any Error) -> VarveError {
    var error = asVarveError(error)
    error.position = nil
    return error
  }
}
