// A year of minutes by day: from the rows, with and without the summaries of chunks, and from a rollup of hours. The
// answers are compared.

import Varve
import VarveCompute
import VarveQuery

enum Year {
  private static let hours = 365 * 24

  static func run(in directory: String, hosts: Int, repeats: Int) async throws {
    let database = try await Database.open("\(directory)/year-\(hosts)")
    let session = database.makeSession()
    if try planning_benchmark.run(session, "SELECT 1 FROM information_schema.tables WHERE table_name = 'm'").isEmpty {
      try await fill(database, "m", hosts: hosts, hours: hours)
      let began = monotonicSeconds()
      try planning_benchmark.run(
        session,
        """
        CREATE MATERIALIZED VIEW hours WITH (continuous) AS
          SELECT time_bucket('1 hour', time) AS hour, host, count(*) AS rows, sum(v) AS total, min(v) AS least,
            max(v) AS most, avg(x) AS mean FROM m GROUP BY 1, 2
        """)
      print("rollup filled in \(milliseconds(monotonicSeconds() - began))")
    }
    try planning_benchmark.run(session, "CALL compact_chunks()")
    print("\(hosts) hosts, \(hosts * hours * 60) rows")
    let columns = "count(*), sum(v), min(v), max(v), avg(x)"
    try measure("by day", session, repeats, "SELECT time_bucket('1 day', time) AS d, \(columns) FROM m GROUP BY 1")
    try measure(
      "by day and host", session, repeats,
      "SELECT time_bucket('1 day', time) AS d, host, \(columns) FROM m GROUP BY 1, 2")
    try measure(
      "one host by day", session, repeats,
      "SELECT time_bucket('1 day', time) AS d, \(columns) FROM m WHERE host = 'host_1' GROUP BY 1")
    try measureByName(session, repeats)
    session.close()
    try await database.close()
  }

  private static func measureByName(_ session: QuerySession, _ repeats: Int) throws {
    var durations = Durations()
    var count = 0
    for _ in 0..<repeats {
      count = try durations.measure {
        try planning_benchmark.run(session, "SELECT hour, host, total, mean FROM hours").count
      }
    }
    print(
      "the rollup by name, \(count) rows: median \(milliseconds(durations.median)), least \(milliseconds(durations.least))"
    )
  }

  private static func measure(_ name: String, _ session: QuerySession, _ repeats: Int, _ sql: String) throws {
    let ways: [(name: String, rollups: String, summaries: String, pages: String)] = [
      ("rollup", "on", "on", "on"), ("summaries", "off", "on", "on"), ("pages", "off", "off", "on"),
      ("rows", "off", "off", "off"),
    ]
    var durations = [Durations](repeating: Durations(), count: ways.count)
    var answers: [[[Datum]]] = []
    for number in 0..<repeats {
      for (index, way) in ways.enumerated() {
        try session.set("varve.use_rollups", way.rollups)
        try session.set("varve.use_summaries", way.summaries)
        try session.set("varve.use_page_aggregates", way.pages)
        let rows = try durations[index].measure { try planning_benchmark.run(session, sql + " ORDER BY 1, 2") }
        if number == 0 { answers.append(rows) }
      }
    }
    for (way, answer) in zip(ways, answers).dropFirst() {
      precondition(isSame(answers[0], answer), "\(name): the answer of \(way.name) is another")
    }
    let best = durations[0].median
    print("\(name), \(answers[0].count) rows:")
    for (way, duration) in zip(ways, durations) {
      print(
        "  \(way.name): median \(milliseconds(duration.median)), least \(milliseconds(duration.least)),",
        "\((duration.median / best * 10).rounded() / 10) x the rollup's")
    }
  }

  /// Whole numbers are equal, doubles within 1e-12 of each other.
  private static func isSame(_ a: [[Datum]], _ b: [[Datum]]) -> Bool {
    a.count == b.count
      && zip(a, b).allSatisfy { a, b in
        zip(a, b).allSatisfy { a, b in
          if case .float(let x) = a, case .float(let y) = b { return abs(x - y) <= 1e-12 * max(abs(x), abs(y)) }
          return a == b
        }
      }
  }
}
