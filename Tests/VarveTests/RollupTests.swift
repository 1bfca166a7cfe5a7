import Testing
import Varve
import VarveCore
import VarveIO
import VarveSimulator
import VarveStorage

@testable import VarveQuery

/// Rollups from end to end, on files: what is read of them is what their statement gives over the rows there are, whatever
/// was written, deleted and refreshed in between.
@Suite struct RollupTests {
  private let scratch: Scratch
  init() throws { scratch = try Scratch() }

  private func open() async throws -> Database {
    var options = Database.Options()
    options.compaction = false
    return try await Database.open(scratch.database, options: options)
  }

  private func session(_ database: Database) -> QuerySession { database.makeSession(user: "u", database: "d") }

  private static let table = """
    CREATE TABLE cpu (time timestamptz, host text, region text, v double precision, n bigint, s text)
      WITH (varve.tags = 'host, region')
    """

  private static let columns = """
    time_bucket('1 hour', time) AS hour, host, count(*) AS rows, count(v) AS values, sum(v) AS total, avg(v) AS mean,
      min(v) AS least, max(n) AS most, sum(n) AS whole, avg(n) AS whole_mean, first(v, time) AS first,
      last(s, time) AS last, stddev(n) AS spread, max(v) - min(v) AS range
    FROM cpu
    """

  /// The rows of the rollup and of its statement, in order; doubles rounded so that order of adding does not show.
  private func expectSame(_ session: QuerySession, _ comment: String, where filter: String = "true") throws {
    let list = """
      hour, host, rows, values, round(total::numeric, 6), round(mean::numeric, 6), least, most, whole, whole_mean,
      first, last, spread, round(range::numeric, 6)
      """
    let direct = try session.run(
      "SELECT \(list) FROM (SELECT \(Self.columns) GROUP BY 1, 2) AS q WHERE \(filter) ORDER BY 1, 2")
    let rollup = try session.run("SELECT \(list) FROM hourly WHERE \(filter) ORDER BY 1, 2")
    #expect(rollup == direct, "\(comment), where \(filter)")
  }

  private func fill(_ session: QuerySession, from: String, to: String, step: String, factor: Int) throws {
    try session.run(
      """
      INSERT INTO cpu SELECT t, h, 'r' || (ascii(h) % 2), ((extract(epoch FROM t)::bigint * \(factor)) % 97)::float8 / 4,
        (extract(epoch FROM t)::bigint * \(factor)) % 1000, 's' || (extract(epoch FROM t)::bigint % 7)
      FROM generate_series(timestamptz '\(from)', '\(to)', interval '\(step)') AS t,
        (VALUES ('a'), ('b'), ('c')) AS hosts(h)
      """)
  }

  @Test func aRollupIsNeverStale() async throws {
    let database = try await open()
    let session = session(database)
    try session.run(Self.table)
    try fill(session, from: "2024-01-01 00:10Z", to: "2024-01-03 12:30Z", step: "7 minutes", factor: 3)
    try session.run("CREATE MATERIALIZED VIEW hourly WITH (continuous) AS SELECT \(Self.columns) GROUP BY 1, 2")
    try expectSame(session, "as made")
    #expect(try session.run("SELECT count(*) FROM hourly") == ["\(61 * 3)"])
    try fill(session, from: "2024-01-02 05:00Z", to: "2024-01-02 05:20Z", step: "1 minute", factor: 5)
    try expectSame(session, "with late rows")
    try fill(session, from: "2024-01-03 12:31Z", to: "2024-01-04 02:00Z", step: "11 minutes", factor: 7)
    try expectSame(session, "with new rows")
    try session.run("DELETE FROM cpu WHERE host = 'b' AND time < '2024-01-01 12:30Z'")
    try expectSame(session, "with rows deleted")
    for filter in [
      "host = 'a'", "hour >= '2024-01-02Z' AND hour < '2024-01-02 06:00Z'", "hour = '2024-01-01 12:00Z'",
      "rows > 8 AND host <> 'c'",
    ] { try expectSame(session, "in part", where: filter) }
    try RollupRefresh(session, "hourly").run()
    try expectSame(session, "refreshed")
    try await database.close()
    let again = try await open()
    try expectSame(self.session(again), "opened again")
    try await again.close()
  }

  /// Queries over the table, most of which a rollup can answer in part.
  private static let questions = [
    "SELECT time_bucket('1 day', time) AS d, host, count(*), sum(n), max(v), avg(n) FROM cpu GROUP BY 1, 2 ORDER BY 1, 2",
    "SELECT time_bucket('1 hour', time) AS h, count(v), min(v), sum(n) FROM cpu GROUP BY 1 ORDER BY 1",
    """
    SELECT host, count(*), first(v, time), last(s, time), stddev(n) FROM cpu
      WHERE time >= '2024-01-01 03:20Z' AND time < '2024-01-03 17:45Z' GROUP BY host ORDER BY 1
    """,
    "SELECT count(*), sum(n), max(n) FROM cpu WHERE host IN ('a', 'c') AND time < '2024-01-02 23:30Z'",
    "SELECT upper(host), date_trunc('day', time, 'UTC') AS d, avg(n) FROM cpu WHERE host <> 'b' GROUP BY 1, 2 ORDER BY 1, 2",
    "SELECT time_bucket('1 month', time) AS m, count(*), sum(n) FROM cpu GROUP BY 1 ORDER BY 1",
    "SELECT time_bucket('2 hours', time, 'Europe/Berlin') AS h, count(*) FROM cpu GROUP BY 1 ORDER BY 1 DESC LIMIT 5",
    "SELECT time_bucket('1 hour', time) AS h, max(n) - min(n) FROM cpu GROUP BY 1 ORDER BY 1 DESC LIMIT 3",
    // Not by a rollup: too fine, a condition on a field, another tag, an aggregate that is not kept.
    "SELECT time_bucket('10 minutes', time) AS t, count(*) FROM cpu GROUP BY 1 ORDER BY 1",
    "SELECT time_bucket('1 day', time) AS d, count(*) FROM cpu WHERE n > 500 GROUP BY 1 ORDER BY 1",
    "SELECT region, count(*) FROM cpu GROUP BY 1 ORDER BY 1",
    "SELECT host, min(s) FROM cpu GROUP BY 1 ORDER BY 1",
  ]

  private func expectSameAnswers(_ session: QuerySession, _ comment: String) throws {
    for question in Self.questions {
      let answer = try session.run(question)
      try session.run("SET varve.use_rollups = off")
      #expect(try session.run(question) == answer, "\(comment): \(question)")
      try session.run("RESET varve.use_rollups")
    }
  }

  /// Random writes, late rows, deletes and refreshes: the rollup is its statement, and with rollups or without the answers
  /// are the same. All numbers are such that no order of adding shows.
  @Test(arguments: 1...4) func answersAreTheSameWithRollupsAndWithout(seed: Int) async throws {
    var random = SeededRandom(seed: UInt64(seed))
    let database = try await open()
    let session = session(database)
    try session.run(Self.table)
    try fill(session, from: "2024-01-01 00:10Z", to: "2024-01-03 12:30Z", step: "7 minutes", factor: 3)
    try session.run("CREATE MATERIALIZED VIEW hourly WITH (continuous) AS SELECT \(Self.columns) GROUP BY 1, 2")
    try session.run(
      """
      CREATE MATERIALIZED VIEW daily WITH (timescaledb.continuous) AS
        SELECT time_bucket('1 day', time) AS day, count(*), sum(n) FROM cpu GROUP BY 1 WITH NO DATA
      """)
    for step in 0..<10 {
      let hour = Int.random(in: 0..<90, using: &random)
      let from = "2024-01-0\(1 + hour / 24) \(hour % 24):0\(random.next() % 10)Z"
      switch random.next() % 6 {
      case 0, 1:
        try session.run(
          """
          INSERT INTO cpu SELECT t, h, 'r', (extract(epoch FROM t)::bigint % 64)::float8, extract(epoch FROM t)::bigint % 77, 'x'
          FROM generate_series(timestamptz '\(from)', timestamptz '\(from)' + interval '50 minutes', interval '3 minutes') AS t,
            (VALUES ('a'), ('d')) AS hosts(h)
          """)
      case 2:
        try session.run(
          "DELETE FROM cpu WHERE host = 'a' AND time > '\(from)' AND time < timestamptz '\(from)' + interval '2 hours'")
      case 3: try RollupRefresh(session, "daily").run()
      case 4: try session.run("CALL flush()")
      default: try RollupRefresh(session, "hourly").run()
      }
      try expectSame(session, "seed \(seed), step \(step)")
      try expectSameAnswers(session, "seed \(seed), step \(step)")
    }
    try await database.close()
  }

  /// What is read of rows in place of stored parts lies between these: a counter's steps go from one to the next.
  @Test func countersStepFromBucketToBucketHoweverManyAreInvalid() async throws {
    let database = try await open()
    let session = session(database)
    try session.run("CREATE TABLE m (time timestamptz, host text, v double precision) WITH (varve.tags = 'host')")
    try session.run(
      """
      INSERT INTO m SELECT t, h, (extract(epoch FROM t)::bigint * 7 % 1000)::float8
      FROM generate_series(timestamptz '2024-01-01Z', '2024-01-05Z', interval '7 minutes') AS t,
        (VALUES ('a'), ('b')) AS hosts(h)
      """)
    try session.run(
      """
      CREATE MATERIALIZED VIEW r WITH (continuous) AS
      SELECT time_bucket('1 hour', time), host, increase(v, time), rate(v, time) FROM m GROUP BY 1, 2
      """)
    for hours in [2, 12, 40] {
      try session.run(
        """
        INSERT INTO m SELECT t + interval '100 seconds', 'a', 500.0
        FROM generate_series(timestamptz '2024-01-01Z', timestamptz '2024-01-01Z' + interval '\(2 * hours) hours',
          interval '2 hours') AS t
        """)
      for keys in ["time_bucket('1 day', time), host", "host, time_bucket('6 hours', time)", "host"] {
        let query = """
          SELECT round(increase(v, time)::numeric, 6), round(rate(v, time)::numeric, 9), \(keys)
          FROM m GROUP BY \(keys) ORDER BY \(keys)
          """
        #expect(try session.run("EXPLAIN \(query)").contains { $0.contains("Rollup: r") })
        let rewritten = try session.run(query)
        try session.run("SET varve.use_rollups = off")
        #expect(try session.run(query) == rewritten, "\(hours + 1) invalid buckets, by \(keys)")
        try session.run("SET varve.use_rollups = on")
      }
    }
  }

  @Test func explainNamesTheRollupOrSaysWhyNoneServes() async throws {
    let database = try await open()
    let session = session(database)
    try session.run(Self.table)
    try fill(session, from: "2024-01-01 00:10Z", to: "2024-01-03 12:30Z", step: "7 minutes", factor: 3)
    try session.run("CREATE MATERIALIZED VIEW hourly WITH (continuous) AS SELECT \(Self.columns) GROUP BY 1, 2")
    func explained(_ question: String) throws -> String {
      try session.run("EXPLAIN " + question).joined(separator: "\n")
    }
    let day = "SELECT time_bucket('1 day', time), count(*) FROM cpu GROUP BY 1"
    #expect(try explained(day).contains("Rollup: hourly (01:00:00)"))
    #expect(try explained(day).contains("Series Scan on hourly"))
    let fine = "SELECT time_bucket('1 minute', time), count(*) FROM cpu GROUP BY 1"
    let plan = try explained(fine)
    #expect(plan.contains("Not hourly: its buckets do not make up"), "\(plan)")
    #expect(try explained("SELECT min(s) FROM cpu").contains("Not hourly: it does not keep min of that"))
    #expect(
      try explained("SELECT count(*) FROM cpu WHERE n = 1").contains(
        "Not hourly: it does not have what a condition asks for"))
    // A plan that was kept learns of a rollup that came.
    try session.run("PREPARE q AS SELECT time_bucket('1 day', time), count(*) FROM cpu GROUP BY 1; EXECUTE q")
    try session.run(
      "CREATE MATERIALIZED VIEW daily WITH (continuous) AS SELECT time_bucket('1 day', time), count(*) FROM cpu GROUP BY 1"
    )
    #expect(try explained(day).contains("Rollup: daily (1 day)"))
    #expect(try session.run("EXECUTE q").count == 3)
    try session.run("DROP MATERIALIZED VIEW daily; EXECUTE q")
    try session.run("SET varve.use_rollups = off")
    #expect(try !explained(day).contains("Series Scan on hourly"))
    try await database.close()
  }

  @Test func whatCannotBeKeptIsRefusedWithAReason() async throws {
    let database = try await open()
    let session = session(database)
    try session.run(Self.table)
    func refusal(_ statement: String) -> String {
      do {
        try session.run("CREATE MATERIALIZED VIEW x WITH (continuous) AS " + statement)
        return ""
      } catch { return (error as? VarveError).map { "\($0.sqlState ?? "") \($0.message)" } ?? "\(error)" }
    }
    let bucket = "SELECT time_bucket('1 hour', time) AS h"
    for statement in [
      "\(bucket), percentile_cont(0.5) WITHIN GROUP (ORDER BY v) FROM cpu GROUP BY 1",
      "\(bucket), count(DISTINCT host) FROM cpu GROUP BY 1", "\(bucket), count(*) FROM cpu GROUP BY 1 ORDER BY 1",
      "\(bucket), count(*) FROM cpu GROUP BY 1 HAVING count(*) > 1", "SELECT host, count(*) FROM cpu GROUP BY 1",
      "SELECT count(*) FROM cpu GROUP BY time_bucket('1 hour', time)",
      "SELECT date_trunc('day', time) AS d, count(*) FROM cpu GROUP BY 1",
      "\(bucket), n, count(*) FROM cpu GROUP BY 1, 2",
      "\(bucket), count(*) FROM cpu WHERE time > now() - interval '1 day' GROUP BY 1",
      "\(bucket), count(*) FROM cpu JOIN (VALUES ('a')) AS w(x) ON x = host GROUP BY 1",
      "\(bucket), count(*) FROM (SELECT * FROM cpu) AS q GROUP BY 1",
    ] { #expect(refusal(statement).hasPrefix("0A000"), "\(statement): \(refusal(statement))") }
    try session.run(
      "CREATE MATERIALIZED VIEW three WITH (continuous) AS SELECT time_bucket('3 hours', time) AS t, count(*) AS n FROM cpu GROUP BY 1"
    )
    #expect(refusal("SELECT time_bucket('4 hours', t), sum(n) FROM three GROUP BY 1").hasPrefix("0A000"))
    #expect(
      refusal("SELECT time_bucket('1 month', t, 'Europe/Berlin'), sum(n) FROM three GROUP BY 1").hasPrefix("0A000"))
    try session.run(
      "CREATE MATERIALIZED VIEW days WITH (continuous) AS SELECT time_bucket('1 day', t) AS d, sum(n) FROM three GROUP BY 1"
    )
    #expect(refusal("\(bucket), count(*) AS h FROM cpu GROUP BY 1").hasPrefix("42701"))
    #expect(try session.run("SELECT count(*) FROM pg_class WHERE relname = 'x'") == ["0"])
    try await database.close()
  }

  @Test func aRollupIsAViewToOthers() async throws {
    let database = try await open()
    let session = session(database)
    try session.run(Self.table)
    try session.run("CREATE MATERIALIZED VIEW hourly WITH (continuous) AS SELECT \(Self.columns) GROUP BY 1, 2")
    #expect(try session.run("SELECT relkind FROM pg_class WHERE relname = 'hourly'") == ["v"])
    #expect(try session.run("SELECT count(*) FROM information_schema.columns WHERE table_name = 'hourly'") == ["14"])
    for statement in [
      "INSERT INTO hourly (hour) VALUES ('2024-01-01Z')", "DELETE FROM hourly", "TRUNCATE hourly", "DROP TABLE hourly",
      "DROP TABLE cpu", "ALTER TABLE cpu DROP COLUMN v", "CREATE TABLE hourly (time timestamptz, v float8)",
    ] { #expect(throws: VarveError.self, "\(statement)") { try session.run(statement) } }
    try session.run("ALTER TABLE cpu RENAME TO processors")
    try addProcessor(session)
    #expect(try session.run("SELECT sum(rows)::bigint FROM hourly") == ["1"])
    try session.run("DROP MATERIALIZED VIEW hourly")
    try session.run("DROP TABLE processors")
    try await database.close()
  }

  private func addProcessor(_ session: QuerySession) throws {
    try session.run("INSERT INTO processors (time, host, n) VALUES ('2024-01-01Z', 'a', 1)")
  }
}
