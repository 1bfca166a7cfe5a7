// Running procedures: their arguments, and what each does.

import VarveCompute
import VarveCore
import VarveStorage

extension QuerySession {
  func callProcedure(_ call: CallSyntax, at location: Int, _ source: SourceText) throws -> QueryResult {
    guard let procedure = Procedure(call.name) else {
      let known = Procedure.allCases.map { "\($0.rawValue)()" }.joined(separator: ", ")
      throw source.error(
        "42883", "procedure \(call.name.joined(separator: "."))(…) does not exist", at: location,
        hint: "There are \(known).")
    }
    let catalog = CatalogView(snapshot: try snapshot(), session: state)
    let arguments = try arguments(procedure, call, at: location, source, catalog)
    if transactionStatus != .idle { throw inBlock("\(procedure.rawValue)()") }
    try writePending()
    let rows: [[Datum]]
    switch procedure {
    case .flush: rows = [[.int(Int64(bitPattern: try store.flushBlocking().rawValue))]]
    case .compactChunks:
      let context = context(catalog, [])
      rows = try store.compactBlocking(table: arguments.text(0)) { try context.check() }.map { report in
        [.text(report.table)]
          + [report.chunksBefore, report.chunksAfter, report.bytesBefore, report.bytesAfter].map { .int(Int64($0)) }
      }
    case .verify:
      let context = context(catalog, [])
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
    case .dropChunks, .showChunks, .addRetentionPolicy, .removeRetentionPolicy:
      rows = try callRetention(procedure, arguments, context(catalog, []))
    case .pauseJob: rows = [[.int(try setPaused(true, arguments, catalog))]]
    case .resumeJob: rows = [[.int(try setPaused(false, arguments, catalog))]]
    }
    let verb = call.isSelected ? "SELECT" : "CALL"
    guard let columns = procedure.columns else { return QueryResult(columns: nil, rows: nil, verb: verb) }
    return QueryResult(
      columns: columns, rows: RowsOperator(try QueryBatch(rows: rows, types: columns.map(\.type))), verb: verb)
  }

  /// By place and by name; a value for each parameter.
  private func arguments(
    _ procedure: Procedure, _ call: CallSyntax, at location: Int, _ source: SourceText, _ catalog: CatalogView
  ) throws -> ProcedureArguments {
    let parameters = procedure.parameters
    func mismatch(_ what: String, at place: Int) -> VarveError {
      source.error("42883", "\(procedure.rawValue)() \(what)", at: place, hint: "It is \(procedure.signature).")
    }
    if call.isStar || call.isDistinct || call.isVariadic || call.filter != nil || call.window != nil {
      throw mismatch("takes values only", at: location)
    }
    let binder = Binder(
      source: source, catalog: catalog, session: state, evaluation: evaluation(catalog), parameterTypes: [])
    let context = context(catalog, [])
    var values = [Datum?](repeating: nil, count: parameters.count)
    var locations = [Int](repeating: location, count: parameters.count)
    var hasNames = false
    for (place, argument) in call.arguments.enumerated() {
      var (index, value) = (place, argument)
      if case .named(let name, let named) = argument.kind {
        guard let found = parameters.firstIndex(where: { $0.name == name }) else {
          throw mismatch("has no parameter \"\(name)\"", at: argument.location)
        }
        guard values[found] == nil else {
          throw source.error("42601", "argument name \"\(name)\" used more than once", at: argument.location)
        }
        (index, value, hasNames) = (found, named, true)
      } else if hasNames {
        throw source.error("42601", "positional argument cannot follow named argument", at: argument.start)
      }
      guard index < parameters.count else {
        throw mismatch(
          parameters.isEmpty ? "takes no arguments" : "takes \(parameters.count) arguments at most", at: argument.start)
      }
      let level = QueryLevel(parent: nil)
      level.clauseWithoutAggregates = "arguments of procedures"
      let bound = try binder.bind(value, level)
      guard let converted = try binder.coerce(bound, to: parameters[index].type, .implicit, at: value.start) else {
        throw mismatch(
          "takes \(parameters[index].type.name) for \(parameters[index].name), not \(bound.type.name)", at: value.start)
      }
      values[index] = try context.constant(converted)
      locations[index] = value.start
    }
    for (parameter, value) in zip(parameters, values) where value == nil && !parameter.isOptional {
      throw mismatch("needs \(parameter.name)", at: location)
    }
    return ProcedureArguments(values: values.map { $0 ?? .null }, locations: locations, source: source)
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
