// DECLARE, FETCH, MOVE and CLOSE. Cursors end with their transaction.

import VarveCompute
import VarveCore

extension QuerySession {
  func planCursor(_ declare: DeclareSyntax, _ parsed: ParsedStatement, _ binder: Binder) throws -> CursorPlan {
    if let (what, hint) = declare.unsupported {
      throw parsed.source.unsupported("DECLARE CURSOR \(what)", at: parsed.firstWord, hint: hint)
    }
    guard let query = declare.query else {
      throw parsed.source.unsupported(
        "DECLARE CURSOR for anything but SELECT and VALUES", at: parsed.firstWord)
    }
    let bound = try binder.bindSelect(query, QueryLevel(parent: nil))
    return CursorPlan(
      name: declare.name, rows: try Planner.plan(bound.plan), columns: bound.columns,
      isNeverScrolled: declare.isNeverScrolled, text: parsed.text)
  }

  func declare(_ plan: CursorPlan, _ context: ExecutionContext) throws -> QueryResult {
    if transactionStatus == .idle {
      throw SQLError.make(
        "25P01", "DECLARE CURSOR can only be used in transaction blocks",
        hint: "BEGIN first: a cursor ends with its "
          + "transaction.")
    }
    if cursors[Name(plan.name)] != nil || portal(named: plan.name) != nil {
      throw SQLError.make("42P03", "cursor \"\(plan.name)\" already exists")
    }
    cursors[Name(plan.name)] = try SQLCursor(plan, context)
    state.add(.cursorOpened(plan.name, columns: plan.columns))
    state.setCursor(plan.name, CursorEntry(name: plan.name, text: plan.text, createdAt: clock.wallNanoseconds()))
    return QueryResult(columns: nil, rows: nil, verb: "DECLARE CURSOR")
  }

  /// What FETCH gives; nil: nothing, since it is MOVE or there is no such cursor.
  func columns(of fetch: FetchSyntax) -> [ResultColumn]? {
    fetch.isMove
      ? nil : cursors[Name(fetch.cursor)]?.plan.columns ?? portal(named: fetch.cursor)?.statement.columns
  }

  func fetch(_ fetch: FetchSyntax, _ statement: PreparedStatement) throws -> QueryResult {
    guard let cursor = cursors[Name(fetch.cursor)] else {
      if let portal = portal(named: fetch.cursor) { return try self.fetch(fetch, from: portal, statement) }
      throw SQLError.make("34000", "cursor \"\(fetch.cursor)\" does not exist")
    }
    let timeout = state.statementTimeoutNanoseconds
    cursor.context.limit.nanoseconds = timeout > 0 ? clock.monotonicNanoseconds() &+ timeout : nil
    if fetch.isMove { return QueryResult(columns: nil, rows: nil, verb: "MOVE", affected: try move(cursor, fetch)) }
    guard statement.columns == cursor.plan.columns else {
      throw SQLCursor.otherColumns
    }
    return QueryResult(
      columns: cursor.plan.columns, rows: FetchOperator(cursor, try cursor.place(fetch)), verb: "FETCH",
      failed: { [weak self] error in
        self?.fail()
        return error
      })
  }

  private func move(_ cursor: SQLCursor, _ fetch: FetchSyntax) throws -> Int {
    if fetch.direction == .backward, fetch.count == .max {
      let passed = max(cursor.position - (cursor.isAtEnd ? 0 : 1), 0)
      try cursor.rewind()
      return passed
    }
    let (limit, again) = try cursor.place(fetch)
    return try again?.count ?? cursor.skip(limit)
  }

  func closeCursor(_ name: String?) throws -> QueryResult {
    guard let name else {
      closeCursors()
      return QueryResult(columns: nil, rows: nil, verb: "CLOSE CURSOR ALL")
    }
    if let cursor = cursors[Name(name)] {
      close(cursor)
    } else if portals.removeValue(forKey: Name(name))?.portal != nil {
      state.add(.cursorClosed(name))
    } else {
      throw SQLError.make("34000", "cursor \"\(name)\" does not exist")
    }
    return QueryResult(columns: nil, rows: nil, verb: "CLOSE CURSOR")
  }

  func closeCursors() {
    for cursor in cursors.values { close(cursor) }
    for name in portals.keys { state.add(.cursorClosed(name.text)) }
    portals = [:]
  }

  func close(_ cursor: SQLCursor) {
    cursors[Name(cursor.plan.name)] = nil
    state.add(.cursorClosed(cursor.plan.name))
    state.setCursor(cursor.plan.name, nil)
  }
}
