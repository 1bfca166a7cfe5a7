// One statement from its beginning to its end: how long it took, what it gave, how it failed.
//
// Made by the session when it starts the statement. A statement with rows ends when they do, or are let go of; one
// that others commit for it (INSERT without BEGIN) ends when that is done; see `QuerySession.endWatch`.

import VarveCompute
import VarveCore

final class StatementWatch {
  let kind: StatementKind
  private let statement: PreparedStatement
  private let parameters: [Datum]
  private let session: SessionState
  private let clock: SessionClock
  private let start: Int64
  /// Nanoseconds from which on the statement is told of; nil: it is not.
  let slowNanoseconds: Int64?
  /// The plan with what its operators came to, as lines; asked for when the statement was slow.
  var plan: (() throws -> [String])?
  private var rowCount = 0
  private(set) var isEnded = false

  init(_ statement: PreparedStatement, _ parameters: [Datum], _ session: SessionState, _ clock: SessionClock) {
    kind = StatementKind(statement.parsed.syntax)
    self.statement = statement
    self.parameters = parameters
    self.session = session
    self.clock = clock
    slowNanoseconds = session.slowStatementNanoseconds
    start = clock.monotonicNanoseconds()
    session.activity.control.renew()
    session.activity.began(statement.parsed.text, at: clock.wallNanoseconds())
  }

  func gave(rows count: Int) {
    rowCount += count
    session.activity.gave(rows: count)
  }

  /// `error`: nil for one that did what it should.
  func end(_ error: (any Error)? = nil) {
    guard !isEnded else { return }
    isEnded = true
    let nanoseconds = clock.monotonicNanoseconds() - start
    session.activity.ended(at: clock.wallNanoseconds())
    if let error {
      session.countFailure(kind, error)
    } else {
      session.monitor.count { $0.add(kind, nanoseconds: nanoseconds, rows: rowCount) }
    }
    if let slowNanoseconds, nanoseconds >= slowNanoseconds { tell(nanoseconds, error) }
    plan = nil
  }

  private func tell(_ nanoseconds: Int64, _ error: (any Error)?) {
    let report = session.activity.report
    session.monitor.onSlowStatement(
      SlowStatement(
        session: report, kind: kind, durationNanoseconds: nanoseconds, rows: rowCount,
        sqlState: error.map { ($0 as? VarveError)?.finalSQLState ?? "XX000" },
        text: SlowStatement.bounded(statement.parsed.text),
        parameters: parameterTexts(), plan: planLines()))
  }

  private func planLines() -> [String] {
    guard let plan else { return [] }
    do {
      let lines = try plan()
      return lines.count <= SlowStatement.planLineLimit
        ? lines : lines.prefix(SlowStatement.planLineLimit) + ["… (\(lines.count) lines)"]
    } catch {
      // A statement that failed may have left nothing to describe.
      return ["(no plan: \(error))"]
    }
  }

  /// `$1 = 'text'`, in the form that SQL takes.
  private func parameterTexts() -> [String] {
    let context = EvaluationContext(now: 0, timeZone: session.timeZone, zones: session.zones)
    let shown = Array(zip(parameters, statement.parameterTypes).prefix(SlowStatement.parameterLimit))
    var texts = shown.enumerated().map { index, parameter in
      "$\(index + 1) = \(Self.literal(parameter.0, parameter.1, context))"
    }
    if parameters.count > shown.count { texts.append("… (\(parameters.count) parameters)") }
    return texts
  }

  private static func literal(_ value: Datum, _ type: SQLType, _ context: EvaluationContext) -> String {
    if value.isNull { return "NULL" }
    do {
      let text = SlowStatement.bounded(
        try TypeText.string(value, type: type, context: context), SlowStatement.parameterByteCount)
      return "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''") + "'"
    } catch {
      return "(\(error))"
    }
  }
}
