// What holds rows in memory counts them: beyond varve.query_memory_limit the statement fails by itself, with 53200 and
// what to do about it, and the session goes on.

import Testing
import VarveCore

@testable import VarveQuery

@Suite struct MemoryLimitTests {
  /// 30,000 rows and more, which take more than the limit.
  static let statements = [
    "SELECT n FROM generate_series(1, 30000) AS g(n) GROUP BY n",
    "SELECT n, n % 7, count(*) FROM generate_series(1, 30000) AS g(n) GROUP BY GROUPING SETS ((n), (n % 7, n))",
    "SELECT count(DISTINCT n) FROM generate_series(1, 30000) AS g(n)",
    "SELECT DISTINCT n FROM generate_series(1, 30000) AS g(n)",
    "SELECT DISTINCT ON (n) n, n + 1 FROM generate_series(1, 30000) AS g(n) ORDER BY n",
    "SELECT n FROM generate_series(1, 30000) AS g(n) ORDER BY -n",
    "SELECT n FROM generate_series(1, 30000) AS g(n) ORDER BY n % 2 FETCH FIRST 1 ROW WITH TIES",
    "SELECT row_number() OVER (ORDER BY n) FROM generate_series(1, 30000) AS g(n)",
    "SELECT sum(n) OVER (PARTITION BY n % 5) FROM generate_series(1, 30000) AS g(n)",
    "SELECT n FROM generate_series(1, 30000) AS g(n) UNION SELECT 1",
    "SELECT n FROM generate_series(1, 30000) AS g(n) INTERSECT SELECT 1",
    "SELECT n FROM generate_series(1, 30000) AS g(n) EXCEPT ALL SELECT 1",
    "SELECT count(*) FROM generate_series(1, 40000) AS a, generate_series(1, 40000) AS b",
    "SELECT count(*) FROM generate_series(1, 30000) AS a(n) JOIN generate_series(1, 30000) AS b(n) ON a.n = b.n",
    "SELECT count(*) FROM generate_series(1, 30000) AS a(n) FULL JOIN generate_series(1, 30000) AS b(n) ON a.n = b.n",
    "SELECT count(*) FROM generate_series(1, 40000) AS a(n) LEFT JOIN generate_series(1, 40000) AS b(n) ON a.n < b.n",
    "SELECT array_agg(n) FROM generate_series(1, 30000) AS g(n)",
    "SELECT array_agg(n ORDER BY -n) FROM generate_series(1, 30000) AS g(n)",
    "SELECT string_agg('a text of some length ' || n, ', ') FROM generate_series(1, 30000) AS g(n)",
    "SELECT json_agg('a text of some length ' || n) FROM generate_series(1, 30000) AS g(n)",
    "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY n) FROM generate_series(1, 30000) AS g(n)",
    "SELECT mode() WITHIN GROUP (ORDER BY n) FROM generate_series(1, 30000) AS g(n)",
    "SELECT ARRAY(SELECT n FROM generate_series(1, 30000) AS g(n))",
    "SELECT 5 IN (SELECT n FROM generate_series(1, 60000) AS g(n))",
    "SELECT (5, 6) IN (SELECT n, n FROM generate_series(1, 30000) AS g(n))",
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 30000) SELECT count(*) FROM t",
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION SELECT n + 1 FROM t WHERE n < 30000) SELECT count(*) FROM t",
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT a.n FROM t AS a, t AS b, generate_series(1, 3)) SELECT * FROM t",
    "SELECT generate_series(1, 30000)",
    "SELECT unnest(ARRAY(SELECT n FROM generate_series(1, 30000) AS g(n)))",
    "SELECT * FROM generate_series(1, 3) AS a(n), LATERAL (SELECT * FROM generate_series(1, 60000) AS b(m)) AS s",
    "SELECT lttb(t, n, 10000) FROM (SELECT timestamptz '2024-01-01' + n * interval '1 s' AS t, n::float8 AS n"
      + " FROM generate_series(1, 30000) AS g(n)) AS s",
    "SELECT last(n, m) FROM (SELECT n, n AS m FROM generate_series(1, 30000) AS g(n)) AS s GROUP BY n",
    "SELECT time_bucket_gapfill('1 second', t, timestamptz '2024-01-01', timestamptz '2024-01-02') AS s, count(*)"
      + " FROM (VALUES (timestamptz '2024-01-01')) AS v(t) GROUP BY s ORDER BY s DESC",
  ]

  @Test(arguments: statements) func whatHoldsRowsIsCounted(sql: String) throws {
    let session = makeSession(MemoryStore())
    try session.rows("SET varve.query_memory_limit = '256kB'")
    let error = #expect(throws: VarveError.self, "\(sql)") { try session.rows(sql) }
    #expect(error?.sqlState == "53200", "\(sql): \(String(describing: error))")
    #expect(error?.hint?.contains("varve.query_memory_limit") == true, "\(sql)")
    #expect(try session.rows("SELECT count(*) FROM generate_series(1, 100000)") == [["100000"]])
  }

  @Test func whatStreamsNeedsNoMemory() throws {
    let session = makeSession(MemoryStore())
    try session.rows("SET varve.query_memory_limit = '1MB'")
    #expect(try session.rows("SELECT count(*), sum(n) FROM generate_series(1, 1000000) AS g(n)").count == 1)
    #expect(try session.rows("SELECT n FROM generate_series(1, 100000000) AS g(n) LIMIT 1") == [["1"]])
    #expect(
      try session.rows("SELECT n % 3 AS k, count(*) FROM generate_series(1, 100000) AS g(n) GROUP BY k ORDER BY k")
        == [["0", "33333"], ["1", "33334"], ["2", "33333"]])
    #expect(
      try session.rows("SELECT n FROM generate_series(1, 100000) AS g(n) ORDER BY n % 1000, n DESC LIMIT 2")
        == [["100000"], ["99000"]])
    #expect(
      try session.rows("SELECT count(*) FROM generate_series(1, 3) AS a(n), LATERAL generate_series(1, a.n) AS b")
        == [["6"]])
    // Results of subqueries are forgotten in time, and so is what it took to make them.
    #expect(
      try session.rows(
        "SELECT sum(s) FROM (SELECT (SELECT max(m) FROM generate_series(n, n + 1) AS h(m) GROUP BY m ORDER BY -m LIMIT 1)"
          + " AS s FROM generate_series(1, 5000) AS g(n)) AS t") == [["12507500"]])
    #expect(
      try session.rows(
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 1000) SELECT count(*) FROM t")
        == [["1000"]])
  }

  @Test func anEndlessSeriesCanBeCancelled() throws {
    let session = makeSession(MemoryStore())
    let result = try session.execute(
      try session.prepare("SELECT n FROM generate_series(1::bigint, 9223372036854775807) AS g(n)"))
    #expect(try result.next() != nil)
    session.cancel()
    let error = #expect(throws: VarveError.self) { try result.next() }
    #expect(error?.sqlState == "57014")
  }
}
