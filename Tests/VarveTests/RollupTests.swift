import Testing
import Varve
import VarveCore
import VarveIO
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
      INSERT INTO cpu SELECT t, h, 'r' || (ascii(h) % 2), sin(extract(epoch FROM t) * \(factor)) * 50,
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
}
