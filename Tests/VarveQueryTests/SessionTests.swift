// What drivers and the connection see of a session.

import Testing
import VarveCompute
import VarveCore

@testable import VarveQuery

struct SessionTests {
  private func filled() throws -> QuerySession {
    let session = makeSession()
    try session.rows(
      """
      CREATE TABLE cpu (time timestamptz, host text, v double precision, n bigint)
        WITH (varve.tags = 'host', varve.partition = '1 hour');
      INSERT INTO cpu SELECT t, 'h' || (n % 3)::text, n, n
        FROM generate_series(0, 99) AS g(n),
          LATERAL (SELECT '2024-01-01Z'::timestamptz + n * interval '5 minutes' AS t) x
      """)
    return session
  }

  @Test func parametersGetTheTypesTheirUseImplies() throws {
    let session = try filled()
    let prepared = try session.prepare(
      "SELECT v, $4 FROM cpu WHERE host = $1 AND time >= $2 AND n = ANY ($3) LIMIT $5")
    #expect(prepared.parameterTypes == [.text, .timestamptz, .array(.int8), .text, .int8])
    #expect(prepared.columns?.map(\.name) == ["v", "?column?"])
    #expect(prepared.columns?.map(\.type) == [.float8, .text])
    #expect(prepared.columns?.first?.tableOID == 16_384)
    #expect(prepared.columns?.first?.attributeNumber == 3)
  }

  @Test(arguments: [
    ("true", "?column?"), ("NOT true", "?column?"), ("true::bool", "bool"), ("bool 't'", "bool"), ("1::int", "int4"),
    ("true::int::text", "text"), ("lower('A')::text", "lower"), ("(SELECT true)", "?column?"),
    ("(SELECT 1::int)::text", "int4"), ("CASE WHEN true THEN 1 END", "case"),
    ("CASE WHEN true THEN 1 ELSE 2::int END", "case"),
    ("CASE WHEN true THEN 1 ELSE length('a') END::text", "length"), ("(ARRAY[1])[1]::text", "array"),
    ("CASE WHEN true THEN 1 END::text", "text"), ("EXISTS (SELECT 1)", "exists"), ("ARRAY(SELECT 1)", "array"),
  ]) func columnsWithoutAliasAreNamedAsInPostgreSQL(expression: String, name: String) throws {
    #expect(try makeSession().prepare("SELECT \(expression)").columns?.map(\.name) == [name], "\(expression)")
  }

  @Test func aPreparedStatementRunsWithItsParameters() throws {
    let session = try filled()
    let prepared = try session.prepare("SELECT count(*) FROM cpu WHERE host = $1 AND n >= $2")
    let result = try session.execute(prepared, parameters: [.text("h1"), .int(50)])
    #expect(try result.next()?.columns[0].datum(at: 0) == .int(16))
    #expect(try result.next() == nil)
    #expect(result.commandTag == "SELECT 1")
  }

  @Test func functionsOfOtherDatabasesAreToldByTheirNamesHere() throws {
    let session = makeSession()
    let failure = error(session, "SELECT argMax(1, now())")
    #expect(failure?.sqlState == "42883" && failure?.position == 8)
    #expect(failure?.hint == "last(value, by).")
    // Each function that a hint calls is there, and none is hinted at that is there itself.
    for (name, hint) in FunctionHints.words {
      #expect(try session.text("SELECT count(*) FROM pg_proc WHERE proname = '\(name)'") == "0", "\(name)")
      // COALESCE is grammar.
      for call in hint.matches(of: /([a-z_]+)\(/) where call.1 != "coalesce" {
        #expect(try session.text("SELECT count(*) > 0 FROM pg_proc WHERE proname = '\(call.1)'") == "t", "\(call.1)")
      }
    }
  }

  @Test func declaredParameterTypesAreKept() throws {
    let session = try filled()
    #expect(try session.prepare("SELECT $1", parameterTypes: [.int4]).columns?.map(\.type) == [.int4])
  }

  /// A transaction's delete told how many rows it takes; when it commits it takes no others.
  @Test(arguments: ["DELETE FROM cpu WHERE host = 'h1'", "TRUNCATE cpu"])
  func aDeleteInABlockTakesNoRowsThatOthersWroteMeanwhile(statement: String) throws {
    let session = try filled()
    let other = makeSession(session.store)
    try session.rows("BEGIN; \(statement)")
    try other.rows("INSERT INTO cpu (time, host, n) VALUES ('2025-01-01Z', 'h1', 7)")
    #expect(error(session, "COMMIT")?.sqlState == "40001")
    #expect(try other.text("SELECT count(*) FROM cpu") == "101")
    // Nothing is left of it, and rows that it does not cover are nobody's business.
    try session.rows("BEGIN; DELETE FROM cpu WHERE host = 'h1'")
    try other.rows("INSERT INTO cpu (time, host, n) VALUES ('2025-01-01Z', 'h2', 7)")
    try session.rows("COMMIT")
    #expect(try other.text("SELECT count(*), count(*) FILTER (WHERE host = 'h1') FROM cpu") == "68|0")
  }

  @Test func aPlanIsMadeAnewWhenItsTableChanges() throws {
    let session = try filled()
    let prepared = try session.prepare("SELECT * FROM cpu LIMIT 1")
    _ = try session.store.write([
      PointBatch(
        table: "cpu", series: [SeriesKey(tags: [("host", "h0")])], rowSeries: Buffer([0]), times: Buffer([0]),
        fields: [PointBatch.Field(name: "more", column: FieldColumn(type: .int64, words: Buffer([5])))])
    ])
    do {
      _ = try session.execute(prepared)
      Issue.record("a plan with other columns ran")
    } catch let error as VarveError {
      #expect(error.sqlState == "0A000")
    }
    #expect(try session.prepare("SELECT * FROM cpu LIMIT 1").columns?.count == 5)
  }

  @Test func aPlanIsUsedAgainForTheSameTextAndForNoOther() throws {
    let session = makeSession()
    let plan = try session.prepare("SELECT 1;")
    #expect(try session.prepare("SELECT 1;") === plan, "with its semicolon")
    #expect(try session.prepare("SELECT 1") !== plan)
    #expect(try session.prepare("SELECT 1;", parameterTypes: [.text]) !== plan)
    // Of several statements none is the text's own.
    let both = try session.split("SELECT 1; SELECT 2")
    #expect(try session.prepare(both[0]) !== session.prepare(both[0]))
    #expect(try session.rows("SELECT 1; SELECT 2") == [["2"]])
    #expect(try session.rows("SELECT 3; SELECT 1") == [["1"]])
  }

  @Test func commandTagsSayWhatWasDone() throws {
    let session = try filled()
    func tag(_ sql: String) throws -> String {
      let result = try session.execute(try session.prepare(sql))
      while try result.next() != nil {}
      return result.commandTag
    }
    #expect(try tag("INSERT INTO cpu (host, v) VALUES ('x', 1), ('y', 2)") == "INSERT 0 2")
    #expect(try tag("SELECT * FROM cpu LIMIT 7") == "SELECT 7")
    #expect(try tag("DELETE FROM cpu WHERE host = 'x'") == "DELETE 1")
    #expect(try tag("DELETE FROM cpu WHERE host = 'x'") == "DELETE 0")
    #expect(try tag("TRUNCATE cpu") == "TRUNCATE TABLE")
    #expect(try tag("BEGIN") == "BEGIN")
    #expect(session.transactionStatus == .inBlock)
    #expect(try tag("COMMIT") == "COMMIT")
    #expect(session.transactionStatus == .idle)
    #expect(try tag("SET application_name = 'a'") == "SET")
    #expect(try tag("") == "")
  }

  @Test func settingsThatClientsFollowAreReported() throws {
    let session = makeSession()
    try session.rows("SET application_name = 'driver'; SET statement_timeout = 5")
    var reported: [String] = []
    for case .parameterStatus(let name, let value) in session.takeEffects() { reported.append("\(name)=\(value)") }
    #expect(reported == ["application_name=driver"])
  }

  @Test func durationsAreBounded() throws {
    let session = try filled()
    for name in ["statement_timeout", "lock_timeout", "idle_session_timeout", "log_min_duration_statement"] {
      for value in ["2147483648", "'25d'", "'106751d'"] {
        let refusal = error(session, "SET \(name) = \(value)")
        #expect(refusal?.sqlState == "22023" && refusal?.hint == "Value exceeds integer range.", "\(name) \(value)")
      }
    }
    try session.rows("SET statement_timeout = 2147483647")
    #expect(try session.text("SELECT count(*) FROM cpu") == "100")
  }

  @Test func cancellingStopsTheStatement() throws {
    let session = try filled()
    session.cancel()
    #expect(error(session, "SELECT count(*) FROM cpu")?.sqlState == "57014")
    session.resetCancellation()
    #expect(try session.text("SELECT count(*) FROM cpu") == "100")
  }

  @Test func aQueryOverItsMemoryFailsAlone() throws {
    let session = try filled()
    try session.rows("SET varve.query_memory_limit = '64kB'")
    #expect(error(session, "SELECT * FROM cpu a, cpu b ORDER BY a.v")?.sqlState == "53200")
    #expect(try session.text("SELECT count(*) FROM cpu") == "100")
  }

  @Test func repeatableReadSeesOneMoment() throws {
    let store = MemoryStore()
    let (one, two) = (makeSession(store), makeSession(store))
    try one.rows("CREATE TABLE t (time timestamptz, v bigint)")
    try one.rows("BEGIN ISOLATION LEVEL REPEATABLE READ")
    #expect(try one.text("SELECT count(*) FROM t") == "0")
    try two.rows("INSERT INTO t VALUES (now(), 1)")
    #expect(try one.text("SELECT count(*) FROM t") == "0")
    try one.rows("COMMIT")
    #expect(try one.text("SELECT count(*) FROM t") == "1")
  }

  @Test func insertsOfATransactionAppearTogether() throws {
    let store = MemoryStore()
    let (one, two) = (makeSession(store), makeSession(store))
    try one.rows("CREATE TABLE t (time timestamptz, v bigint)")
    try one.rows("BEGIN")
    try one.rows("INSERT INTO t VALUES ('2024-01-01Z', 1)")
    #expect(try two.text("SELECT count(*) FROM t") == "0")
    try one.rows("COMMIT")
    #expect(try two.text("SELECT count(*) FROM t") == "1")
  }

  @Test func aBlockOfInsertsPutsItsRowsTogetherOnlyForWhoReadsThem() throws {
    let session = makeSession()
    try session.rows("CREATE TABLE t (time timestamptz, host text, v bigint) WITH (varve.tags = 'host')")
    try session.rows("BEGIN")
    let insert = try session.prepare("INSERT INTO t VALUES ($1, 'a', $2) RETURNING v")
    for number in 1...50 {
      _ = try session.execute(insert, parameters: [.timestamp(testNow + Int64(number)), .int(Int64(number))])
    }
    #expect(session.overlay == nil, "nobody has read the rows")
    try session.rows("INSERT INTO t VALUES (now(), 'count', (SELECT count(*) FROM t))")
    try session.rows("INSERT INTO t SELECT time, 'b', v + 100 FROM t WHERE host = 'a'")
    try session.rows("INSERT INTO t VALUES (now(), 'array', (ARRAY(SELECT v FROM t WHERE host = 'b' ORDER BY v))[50])")
    #expect(
      try session.text("SELECT host, count(*), max(v) FROM t GROUP BY host ORDER BY host")
        == "a|50|50\narray|1|150\nb|50|150\ncount|1|50")
    try session.rows("COMMIT")
    #expect(try session.text("SELECT count(*) FROM t") == "102")
  }

  @Test func anUnknownColumnSuggestsTheQuotedName() throws {
    let session = makeSession()
    try session.rows("CREATE TABLE t (time timestamptz, \"cpuUsage\" bigint)")
    let wrong = error(session, "SELECT cpuUsage FROM t")
    #expect(wrong?.sqlState == "42703")
    #expect(wrong?.hint?.contains("\"cpuUsage\"") == true)
    #expect(error(session, "SELECT * FROM tt")?.sqlState == "42P01")
  }

  @Test func theFastPlanIsTakenForBucketsOfASeries() throws {
    let session = try filled()
    let plan = try session.text(
      "EXPLAIN SELECT time_bucket('1 minute', time), host, max(v) FROM cpu WHERE host = 'h1' AND time >= '2024-01-01 01:00Z' GROUP BY 1, 2"
    )
    #expect(plan.contains("Segment Aggregate"))
    #expect(plan.contains("Series: 1 of 3"))
    #expect(plan.contains("Partitions: 8 of 9"))
  }

  @Test func theLatestRowOfEachSeriesIsFoundWithoutASort() throws {
    let session = try filled()
    let latest = try session.text("EXPLAIN SELECT DISTINCT ON (host) host, time, v FROM cpu ORDER BY host, time DESC")
    #expect(latest.contains("First of Group (run ends only)"))
    #expect(!latest.contains("Sort"))
    let greatest = try session.text(
      "EXPLAIN (COSTS OFF) SELECT DISTINCT ON (host) host, v FROM cpu ORDER BY host, v DESC")
    #expect(greatest.contains("First of Group\n"))
  }

  @Test func theNewestRowsAreFoundWithoutReadingTheRest() throws {
    let session = try filled()
    let plan = try session.text("EXPLAIN SELECT * FROM cpu ORDER BY time DESC LIMIT 3")
    #expect(plan.contains("Slices (newest slices first)"))
    #expect(plan.contains("stops early"))
    let analyzed = try session.text("EXPLAIN (ANALYZE, COSTS OFF) SELECT time, v FROM cpu ORDER BY time DESC LIMIT 3")
    #expect(analyzed.contains("rows=3"))
    #expect(!analyzed.contains("rows=100"))
    #expect(try session.text("SELECT n FROM cpu ORDER BY time DESC LIMIT 3") == "99\n98\n97")
    #expect(try session.text("SELECT n FROM cpu ORDER BY time LIMIT 2 OFFSET 1") == "1\n2")
  }

  @Test func explainWritesJSON() throws {
    let session = try filled()
    let plan = try session.text("EXPLAIN (ANALYZE, FORMAT JSON) SELECT count(*) FROM cpu")
    #expect(plan.hasPrefix("[\n  {\n    \"Plan\": {"))
    #expect(plan.contains("\"Actual Rows\": 100"))
  }
}
