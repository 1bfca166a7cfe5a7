// CREATE MATERIALIZED VIEW … WITH (continuous).

import VarveCompute
import VarveCore
import VarveFormat
import VarveRollup
import VarveStorage

extension QuerySession {
  func createRollup(_ create: CreateRollupSyntax, _ parsed: ParsedStatement) throws -> QueryResult {
    let verb = "CREATE MATERIALIZED VIEW"
    let source = parsed.source
    let location = create.name.location
    try checkWritable(verb)
    let options = try RollupOptions(create.options, source)
    guard options.isContinuous else {
      throw source.unsupported(
        "CREATE MATERIALIZED VIEW without (continuous)", at: location,
        hint: "CREATE MATERIALIZED VIEW \(create.name.name) WITH (continuous) AS SELECT … is kept up to date by itself."
      )
    }
    if create.hasColumnNames {
      throw source.unsupported("a list of column names", at: location, hint: "Name them in the SELECT: … AS name.")
    }
    guard let select = create.select, let text = RollupDefinitionText.select(in: parsed.text) else {
      throw source.unsupported("a rollup of this statement", at: location)
    }
    if transactionStatus != .idle { throw inBlock(verb) }
    try writePending()
    let catalog = CatalogView(snapshot: try snapshot(), session: state)
    if create.ifNotExists, catalog.relation(schema: create.name.schema, name: create.name.name) != nil {
      state.add(
        .notice(
          severity: "NOTICE", sqlState: "42P07",
          message: "relation \"\(create.name.name)\" already exists, skipping"))
      return QueryResult(columns: nil, rows: nil, verb: verb)
    }
    let statement = try bindRollup(select, source, catalog)
    let table = try self.table(statement, create.name, options, source, catalog)
    let steps = statement.grid.fixed
    let definition = RollupDefinition(
      source: statement.source.id, stepNanoseconds: steps?.width ?? 900_000_000_000, origin: steps?.origin ?? 0,
      columns: statement.usedColumns, statement: text)
    // What is not filled at once, or takes long, is filled by itself.
    try store.change(.create(table, definition, policies: [.refresh: RefreshPolicy().bytes]))
    if !create.hasNoData { try fill(create.name.name) }
    return QueryResult(columns: nil, rows: nil, verb: verb)
  }

  /// Makes what is not made yet, and tells how much that was.
  func fill(_ name: String) throws {
    do {
      let report = try RollupRefresh(self, name).run()
      guard report.windows > 0 else { return }
      let parts = report.windows == 1 ? "" : " in \(report.windows) parts"
      state.add(
        .notice(
          severity: "NOTICE", sqlState: "00000",
          message: "rollup \"\(name)\" is filled with \(report.rows) row\(report.rows == 1 ? "" : "s")\(parts)"))
    } catch {
      var error = asVarveError(error)
      error.hint = "The rollup is there, and right to read; what it lacks is filled by itself."
      throw error
    }
  }

  /// The statement's meaning, which must not be another in another session.
  func bindRollup(
    _ select: SelectSyntax, _ source: SourceText, _ catalog: CatalogView, over fixedSource: RollupSource? = nil
  ) throws -> RollupStatement {
    func bind(_ evaluation: EvaluationContext) throws -> RollupStatement {
      let binder = Binder(
        source: source, catalog: catalog, session: state, evaluation: evaluation, parameterTypes: [])
      binder.fixedSource = fixedSource
      return try RollupBinder(binder).bind(select)
    }
    let own = try bind(evaluation(catalog))
    let kept = try bind(EvaluationContext(now: 0, timeZone: "UTC", zones: state.zones))
    func expressions(_ statement: RollupStatement) -> [BoundExpression] {
      let query = statement.query
      return query.keys + query.conditions + query.kept.calls.map { .aggregate($0) } + statement.outputs
    }
    let (a, b) = (expressions(own), expressions(kept))
    guard a.count == b.count, zip(a, b).allSatisfy({ $0.isSame(as: $1) }) else {
      throw source.unsupported(
        "a time without a zone in a rollup", at: select.filter?.location ?? -1,
        hint: "Write the offset: '2026-01-01 00:00+00'.")
    }
    return kept
  }

  private func table(
    _ statement: RollupStatement, _ name: RelationSyntax, _ options: RollupOptions, _ source: SourceText,
    _ catalog: CatalogView
  ) throws -> TableDefinition {
    guard name.schema == nil || name.schema == "public" else {
      throw source.error("3F000", "schema \"\(name.schema ?? "")\" does not exist", at: name.location)
    }
    if catalog.relation(schema: name.schema, name: name.name) != nil {
      throw source.error(
        "42P07", "relation \"\(name.name)\" already exists", at: name.location,
        hint: "CREATE MATERIALIZED VIEW IF NOT EXISTS leaves it as it is.")
    }
    var seen: Set<Name> = []
    for column in statement.columns where !seen.insert(Name(column.name)).inserted {
      throw source.error("42701", "column \"\(column.name)\" specified more than once", at: name.location)
    }
    return statement.tableDefinition(
      named: name.name, partitionNanoseconds: options.partitionNanoseconds ?? Self.partition(statement.grid))
  }

  /// Wide enough for a thousand rows of a series, in whole days.
  private static func partition(_ grid: BucketGrid) -> Int64 {
    let day: Int64 = 86_400_000_000_000
    guard let width = grid.fixed?.width else { return 1024 * day }
    let wanted = width.multipliedReportingOverflow(by: 1024)
    return wanted.overflow ? 1024 * day : min(max(day, wanted.partialValue / day * day), 1024 * day)
  }
}

/// What stands in WITH (…).
struct RollupOptions {
  var isContinuous = false
  var partitionNanoseconds: Int64?

  init(_ options: [OptionSyntax], _ source: SourceText) throws {
    for option in options {
      let isTrue = ["true", "on", "1", nil].contains(option.value?.lowercased())
      switch (option.namespace, option.name) {
      case ("", "continuous"), ("timescaledb", "continuous"), ("varve", "continuous"): isContinuous = isTrue
      case ("timescaledb", "materialized_only"), ("varve", "materialized_only"):
        guard !isTrue else {
          throw source.unsupported(
            "materialized_only", at: option.location, hint: "What is read of a rollup is never stale.")
        }
      case ("timescaledb", "create_group_indexes"), ("timescaledb", "finalized"): break
      case ("varve", "partition"):
        guard
          case .interval(let interval) = try TypeText.parse(
            option.value ?? "", as: .interval, context: EvaluationContext(now: 0)),
          let width = interval.fixedNanoseconds, interval.months == 0, width >= 60_000_000_000
        else {
          throw source.error(
            "22023", "varve.partition must be at least one minute, in days or shorter units", at: option.location)
        }
        partitionNanoseconds = width
      default:
        let name = option.namespace.isEmpty ? option.name : "\(option.namespace).\(option.name)"
        throw source.error(
          "22023", "unrecognized parameter \"\(name)\"", at: option.location,
          hint: "There are continuous and varve.partition.")
      }
    }
  }
}
