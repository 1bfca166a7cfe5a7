// A SELECT whose results can be followed exactly, as commits come.
//
//   rows      of one series table, each as its commit brought it: what a commit adds to the result follows from the commit
//   buckets   of time, grouped from a series table or a rollup: once its end is past, a bucket is a row that only commits
//             with older times change, and those say which bucket that is
//
// Made by `SubscriptionBinder` for one state of the schema, and made anew where that has changed.

import VarveCompute
import VarveCore
import VarveRollup
import VarveStorage

package final class SubscribedQuery: Sendable {
  /// How times of rows become buckets of the result.
  struct Buckets: Sendable {
    /// Those of rollups on the way from the table, then the query's own.
    let grids: [BucketGrid]
    let plan: LogicalPlan

    /// Start of the bucket that a row of this time is counted in.
    func start(of time: Int64) throws -> Int64 { try grids.reduce(time) { try $1.start(of: $0) } }
  }

  enum Kind: Sendable {
    case rows(any PlanNode)
    case buckets(Buckets)
  }

  let kind: Kind
  /// Whose commits matter.
  package let table: TableID
  package let tableName: String
  package let columns: [ResultColumn]
  let statement: PreparedStatement
  let parameters: [Datum]

  init(_ kind: Kind, _ table: TableSchema, _ statement: PreparedStatement, _ parameters: [Datum]) {
    self.kind = kind
    self.table = table.id
    tableName = table.name
    columns = statement.columns ?? []
    self.statement = statement
    self.parameters = parameters
  }

  package var hasBuckets: Bool { if case .buckets = kind { true } else { false } }

  /// The text, for those who watch.
  package var text: String { statement.parsed.text }

  // MARK: Buckets

  /// Start of the bucket that a row of this time is counted in. Only of a query with buckets.
  package func bucket(of time: Int64) throws -> Int64 { try buckets.start(of: time) }

  /// Where the bucket that begins at `start` ends.
  package func end(ofBucket start: Int64) throws -> Int64 {
    guard let own = buckets.grids.last else { preconditionFailure("a query with buckets has a grid") }
    return try own.end(of: start)
  }

  /// When everything in the bucket that begins at `start` has happened: a rollup's last bucket may end behind it.
  package func finish(ofBucket start: Int64) throws -> Int64 {
    try buckets.grids.dropLast().reversed().reduce(try end(ofBucket: start)) { end, grid in
      try grid.boundary(notBefore: end)
    }
  }

  private var buckets: Buckets {
    guard case .buckets(let buckets) = kind else { preconditionFailure("asked of a query with buckets") }
    return buckets
  }
}

extension QuerySession {
  /// A SELECT to be followed. Parameters are texts or NULL. Throws 0A000 for one that cannot be followed exactly, with the
  /// reason and the nearest form that can.
  package func subscribe(_ sql: String, parameters texts: [String?] = []) throws -> SubscribedQuery {
    do {
      let statements = try SQLParser.parse(sql)
      guard let parsed = statements.first, statements.count == 1 else {
        throw SQLError.make(
          "42601",
          statements.isEmpty ? "there is no statement" : "a subscription takes one statement, not \(statements.count)")
      }
      return try bindSubscription(parsed, try snapshot()) { types in
        guard types.count == texts.count else {
          throw SQLError.make(
            "08P01", "\(texts.count) parameters were given, but the statement requires \(types.count)")
        }
        return try zip(texts, types).map { text, type in
          try text.map { try TypeText.parse($0, as: type, context: evaluationContext) } ?? .null
        }
      }
    } catch {
      noteFailure(error)
      throw error
    }
  }

  /// The query for the tables of a snapshot: itself, while they are as they were. Throws if it has lost its meaning.
  package func renewed(_ query: SubscribedQuery, _ snapshot: any ReadSnapshot) throws -> SubscribedQuery {
    if query.statement.isCurrent(snapshot, timeZone: state.timeZone) { return query }
    let renewed = try bindSubscription(query.statement.parsed, snapshot) { types in
      guard types == query.statement.parameterTypes else {
        throw SQLError.make("0A000", "the types of the subscription's parameters have changed with its table")
      }
      return query.parameters
    }
    guard renewed.table == query.table else {
      throw SQLError.make(
        "55000", "table \"\(query.tableName)\" was dropped, and another has its name", hint: "Subscribe again.")
    }
    return renewed
  }

  /// What one commit brought of the query's rows. `snapshot` holds nothing else.
  package func rows(of query: SubscribedQuery, in snapshot: any ReadSnapshot) throws -> QueryResult {
    guard case .rows(let node) = query.kind else { preconditionFailure("rows of a query with rows") }
    return try follow(query, node, snapshot)
  }

  /// The query's rows of buckets that start within [lower, upper).
  package func buckets(of query: SubscribedQuery, from lower: Int64, before upper: Int64, in snapshot: any ReadSnapshot)
    throws -> QueryResult
  {
    guard case .buckets(let buckets) = query.kind else { preconditionFailure("buckets of a query with buckets") }
    let plan = SubscriptionBinder.restricted(buckets.plan, to: TimeRange(lower: lower, upper: upper - 1))
    return try follow(query, try Planner.plan(plan), snapshot)
  }

  private func follow(_ query: SubscribedQuery, _ node: any PlanNode, _ snapshot: any ReadSnapshot) throws
    -> QueryResult
  {
    let watch = beginWatch(query.statement, query.parameters)
    do {
      let catalog = CatalogView(snapshot: snapshot, session: state)
      state.setSnapshot(snapshot)
      let context = context(catalog, query.parameters)
      watchPlan(node, context)
      let result = QueryResult(columns: query.columns, rows: try context.open(node), verb: "SELECT")
      settleWatch(result)
      return result
    } catch {
      watch.end(error)
      throw error
    }
  }

  private func bindSubscription(
    _ parsed: ParsedStatement, _ snapshot: any ReadSnapshot, _ values: ([SQLType]) throws -> [Datum]
  ) throws -> SubscribedQuery {
    guard case .select(let select) = parsed.syntax else {
      throw parsed.source.unsupported(
        "a subscription to anything but a SELECT", at: parsed.firstWord,
        hint: "SELECT columns FROM one series table, or time_bucket and aggregates GROUP BY them.")
    }
    let catalog = CatalogView(snapshot: snapshot, session: state)
    state.setSnapshot(snapshot)
    let binder = Binder(
      source: parsed.source, catalog: catalog, session: state, evaluation: evaluation(catalog), parameterTypes: [])
    let bound = try binder.bindSelect(select, QueryLevel(parent: nil))
    let types = try binder.parameterTypes.enumerated().map { index, type -> SQLType in
      guard let type, type != .unknown else {
        throw SQLError.make("42P18", "could not determine data type of parameter $\(index + 1)")
      }
      return type
    }
    let (kind, table) = try SubscriptionBinder(binder, select).bind(bound.plan)
    let statement = PreparedStatement(
      parsed: parsed, kind: .utility, declaredTypes: [], parameterTypes: types, columns: bound.columns,
      dependencies: binder.dependencies,
      rollups: binder.dependencies.map { snapshot.rollupDefinitions(around: $0.id) },
      dimensions: binder.dimensions, reads: binder.reads, timeZone: state.timeZone, isOnceOnly: true)
    return SubscribedQuery(kind, table, statement, try values(types))
  }
}
