// Running procedures: their arguments, and what each does.

import VarveCompute
import VarveCore
import VarveStorage

extension QuerySession {
  func callProcedure(
    _ call: CallSyntax, at location: Int, _ source: SourceText, types: [SQLType], _ parameters: [Datum]
  ) throws -> QueryResult {
    let procedure = try procedure(call, at: location, source)
    let catalog = CatalogView(snapshot: try snapshot(), session: state)
    let binder = Binder(
      source: source, catalog: catalog, session: state, evaluation: evaluation(catalog), parameterTypes: types)
    let context = context(catalog, parameters)
    let arguments = try arguments(procedure, call, at: location, binder) { try context.constant($0) }
    if transactionStatus != .idle { throw inBlock("\(procedure.rawValue)()") }
    try writePending()
    let rows: [[Datum]]
    switch procedure {
    case .flush: rows = [[.int(Int64(bitPattern: try store.flushBlocking().rawValue))]]
    case .compactChunks:
      rows = try store.compactBlocking(table: arguments.text(0)) { try context.check() }.map { report in
        [.text(report.table)]
          + [report.chunksBefore, report.chunksAfter, report.bytesBefore, report.bytesAfter].map { .int(Int64($0)) }
      }
    case .backup: rows = [try backUp(arguments, context)]
    case .verify:
      let report = try store.verifyBlocking { try context.check() }
      rows =
        report.problems.map { [.text("damaged"), .text($0.path), .null, .text($0.message)] }
        + report.files.map { [.text($0.kind), .text($0.path), .int(Int64($0.byteCount)), .null] }
        + [[.text("summary"), .null, .null, .text(report.lines.last ?? "")]]
    case .refresh:
      try refreshRollup(arguments, catalog)
      rows = []
    case .addRefreshPolicy: rows = [[.int(try addRefreshPolicy(arguments, catalog))]]
    case .removeRefreshPolicy:
      try removeRefreshPolicy(arguments, catalog)
      rows = [[.text("")]]
    case .trustClock:
      try trustClock()
      rows = [[.text("")]]
    case .dropChunks, .showChunks, .retentionPreview, .runRetention, .addRetentionPolicy, .removeRetentionPolicy:
      rows = try callRetention(procedure, arguments, context)
    case .addTieringPolicy, .removeTieringPolicy: rows = try callTiering(procedure, arguments)
    case .archiveRun, .archiveList, .archiveVerify, .archiveRestore:
      rows = try callArchive(procedure, arguments) { try context.check() }
    case .addDownsampling: rows = try addDownsampling(arguments, binder)
    case .removeDownsampling:
      try removeDownsampling(arguments)
      rows = [[.text("")]]
    case .pauseJob: rows = [[.int(try setPaused(true, arguments, catalog))]]
    case .resumeJob: rows = [[.int(try setPaused(false, arguments, catalog))]]
    }
    let verb = call.isSelected ? "SELECT" : "CALL"
    guard let columns = procedure.columns else { return QueryResult(columns: nil, rows: nil, verb: verb) }
    return QueryResult(
      columns: columns, rows: RowsOperator(try QueryBatch(rows: rows, types: columns.map(\.type))), verb: verb)
  }

  private func backUp(_ arguments: ProcedureArguments, _ context: ExecutionContext) throws -> [Datum] {
    let request = BackupRequest(place: arguments.text(0), bytesPerSecond: arguments.int(1).map { Int($0) })
    if let rate = request.bytesPerSecond, rate < 0 {
      throw arguments.error("22023", "bytes_per_second must not be negative", at: 1, hint: "0 is without a limit.")
    }
    let report: BackupReport
    do { report = try store.backupBlocking(request) { try context.check() } } catch let error as VarveError
      where ["22004", "42501"].contains(error.sqlState)
    { throw arguments.error(error.sqlState ?? "", error.message, at: 0, hint: error.hint) }
    for warning in report.warnings { state.add(.notice(severity: "WARNING", sqlState: "01000", message: warning)) }
    return [.text(report.store)]
      + [
        report.number, Int(report.sequence.rawValue), report.files, report.byteCount, report.sentByteCount,
        report.sharedByteCount,
      ].map {
        .int(Int64($0))
      } + [.float(Double(report.nanoseconds) / 1e9)]
  }

  private func procedure(_ call: CallSyntax, at location: Int, _ source: SourceText) throws -> Procedure {
    if let procedure = Procedure(call.name) { return procedure }
    let known = Procedure.allCases.map { "\($0.rawValue)()" }.joined(separator: ", ")
    throw source.error(
      "42883", "procedure \(call.name.joined(separator: "."))(…) does not exist", at: location,
      hint: "There are \(known).")
  }

  /// Types of the values that a call takes from its client: what is not said follows from where they stand.
  func parameterTypes(
    of call: CallSyntax, at location: Int, _ source: SourceText, _ types: [SQLType?]
  ) throws -> [SQLType] {
    let catalog = CatalogView(snapshot: try snapshot(), session: state)
    let binder = Binder(
      source: source, catalog: catalog, session: state, evaluation: evaluation(catalog), parameterTypes: types)
    // Only types are asked for: no value is known yet.
    _ = try arguments(procedure(call, at: location, source), call, at: location, binder) { _ in .null }
    return try binder.parameterTypes.enumerated().map { index, type in
      guard let type, type != .unknown else {
        throw SQLError.make("42P18", "could not determine data type of parameter $\(index + 1)")
      }
      return type
    }
  }

  /// By place and by name; a value for each of the procedure's parameters.
  private func arguments(
    _ procedure: Procedure, _ call: CallSyntax, at location: Int, _ binder: Binder,
    _ value: (BoundExpression) throws -> Datum
  ) throws -> ProcedureArguments {
    let source = binder.source
    let parameters = procedure.parameters
    func mismatch(_ what: String, at place: Int) -> VarveError {
      source.error("42883", "\(procedure.rawValue)() \(what)", at: place, hint: "It is \(procedure.signature).")
    }
    if call.isStar || call.isDistinct || call.isVariadic || call.filter != nil || call.window != nil {
      throw mismatch("takes values only", at: location)
    }
    var values = [Datum?](repeating: nil, count: parameters.count)
    var locations = [Int](repeating: location, count: parameters.count)
    var hasNames = false
    for (place, argument) in call.arguments.enumerated() {
      var (index, expression) = (place, argument)
      if case .named(let name, let named) = argument.kind {
        guard let found = parameters.firstIndex(where: { $0.name == name }) else {
          throw mismatch("has no parameter \"\(name)\"", at: argument.location)
        }
        guard values[found] == nil else {
          throw source.error("42601", "argument name \"\(name)\" used more than once", at: argument.location)
        }
        (index, expression, hasNames) = (found, named, true)
      } else if hasNames {
        throw source.error("42601", "positional argument cannot follow named argument", at: argument.start)
      }
      guard index < parameters.count else {
        throw mismatch(
          parameters.isEmpty ? "takes no arguments" : "takes \(parameters.count) arguments at most", at: argument.start)
      }
      let level = QueryLevel(parent: nil)
      level.clauseWithoutAggregates = "arguments of procedures"
      var bound = try binder.bind(expression, level)
      if parameters[index].takesAge, bound.type == .interval { bound = try Self.before(bound, binder) }
      guard let converted = try binder.coerce(bound, to: parameters[index].type, .implicit, at: expression.start) else {
        throw mismatch(
          "takes \(parameters[index].type.name) for \(parameters[index].name), not \(bound.type.name)",
          at: expression.start)
      }
      values[index] = try value(converted)
      locations[index] = expression.start
    }
    for (parameter, value) in zip(parameters, values) where value == nil && !parameter.isOptional {
      throw mismatch("needs \(parameter.name)", at: location)
    }
    return ProcedureArguments(values: values.map { $0 ?? .null }, locations: locations, source: source)
  }
}

extension QuerySession {
  /// So long before now.
  private static func before(_ age: BoundExpression, _ binder: Binder) throws -> BoundExpression {
    guard let minus = try FunctionCatalog.operator("-", [.timestamptz, .interval]) else {
      preconditionFailure("intervals are taken from times")
    }
    return .call(minus, [.constant(.timestamp(binder.evaluation.now), .timestamptz), age])
  }
}

/// Values of a procedure's parameters, in order, and where they stand.
struct ProcedureArguments {
  let values: [Datum]
  let locations: [Int]
  let source: SourceText

  func text(_ place: Int) -> String? {
    if case .text(let text) = values[place] { text } else { nil }
  }
  func int(_ place: Int) -> Int64? {
    if case .int(let value) = values[place] { value } else { nil }
  }
  func time(_ place: Int) -> Int64? {
    if case .timestamp(let time) = values[place] { time } else { nil }
  }
  func interval(_ place: Int) -> Interval? {
    if case .interval(let interval) = values[place] { interval } else { nil }
  }
  func isTrue(_ place: Int) -> Bool {
    if case .bool(true) = values[place] { true } else { false }
  }

  func error(_ state: String, _ message: String, at place: Int, hint: String? = nil) -> VarveError {
    source.error(state, message, at: locations[place], hint: hint)
  }
}
