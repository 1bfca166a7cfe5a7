import Testing
import VarveCore
import VarveQuery

@testable import Varve

/// What EXPLAIN expects of chunks, summaries, rollups and the head.
@Suite struct ExplainEstimateTests {
  private typealias Workload = AggregateWorkload
  private let scratch: Scratch
  init() throws { scratch = try Scratch() }

  private struct Line {
    let label: String
    let startup: Double
    let total: Double
    let rows: Double
  }

  /// The nodes of a plan, from the top.
  private func plan(_ session: QuerySession, _ sql: String) throws -> [Line] {
    try Workload.answer(session, "EXPLAIN " + sql).compactMap { row in
      guard case .text(let line) = row[0],
        let match = line.firstMatch(
          of: #/^ *(?:->  )?(.*)  \(cost=([\d.]+)\.\.([\d.]+) rows=(\d+) width=\d+\)$/#),
        let startup = Double(match.2), let total = Double(match.3), let rows = Double(match.4)
      else { return nil }
      return Line(label: String(match.1), startup: startup, total: total, rows: rows)
    }
  }
  private func top(_ session: QuerySession, _ sql: String) throws -> Line {
    try #require(try plan(session, sql).first, "\(sql)")
  }

  /// Three hosts of a day in chunks, and one more hour of them in the head.
  private func filled() async throws -> Database {
    var g = Workload.Random(state: 1)
    let database = try await Database.open(scratch.database)
    for host in 0..<3 {
      try await database.write(Workload.points(host, from: Workload.midnight, count: 8_640, &g))
    }
    try await database.flush()
    for host in 0..<3 {
      try await database.write(Workload.points(host, from: Workload.midnight + 24 * Workload.hour, count: 360, &g))
    }
    return database
  }

  @Test func rowsAreCountedByIndexAndLieEvenlyBelowIt() async throws {
    let database = try await filled()
    let session = database.makeSession()
    for (condition, rows) in [
      ("true", 27_000), ("host = 'h1'", 9_000), ("rack = 'r0'", 18_000), ("host IN ('h0', 'h2')", 18_000),
      ("time < '2024-03-31 12:00Z'", 12_960), ("time < '2024-03-31 01:00Z' AND host = 'h1'", 360),
      ("time >= '2024-04-01Z' AND host = 'h2'", 360), ("time >= '2024-04-01 00:30Z'", 540),
      ("host = 'h1' AND i = 5", 45),
    ] {
      let found = try top(session, "SELECT i FROM m WHERE \(condition)").rows
      #expect(abs(found - Double(rows)) <= 0.02 * Double(rows), "\(condition): \(found), and there are \(rows)")
    }
    session.close()
    try await database.close()
  }

  @Test func summariesAndLastValuesCostLessThanTheirRows() async throws {
    let database = try await filled()
    let session = database.makeSession()
    try session.set("varve.use_page_aggregates", "off")
    for sql in [
      "SELECT host, time_bucket('1 hour', time), avg(f), max(i) FROM m GROUP BY 1, 2", "SELECT count(f) FROM m",
      "SELECT date_trunc('day', time), max(i) FROM m GROUP BY 1",
    ] {
      try session.set("varve.use_summaries", "on")
      let summarised = try plan(session, sql)
      try session.set("varve.use_summaries", "off")
      let rows = try plan(session, sql)
      #expect(summarised[0].total < rows[0].total / 4, "\(sql): \(summarised) and \(rows)")
      #expect(summarised[0].total < summarised[1].total && rows[0].total > rows[1].total, "\(sql)")
      #expect(summarised[0].rows == rows[0].rows, "\(sql)")
    }
    try session.set("varve.use_summaries", "on")
    let cut = try plan(session, "SELECT time_bucket('10 minutes', time), max(i) FROM m GROUP BY 1")
    #expect(cut[0].total > cut[1].total, "no summary is as narrow: \(cut)")
    let last = try top(session, "SELECT DISTINCT ON (host) host, i FROM m ORDER BY host, time DESC")
    let first = try top(session, "SELECT DISTINCT ON (host) host, i FROM m ORDER BY host, i")
    #expect(last.total < first.total / 10 && last.rows == 3 && first.rows == 3, "\(last) and \(first)")
    session.close()
    try await database.close()
  }

  @Test func rollupsCostLessThanTheirRows() async throws {
    let database = try await filled()
    let session = database.makeSession()
    try session.set("varve.use_summaries", "off")
    try session.run(
      """
      CREATE MATERIALIZED VIEW r WITH (continuous) AS
        SELECT time_bucket('1 hour', time) AS hour, host, sum(i) AS total, count(*) AS rows FROM m GROUP BY 1, 2
      """)
    let sql = "SELECT host, sum(i), count(*) FROM m WHERE time < '2024-03-31 12:00Z' GROUP BY 1"
    let used = try top(session, sql)
    try session.set("varve.use_rollups", "off")
    let unused = try top(session, sql)
    #expect(used.label == "Rollup Choice" && used.total < unused.total / 10, "\(used) and \(unused)")
    #expect(unused.rows == 3 && used.rows < 10, "\(used) and \(unused)")
    let named = try top(session, "SELECT * FROM r")
    #expect(named.rows >= 72 && named.rows < 1000, "\(named)")
    session.close()
    try await database.close()
  }
}
