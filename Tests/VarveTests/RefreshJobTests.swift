import Testing
import VarveCompute
import VarveCore
import VarveSimulator

@testable import Varve
@testable import VarveQuery

/// Rollups are refreshed by themselves. The scheduler's thread does not run here: the tests say when it has a turn, and what
/// time it is then.
@Suite struct RefreshJobTests {
  private static let minute = 60 * second
  /// A minute's start.
  private static let noon: Int64 = 1_704_110_400_000_000_000

  private let scratch: Scratch
  private let clock = ManualClock(wall: noon)
  init() throws { scratch = try Scratch() }

  private func open() throws -> Database {
    var options = Database.Options()
    options.compaction = false
    options.refresh = false
    return try Database.openBlocking(scratch.database, options: options, clock: clock)
  }

  private func session(_ database: Database) -> QuerySession { database.makeSession(user: "u", database: "d") }

  /// Turns until there is nothing to do.
  private func work(_ database: Database) { while database.jobs.turn(database) {} }

  private func create(_ session: QuerySession) throws {
    try session.run("CREATE TABLE cpu (time timestamptz, host text, v double precision) WITH (varve.tags = 'host')")
    try session.run(
      """
      CREATE MATERIALIZED VIEW minutes WITH (continuous) AS
        SELECT time_bucket('1 minute', time) AS minute, host, count(*) AS rows, sum(v) AS total FROM cpu GROUP BY 1, 2
      """)
  }

  /// A row so many seconds from noon.
  private func write(_ session: QuerySession, _ seconds: Double, host: String = "a", v: Int = 1) throws {
    try session.run(
      "INSERT INTO cpu VALUES (timestamptz '2024-01-01 12:00Z' + interval '1 second' * \(seconds), '\(host)', \(v))")
  }

  private func state(_ database: Database, _ rollup: String = "minutes") throws -> (watermark: Int64, late: Int) {
    let snapshot = try database.snapshot()
    let table = try #require(snapshot.table(named: rollup))
    let state = try #require(snapshot.rollup(table.id)).state
    return (state.watermark, state.invalid.count)
  }

  /// Seconds from noon to the watermark.
  private func watermark(_ database: Database, _ rollup: String = "minutes") throws -> Int64 {
    (try state(database, rollup).watermark - Self.noon) / second
  }

  private func expectSame(_ session: QuerySession) throws {
    let direct = try session.run(
      """
      SELECT time_bucket('1 minute', time) AS minute, host, count(*) AS rows, sum(v) AS total FROM cpu
      GROUP BY 1, 2 ORDER BY 1, 2
      """)
    #expect(try session.run("SELECT * FROM minutes ORDER BY 1, 2") == direct)
  }

  @Test func aBucketIsMadeOnceItIsOver() async throws {
    let database = try open()
    let session = session(database)
    try create(session)
    work(database)
    #expect(try state(database).watermark == .min)
    try write(session, 10)
    try write(session, 59)
    clock.advance(nanoseconds: 60 * second)
    work(database)
    #expect(try watermark(database) == 0, "rows may be on their way")
    clock.advance(nanoseconds: second)
    work(database)
    #expect(try watermark(database) == 60)
    // Rows go on coming, as live ones do.
    for passed in 61..<200 {
      try write(session, Double(passed) + 0.5)
      clock.advance(nanoseconds: second)
      work(database)
      #expect(try watermark(database) == Int64(passed / 60 * 60), "after \(passed) seconds")
      #expect(try state(database).late == 0)
    }
    try expectSame(session)
    let record = session.refreshRecords[try #require(try database.snapshot().table(named: "minutes")).id]
    #expect((record.runs, record.rowCount, record.failures) == (4, 3, 0), "one of the runs found nothing")
    #expect(record.lastRun == Self.noon + 181 * second)
    try await database.close()
  }

  @Test func lateRowsWaitUntilTheTableIsQuietOrForSeconds() async throws {
    let database = try open()
    let session = session(database)
    try create(session)
    for minute in 0..<5 { try write(session, Double(minute * 60)) }
    clock.advance(nanoseconds: 5 * Self.minute + second)
    work(database)
    #expect(try watermark(database) == 300)
    try write(session, 62, v: 5)
    work(database)
    #expect(try state(database).late == 1)
    clock.advance(nanoseconds: second)
    work(database)
    #expect(try state(database).late == 0, "nothing came for a second")
    // Without a pause they are made anew after five seconds.
    for passed in 0..<5 {
      try write(session, 122 + Double(passed))
      work(database)
      #expect(try state(database).late == (passed == 0 ? 1 : 2))
      clock.advance(nanoseconds: second / 2)
      try write(session, 3)
      work(database)
      #expect(try state(database).late == 2)
      clock.advance(nanoseconds: second / 2)
    }
    try write(session, 4)
    work(database)
    #expect(try state(database).late == 0)
    try expectSame(session)
    try await database.close()
  }

  @Test func aLoadOfThePastMakesEachBucketOnce() async throws {
    let database = try open()
    let session = session(database)
    try create(session)
    // A row a tenth of a minute, two hours ago.
    for row in 0..<45 {
      try write(session, -7200 + Double(row) * 6)
      clock.advance(nanoseconds: second)
      work(database)
      #expect(try state(database).late == 0)
      let started = Int64(row / 10) * 60
      #expect(try started == 0 || watermark(database) == -7200 + started, "after row \(row)")
    }
    clock.advance(nanoseconds: 3 * second)
    work(database)
    #expect(try watermark(database) == -7200 + 240)
    clock.advance(nanoseconds: second)
    work(database)
    #expect(try watermark(database) == -7200 + 300, "nothing came for five seconds")
    let record = session.refreshRecords[try #require(try database.snapshot().table(named: "minutes")).id]
    #expect(record.rowCount == 5)
    try expectSame(session)
    try await database.close()
  }

  @Test func aLateRowInAYearOldBucketCostsThatBucketAlone() async throws {
    let database = try open()
    let session = session(database)
    try create(session)
    try session.run(
      """
      INSERT INTO cpu SELECT t, h, 1
      FROM generate_series(timestamptz '2023-01-01Z', '2023-12-31Z', interval '1 hour') AS t,
        (VALUES ('a'), ('b')) AS hosts(h)
      """)
    work(database)
    clock.advance(nanoseconds: 6 * second)
    work(database)
    let table = try #require(try database.snapshot().table(named: "minutes")).id
    let made = session.refreshRecords[table]
    #expect(made.rowCount == 2 * (364 * 24 + 1))
    try session.run("INSERT INTO cpu VALUES ('2023-01-01 05:00:30Z', 'c', 1)")
    clock.advance(nanoseconds: second)
    work(database)
    let record = session.refreshRecords[table]
    #expect((record.runs, record.rowCount) == (made.runs + 1, made.rowCount + 3), "the three hosts of one minute")
    #expect(try state(database).late == 0)
    #expect(
      try session.run("SELECT host, rows FROM minutes WHERE minute = '2023-01-01 05:00Z' ORDER BY 1") == [
        "a|1", "b|1", "c|1",
      ])
    try await database.close()
  }

  @Test func whatIsMadeFromARollupFollowsInTheSameTurn() async throws {
    let database = try open()
    let session = session(database)
    try create(session)
    try session.run(
      """
      CREATE MATERIALIZED VIEW hours WITH (continuous) AS
        SELECT time_bucket('1 hour', minute) AS hour, sum(rows) AS rows FROM minutes GROUP BY 1
      """)
    for minute in 0..<120 { try write(session, Double(minute * 60)) }
    clock.advance(nanoseconds: 120 * Self.minute + second)
    work(database)
    #expect(try watermark(database) == 7200)
    #expect(try watermark(database, "hours") == 7200)
    try write(session, 30)
    clock.advance(nanoseconds: second)
    work(database)
    // The second rollup's source has only just been written.
    clock.advance(nanoseconds: second)
    work(database)
    #expect(try state(database, "hours").late == 0)
    #expect(try session.run("SELECT rows::bigint FROM hours ORDER BY hour") == ["61", "60"])
    try await database.close()
  }

  @Test func policiesAndPausesAreObeyed() async throws {
    let database = try open()
    let session = session(database)
    try create(session)
    let table = try #require(try database.snapshot().table(named: "minutes")).id
    var policy = RefreshPolicy(
      startOffset: Interval(microseconds: 600_000_000), endOffset: Interval(microseconds: 120_000_000),
      scheduleNanoseconds: 10 * Self.minute)
    #expect(try RefreshPolicy(policy.bytes) == policy)
    policy.isPaused = true
    #expect(try RefreshPolicy(policy.bytes) == policy)
    try database.change(.policy(table, .refresh, policy.bytes))
    for minute in 0..<10 { try write(session, Double(minute * 60)) }
    clock.advance(nanoseconds: 10 * Self.minute + 30 * second)
    work(database)
    #expect(try state(database).watermark == .min, "it is paused")
    policy.isPaused = false
    try database.change(.policy(table, .refresh, policy.bytes))
    work(database)
    #expect(try watermark(database) == 480, "two minutes stay")
    try write(session, 5)
    try write(session, 300)
    clock.advance(nanoseconds: 9 * Self.minute)
    work(database)
    #expect(try watermark(database) == 480, "the next run is ten minutes after the last")
    clock.advance(nanoseconds: Self.minute)
    try write(session, 661)
    clock.advance(nanoseconds: 5 * second)
    work(database)
    #expect(try watermark(database) == 720)
    #expect(try state(database).late == 2, "both are older than ten minutes")
    try expectSame(session)
    try await database.close()
  }

  @Test func whatFailsIsTriedAgainLaterAndHoldsUpNobody() async throws {
    let database = try open()
    let session = session(database)
    try create(session)
    try session.run(
      """
      CREATE MATERIALIZED VIEW others WITH (continuous) AS
        SELECT time_bucket('1 minute', time) AS minute, count(*) AS rows FROM cpu GROUP BY 1
      """)
    let table = try #require(try database.snapshot().table(named: "minutes")).id
    try database.change(.policy(table, .refresh, [0x80]))
    try write(session, 10)
    clock.advance(nanoseconds: 61 * second)
    var failures: [Int] = []
    for _ in 0..<16 {
      work(database)
      failures.append(session.refreshRecords[table].failures)
      clock.advance(nanoseconds: second)
    }
    // At once, and after 1, 3, 7 and 15 seconds.
    #expect(failures == [1, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4, 5])
    #expect(try watermark(database, "others") == 60)
    #expect(try state(database).watermark == .min)
    let shown = try session.run("SELECT failures, last_error FROM varve.jobs WHERE table_name = 'minutes'")
    #expect(shown.count == 1 && shown[0].contains("a refresh policy is described impossibly"), "\(shown)")
    try database.change(.policy(table, .refresh, RefreshPolicy().bytes))
    work(database)
    #expect(try watermark(database) == 60, "another policy is not made to wait")
    try await database.close()
  }

  /// Writers, deletes and the thread at the same time: what is read is right all along, and nothing is left to do in the end.
  @Test(.timeLimit(.minutes(20))) func itIsRightBesideWriters() async throws {
    let database = try await Database.open(scratch.database)
    let session = session(database)
    try create(session)
    var random = SeededRandom(seed: 6)
    for round in 0..<60 {
      let seconds = Int.random(in: 0..<1800, using: &random)
      if round % 9 == 8 {
        try session.run(
          "DELETE FROM cpu WHERE host = 'b' AND time < timestamptz '2024-01-01 12:00Z' + interval '1 second' * \(seconds)"
        )
      } else {
        try session.run(
          """
          INSERT INTO cpu SELECT timestamptz '2024-01-01 12:00Z' + interval '1 second' * (\(seconds) + s), h, \(round)
          FROM generate_series(0, 300, 7) AS s, (VALUES ('a'), ('b')) AS hosts(h)
          """)
      }
      try expectSame(session)
    }
    while try state(database).late > 0 || state(database).watermark < Self.noon {
      try await Task.sleep(for: .milliseconds(20))
    }
    try expectSame(session)
    let record = session.refreshRecords[try #require(try database.snapshot().table(named: "minutes")).id]
    #expect(record.failures == 0 && record.runs > 0, "seed 6: \(record)")
    try await database.close()
  }

  /// The thread itself, on the system's clock.
  @Test(.timeLimit(.minutes(20))) func itRunsByItself() async throws {
    let database = try await Database.open(scratch.database)
    let session = session(database)
    try create(session)
    try write(session, 10)
    try write(session, 70)
    while try state(database).watermark == .min { try await Task.sleep(for: .milliseconds(20)) }
    #expect(try watermark(database) == 60)
    try await database.close()
  }

  @Test func oldRowsGoAsTheirPolicySaysAndStayWhileTheClockIsNotBelieved() async throws {
    let database = try open()
    let session = session(database)
    try create(session)
    for day in 1...4 { try session.run("INSERT INTO cpu VALUES ('2023-12-2\(day) 12:00Z', 'a', 1)") }
    try write(session, -30)
    work(database)
    try session.run("SELECT add_retention_policy('cpu', interval '9 days')")
    func jobs() throws -> [String] {
      try session.run(
        "SELECT end_offset = interval '9 days', runs, failures, last_error FROM varve.jobs WHERE job = 'retention'")
    }
    clock.advance(nanoseconds: 8 * 86_400 * second)
    work(database)
    #expect(try session.run("SELECT count(*) FROM cpu") == ["5"])
    let held = try jobs()
    #expect(held.count == 1 && held[0].hasPrefix("true|1|1|") && held[0].contains("trust_clock"), "\(held)")
    try session.run("CALL trust_clock()")
    work(database)
    #expect(try session.run("SELECT count(*) FROM cpu") == ["5"], "it is looked at every ten minutes")
    clock.advance(nanoseconds: 600 * second)
    work(database)
    #expect(try session.run("SELECT count(*) FROM cpu") == ["1"])
    #expect(try session.run("SELECT count(*), sum(rows)::bigint FROM minutes") == ["5|5"])
    let done = try jobs()
    #expect(done.count == 1 && done[0].hasPrefix("true|2|1|"), "\(done)")
    try session.run("SELECT remove_retention_policy('cpu')")
    #expect(try jobs().isEmpty)
    try await database.close()
  }

  @Test func aPausedRetentionTakesNothing() async throws {
    let database = try open()
    let session = session(database)
    try create(session)
    try session.run("INSERT INTO cpu VALUES ('2023-01-01Z', 'a', 1)")
    try write(session, -30)
    try session.run("SELECT add_retention_policy('cpu', interval '1 day')")
    let job = try session.run("SELECT id FROM varve.jobs WHERE job = 'retention'")[0]
    try session.run("CALL pause_job(\(job))")
    work(database)
    #expect(try session.run("SELECT count(*) FROM cpu") == ["2"])
    try session.run("CALL resume_job(\(job))")
    work(database)
    #expect(try session.run("SELECT count(*) FROM cpu") == ["1"])
    try await database.close()
  }
}
