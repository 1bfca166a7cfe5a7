import Testing
import VarveCore
import VarveSimulator

@testable import Varve
@testable import VarveQuery

/// What users say of refreshes, and see of them.
@Suite struct RefreshPolicyTests {
  private static let noon: Int64 = 1_704_110_400_000_000_000

  private let scratch: Scratch
  private let clock = ManualClock(wall: noon)
  init() throws { scratch = try Scratch() }

  /// At noon, with a row for each of five minutes that are over and a rollup of them that holds nothing.
  private func open() throws -> (Database, QuerySession) {
    let database = try reopen()
    let session = database.makeSession(user: "u", database: "d")
    try session.run("CREATE TABLE cpu (time timestamptz, host text, v bigint) WITH (varve.tags = 'host')")
    try session.run(
      """
      CREATE MATERIALIZED VIEW minutes WITH (continuous) AS
        SELECT time_bucket('1 minute', time) AS minute, host, sum(v) AS total FROM cpu GROUP BY 1, 2
      """)
    try session.run(
      """
      INSERT INTO cpu SELECT t, 'a', 1
      FROM generate_series(timestamptz '2024-01-01 11:50Z', '2024-01-01 11:54:30Z', interval '30 seconds') AS t
      """)
    return (database, session)
  }

  private func reopen() throws -> Database {
    var options = Database.Options()
    options.compaction = false
    options.refresh = false
    return try Database.openBlocking(scratch.database, options: options, clock: clock)
  }

  private func work(_ database: Database) { while database.jobs.turn(database) {} }

  private func watermark(_ session: QuerySession) throws -> [String] {
    try session.run("SELECT to_char(materialized_to, 'HH24:MI') FROM varve.rollups")
  }

  @Test func byHandAsFarAsIsAsked() async throws {
    let (database, session) = try open()
    try session.run("CALL refresh_continuous_aggregate('minutes', NULL, '2024-01-01 11:52:30Z')")
    #expect(try watermark(session) == ["11:52"])
    #expect(try session.run("SELECT * FROM varve.rollups").count == 1)
    let rollup = try session.run(
      "SELECT name, source, bucket, lag::text, invalid_ranges, rows, refreshes, rows_written FROM varve.rollups")
    #expect(rollup == ["minutes|cpu|00:01:00|00:03:00|0|2|1|2"])
    #expect(session.takeEffects().isEmpty)
    try session.run("CALL refresh_continuous_aggregate('minutes', NULL, timestamptz '2024-01-01 11:52:59Z')")
    guard case .notice(_, _, let message)? = session.takeEffects().first else {
      Issue.record("nothing was said")
      return
    }
    #expect(message == "continuous aggregate \"minutes\" is already up-to-date")
    try session.run("INSERT INTO cpu VALUES ('2024-01-01 11:50:10Z', 'a', 5)")
    try session.run("INSERT INTO cpu VALUES ('2024-01-01 11:51:10Z', 'a', 5)")
    try session.run(
      """
      CALL refresh_continuous_aggregate(window_end => '2024-01-01 11:52Z', continuous_aggregate => 'public.minutes',
        window_start => '2024-01-01 11:51Z')
      """)
    #expect(
      try session.run("SELECT invalid_ranges, lag::text FROM varve.rollups") == [
        "1|00:03:00"
      ])
    try session.run("CALL refresh_continuous_aggregate('minutes', NULL, NULL)")
    #expect(try watermark(session) == ["11:55"])
    #expect(try session.run("SELECT invalid_ranges, rows_written FROM varve.rollups") == ["0|7"])
    #expect(try session.run("SELECT total::bigint FROM minutes ORDER BY minute") == ["7", "7", "2", "2", "2"])
    try await database.close()
  }

  @Test func aPolicyIsAddedOnceAndRemoved() async throws {
    let (database, session) = try open()
    let ids = try session.run(
      """
      SELECT add_continuous_aggregate_policy('minutes', start_offset => INTERVAL '1 day',
        end_offset => INTERVAL '7 minutes', schedule_interval => INTERVAL '1 hour')
      """)
    let jobs =
      "SELECT id, job, table_name, schedule::text, start_offset::text, end_offset::text, paused FROM varve.jobs"
    #expect(
      try session.run("\(jobs) WHERE job = 'refresh'") == [
        "\(ids[0])|refresh|minutes|01:00:00|1 day|00:07:00|false"
      ])
    clock.advance(nanoseconds: 5 * second)
    work(database)
    #expect(try watermark(session) == ["11:53"])
    #expect(
      try session.run(
        "SELECT runs, failures, last_error, to_char(next_run, 'HH24:MI:SS') FROM varve.jobs WHERE job = 'refresh'") == [
          "1|0|null|13:00:05"
        ])
    let again = "add_continuous_aggregate_policy('minutes', NULL, NULL"
    #expect(session.failure("SELECT \(again))")?.sqlState == "42710")
    #expect(session.failure("SELECT \(again))")?.position != nil)
    #expect(try session.run("SELECT \(again), if_not_exists => true)") == ids)
    #expect(session.takeEffects().count == 1, "it is left as it is, and that is said")
    #expect(try session.run("\(jobs) WHERE start_offset IS NOT NULL").count == 1)
    try session.run("CALL remove_continuous_aggregate_policy('minutes')")
    #expect(try session.run("\(jobs) WHERE job = 'refresh'") == [])
    clock.advance(nanoseconds: 7200 * second)
    work(database)
    #expect(try watermark(session) == ["11:53"])
    #expect(session.failure("SELECT remove_continuous_aggregate_policy('minutes')")?.sqlState == "42704")
    try session.run("SELECT remove_continuous_aggregate_policy('minutes', if_exists => true)")
    try session.run("CALL \(again))")
    work(database)
    clock.advance(nanoseconds: 5 * second)
    work(database)
    #expect(try watermark(session) == ["11:55"])
    try await database.close()
  }

  @Test func aPausedJobStaysSo() async throws {
    var (database, session) = try open()
    let id = try session.run("SELECT id FROM varve.jobs WHERE job = 'refresh'")[0]
    #expect(try session.run("SELECT pause_job(\(id))") == [id])
    try await database.close()
    database = try reopen()
    session = database.makeSession(user: "u", database: "d")
    clock.advance(nanoseconds: 60 * second)
    work(database)
    #expect(try session.run("SELECT id, paused FROM varve.jobs WHERE job = 'refresh'") == ["\(id)|true"])
    #expect(try session.run("SELECT materialized_to IS NULL FROM varve.rollups") == ["true"])
    try session.run("CALL resume_job(\(id))")
    work(database)
    clock.advance(nanoseconds: 5 * second)
    work(database)
    #expect(try watermark(session) == ["11:55"])
    #expect(
      try session.run("SELECT id, job FROM varve.jobs ORDER BY id LIMIT 3") == [
        "1|seal", "2|compaction", "3|checkpoint",
      ])
    try await database.close()
  }

  @Test(arguments: [
    ("CALL refresh_continuous_aggregate('nothing', NULL, NULL)", "42P01", "'nothing'"),
    ("CALL refresh_continuous_aggregate('cpu', NULL, NULL)", "42809", "'cpu'"),
    ("CALL refresh_continuous_aggregate('varve.jobs', NULL, NULL)", "42809", "'varve.jobs'"),
    ("CALL refresh_continuous_aggregate('minutes')", "42883", "refresh"),
    ("CALL refresh_continuous_aggregate('minutes', 1, NULL)", "42883", "1"),
    ("CALL refresh_continuous_aggregate('minutes', NULL, NULL, 4)", "42883", "4"),
    ("CALL refresh_continuous_aggregate('minutes', 'x', NULL)", "22007", "'x'"),
    ("CALL refresh_continuous_aggregate('minutes', now(), '2000-01-01')", "22023", "'2000"),
    ("CALL refresh_continuous_aggregate('minutes', NULL, \"to\" => NULL)", "42883", "\"to\""),
    ("CALL refresh_continuous_aggregate(window_start => NULL, window_end => NULL, 'minutes')", "42601", "'minutes'"),
    ("SELECT add_continuous_aggregate_policy('minutes', '1 hour', '2 hours', '1 hour')", "22023", "'1 hour'"),
    ("SELECT add_continuous_aggregate_policy('minutes', NULL, NULL, '0 seconds')", "22023", "'0"),
    ("SELECT add_continuous_aggregate_policy('minutes', NULL, NULL, '1 month')", "22023", "'1 month"),
    ("SELECT add_continuous_aggregate_policy('minutes', 5, NULL)", "42883", "5"),
    ("SELECT pause_job(9999)", "42704", "9999"), ("SELECT pause_job(NULL)", "42704", "NULL"),
    ("SELECT pause_job(1)", "0A000", "1"), ("SELECT resume_job(-7)", "42704", "-7"),
    ("SELECT pause_job(id) FROM varve.jobs", "0A000", "pause_job"),
    ("SELECT refresh_continuous_aggregate('minutes', NULL, NULL)", "0A000", "refresh"),
    ("CALL nothing()", "42883", "nothing"), ("CALL flush(1)", "42883", "1"),
    ("CALL compact_chunks('t', 'u')", "42883", "'u'"),
  ])
  func whatCannotBeIsSaid(sql: String, code: String, place: String) async throws {
    let (database, session) = try open()
    let error = try #require(session.failure(sql))
    #expect(error.sqlState == code, "\(error)")
    let position = try #require(error.position)
    #expect(sql.dropFirst(position - 1).hasPrefix(place), "\(sql), at \(position)")
    try session.run("BEGIN")
    #expect(session.failure("SELECT pause_job(33)")?.sqlState == "25001")
    try session.run("ROLLBACK")
    try await database.close()
  }
}
