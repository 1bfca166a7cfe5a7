// Which queries are as-of joins, and what their plans say.

import Testing
import VarveCompute
import VarveCore

@testable import VarveQuery

struct AsOfTests {
  private func filled() throws -> QuerySession {
    let session = makeSession()
    try session.rows(
      """
      CREATE TABLE g (time timestamptz, host text, v double precision) WITH (varve.tags = 'host');
      INSERT INTO g SELECT '2024-01-01Z'::timestamptz + n * interval '7 minutes', 'h' || (n % 2)::text, n
        FROM generate_series(0, 99) AS g(n)
      """)
    return session
  }

  @Test func anAsOfJoinIsRecognizedAndSaysItsDirection() throws {
    let session = try filled()
    func plan(_ lateral: String, _ join: String = "LEFT JOIN") throws -> String {
      try session.text(
        """
        EXPLAIN SELECT o.time, p.v FROM g o \(join) LATERAL (SELECT t.v FROM g t WHERE t.host = o.host AND \(lateral)
        LIMIT 1) p ON true
        """)
    }
    #expect(try plan("t.time <= o.time ORDER BY t.time DESC").contains("As-of Left Join"))
    #expect(try plan("t.time <= o.time ORDER BY t.time DESC", "JOIN").contains("As-of Join"))
    let next = try plan("t.time > o.time AND t.v > 3 ORDER BY t.time")
    #expect(next.contains("As-of Left Join") && next.contains("next, not at the same time"))
    for other in [
      "t.time <= o.time ORDER BY t.time", "t.time <= o.time ORDER BY t.v DESC", "t.v < o.v ORDER BY t.time DESC",
      "t.time <= o.time AND t.time > o.time - interval '1 hour' ORDER BY t.time DESC",
      "t.time <= o.time AND t.v > o.v ORDER BY t.time DESC", "t.time <= o.time ORDER BY t.time DESC, t.v",
    ] {
      #expect(try plan(other).contains("Lateral Left Join"), "\(other)")
    }
  }

  @Test func asofJoinIsRefusedWithTheFormThatWorks() throws {
    let session = try filled()
    let found = error(session, "SELECT * FROM g ASOF JOIN g b ON b.time <= g.time")
    #expect(found?.sqlState == "0A000")
    #expect(found?.position == 15)
    #expect(found?.hint?.contains("LEFT JOIN LATERAL") == true)
  }

  @Test func aRightSideThatMemoryWouldNotHoldIsAskedRowByRow() throws {
    let session = try filled()
    try session.rows(
      """
      CREATE TABLE big (time timestamptz, host text, v double precision) WITH (varve.tags = 'host');
      INSERT INTO big SELECT '2024-01-01Z'::timestamptz + n * interval '10 seconds', 'h' || (n % 2)::text, n
        FROM generate_series(0, 19999) AS g(n)
      """)
    let query = """
      SELECT count(p.v), sum(p.v - g.v) FROM g LEFT JOIN LATERAL
        (SELECT b.v FROM big b WHERE b.host = g.host AND b.time <= g.time ORDER BY b.time DESC LIMIT 1) p ON true
      """
    let expected = try session.text(query)
    try session.rows("SET varve.query_memory_limit = '1MB'")
    #expect(error(session, "SELECT count(DISTINCT v + 1) FROM big")?.sqlState == "53200")
    #expect(try session.text(query) == expected)
  }
}
