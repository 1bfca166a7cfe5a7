// One run of `varve bench`: server, load, verification, report.

import ArgumentParser
import VarveBench
import VarveCore
import VarveServer
import VarveWire

struct BenchSession {
  private let options: LoadOptions
  private let place: BenchPlace
  private let verifies: Bool
  private let format: RowFormat

  init(_ options: LoadOptions, place: BenchPlace, verifies: Bool, format: RowFormat) {
    self.options = options
    self.place = place
    self.verifies = verifies
    self.format = format
  }

  /// `serverFlags`: of the server that is started if none is named.
  func run(serverFlags: [String]) throws {
    guard !place.isGiven else { return try load(try place.target(), nil) }
    let server = try OwnServer(flags: serverFlags)
    do {
      try load(server.target, server)
    } catch {
      let ending = server.ending()
      try server.stop()
      // An exit code says that everything has been said.
      if let ending, !(error is ExitCode) { throw VarveError(.inputOutput, "\(Self.text(error)): \(ending)") }
      throw error
    }
    try server.stop()
  }

  private func load(_ target: LoadTarget, _ server: OwnServer?) throws {
    if !place.append { try refuseExistingTables(target) }
    let run = LoadRun(options, target)
    ShutdownSignals.onFirst { _ in
      StandardStreams.note("varve: ending the load; once more to leave at once")
      run.end()
    }
    var progress = BenchProgress(options)
    let outcome = try run.run { progress.show($0) }
    progress.end()
    let differences = verifies && outcome.rowsRejected == 0 ? try verify(outcome, target) : nil
    let report = LoadReport(
      outcome, verification: differences.map { $0.isEmpty ? "passed" : "failed" } ?? "none")
    try print(report)
    if let message = outcome.firstRejection {
      StandardStreams.note(
        "varve: the server rejected \(outcome.rowsRejected) rows, and the load was ended: \(message)")
    }
    for difference in differences ?? [] {
      StandardStreams.note(
        "varve: verification failed: \(difference.what) is \(difference.found), expected \(difference.expected)")
    }
    if outcome.rowsRejected > 0 || differences?.isEmpty == false { throw ExitCode.failure }
  }

  private var plans: [LoadPlan] { [options.plan] + (options.probeNanoseconds == nil ? [] : [options.probePlan]) }

  private func refuseExistingTables(_ target: LoadTarget) throws {
    guard let postgres = target.postgres else { return }
    let names = plans.map { "'\($0.table)'" }.joined(separator: ", ")
    let found = try PostgresClient(postgres).rows(
      "SELECT table_name FROM varve.tables WHERE table_name IN (\(names))")
    guard let name = found.first?.first ?? nil else { return }
    throw VarveError(
      .alreadyExists, "the server has a table '\(name)' already, so nothing could be verified",
      hint: "choose another with --table, or drop it; --append writes into it without verification")
  }

  private func verify(_ outcome: LoadOutcome, _ target: LoadTarget) throws -> [LoadVerification.Difference] {
    guard let postgres = target.postgres else { return [] }
    let client = try PostgresClient(postgres)
    var differences = try LoadVerification(options.plan, outcome.expected).differences(client)
    if let probe = outcome.probeExpected {
      differences += try LoadVerification(options.probePlan, probe).differences(client)
    }
    return differences
  }

  /// A list for people, a record for programs.
  private func print(_ report: LoadReport) throws {
    let sink = format.sink { _ in }
    func column(_ name: String, isNumber: Bool) -> ResultColumn {
      ResultColumn(name: name, typeOID: isNumber ? 1700 : 25, typeSize: -1)
    }
    if format == .table {
      try sink.begin([column("figure", isNumber: false), column("value", isNumber: true)])
      for figure in report.figures { if let value = figure.value { try sink.row(texts: [figure.name, value]) } }
    } else {
      try sink.begin(report.figures.map { column($0.name, isNumber: $0.isNumber) })
      try sink.row(texts: report.figures.map(\.value))
    }
    try sink.end(tag: "")
  }

  private static func text(_ error: any Error) -> String {
    (error as? VarveError)?.message ?? (error as? PostgresError)?.message ?? "\(error)"
  }
}
