import Testing
@testable import Varve
import VarveCore
import VarveQuery

/// Comparisons of a field leave row blocks unread whose values lie elsewhere.
@Suite struct ZonePruningTests {
  private let scratch: Scratch
  init() throws { scratch = try Scratch() }

  @Test func comparisonsOfAFieldSkipRowBlocks() async throws {
    let database = try await Database.open(scratch.database)
    for day in 0..<3 {
      try await database.write(
        (0..<10).map { number in
          let value = day * 100 + number
          return Point(
            "m", tags: ["host": "a"], fields: ["i": .integer(Int64(value)), "f": .double(Double(value) + 0.5)],
            timeNanoseconds: AggregateWorkload.midnight + Int64(day * 24 + number) * AggregateWorkload.hour)
        })
    }
    try await database.flush()
    let session = database.makeSession()
    let cases: [(condition: String, blocks: Int, rows: Int)] = [
      ("i = 103", 1, 1), ("i > 108", 2, 11), ("i BETWEEN 5 AND 9", 1, 5), ("i IN (3, 5)", 1, 2),
      ("i IN (3, 105)", 2, 2),
      ("i IN (103, 4.5, NULL)", 2, 1), ("i = ANY ('{101,102}')", 1, 2), ("i = ANY ('{}')", 3, 0),
      ("f IN (7.5, 9.5)", 1, 2),
      ("i NOT IN (3, 5)", 3, 28), ("i <> ALL ('{3}')", 3, 29), ("i IN (3, 5 + i % 1)", 3, 2),
    ]
    for (condition, blocks, rows) in cases {
      let plan = try AggregateWorkload.explain(session, "SELECT i FROM m WHERE \(condition)")
      #expect(plan.contains("Row Blocks: \(blocks) of 3"), "\(condition)\n\(plan)")
      #expect(plan.contains("rows=\(rows) "), "\(condition)\n\(plan)")
    }
    session.close()
    try await database.close()
  }
}
