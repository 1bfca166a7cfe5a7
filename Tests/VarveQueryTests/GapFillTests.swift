// What plans do with conditions above gap filling and windows.

import Testing
import VarveCompute
import VarveCore

@testable import VarveQuery

struct GapFillTests {
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

  @Test func aConditionOnAKeyGoesBelowTheFillingAndOneOnTimeStaysAbove() throws {
    let session = try filled()
    let buckets = """
      (SELECT time_bucket_gapfill('1 hour', time, '2024-01-01', '2024-01-02') AS t, host, sum(v) AS s
       FROM g GROUP BY t, host) x
      """
    let byKey = try session.rows("EXPLAIN SELECT * FROM \(buckets) WHERE host = 'h1'").map { $0[0] }
    #expect(byKey.contains { $0.contains("Gap Fill") })
    #expect(!byKey.contains { $0.contains("Filter") && !$0.contains("host") }, "\(byKey)")
    #expect(try session.rows("SELECT * FROM \(buckets) WHERE host = 'h1'").count == 24)
    #expect(try session.rows("SELECT * FROM \(buckets) WHERE host = 'none'").isEmpty)
    #expect(try session.rows("SELECT * FROM \(buckets) WHERE t >= '2024-01-01 20:00'").count == 8)
  }

  @Test func conditionsGoBelowAWindowOnlyOnItsPartitionKeys() throws {
    let session = try filled()
    let windows = "(SELECT host, time, v, sum(v) OVER (PARTITION BY host ORDER BY time) AS s FROM g) x"
    let byKey = try session.text("EXPLAIN SELECT * FROM \(windows) WHERE host = 'h1'")
    #expect(byKey.contains("Window") && !byKey.contains("Filter"))
    let byTime = try session.text("EXPLAIN SELECT * FROM \(windows) WHERE time > '2024-01-01 03:00'")
    #expect(byTime.contains("Filter"))
    #expect(try session.text("SELECT max(s) FROM \(windows) WHERE v < 50 AND host = 'h1'") == "625")
  }
}
