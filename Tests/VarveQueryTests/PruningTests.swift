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
    let plan = try session.text("EXPLAIN ANALYZE SELECT n FROM cpu WHERE \(condition)")
    #expect(plan.contains("Series: 1 of 3"), "\(condition)\n\(plan)")
    #expect(!plan.contains("Filter"), "\(condition)\n\(plan)")
    #expect(
      try session.text("SELECT n FROM cpu WHERE \(condition) ORDER BY n")
        == session.text("SELECT n FROM cpu WHERE \(same) ORDER BY n"), "\(condition)")
  }

  @Test(arguments: [
    ("time BETWEEN '2024-01-01 02:00Z' AND '2024-01-01 02:30Z'", "n BETWEEN 24 AND 30"),
    ("time >= '2024-01-01 02:00Z' AND '2024-01-01 03:00Z' > time", "n BETWEEN 24 AND 35"),
    ("time = '2024-01-01 02:00Z'::timestamptz", "n = 24"),
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
