import Testing
import VarveCore

@testable import VarveQuery

/// What conditions spare a scan, as EXPLAIN ANALYZE tells, and that the rows are those of the same conditions where
/// nothing can be spared.
@Suite struct PruningTests {
  /// Nine partitions of an hour, three hosts of a site or none.
  private func filled() throws -> QuerySession {
    let session = makeSession()
    try session.rows(
      """
      CREATE TABLE cpu (time timestamptz, host text, v double precision, n bigint)
        WITH (varve.tags = 'host', varve.partition = '1 hour');
      INSERT INTO cpu SELECT t, 'h' || (n % 3)::text, n, n
        FROM generate_series(0, 99) AS g(n),
          LATERAL (SELECT '2024-01-01Z'::timestamptz + n * interval '5 minutes' AS t) x;
      CREATE TABLE devices (time timestamptz, id text, site text) WITH (varve.tags = 'id');
      INSERT INTO devices VALUES ('2024-01-01Z', 'h1', 'eu'), ('2024-01-01Z', 'h2', 'us'), ('2024-01-01Z', 'h9', 'eu')
      """)
    return session
  }

  @Test(arguments: [
    ("host = 'h1'", "n % 3 = 1"),
    ("host IN ('h1', 'h7')", "n % 3 = 1"),
    ("host = 'h1' OR host = 'h4'", "n % 3 = 1"),
    ("host LIKE 'h1%'", "n % 3 = 1"),
    ("host BETWEEN 'h1' AND 'h1z'", "n % 3 = 1"),
    ("host = ANY (ARRAY['h1', 'x'])", "n % 3 = 1"),
    ("host > 'h0' AND host < 'h2'", "n % 3 = 1"),
    ("host IN (SELECT id FROM devices WHERE site = 'eu')", "n % 3 = 1"),
    ("EXISTS (SELECT 1 FROM devices d WHERE d.id = cpu.host AND d.site = 'eu')", "n % 3 = 1"),
    ("host = (SELECT max(id) FROM devices WHERE id < 'h2')", "n % 3 = 1"),
  ]) func conditionsOnATagLeaveItsSeries(condition: String, same: String) throws {
    let session = try filled()
    let plan = try session.text("EXPLAIN (ANALYZE, COSTS OFF) SELECT n FROM cpu WHERE \(condition)")
    let (lines, subplan) = Self.parts(plan)
    #expect(lines.contains("Series: 1 of 3"), "\(condition)\n\(plan)")
    #expect(!lines.contains("Filter"), "\(condition)\n\(plan)")
    #expect(subplan.contains("Series Scan on devices  (actual time") == condition.contains("SELECT"), "\(plan)")
    #expect(
      try session.text("SELECT n FROM cpu WHERE \(condition) ORDER BY n")
        == session.text("SELECT n FROM cpu WHERE \(same) ORDER BY n"), "\(condition)")
  }

  @Test(arguments: [
    ("time BETWEEN '2024-01-01 02:00Z' AND '2024-01-01 02:30Z'", "n BETWEEN 24 AND 30"),
    ("time >= '2024-01-01 02:00Z' AND '2024-01-01 03:00Z' > time", "n BETWEEN 24 AND 35"),
    ("time = '2024-01-01 02:00Z'::timestamptz", "n = 24"),
    ("time IN ('2024-01-01 02:40Z', '2024-01-01 02:00Z', NULL)", "n IN (24, 32)"),
    ("time = ANY ('{2024-01-01 02:40Z, 2024-01-01 02:00Z}')", "n IN (24, 32)"),
    ("time IN ('2024-01-01 02:40Z', '2024-01-01 02:00Z') AND n < 30 OR time = '2024-01-01 02:55Z'", "n IN (24, 35)"),
    (
      "time > '2024-01-01 03:00Z'::timestamptz - interval '30 minutes' AND time < '2024-01-01 03:00Z'",
      "n BETWEEN 31 AND 35"
    ),
    ("time > (SELECT max(time) - interval '10 minutes' FROM cpu)", "n > 97"),
  ]) func boundsOnTimeLeaveItsPartitions(condition: String, same: String) throws {
    let session = try filled()
    let plan = try session.text("EXPLAIN ANALYZE SELECT n FROM cpu WHERE \(condition)")
    #expect(plan.contains("Partitions: 1 of 9"), "\(condition)\n\(plan)")
    #expect(
      try session.text("SELECT n FROM cpu WHERE \(condition) ORDER BY n")
        == session.text("SELECT n FROM cpu WHERE \(same) ORDER BY n"), "\(condition)")
  }

  /// A plan's own lines, and those of a subquery's plan in it.
  private static func parts(_ plan: String) -> (String, String) {
    var own: [Substring] = []
    var sub: [Substring] = []
    for line in plan.split(separator: "\n") {
      if !sub.isEmpty || line.hasSuffix("SubPlan") { sub.append(line) } else { own.append(line) }
    }
    return (own.joined(separator: "\n"), sub.joined(separator: "\n"))
  }

  /// Each branch of an OR says which series it is of; all together they say so of the scan.
  @Test(arguments: [
    ("host = 'h1' OR site = 's4'", "3 of 6", false),
    ("host = 'h1' AND site = 's1' OR host = 'h2' AND site = 's2'", "2 of 6", false),
    ("host LIKE 'h1%' OR site IN ('s2', 's9')", "4 of 6", false),
    ("host IS NULL OR site = 's1'", "1 of 6", false),
    ("host = 'nobody' OR site = (SELECT 's' || 2)", "2 of 6", false),
    ("(host = 'h1' OR site = 's3') AND (host = 'h2' OR site = 's0')", "0 of 6", false),
    ("(host = 'h1' OR site = 's1') AND site < 's2' AND NOT host = 'h2'", "1 of 6", false),
    ("host = 'h1' AND n < 20 OR site = 's4' AND n > 80", "3 of 6", true),
    ("host = 'h1' AND n % 2 = 0 OR host = 'h1' AND site = 's1'", "2 of 6", true),
    ("host = 'h1' AND time < '2024-01-01 02:00Z' OR site = 's4' AND time > '2024-01-01 06:00Z'", "3 of 6", true),
    ("(host = 'h1' AND time < '2020-01-01Z' OR site = 's4') AND time > '2023-01-01Z'", "1 of 6", true),
    ("host = 'h1' OR n = 3", "", true),
    ("host = 'h1' OR host = site", "", true),
    ("host = 'h1' OR random() < 2", "", true),
  ]) func anORLeavesTheSeriesOfItsBranches(condition: String, series: String, isFiltered: Bool) throws {
    let session = makeSession()
    try session.rows(
      """
      CREATE TABLE cpu (time timestamptz, host text, site text, n bigint)
        WITH (varve.tags = 'host, site', varve.partition = '1 hour');
      INSERT INTO cpu SELECT '2024-01-01Z'::timestamptz + n * interval '5 minutes', 'h' || n % 3, 's' || n % 2 * 2 + n % 3,
        n FROM generate_series(0, 99) n
      """)
    let plan = try session.text("EXPLAIN ANALYZE SELECT n FROM cpu WHERE \(condition)")
    if series == "0 of 6" {
      #expect(plan.contains("none: the conditions exclude each other"), "\(condition)\n\(plan)")
    } else {
      #expect(plan.contains("Series: \(series)") == !series.isEmpty, "\(condition)\n\(plan)")
      #expect(Self.parts(plan).0.contains("Filter") == isFiltered, "\(condition)\n\(plan)")
    }
    // CASE is not looked into.
    let same = "CASE WHEN \(condition) THEN true ELSE false END"
    for what in ["n", "count(*), sum(n)", "DISTINCT ON (host) host, n"] {
      let order = what.hasPrefix("D") ? "ORDER BY host, time DESC" : "ORDER BY 1"
      #expect(
        try session.text("SELECT \(what) FROM cpu WHERE \(condition) \(order)")
          == session.text("SELECT \(what) FROM cpu WHERE \(same) \(order)"), "\(what): \(condition)")
    }
  }

  @Test(arguments: [
    ("time < '2024-01-01 00:30Z' OR time >= '2024-01-01 08:00Z'", "n < 6 OR n >= 96", 2),
    ("time < '2024-01-01 00:30Z' OR time < '2024-01-01 00:45Z'", "n < 9", 1),
    ("(time < '2024-01-01 00:30Z' OR time >= '2024-01-01 08:00Z') AND time > '2024-01-01 01:00Z'", "n >= 96", 1),
    (
      "time BETWEEN '2024-01-01 01:00Z' AND '2024-01-01 01:10Z' AND host = 'h1' OR time = '2024-01-01 05:00Z'",
      "n = 13 OR n = 60", 2
    ),
    ("time < '2024-01-01 00:30Z' OR time >= '2024-01-01 08:00Z' OR n = 40", "n < 6 OR n >= 96 OR n = 40", 9),
  ]) func anORLeavesThePartitionsOfItsBranches(condition: String, same: String, partitions: Int) throws {
    let session = try filled()
    let plan = try session.text("EXPLAIN ANALYZE SELECT n FROM cpu WHERE \(condition)")
    #expect(plan.contains("Partitions: \(partitions) of 9"), "\(condition)\n\(plan)")
    for what in ["n", "count(*)", "time_bucket('1 hour', time) t, max(n)"] {
      let tail = what.hasPrefix("t") ? "GROUP BY t ORDER BY t" : "ORDER BY 1"
      let limited = what == "n" ? "ORDER BY time DESC LIMIT 4" : tail
      for tail in [tail, limited] {
        #expect(
          try session.text("SELECT \(what) FROM cpu WHERE \(condition) \(tail)")
            == session.text("SELECT \(what) FROM cpu WHERE \(same) \(tail)"), "\(what) \(tail): \(condition)")
      }
    }
  }

  @Test(arguments: [
    "cpu JOIN devices d ON d.id = cpu.host WHERE d.site = 'eu'",
    "devices d JOIN cpu ON d.id = cpu.host AND d.site = 'eu'",
    "devices d, cpu WHERE cpu.host = d.id AND d.site = 'eu' AND cpu.n >= 0",
    "(VALUES ('h1'), (NULL), ('h8')) AS d(id) JOIN cpu ON d.id = cpu.host",
    "cpu JOIN (SELECT DISTINCT id FROM devices WHERE site = 'eu') d ON d.id = host",
    "(SELECT host AS h, n, time FROM cpu) c JOIN (VALUES ('h1')) AS d(id) ON d.id = c.h",
    "cpu JOIN devices d ON d.id = cpu.host AND d.site = 'eu' LEFT JOIN (VALUES (1, 'one')) AS w(k, t) ON w.k = cpu.n",
  ]) func aJoinWithASmallTableLeavesTheSeriesOfItsValues(from: String) throws {
    let session = try filled()
    let plan = try session.text("EXPLAIN ANALYZE SELECT n FROM \(from)")
    #expect(plan.contains("Series by Join: 1 of 3"), "\(from)\n\(plan)")
    #expect(
      try session.text("SELECT n FROM \(from) ORDER BY n")
        == session.text("SELECT n FROM cpu WHERE n % 3 = 1 ORDER BY n"), "\(from)")
  }

  @Test func aJoinThatKeepsRowsReadsThemAll() throws {
    let session = try filled()
    #expect(
      try session.text("SELECT count(*), count(d.id) FROM cpu LEFT JOIN devices d ON d.id = cpu.host") == "100|66")
    #expect(try session.text("SELECT count(*), count(n) FROM cpu FULL JOIN devices d ON d.id = cpu.host") == "101|100")
    #expect(
      try session.text("SELECT count(*), count(n) FROM devices d LEFT JOIN cpu ON d.id = cpu.host AND n < 5") == "4|3")
  }

  @Test func explainAloneRunsNoSubquery() throws {
    let session = try filled()
    let plan = try session.text("EXPLAIN SELECT n FROM cpu WHERE host = (SELECT (1 / (n - n))::text FROM cpu LIMIT 1)")
    #expect(plan.contains("Conditions: by subqueries"))
  }

  @Test func explainSaysWhereConditionsTakeValuesOfRowsAround() throws {
    let session = try filled()
    for selected in ["c.n", "count(*)", "max(c.n), count(DISTINCT c.host)"] {
      for condition in ["c.time BETWEEN o.time - interval '1 hour' AND o.time", "c.host = o.host", "c.n < o.n"] {
        for explain in ["EXPLAIN", "EXPLAIN ANALYZE", "EXPLAIN (FORMAT JSON)", "EXPLAIN (ANALYZE, FORMAT JSON)"] {
          let plan = try session.text(
            "\(explain) SELECT 1 FROM cpu o, LATERAL (SELECT \(selected) FROM cpu c WHERE \(condition)) x")
          #expect(plan.contains("by the rows around"), "\(selected) \(condition)\n\(plan)")
        }
      }
    }
  }
}
