// How a session plans a statement and starts it.

import VarveCompute
import VarveCore
import VarveStorage

extension QuerySession {
  // MARK: Planning

  func evaluation(_ catalog: CatalogView) -> EvaluationContext {
    EvaluationContext(
      now: now, timeZone: state.timeZone, intervalStyle: state.intervalStyle, zones: state.zones,
      clock: clock.wallNanoseconds,
      objectID: { try catalog.objectID($0, $1) }, objectName: { catalog.objectName($0, $1) })
  }

  func plan(_ parsed: ParsedStatement, _ types: [SQLType?]) throws -> PreparedStatement {
    if parsed.templated != nil {
      guard let own = try SQLParser.parse(parsed.source.text).first else {
        preconditionFailure("a text that a template was made for holds a statement")
      }
      return try plan(own, types)
    }
    if let call = parsed.asProcedureCall { return try plan(call, types) }
    let isCommand =
      switch parsed.syntax {
      case .select, .insert, .update, .delete, .truncate, .copy, .explain, .execute, .declare: false
      default: true
      }
    if transactionStatus == .failed, !isCommand {
      throw SQLError.make("25P02", "current transaction is aborted, commands ignored until end of transaction block")
    }
    if isCommand {
      var parameters: [SQLType] = []
      if case .call(let call, let location) = parsed.syntax {
        parameters = try parameterTypes(of: call, at: location, parsed.source, types)
      }
      return PreparedStatement(
        parsed: parsed, kind: .utility, declaredTypes: types, parameterTypes: parameters,
        columns: commandColumns(parsed.syntax),
        dependencies: [], reads: [], timeZone: state.timeZone, isOnceOnly: parsed.isAboutCursor)
    }
    if case .execute(let name, let arguments) = parsed.syntax { return try planExecute(name, arguments, parsed) }
    let catalog = CatalogView(snapshot: try snapshot(), session: state)
    state.setSnapshot(catalog.snapshot)
    let binder = Binder(
      source: parsed.source, catalog: catalog, session: state, evaluation: evaluation(catalog), parameterTypes: types)
    var kind: PreparedStatement.Kind
    var columns: [ResultColumn]?
    switch parsed.syntax {
    case .select(let select): (kind, columns) = try planQuery(select, binder)
    case .insert, .update, .delete: (kind, columns) = try planWrite(parsed.syntax, binder)
    case .truncate(let tables): kind = .truncate(try binder.bindTruncate(tables))
    case .copy(let copy):
      kind = try copy.isFrom ? .copy(binder.bindCopy(copy)) : .copyOut(binder.bindCopyOut(copy))
    case .declare(let declare): kind = .declare(try planCursor(declare, parsed, binder))
    case .explain(let inner, let options):
      let explain = try planExplain(inner, options, binder)
      kind = .explain(explain)
      columns = [ResultColumn(name: "QUERY PLAN", type: .text)]
    default: kind = .utility
    }
    let parameters = try binder.parameterTypes.enumerated().map { index, type -> SQLType in
      guard let type, type != .unknown else {
        throw SQLError.make("42P18", "could not determine data type of parameter $\(index + 1)")
      }
      return type
    }
    return PreparedStatement(
      parsed: parsed, kind: kind, declaredTypes: types, parameterTypes: parameters, columns: columns,
      dependencies: binder.dependencies,
      rollups: binder.dependencies.map { catalog.snapshot.rollupDefinitions(around: $0.id) },
      dimensions: binder.dimensions, reads: binder.reads, timeZone: state.timeZone,
      isOnceOnly: binder.isOnceOnly)
  }

  /// INSERT, UPDATE and DELETE: of a series table, or of a dimension table.
  private func planWrite(_ syntax: StatementSyntax, _ binder: Binder) throws -> (
    PreparedStatement.Kind, [ResultColumn]?
  ) {
    func dimension(_ plan: any DimensionPlan, _ columns: [ResultColumn]?) -> (PreparedStatement.Kind, [ResultColumn]?) {
      (.dimension(plan), columns)
    }
    switch syntax {
    case .insert(let insert):
      switch try binder.writableRelation(insert.table).source {
      case .series(let table):
        let (plan, columns) = try binder.bindInsert(insert, into: table)
        return (.insert(plan), columns)
      case .dimension(let table):
        let (plan, columns) = try binder.bindInsert(insert, into: table)
        return dimension(plan, columns)
      case .virtual, .rollup: preconditionFailure("these were refused")
      }
    case .update(let update):
      let (plan, columns) = try binder.bindUpdate(update)
      return dimension(plan, columns)
    case .delete(let delete):
      try binder.refuseWith(delete)
      switch try binder.writableRelation(delete.table).source {
      case .series(let table): return (.delete(try binder.bindDelete(delete, from: table)), nil)
      case .dimension(let table):
        let (plan, columns) = try binder.bindDelete(delete, from: table)
        return dimension(plan, columns)
      case .virtual, .rollup: preconditionFailure("these were refused")
      }
    default: preconditionFailure("a statement that writes rows")
    }
  }

  func planQuery(_ select: SelectSyntax, _ binder: Binder) throws -> (PreparedStatement.Kind, [ResultColumn]) {
    let bound = try binder.bindSelect(select, QueryLevel(parent: nil))
    return (.query(try Planner.plan(bound.plan)), bound.columns)
  }

  func planExplain(_ inner: StatementSyntax, _ options: [OptionSyntax], _ binder: Binder) throws -> ExplainPlan {
    let options = try ExplainOptions(options, binder.source)
    let started = clock.monotonicNanoseconds()
    func explained(_ node: any PlanNode, _ title: String? = nil) -> ExplainPlan {
      ExplainPlan(
        options: options, node: node, title: title, planningNanoseconds: clock.monotonicNanoseconds() - started)
    }
    switch inner {
    case .select(let select):
      let bound = try binder.bindSelect(select, QueryLevel(parent: nil))
      return explained(try Planner.plan(bound.plan))
    case .insert, .update, .delete:
      let (kind, _) = try planWrite(inner, binder)
      if options.isAnalyze {
        throw SQLError.make("0A000", "EXPLAIN ANALYZE of a statement that writes rows is not supported")
      }
      switch kind {
      case .insert(let plan): return explained(plan.source, "Insert on \(plan.table.name)")
      case .delete(let plan): return explained(plan.scan, "Delete on \(plan.table.name)")
      case .dimension(let plan): return explained(plan.source, "\(plan.verb.capitalizedWord) on \(plan.table.name)")
      default: preconditionFailure("a statement that writes rows")
      }
    default: throw SQLError.make("0A000", "EXPLAIN takes SELECT, INSERT, UPDATE and DELETE")
    }
  }

  func planExecute(_ name: String, _ arguments: [ExpressionSyntax], _ parsed: ParsedStatement) throws
    -> PreparedStatement
  {
    let inner = try namedStatement(name)
    guard arguments.count == inner.parameterTypes.count else {
      throw SQLError.make(
        "42601", "wrong number of parameters for prepared statement \"\(name)\"",
        hint: "Expected \(inner.parameterTypes.count) parameters but got \(arguments.count).")
    }
    return PreparedStatement(
      parsed: parsed, kind: .utility, declaredTypes: [], parameterTypes: [], columns: inner.columns,
      dependencies: inner.dependencies, rollups: inner.rollups, dimensions: inner.dimensions, reads: inner.reads,
      timeZone: state.timeZone,
      isOnceOnly: true)
  }

  func commandColumns(_ syntax: StatementSyntax) -> [ResultColumn]? {
    if case .call(let call, _) = syntax { return Procedure(call.name)?.columns }
    if case .fetch(let fetch) = syntax { return columns(of: fetch) }
    guard case .show(let name) = syntax else { return nil }
    if name == "all" { return ["name", "setting", "description"].map { ResultColumn(name: $0, type: .text) } }
    return [ResultColumn(name: SettingDefinition.byName[name.lowercased()]?.name ?? name, type: .text)]
  }

  // MARK: Running

  func context(_ catalog: CatalogView, _ parameters: [Datum], profile: Profile? = nil) -> ExecutionContext {
    let timeout = state.statementTimeoutNanoseconds
    return ExecutionContext(
      catalog: catalog, evaluation: evaluation(catalog), parameters: parameters,
      memory: MemoryAccount(limit: state.queryMemoryByteCount), control: control,
      deadline: timeout > 0 ? clock.monotonicNanoseconds() &+ timeout : nil, clock: clock, helpers: helpers,
      profile: profile)
  }

  func run(_ statement: PreparedStatement, _ parameters: [Datum]) throws -> QueryResult {
    try checkTransaction(statement)
    if case .utility = statement.kind, statement.parameterTypes.isEmpty, parameters.isEmpty {
      return try command(statement, [])
    }
    guard parameters.count == statement.parameterTypes.count else {
      throw SQLError.make(
        "08P01",
        "bind message supplies \(parameters.count) parameters, but the statement requires \(statement.parameterTypes.count)"
      )
    }
    if case .dimension = statement.kind { return try write(statement, parameters) }
    let (statement, catalog) = try current(statement)
    state.setSnapshot(catalog.snapshot)
    switch statement.kind {
    case .query(let node):
      let context = context(
        catalog, parameters.isEmpty ? statement.constants : parameters,
        profile: state.slowStatementNanoseconds == nil ? nil : Profile(coversSubqueries: false))
      watchPlan(node, context)
      return QueryResult(
        columns: statement.columns, rows: watched(try context.open(node)), verb: "SELECT",
        failed: { [weak self] error in
          self?.fail()
          return error
        })
    case .insert(let plan): return try insert(plan, statement.columns, catalog, parameters)
    case .delete(let plan):
      try checkWritable("DELETE")
      let count = try delete(plan, catalog, parameters)
      return QueryResult(columns: nil, rows: nil, verb: "DELETE", affected: count)
    case .truncate(let plan): return try truncate(plan, catalog, parameters)
    case .dimension: preconditionFailure("run on its own")
    case .explain(let plan):
      let context = context(
        catalog, parameters, profile: plan.options.isAnalyze ? Profile(coversSubqueries: true) : nil)
      return QueryResult(columns: statement.columns, rows: RowsOperator(try plan.run(context)), verb: "EXPLAIN")
    case .declare(let plan): return try declare(plan, context(catalog, parameters))
    case .copy:
      throw statement.parsed.source.unsupported(
        "COPY … FROM STDIN without the PostgreSQL protocol", at: statement.parsed.firstWord,
        hint: "Send it with psql or a driver to the server's PostgreSQL port, or use varve import.")
    case .copyOut:
      throw statement.parsed.source.unsupported(
        "COPY … TO STDOUT without the PostgreSQL protocol", at: statement.parsed.firstWord,
        hint: "Send it with psql or a driver to the server's PostgreSQL port, or use varve sql --format csv.")
    case .utility: return try command(statement, parameters)
    }
  }

  /// The plan as it is for the tables of now.
  func current(_ statement: PreparedStatement) throws -> (PreparedStatement, CatalogView) {
    let catalog = CatalogView(snapshot: try snapshot(for: statement), session: state)
    if statement.isCurrent(catalog.snapshot, timeZone: state.timeZone) { return (statement, catalog) }
    let renewed = try renewed(statement, catalog.snapshot)
    guard renewed.columns?.map(\.type) == statement.columns?.map(\.type),
      renewed.columns?.map({ Name($0.name) }) == statement.columns?.map({ Name($0.name) }),
      renewed.parameterTypes == statement.parameterTypes
    else {
      throw SQLError.make(
        "0A000", "cached plan must not change result type",
        hint: "Prepare the statement again: its table has changed.")
    }
    return (renewed, CatalogView(snapshot: try snapshot(for: renewed), session: state))
  }

  /// With what the transaction has written, unless the statement reads nothing: a block of many INSERTs would put all that
  /// together again for each.
  private func snapshot(for statement: PreparedStatement) throws -> any ReadSnapshot {
    if case .insert(let plan) = statement.kind, plan.readsNothing { return try snapshot() }
    return try statementSnapshot()
  }

  /// Whoever holds the statement runs it again and again, so its new plan is kept.
  private func renewed(_ statement: PreparedStatement, _ snapshot: any ReadSnapshot) throws -> PreparedStatement {
    let (text, types) = (statement.parsed.source.text, statement.declaredTypes)
    guard statement.parsed.isAlone else { return try plan(statement.parsed, types) }
    if let known = cache.find(text, types), known.isCurrent(snapshot, timeZone: state.timeZone) { return known }
    let made = try plan(statement.parsed, types)
    if !made.isOnceOnly { cache.add(text, types, made) }
    return made
  }

  func checkWritable(_ verb: String) throws {
    if isReadOnly || (transactionStatus == .idle && state.setting("default_transaction_read_only") == "on") {
      throw SQLError.make("25006", "cannot execute \(verb) in a read-only transaction")
    }
  }

  /// What rows there are is what the statement's snapshot says; they go when the transaction commits, but for those that
  /// the transaction itself has written, which go at once. Gives the number of rows.
  func delete(_ plan: DeletePlan, _ catalog: CatalogView, _ parameters: [Datum]) throws -> Int {
    let context = context(catalog, parameters)
    noteFrozen(plan.table, catalog.snapshot)
    guard let found = try plan.resolve(context, isInBlock: transactionStatus != .idle) else { return 0 }
    if pending.isEmpty {
      pending.add(found, leaving: [])
      return found.rowCount
    }
    // Of the rows without the transaction's own: that is what its commit will find.
    let parts = catalog.snapshot.split(found.request, pending.batches)
    var published: PendingDelete?
    if let request = parts.published {
      var scan = found.scan
      scan.series = request.series
      var delete = PendingDelete(table: found.table, scan: scan, rowCount: 0)
      delete.rowCount = try delete.count(try snapshot()) { try context.check() }
      if delete.rowCount > 0 || !plan.isCounted { published = delete }
    }
    pending.add(published, leaving: parts.left)
    return found.rowCount
  }

  func insert(_ plan: InsertPlan, _ columns: [ResultColumn]?, _ catalog: CatalogView, _ parameters: [Datum]) throws
    -> QueryResult
  {
    try checkWritable("INSERT")
    let (batches, returned) = try plan.run(context(catalog, parameters))
    let rows = batches.reduce(0) { $0 + $1.rowCount }
    for batch in batches { pending.add(batch) }
    try checkPendingSize()
    let result = columns.map { columns in RowsOperator(.concat(returned, types: columns.map(\.type))) }
    return QueryResult(columns: columns, rows: result, verb: "INSERT", affected: rows)
  }
}

extension String {
  /// INSERT as Insert.
  fileprivate var capitalizedWord: String { prefix(1).uppercased() + dropFirst().lowercased() }
}
