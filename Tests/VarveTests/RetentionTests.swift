import Testing
import Varve
import VarveCompute
import VarveCore
import VarveIO
import VarveSimulator
import VarveStorage

@testable import VarveQuery

/// Dropping old rows by hand and by policy: what goes, what stays, and when nothing does.
@Suite struct RetentionTests {
  private static let hour: Int64 = 3_600_000_000_000
  private static let day: Int64 = 24 * hour
  /// 2024-01-10 00:00.
  private static let start: Int64 = 1_704_844_800_000_000_000

  private let clock = ManualClock(wall: start)
  private let database: Database
  private let session: QuerySession

  init() throws {
    var options = Database.Options()
    options.compaction = false
    // The tests say when old rows go.
    options.refresh = false
    database = try Database.openBlocking(
      "/sim/db", options: options, fileSystem: SimulatedFileSystem(), clock: clock
    ) { $0.makeFilesSmall() }
    session = database.makeSession(user: "u", database: "d")
    try session.run(
      """
      CREATE TABLE t (time timestamptz, host text, v bigint) WITH (varve.tags = 'host');
      INSERT INTO t SELECT x, 'h', 1 FROM generate_series(timestamptz '2024-01-01Z', '2024-01-09 23:00Z', '1 hour') AS x;
      CREATE MATERIALIZED VIEW r WITH (continuous) AS
        SELECT time_bucket('1 day', time) AS day, host, count(*) AS n, sum(v) AS total FROM t GROUP BY 1, 2
      """)
  }

  private var days: [String] { get throws { try session.run("SELECT n FROM r ORDER BY day") } }
  private var rows: [String] { get throws { try session.run("SELECT count(*) FROM t") } }

  @Test func whatIsShownIsWhatGoes() throws {
    try session.run("CALL flush()")
    try session.run("INSERT INTO t VALUES ('2024-01-01 00:30Z', 'h', 1), ('2024-01-05 00:30Z', 'h', 1)")
    let time = Self.start - 6 * Self.day + 5 * Self.hour
    let shown = try session.showChunks(of: "t", olderThan: time)
    #expect(shown.before == Self.start - 6 * Self.day)
    #expect(shown.chunks.count == 3 && shown.rowsInMemory == 1 && shown.rows == 73 && shown.bytes > 0)
    #expect(shown.kept.map(\.rollup) == ["r"] && shown.kept[0].invalidRanges == 1)
    #expect(try rows == ["218"])
    let gone = try session.dropChunks(of: "t", olderThan: time)
    #expect(gone.chunks.map(\.file) == shown.chunks.map(\.file))
    #expect(try rows == ["145"])
    #expect(try days == ["25", "24", "24", "24", "25", "24", "24", "24", "24"])
    #expect(try session.showChunks(of: "t", olderThan: time).rows == 0)
  }

  @Test func withoutRollupsRowsJustGo() throws {
    try session.run("DROP MATERIALIZED VIEW r")
    try session.dropChunks(of: "t", olderThan: Self.start - 2 * Self.day)
    #expect(try session.run("SELECT min(time), count(*) FROM t") == ["\(Self.start - 2 * Self.day)|48"])
    try session.dropChunks(of: "t", olderThan: .max)
    #expect(try rows == ["0"])
    try session.dropChunks(of: "t", olderThan: .max)
  }

  @Test func whatComesLaterThanItsBucketIsStillCounted() throws {
    try session.dropChunks(of: "t", olderThan: .max)
    for count in 1...3 {
      try session.run("INSERT INTO t VALUES ('2024-01-03 0\(count):00Z', 'h', 5)")
      #expect(
        try session.run("SELECT n, total::bigint FROM r WHERE day = '2024-01-03Z'") == [
          "\(24 + count)|\(24 + 5 * count)"
        ])
      try session.dropChunks(of: "t", olderThan: Self.start)
      #expect(try rows == ["0"])
      #expect(
        try session.run("SELECT n, total::bigint FROM r WHERE day = '2024-01-03Z'") == [
          "\(24 + count)|\(24 + 5 * count)"
        ])
    }
  }

  @Test func aPolicyDropsWhatIsWhollyOlder() throws {
    #expect(try session.addRetentionPolicy("t", dropAfter: Interval(days: 3)))
    #expect(try !session.addRetentionPolicy("t", dropAfter: Interval(days: 1)))
    clock.advance(nanoseconds: 5 * Self.hour)
    let job = try #require(try session.retentionJobs().first)
    #expect(try session.retain(job))
    #expect(try rows == ["72"])
    #expect(try days.count == 9)
    #expect(try !session.retain(job))
    #expect(try session.removeRetentionPolicy("t"))
    #expect(try !session.removeRetentionPolicy("t"))
    #expect(try session.retentionJobs().isEmpty)
  }

  @Test func aClockThatJumpsDropsNothingUntilSomebodySaysItIsRight() throws {
    #expect(try session.addRetentionPolicy("t", dropAfter: Interval(days: 3)))
    let job = try #require(try session.retentionJobs().first)
    // A device from 2098 says nothing about the time of day.
    try session.run("INSERT INTO t VALUES ('2024-01-10 00:00:01Z', 'h', 1)")
    clock.advance(nanoseconds: 8 * Self.day)
    // Nor does a commit under a clock that is not believed.
    try session.run("INSERT INTO t VALUES ('2024-01-10 00:00:02Z', 'h', 1)")
    do {
      _ = try session.retain(job)
      Issue.record("retention must hold")
    } catch let error as VarveError {
      #expect(error.sqlState == "55000")
    }
    #expect(try rows == ["218"])
    try session.trustClock()
    #expect(try session.retain(job))
    #expect(try rows == ["0"])
    #expect(try days.count == 10)
  }

  @Test func deletesLeaveWhatIsFrozen() throws {
    try session.dropChunks(of: "t", olderThan: Self.start - 5 * Self.day)
    try session.run("INSERT INTO t VALUES ('2024-01-02 00:30Z', 'h', 1)")
    #expect(try days == ["24", "25", "24", "24", "24", "24", "24", "24", "24"])
    _ = session.takeEffects()
    try session.run("DELETE FROM t WHERE time < '2024-01-06 12:00Z'")
    #expect(
      session.takeEffects().contains {
        if case .notice(_, _, let message) = $0 { message.contains("rollup \"r\" keeps") } else { false }
      })
    #expect(try days == ["24", "24", "24", "24", "12", "24", "24", "24"])
    try session.run("TRUNCATE t")
    #expect(try days == ["24", "24", "24", "24"])
    try session.run("INSERT INTO t VALUES ('2024-01-02 00:30Z', 'h', 1)")
    #expect(try days == ["24", "25", "24", "24"])
  }

  @Test func whatCannotBeDroppedByAgeIsRefused() throws {
    try session.run("CREATE TABLE d (id int PRIMARY KEY)")
    func state(_ body: () throws -> Void) -> String? {
      do {
        try body()
        return nil
      } catch { return (error as? VarveError)?.sqlState }
    }
    #expect(state { try session.dropChunks(of: "d", olderThan: 0) } == "42809")
    #expect(state { try session.dropChunks(of: "nobody", olderThan: 0) } == "42P01")
    #expect(state { _ = try session.addRetentionPolicy("t", dropAfter: Interval(days: 0)) } == "22023")
  }

  /// Raw rows longer than days, and days than their rollup: what is dropped of a rollup is not made again.
  @Test func aRollupDropsItsOwnRows() throws {
    try session.run("DROP MATERIALIZED VIEW r")
    try session.run(
      """
      CREATE MATERIALIZED VIEW r WITH (continuous, varve.partition = '1 day') AS
        SELECT time_bucket('1 day', time) AS day, host, count(*) AS n, sum(v) AS total FROM t GROUP BY 1, 2
      """)
    try session.dropChunks(of: "r", olderThan: Self.start - 4 * Self.day)
    #expect(try days.count == 4)
    try session.run("INSERT INTO t VALUES ('2024-01-02 00:30Z', 'h', 1), ('2024-01-08 00:30Z', 'h', 1)")
    #expect(try days == ["24", "24", "25", "24"])
    try RollupRefresh(session, "r").run()
    #expect(try days == ["24", "24", "25", "24"])
    try session.dropChunks(of: "t", olderThan: Self.start - 6 * Self.day)
    #expect(try days == ["24", "24", "25", "24"])
    #expect(try rows == ["145"])
  }

  /// Hours for ever, made of days that go: what comes late still reaches them.
  @Test func aRollupOfARollupCountsWhatTheOtherHasDropped() throws {
    try session.run(
      """
      DROP MATERIALIZED VIEW r;
      CREATE MATERIALIZED VIEW r WITH (continuous, varve.partition = '1 day') AS
        SELECT time_bucket('1 day', time) AS day, host, count(*) AS n FROM t GROUP BY 1, 2;
      CREATE MATERIALIZED VIEW months WITH (continuous) AS
        SELECT time_bucket('1 month', day) AS month, host, sum(n) AS n FROM r GROUP BY 1, 2
      """)
    let months = "SELECT n::bigint FROM months"
    // Its source has all rows yet: so has the rollup.
    try session.dropChunks(of: "r", olderThan: Self.start - 4 * Self.day)
    #expect(try days.count == 9)
    try session.dropChunks(of: "t", olderThan: Self.start - 3 * Self.day)
    try session.dropChunks(of: "r", olderThan: Self.start - 4 * Self.day)
    #expect(try days.count == 4)
    #expect(try session.run(months) == ["216"])
    for count in 1...3 {
      try session.run("INSERT INTO t VALUES ('2024-01-03 0\(count):00Z', 'h', 5)")
      #expect(try session.run(months) == ["\(216 + count)"])
      if count == 2 { try session.dropChunks(of: "t", olderThan: Self.start - 3 * Self.day) }
      try session.dropChunks(of: "r", olderThan: Self.start - 4 * Self.day)
      #expect(try session.run(months) == ["\(216 + count)"])
      #expect(try days.count == 4)
    }
  }

  @Test func statementsDropAndKeepPolicies() throws {
    try session.run("CALL flush()")
    let shown = try session.run("SELECT show_chunks('t', older_than => '2024-01-03 12:00Z')")
    #expect(shown.count == 2)
    #expect(try session.run("SELECT drop_chunks('t', '2024-01-03 12:00Z')") == shown)
    #expect(try rows == ["168"])
    #expect(try session.run("SELECT add_retention_policy('t', interval '3 days')").count == 1)
    #expect(session.failure("SELECT add_retention_policy('t', interval '3 days')")?.sqlState == "42710")
    try session.run("SELECT remove_retention_policy('t')")
    #expect(session.failure("SELECT remove_retention_policy('t')")?.sqlState == "42704")
    try session.run("SELECT remove_retention_policy('t', if_exists => true)")
    try session.run("SELECT trust_clock()")
    #expect(session.failure("SELECT drop_chunks('t', NULL)")?.sqlState == "22023")
    #expect(session.failure("SELECT pause_job(-5)")?.message == "job -5 not found")
  }

  @Test func whatWouldGoIsShownWithRowsAndBytes() throws {
    try session.run("CALL flush(); INSERT INTO t VALUES ('2024-01-01 00:30Z', 'h', 1)")
    #expect(try session.run("SELECT show_chunks('t')").count == 9)
    #expect(try session.run("SELECT show_chunks('t', newer_than => '2024-01-07 12:00Z')").count == 2)
    #expect(try session.run("SELECT show_chunks('t', '2024-01-05Z', '2024-01-02Z')").count == 3)
    let preview = try session.run("SELECT retention_preview('t', older_than => '2024-01-03 12:00Z')")
    #expect(preview.count == 3 && preview[2] == "null|null|null|1|null")
    let first = preview[0].split(separator: "|")
    #expect(
      first[1] == "\(Self.start - 9 * Self.day)" && first[2] == "\(Self.start - 8 * Self.day)" && first[3] == "24")
    #expect(Int(first[4]).map { $0 > 0 } ?? false)
    #expect(session.failure("SELECT retention_preview('t')")?.sqlState == "42704")
    try session.run("SELECT add_retention_policy('t', interval '3 days')")
    #expect(try session.run("SELECT retention_preview('t')").count == 7)
    let dry = try session.run("SELECT run_retention(dry_run => true)")
    #expect(dry.count == 1 && dry[0].hasPrefix("t|\(Self.start - 3 * Self.day)|6|145|"))
    #expect(try rows == ["217"])
    #expect(try session.run("SELECT run_retention()") == dry)
    #expect(try rows == ["72"])
    #expect(try session.run("SELECT sum(n)::bigint FROM r") == ["217"])
    #expect(
      try session.run("SELECT run_retention('t', INTERVAL '2 days')")[0].hasPrefix(
        "t|\(Self.start - 2 * Self.day)|1|24|"))
    #expect(session.failure("SELECT run_retention(older_than => INTERVAL '2 days')")?.sqlState == "22023")
    #expect(session.failure("SELECT run_retention('r')")?.sqlState == "42704")
    #expect(session.failure("SELECT run_retention('x')")?.sqlState == "42P01")
  }

  @Test func whatIsNewerGoesWhereNoRollupHasIt() throws {
    try session.run("CALL flush()")
    let drop = "SELECT drop_chunks('t', newer_than => '2024-01-07 12:00Z')"
    #expect(session.failure(drop)?.sqlState == "0A000")
    #expect(session.failure("SELECT drop_chunks('t', '2024-01-02Z', '2024-01-05Z')")?.sqlState == "22023")
    // All of it is older and newer.
    #expect(try session.run("SELECT drop_chunks('t', '2024-01-02Z', newer_than => '2023-01-01Z')").count == 1)
    #expect(try days.count == 9)
    try session.run("DROP MATERIALIZED VIEW r; INSERT INTO t VALUES ('2024-01-08 12:30Z', 'h', 1)")
    #expect(try session.run(drop).count == 2)
    #expect(
      try session.run("SELECT min(time), max(time), count(*) FROM t") == [
        "\(Self.start - 8 * Self.day)|\(Self.start - 2 * Self.day - Self.hour)|144"
      ])
    #expect(try session.run("SELECT drop_chunks('t', '2024-01-05Z', '2024-01-03Z')").count == 2)
    #expect(try rows == ["96"])
    #expect(try session.run(drop).isEmpty)
  }

  @Test func aPolicyIsReadAsItWasKept() throws {
    for interval in [Interval(months: 6), Interval(days: 30, microseconds: 5), Interval(microseconds: 1)] {
      var policy = AgePolicy(interval)
      #expect(try AgePolicy(policy.bytes) == policy)
      policy.isPaused = true
      #expect(try AgePolicy(policy.bytes) == policy)
      for count in 0..<policy.bytes.count {
        #expect(throws: VarveError.self) { try AgePolicy(Array(policy.bytes.prefix(count))) }
      }
    }
  }
}
