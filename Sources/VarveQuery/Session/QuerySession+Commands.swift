// Statements without a plan: transactions, settings, tables, SQL's own prepared statements.

import VarveCompute
import VarveCore
import VarveStorage

extension QuerySession {
  func command(_ statement: PreparedStatement, _ parameters: [Datum]) throws -> QueryResult {
    func done(_ verb: String) -> QueryResult { QueryResult(columns: nil, rows: nil, verb: verb) }
    switch statement.parsed.syntax {
    case .empty: return done("")
    case .transaction(.begin(let options)):
      try begin(options)
      return done("BEGIN")
    case .transaction(.commit): return done(try commit())
    case .transaction(.rollback):
      rollback()
      return done("ROLLBACK")
    case .transaction(.savepoint(let name)):
      try setSavepoint(name)
      return done("SAVEPOINT")
    case .transaction(.release(let name)):
      try releaseSavepoint(name)
      return done("RELEASE")
    case .transaction(.rollbackTo(let name)):
      try rollback(toSavepoint: name)
      return done("ROLLBACK")
    case .transaction(.unsupported(let what)):
      throw SQLError.make("0A000", "\(what) is not supported", hint: "BEGIN, COMMIT, ROLLBACK and SAVEPOINT work.")
    case .set(let set): return done(try apply(set))
    case .setTransaction(let options):
      try setTransaction(options)
      return done("SET")
    case .show(let name): return try show(name, statement.columns)
    case .discard:
      if transactionStatus != .idle { throw inBlock("DISCARD ALL") }
      try state.resetAll()
      namedStatements = [:]
      leaveChannels()
      state.add(.deallocateAll)
      return done("DISCARD ALL")
    case .deallocate(let name):
      if let name {
        if namedStatements.removeValue(forKey: Name(name)) == nil { state.add(.deallocate(name)) }
        return done("DEALLOCATE")
      }
      namedStatements = [:]
      state.add(.deallocateAll)
      return done("DEALLOCATE ALL")
    case .prepare(let name, let types, let inner): return try prepareNamed(name, types, inner, statement.parsed)
    case .execute(let name, let arguments): return try executeNamed(name, arguments, statement.parsed)
    case .createTable(let create): return try createTable(create, statement.parsed.source)
    case .alterTable(let alter): return try alterTable(alter, statement.parsed.source)
    case .dropTable(let drop): return try dropTables(drop, statement.parsed.source)
    case .createRollup(let create): return try createRollup(create, statement.parsed)
    case .listen(let channel):
      try listen(to: channel, statement.parsed.source, at: statement.parsed.firstWord)
      return done("LISTEN")
    case .unlisten(let channel):
      unlisten(channel)
      return done("UNLISTEN")
    case .notify(let channel, let payload):
      try notify(channel, payload)
      return done("NOTIFY")
    case .fetch(let fetch): return try self.fetch(fetch, statement)
    case .closeCursor(let name): return try closeCursor(name)
    case .call(let call, let location):
      return try callProcedure(
        call, at: location, statement.parsed.source, types: statement.parameterTypes, parameters)
    case .unsupported(let what, let hint):
      // The statement's first word: a statement begins behind blanks.
      throw statement.parsed.source.unsupported(what, at: statement.parsed.firstWord, hint: hint)
    case .select, .insert, .update, .delete, .truncate, .copy, .explain, .declare:
      preconditionFailure("these have a plan")
    }
  }

  func inBlock(_ what: String) -> VarveError {
    SQLError.make("25001", "\(what) cannot run inside a transaction block", hint: "Run it with autocommit.")
  }

  func apply(_ set: SetSyntax) throws -> String {
    switch set.kind {
    case .resetAll:
      try state.resetAll()
      return "RESET"
    case .reset, .toDefault:
      try state.set(set.name, nil, isLocal: set.isLocal)
      return set.kind == .reset ? "RESET" : "SET"
    case .value:
      if set.isLocal, transactionStatus == .idle {
        state.add(
          .notice(
            severity: "WARNING", sqlState: "25P01", message: "SET LOCAL can only be used in transaction blocks"))
      }
      try state.set(set.name, set.values.joined(separator: ", "), isLocal: set.isLocal)
      return "SET"
    }
  }

  func show(_ name: String, _ columns: [ResultColumn]?) throws -> QueryResult {
    let rows: [[Datum]]
    if name == "all" {
      rows = state.listing().map { [.text($0.name), .text($0.value), .text($0.summary)] }
    } else {
      guard let value = state.setting(name) else {
        throw SQLError.make("42704", "unrecognized configuration parameter \"\(name)\"")
      }
      let kind = SettingDefinition.byName[name.lowercased()]?.kind
      var shown = value
      switch kind {
      case .milliseconds: shown = Self.duration(milliseconds: value)
      case .millisecondsOrNever where value != "-1": shown = Self.duration(milliseconds: value)
      default: break
      }
      rows = [[.text(shown)]]
    }
    let types = Array(repeating: SQLType.text, count: rows.first?.count ?? 1)
    return QueryResult(columns: columns, rows: RowsOperator(try QueryBatch(rows: rows, types: types)), verb: "SHOW")
  }

  /// As PostgreSQL shows a time: in the largest unit that leaves no rest.
  private static func duration(milliseconds text: String) -> String {
    guard let number = Int64(text), number > 0 else { return text }
    for (unit, size) in [("d", Int64(86_400_000)), ("h", 3_600_000), ("min", 60_000), ("s", 1000)]
    where number % size == 0 { return "\(number / size)\(unit)" }
    return "\(number)ms"
  }

  // MARK: PREPARE and EXECUTE

  func prepareNamed(_ name: String, _ types: [TypeSyntax], _ inner: StatementSyntax, _ parsed: ParsedStatement)
    throws -> QueryResult
  {
    guard namedStatements[Name(name)] == nil else {
      throw SQLError.make("42P05", "prepared statement \"\(name)\" already exists")
    }
    let catalog = CatalogView(snapshot: try snapshot(), session: state)
    let binder = Binder(
      source: parsed.source, catalog: catalog, session: state, evaluation: evaluation(catalog), parameterTypes: [])
    let declared = try types.map { Optional(try binder.type($0)) }
    let statement = ParsedStatement(syntax: inner, source: parsed.source, text: parsed.text)
    namedStatements[Name(name)] = try plan(statement, declared)
    return QueryResult(columns: nil, rows: nil, verb: "PREPARE")
  }

  /// Planned anew where its tables have changed.
  func namedStatement(_ name: String) throws -> PreparedStatement {
    guard let known = namedStatements[Name(name)] else {
      throw SQLError.make("26000", "prepared statement \"\(name)\" does not exist")
    }
    if known.isCurrent(try statementSnapshot(), timeZone: state.timeZone) { return known }
    let renewed = try plan(known.parsed, known.declaredTypes)
    namedStatements[Name(name)] = renewed
    return renewed
  }

  func executeNamed(_ name: String, _ arguments: [ExpressionSyntax], _ parsed: ParsedStatement) throws
    -> QueryResult
  {
    let inner = try namedStatement(name)
    let catalog = CatalogView(snapshot: try snapshot(), session: state)
    let binder = Binder(
      source: parsed.source, catalog: catalog, session: state, evaluation: evaluation(catalog), parameterTypes: [])
    let context = context(catalog, [])
    var values: [Datum] = []
    for (argument, type) in zip(arguments, inner.parameterTypes) {
      let level = QueryLevel(parent: nil)
      level.clauseWithoutAggregates = "EXECUTE parameters"
      let bound = try binder.bind(argument, level)
      guard let converted = try binder.coerce(bound, to: type, .assignment, at: argument.location) else {
        throw binder.error(
          "42804", "parameter of type \(type.name) cannot take a value of type \(bound.type.name)",
          at: argument.location)
      }
      values.append(try context.constant(converted))
    }
    return try run(inner, values)
  }

  // MARK: Tables

  func createTable(_ create: CreateTableSyntax, _ source: SourceText) throws -> QueryResult {
    let catalog = CatalogView(snapshot: try snapshot(), session: state)
    let binder = Binder(
      source: source, catalog: catalog, session: state, evaluation: evaluation(catalog), parameterTypes: [])
    try checkWritable("CREATE TABLE")
    let name = create.table.name
    do {
      if create.isDimension {
        try store.createDimension(try binder.bindCreateDimension(create))
      } else {
        try store.createTable(try binder.bindCreateTable(create))
      }
    } catch let error as VarveError where error.code == .alreadyExists {
      guard create.ifNotExists else {
        throw source.error(
          "42P07", "relation \"\(name)\" already exists", at: create.table.location,
          hint: "CREATE TABLE IF NOT EXISTS leaves it as it is.")
      }
      state.add(
        .notice(
          severity: "NOTICE", sqlState: "42P07", message: "relation \"\(name)\" already exists, skipping"))
      return QueryResult(columns: nil, rows: nil, verb: "CREATE TABLE")
    }
    if transactionStatus != .idle {
      transactionSnapshot = nil
      state.add(
        .notice(
          severity: "WARNING", sqlState: "01000",
          message: "CREATE TABLE takes effect at once; ROLLBACK does not undo it"))
    }
    return QueryResult(columns: nil, rows: nil, verb: "CREATE TABLE")
  }

  func dropTables(_ drop: DropTableSyntax, _ source: SourceText) throws -> QueryResult {
    let view = CatalogView(snapshot: try snapshot(), session: state)
    try checkWritable(drop.verb)
    var names: [String] = []
    var dimensions: [TableID] = []
    for parts in drop.tables {
      let name = parts.last ?? ""
      let schema = parts.count > 1 ? parts[parts.count - 2] : nil
      switch view.relation(schema: schema, name: name)?.source {
      case .rollup:
        guard drop.isRollup else {
          throw SQLError.make("42809", "\"\(name)\" is not a table", hint: "Use DROP MATERIALIZED VIEW.")
        }
        if !names.contains(where: { $0.isSameName(as: name) }) { names.append(name) }
      case .series where drop.isRollup, .dimension where drop.isRollup:
        throw SQLError.make("42809", "\"\(name)\" is not a materialized view", hint: "Use DROP TABLE.")
      case .series: if !names.contains(where: { $0.isSameName(as: name) }) { names.append(name) }
      case .dimension(let table):
        if !names.contains(where: { $0.isSameName(as: name) }) { names.append(name) }
        dimensions.append(table.id)
      case .virtual:
        throw SQLError.make("42501", "permission denied: \"\(name)\" is a system catalog")
      case nil:
        guard drop.ifExists else {
          throw SQLError.make(
            "42P01", "\(drop.what) \"\(name)\" does not exist", hint: "\(drop.verb) IF EXISTS passes over it.")
        }
        state.add(
          .notice(severity: "NOTICE", sqlState: "00000", message: "\(drop.what) \"\(name)\" does not exist, skipping"))
      }
    }
    if !names.isEmpty, transactionStatus != .idle { throw inBlock(drop.verb) }
    try writePending()
    defer { unlockTables() }
    for table in dimensions { try lock(table) }
    for name in names { try store.dropTable(named: name, cascade: drop.cascades) }
    return QueryResult(columns: nil, rows: nil, verb: drop.verb)
  }

  func alterTable(_ alter: AlterTableSyntax, _ source: SourceText) throws -> QueryResult {
    try checkWritable(alter.verb)
    let done = QueryResult(columns: nil, rows: nil, verb: alter.verb)
    func bind() throws -> (table: Relation, changes: [TableAlteration], notices: [String])? {
      let catalog = CatalogView(snapshot: try snapshot(), session: state)
      if alter.ifExists, catalog.relation(schema: alter.table.schema, name: alter.table.name) == nil {
        state.add(
          .notice(
            severity: "NOTICE", sqlState: "00000",
            message: "relation \"\(alter.table.name)\" does not exist, skipping"))
        return nil
      }
      let binder = Binder(
        source: source, catalog: catalog, session: state, evaluation: evaluation(catalog), parameterTypes: [])
      return try binder.bindAlter(alter)
    }
    if try alterRollup(alter, source) { return done }
    guard var bound = try bind() else { return done }
    if transactionStatus != .idle { throw inBlock(alter.verb) }
    try writePending()
    defer { unlockTables() }
    if case .dimension(let table) = bound.table.source {
      // What was bound may depend on rows that another session is changing.
      try lock(table.id)
      guard let again = try bind() else { return done }
      bound = again
    }
    for notice in bound.notices { state.add(.notice(severity: "NOTICE", sqlState: "42701", message: notice)) }
    if !bound.changes.isEmpty { try store.alterTable(named: bound.table.name, bound.changes) }
    return done
  }
}

extension ParsedStatement {
  /// What it gives depends on a cursor, which may be another one next time.
  var isAboutCursor: Bool {
    if case .fetch = syntax { true } else { false }
  }

  /// Where the statement begins in its source; 0 if that is not known.
  var firstWord: Int {
    let whole = Array(source.text.utf8)
    let own = Array(text.utf8)
    var start = 0
    while start + own.count <= whole.count {
      if whole[start] == own.first, Array(whole[start..<(start + own.count)]) == own { break }
      start += 1
    }
    var index = 0
    while index < own.count, own[index] <= 0x20 { index += 1 }
    return start + own.count <= whole.count ? start + index : 0
  }
}
