import Testing
import Varve
import VarveCore
import VarveSimulator

@testable import VarveQuery

/// Questions about a rollup are answered from coarser ones that are made from it, with the answer that it gives itself.
@Suite struct RollupChainTests {
  private let scratch: Scratch
  init() throws { scratch = try Scratch() }

  private func open() async throws -> (Database, QuerySession) {
    var options = Database.Options()
    options.compaction = false
    options.refresh = false
    let database = try await Database.open(scratch.database, options: options)
    let session = database.makeSession(user: "u", database: "d")
    try session.run(
      """
      CREATE TABLE cpu (time timestamptz, host text, region text, n bigint) WITH (varve.tags = 'host, region');
      CREATE MATERIALIZED VIEW minutes WITH (continuous, varve.partition = '1 day') AS
        SELECT time_bucket('10 minutes', time) AS minute, host, region, count(*) AS rows, sum(n) AS whole,
          min(n) AS least, max(n) AS most FROM cpu GROUP BY 1, 2, 3;
      CREATE MATERIALIZED VIEW hours WITH (continuous, varve.partition = '1 day') AS
        SELECT time_bucket('1 hour', minute) AS hour, region, sum(rows) AS rows, sum(whole) AS whole,
          min(least) AS least, max(most) AS most, last(most, minute) AS latest FROM minutes GROUP BY 1, 2;
      CREATE MATERIALIZED VIEW many WITH (continuous) AS
        SELECT time_bucket('1 day', minute) AS day, sum(rows) AS rows FROM minutes WHERE rows > 1 GROUP BY 1
      """)
    return (database, session)
  }

  private static let questions = [
    """
    SELECT time_bucket('1 day', minute) AS d, region, sum(rows), sum(whole), min(least), max(most) FROM minutes
      GROUP BY 1, 2 ORDER BY 1, 2
    """,
    """
    SELECT time_bucket('1 hour', minute) AS h, sum(rows) FROM minutes
      WHERE region = 'r1' AND minute >= '2024-01-01 03:20Z' AND minute < '2024-01-03 17:45Z' GROUP BY 1 ORDER BY 1
    """,
    "SELECT sum(rows), sum(whole), max(most) FROM minutes",
    "SELECT region, sum(whole) FROM minutes WHERE minute <= '2024-01-02 23:30Z' GROUP BY 1 ORDER BY 1",
    "SELECT upper(region), date_trunc('day', minute, 'Europe/Berlin') AS d, sum(rows) FROM minutes GROUP BY 1, 2 ORDER BY 1, 2",
    "SELECT time_bucket('2 hours', minute) AS h, last(most, minute) FROM minutes GROUP BY 1 ORDER BY 1 DESC LIMIT 3",
    "SELECT time_bucket('1 day', minute) AS d, sum(rows) FROM minutes WHERE rows > 1 GROUP BY 1 ORDER BY 1",
    // Not by hours: too fine, another tag, a condition on a value, aggregates that are not kept.
    "SELECT time_bucket('20 minutes', minute) AS t, sum(rows) FROM minutes GROUP BY 1 ORDER BY 1",
    "SELECT host, sum(rows) FROM minutes GROUP BY 1 ORDER BY 1",
    "SELECT sum(rows) FROM minutes WHERE least > 50",
    "SELECT region, avg(rows), count(*) FROM minutes GROUP BY 1 ORDER BY 1",
  ]

  private func expectSameAnswers(_ session: QuerySession, _ comment: String) throws {
    for question in Self.questions {
      let answer = try session.run(question)
      try session.run("SET varve.use_rollups = off")
      #expect(try session.run(question) == answer, "\(comment): \(question)")
      try session.run("RESET varve.use_rollups")
    }
  }

  private func fill(_ session: QuerySession, from: String, to: String, step: String, factor: Int) throws {
    try session.run(
      """
      INSERT INTO cpu SELECT t, h, 'r' || (ascii(h) % 2), (extract(epoch FROM t)::bigint * \(factor)) % 1000
      FROM generate_series(timestamptz '\(from)', '\(to)', interval '\(step)') AS t,
        (VALUES ('a'), ('b'), ('c')) AS hosts(h)
      """)
  }

  private func explained(_ session: QuerySession, _ question: String) throws -> String {
    try session.run("EXPLAIN " + question).joined(separator: "\n")
  }

  @Test func explainNamesTheCoarserRollupOrSaysWhyNot() async throws {
    let (database, session) = try await open()
    try fill(session, from: "2024-01-01 00:10Z", to: "2024-01-03 12:30Z", step: "7 minutes", factor: 3)
    for name in ["minutes", "hours", "many"] { try RollupRefresh(session, name).run() }
    try expectSameAnswers(session, "as made")
    for question in Self.questions.prefix(6) {
      let plan = try explained(session, question)
      #expect(plan.contains("Rollup: hours (01:00:00)") && plan.contains("Series Scan on hours"), "\(plan)")
      #expect(plan.contains("Not many: it has only the rows that meet its own condition"), "\(plan)")
    }
    #expect(try explained(session, Self.questions[6]).contains("Rollup: many (1 day)"))
    let reasons = [
      "Not hours: its buckets do not make up", "Not hours: it does not have what the query groups by",
      "Not hours: it does not have what a condition asks for", "Not hours: it does not keep avg of that",
    ]
    for (question, reason) in zip(Self.questions.dropFirst(7), reasons) {
      let plan = try explained(session, question)
      #expect(plan.contains(reason) && !plan.contains("Series Scan on hours"), "\(plan)")
    }
    try session.run("SET varve.use_rollups = off")
    #expect(try explained(session, Self.questions[0]).contains("Rollups: off (varve.use_rollups)"))
    // A plan that was kept learns of a rollup that goes.
    try session.run("RESET varve.use_rollups; PREPARE q AS \(Self.questions[0])")
    let answer = try session.run("EXECUTE q")
    try session.run("DROP MATERIALIZED VIEW hours")
    #expect(try session.run("EXECUTE q") == answer)
    try await database.close()
  }

  /// Late rows, deletes, refreshes in any order, and retention of the table and of the rollup.
  @Test(arguments: 1...6) func answersAreTheSameWithAndWithoutTheCoarser(seed: Int) async throws {
    var random = SeededRandom(seed: UInt64(7700 + seed))
    let (database, session) = try await open()
    try fill(session, from: "2024-01-01 00:10Z", to: "2024-01-04 12:30Z", step: "7 minutes", factor: 3)
    for name in ["minutes", "hours"] { try RollupRefresh(session, name).run() }
    for step in 0..<12 {
      let hour = Int.random(in: 0..<90, using: &random)
      let from = "2024-01-0\(1 + hour / 24) \(hour % 24):0\(random.next() % 10)Z"
      switch random.next() % 9 {
      case 0, 1:
        try fill(session, from: from, to: "2024-01-0\(1 + hour / 24) 23:59Z", step: "11 minutes", factor: 5)
      case 2:
        try session.run(
          "DELETE FROM cpu WHERE host = 'a' AND time > '\(from)' AND time < timestamptz '\(from)' + interval '2 hours'")
      case 3: try session.run("CALL flush()")
      case 4: try session.run("SELECT drop_chunks('cpu', timestamptz '2024-01-0\(1 + hour / 40) 12:00Z')")
      case 5: try session.run("SELECT drop_chunks('minutes', timestamptz '2024-01-0\(1 + hour / 40) 12:00Z')")
      case 6: try RollupRefresh(session, "hours").run()
      case 7: try RollupRefresh(session, "many").run()
      default: try RollupRefresh(session, "minutes").run()
      }
      try expectSameAnswers(session, "seed \(seed), step \(step)")
    }
    try await database.close()
  }
}
