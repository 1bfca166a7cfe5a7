// What EXPLAIN prints, and that its estimates hold together for every plan that the scripts have.

import Testing
import VarveCompute
import VarveCore

@testable import VarveQuery

@Suite struct ExplainTests {
  /// Four hosts at two sites, each a row a minute for two hours, in partitions of an hour.
  private func filled() throws -> QuerySession {
    let session = makeSession()
    try session.rows(
      """
      CREATE TABLE m (time timestamptz, host text, site text, v double precision, n bigint, s text, b boolean)
        WITH (varve.tags = 'host,site', varve.partition = '1 hour');
      INSERT INTO m SELECT '2024-01-01Z'::timestamptz + n * interval '1 minute', 'h' || h, 's' || h % 2, n, n, 'x', true
        FROM generate_series(0, 119) n, generate_series(1, 4) h;
      CREATE TABLE places (id text PRIMARY KEY, name text);
      INSERT INTO places VALUES ('h1', 'one'), ('h2', 'two'), ('h3', 'three')
      """)
    return session
  }

  /// The first line's rows.
  private func rows(_ session: QuerySession, _ sql: String, _ parameters: [Datum] = []) throws -> Int {
    let line = try #require(try session.rows("EXPLAIN " + sql, parameters).first?[0])
    return Int(try #require(line.firstMatch(of: #/rows=(\d+) width=\d+\)$/#)?.1)) ?? -1
  }
  private func total(_ session: QuerySession, _ sql: String) throws -> Double {
    let line = try #require(try session.rows("EXPLAIN " + sql).first?[0])
    return Double(try #require(line.firstMatch(of: #/\(cost=[\d.]+\.\.([\d.]+) rows=/#)?.1)) ?? -1
  }

  // MARK: Form

  @Test func eachNodesLineEndsInCostsAsPostgreSQLPrintsThem() throws {
    let session = try filled()
    let sql = "SELECT host, avg(v) FROM m WHERE n > (SELECT max(n) FROM m) - 5 GROUP BY host ORDER BY host LIMIT 2"
    let lines = try session.rows("EXPLAIN " + sql).map { $0[0] }
    let nodes = lines.filter { $0.contains("(cost=") }
    #expect(nodes.count == lines.filter { $0.contains("-> ") }.count + 1, "\(lines)")
    for line in nodes {
      #expect(
        line.firstMatch(of: #/^ *(->  )?\S.*  \(cost=\d+\.\d\d\.\.\d+\.\d\d rows=\d+ width=\d+\)$/#) != nil, "\(line)")
    }
    let plain = try session.rows("EXPLAIN (COSTS OFF) " + sql).map { $0[0] }
    #expect(plain == lines.map { $0.replacing(#/  \(cost=.*\)$/#, with: "") })
  }

  @Test func analyzePutsWhatWasBehindWhatWasExpected() throws {
    let session = try filled()
    func lines(_ options: String) throws -> [String] {
      try session.rows("EXPLAIN (\(options)) SELECT v FROM m WHERE host = 'h1'").map { $0[0] }
    }
    let whole = try lines("ANALYZE")
    #expect(
      whole[0].firstMatch(
        of: #/^Series Scan on m  \(cost=.* rows=120 width=8\) \(actual time=0\.000\.\.0\.000 rows=120 loops=1\)$/#)
        != nil,
      "\(whole)")
    #expect(whole.suffix(3).map { $0.prefix { $0 != ":" } } == ["Planning Time", "Peak Memory", "Execution Time"])
    #expect(try lines("ANALYZE, COSTS OFF, TIMING OFF")[0] == "Series Scan on m  (actual rows=120 loops=1)")
    #expect(try !lines("ANALYZE, SUMMARY OFF").joined().contains("Time:"))
    #expect(try lines("SUMMARY").last?.hasPrefix("Planning Time: ") == true)
    #expect(try !lines("VERBOSE, BUFFERS, SETTINGS").joined().contains("Planning Time"))
  }

  /// Of what runs for each row, one loop's.
  @Test func rowsOfLoopsAreAveraged() throws {
    let session = try filled()
    let plan = try session.text(
      "EXPLAIN ANALYZE SELECT 1 FROM places p, LATERAL (SELECT 1 FROM m WHERE host = p.id AND n < length(p.name)) x")
    #expect(plan.contains(#/Series Scan on m .* rows=4 loops=3\)/#), "\(plan)")
  }

  @Test func jsonHasPostgreSQLsNames() throws {
    let session = try filled()
    let plan = try session.text("EXPLAIN (FORMAT JSON, ANALYZE) SELECT v, host FROM m WHERE site = 's1'")
    for name in [
      "Startup Cost", "Total Cost", "Actual Startup Time", "Actual Total Time", "Planning Time", "Execution Time",
    ] {
      #expect(plan.firstMatch(of: try Regex("\"\(name)\": [0-9]+\\.[0-9]+")) != nil, "\(name) in \(plan)")
    }
    #expect(plan.contains("\"Plan Rows\": 240") && plan.contains("\"Plan Width\": 40"), "\(plan)")
    let plain = try session.text("EXPLAIN (FORMAT JSON, COSTS OFF) SELECT v, host FROM m WHERE site = 's1'")
    #expect(!plain.contains("Cost") && !plain.contains("\"Plan Rows\""), "\(plain)")
  }

  @Test(arguments: [
    ("COSTS maybe", "42601"), ("ANALYZE 2", "42601"), ("FORMAT xml", "0A000"), ("FORMAT yaml", "0A000"),
    ("FORMAT tree", "22023"), ("FORMAT", "42601"), ("TIMING", "22023"), ("WAL on", "22023"), ("GENERIC_PLAN", "42601"),
  ]) func optionsThatPostgreSQLRefusesAreRefused(options: String, state: String) throws {
    let wrong = error(try filled(), "EXPLAIN (\(options)) SELECT 1")
    #expect(wrong?.sqlState == state)
    #expect(wrong?.position == 10)
  }

  @Test(arguments: [
    "COSTS 0", "COSTS false, TIMING off", "ANALYZE true, WAL, TIMING 1", "ANALYZE off, SUMMARY on, FORMAT text",
  ])
  func optionsAreTakenInAllForms(options: String) throws {
    let plan = try filled().text("EXPLAIN (\(options)) SELECT 1")
    #expect(plan.contains("cost=") == !options.contains("COSTS"), "\(plan)")
  }

  @Test func whatIsWrittenGivesNoRows() throws {
    let lines = try filled().rows("EXPLAIN DELETE FROM m WHERE host = 'h1'").map { $0[0] }
    #expect(lines[0].firstMatch(of: #/^Delete on m  \(cost=\d.*\.\.\d.* rows=0 width=0\)$/#) != nil, "\(lines)")
    #expect(lines[1].contains("rows=120 width=0"), "\(lines)")
    let json = try filled().text("EXPLAIN (FORMAT JSON) UPDATE places SET name = 'x'")
    let nodes = json.matches(of: #/"(Node Type|Plan Rows)": (.*?),?\n/#).map { $0.2 }
    #expect(nodes.prefix(2) == ["\"Update on places\"", "0"] && nodes.last == "3", "\(json)")
  }

  // MARK: Rows

  @Test(arguments: [
    ("SELECT * FROM m", 480),
    ("SELECT * FROM m WHERE host = 'h1'", 120),
    ("SELECT * FROM m WHERE site = 's1'", 240),
    ("SELECT * FROM m WHERE time < '2024-01-01 00:30Z'", 120),
    ("SELECT * FROM m WHERE time >= '2024-01-01 01:00Z' AND host = 'h1'", 60),
    ("SELECT * FROM m WHERE n < 10", 160),
    ("SELECT * FROM m WHERE n < 100 AND n > 20", 2),
    ("SELECT * FROM m WHERE n = 10", 2),
    ("SELECT * FROM m WHERE n <> 10", 478),
    ("SELECT * FROM m WHERE s IS NULL OR b", 241),
    ("SELECT * FROM m WHERE host = (SELECT max(id) FROM places)", 120),
    ("SELECT * FROM m WHERE time > '2024-01-02Z'", 1),
    ("SELECT * FROM m WHERE time > '2024-01-02Z' AND time < '2024-01-01Z'", 0),
    ("SELECT host, count(*) FROM m GROUP BY 1", 4),
    ("SELECT host, site, count(*) FROM m GROUP BY 1, 2", 4),
    ("SELECT site, count(*) FROM m GROUP BY 1", 2),
    ("SELECT host, count(*) FROM m WHERE host IN ('h1', 'h2', 'none') GROUP BY 1", 2),
    ("SELECT time_bucket('10 minutes', time), count(*) FROM m GROUP BY 1", 12),
    ("SELECT date_bin('1 hour', time, '2000-01-01Z'), host, count(*) FROM m GROUP BY 1, 2", 8),
    ("SELECT date_trunc('hour', time AT TIME ZONE 'Europe/Berlin'), count(*) FROM m GROUP BY 1", 2),
    ("SELECT upper(host) || 'x', count(*) FROM m GROUP BY 1", 4),
    ("SELECT b, count(*) FROM m GROUP BY 1", 2),
    ("SELECT n, count(*) FROM m GROUP BY 1", 200),
    ("SELECT n, s, count(*) FROM m GROUP BY 1, 2", 200),
    ("SELECT host, count(*) FROM m GROUP BY ROLLUP (host)", 5),
    ("SELECT count(*) FROM m", 1),
    ("SELECT DISTINCT host FROM m", 4),
    ("SELECT DISTINCT ON (host) host, time FROM m ORDER BY host, time DESC", 4),
    ("SELECT * FROM m ORDER BY v", 480),
    ("SELECT * FROM m ORDER BY v LIMIT 7", 7),
    ("SELECT * FROM m ORDER BY time DESC LIMIT 7", 7),
    ("SELECT * FROM m LIMIT 10 OFFSET 475", 5),
    ("SELECT * FROM m LIMIT (SELECT 3)", 48),
    ("SELECT host FROM m UNION ALL SELECT id FROM places", 483),
    ("SELECT host FROM m UNION SELECT id FROM places", 7),
    ("SELECT host FROM m INTERSECT SELECT id FROM places", 3),
    ("SELECT host FROM m EXCEPT SELECT id FROM places", 4),
    ("SELECT * FROM m JOIN places ON id = host", 360),
    ("SELECT * FROM m LEFT JOIN places ON id = host", 480),
    ("SELECT * FROM m a CROSS JOIN places b", 1440),
    ("SELECT * FROM places WHERE id = 'h1'", 1),
    ("SELECT * FROM places", 3),
    ("SELECT * FROM (VALUES (1), (2), (3)) x", 3),
    ("SELECT * FROM generate_series(1, 25, 5)", 5),
    (
      "SELECT time_bucket('1 day', t) FROM generate_series('2024-01-01Z'::timestamptz, '2024-01-03Z', '1 hour') t GROUP BY 1",
      3
    ),
    ("SELECT * FROM unnest(ARRAY[1, 2])", 2),
    ("SELECT * FROM json_array_elements('[]')", 1000),
    ("SELECT row_number() OVER (ORDER BY v) FROM m", 480),
    ("WITH x AS (SELECT host, max(v) AS top FROM m GROUP BY 1) SELECT * FROM x WHERE top > 5", 1),
    (
      "SELECT time_bucket_gapfill('1 minute', time, '2024-01-01Z', '2024-01-01 05:00Z') AS t, host, avg(v) FROM m GROUP BY 1, 2",
      1200
    ),
    ("SELECT 1", 1),
  ]) func rowsAreThoseThatCanBeTold(sql: String, expected: Int) throws {
    #expect(try rows(filled(), sql) == expected, "\(sql)")
  }

  @Test func parametersHaveTheirValues() throws {
    let session = try filled()
    #expect(try rows(session, "SELECT * FROM m WHERE host = $1 LIMIT $2", [.text("h1"), .int(50)]) == 50)
    #expect(try rows(session, "SELECT * FROM m WHERE host = $1", [.text("none")]) == 0)
  }

  /// As postgres_fdw asks for what it has no value of.
  @Test func aValueThatIsSelectedIsNotKnown() throws {
    let session = try filled()
    let sql =
      "SELECT v FROM public.m WHERE ((host = ((SELECT null::text)::text))) AND ((n = ((SELECT null::bigint)::bigint)))"
    let plan = try session.rows("EXPLAIN " + sql).map { $0[0] }
    #expect(plan[0].contains("rows=1 width=8)"), "\(plan)")
    #expect(plan[1].contains("Conditions: by subqueries"), "\(plan)")
  }

  // MARK: Costs

  @Test func whatReadsLessCostsLess() throws {
    let session = try filled()
    func ascends(_ queries: [String]) throws {
      let costs = try queries.map { try total(session, $0) }
      #expect(zip(costs, costs.dropFirst()).allSatisfy { $0 < $1 }, "\(zip(queries, costs).map { "\($0): \($1)" })")
    }
    try ascends([
      "SELECT v FROM m WHERE host = 'h1' LIMIT 10", "SELECT v FROM m WHERE host = 'h1'", "SELECT v FROM m",
      "SELECT v, n FROM m", "SELECT v, n, s FROM m", "SELECT v, n, s FROM m ORDER BY v",
      "SELECT a.v, b.v FROM m a JOIN m b USING (time, host)", "SELECT a.v, b.v FROM m a, m b",
    ])
    try ascends([
      "SELECT v FROM m WHERE time > '2024-01-02Z'", "SELECT v FROM m WHERE time > '2024-01-01 01:00Z'",
      "SELECT v FROM m",
      "SELECT v FROM m WHERE v > 3 AND v * 2 < 10 ORDER BY v", "SELECT v FROM m UNION ALL SELECT n FROM m",
    ])
    try ascends([
      "SELECT v FROM m ORDER BY time DESC LIMIT 1", "SELECT v FROM m ORDER BY v DESC LIMIT 1",
      "SELECT v FROM m ORDER BY v",
    ])
  }

  @Test func widthsAreThoseOfTheTypes() throws {
    let session = try filled()
    for (type, width) in [
      ("boolean", 1), ("int2", 2), ("int4", 4), ("bigint", 8), ("real", 4), ("double precision", 8), ("date", 4),
      ("timestamptz", 8), ("interval", 16), ("uuid", 16), ("text", 32), ("json", 32), ("numeric", 32),
      ("numeric(20,0)", 20),
      ("int4[]", 32), ("name", 64),
    ] {
      #expect(try session.text("EXPLAIN SELECT NULL::\(type)").contains("width=\(width))"), "\(type)")
    }
  }

  /// Every SELECT of the scripts: figures are finite, the last row comes after the first, each column is described, and a
  /// node costs what its inputs do unless it stops them.
  @Test(arguments: Script.names()) func estimatesHoldTogether(name: String) throws {
    let session = makeSession()
    var count = 0
    for one in Script.cases(Script.read(name)) {
      let isQuery = ["SELECT", "WITH", "VALUES", "("].contains { one.sql.uppercased().hasPrefix($0) }
      let isRefused = one.expected.hasPrefix("error ")
      if isQuery, !isRefused, session.transactionStatus != .failed,
        case .query = try session.prepare(one.sql).kind
      {
        let statement = try session.prepare("EXPLAIN " + one.sql)
        if case .explain(let plan) = statement.kind, statement.parameterTypes.isEmpty {
          let catalog = CatalogView(snapshot: try session.snapshot(), session: session.state)
          try check(plan.node, PlanEstimator(session.context(catalog, [])), "\(name):\(one.line) \(one.sql)")
          count += 1
        }
      }
      if let wrong = error(session, one.sql) { #expect(isRefused, "\(name):\(one.line) \(wrong)") }
    }
    if name == "select.sql-test" { #expect(count > 30) }
  }

  private func check(_ node: any PlanNode, _ estimator: PlanEstimator, _ sql: String) throws {
    let estimate = try estimator.estimate(node)
    #expect(
      estimate.startup >= 0 && estimate.startup <= estimate.total && estimate.total.isFinite, "\(node.label) \(sql)")
    #expect(estimate.rows >= 0 && estimate.rows.isFinite && estimate.rows == estimate.rows.rounded(), "\(sql)")
    #expect(estimate.columns.count == node.types.count, "\(node.label) \(sql)")
    #expect(estimate.columns.allSatisfy { $0.distinct.map { $0 >= 1 && $0.isFinite } ?? true }, "\(node.label) \(sql)")
    let inputs = try ExplainPlan.inputs(of: node, estimator.context)
    let costs = try inputs.reduce(0) { $0 + (try estimator.estimate($1).total) }
    #expect(estimate.total >= costs || stops(node), "\(node.label) costs \(estimate.total) of \(costs) in \(sql)")
    for input in inputs + ExplainPlan.subplans(node) { try check(input, estimator, sql) }
  }

  /// Whether a node may leave out a part of what its input would read.
  private func stops(_ node: any PlanNode) -> Bool {
    switch node {
    case is LimitNode, is TiesNode, is LastRowsNode: true
    case let top as TopRowsNode: top.isSliced
    case let aggregate as AggregateNode: aggregate.partial != nil
    default: false
    }
  }
}
