// Whether the table holds what was sent: asked by SQL, compared exactly. Decimals are compared as whole numbers of their
// last place, so no rounding of sums hides a wrong value.

import VarveCore
import VarveServer

package struct LoadVerification {
  package struct Difference: Equatable {
    /// An expression of SQL.
    package let what: String
    package let found: String
    package let expected: String
  }

  /// What was asked.
  package private(set) var figures: [(what: String, expected: String)] = []
  private let table: String

  package init(_ plan: LoadPlan, _ expected: ExpectedRows) {
    table = plan.table
    let shape = RowShape(plan.schema)
    func time(_ step: UInt32) -> String { "\(plan.start + Int64(step) * plan.stepNanoseconds)" }
    figures = [
      ("count(*)", "\(expected.rowCount)"),
      ("count(DISTINCT \"\(shape.seriesTagName)\")", "\(expected.seriesCount)"),
      ("to_ns(min(time))", time(expected.firstStep)), ("to_ns(max(time))", time(expected.lastStep)),
    ]
    for (field, sum) in zip(shape.fields, expected.sums.array) { figures.append((Self.sum(field), "\(sum)")) }
    let weight = "to_ns(time) / \(plan.stepNanoseconds) % \(ExpectedRows.weightModulus)"
    figures.append(("sum(\(Self.whole(shape.fields[0])) * (\(weight)))", "\(expected.checksum)"))
  }

  /// Asks, and gives what differs.
  package func differences(_ connection: any SQLConnection) throws -> [Difference] {
    let columns = figures.map(\.what).joined(separator: ", ")
    let rows = try connection.rows("SELECT \(columns) FROM \"\(table)\"")
    guard rows.count == 1, rows[0].count == figures.count else {
      throw VarveError(.inputOutput, "the server answers one question with \(rows.count) rows")
    }
    return zip(figures, rows[0]).compactMap { figure, found in
      found == figure.expected
        ? nil : Difference(what: figure.what, found: found ?? "NULL", expected: figure.expected)
    }
  }

  /// A whole number for each value.
  private static func whole(_ field: LoadField) -> String {
    guard case .decimal(let places) = field.kind else { return "\"\(field.name)\"" }
    return "round(\"\(field.name)\" * 1\(String(repeating: "0", count: places)))::bigint"
  }

  private static func sum(_ field: LoadField) -> String {
    switch field.kind {
    case .integer, .decimal: "sum(\(whole(field)))"
    case .boolean: "count(*) FILTER (WHERE \"\(field.name)\")"
    case .text: "sum(length(\"\(field.name)\"))"
    }
  }
}
