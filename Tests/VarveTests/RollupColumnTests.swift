import Testing
import Varve
import VarveCore
import VarveIO
import VarveSimulator
import VarveStorage

@testable import VarveQuery

/// ALTER MATERIALIZED VIEW … ADD COLUMN: what is added is there for all rows that are there, and nothing else changes.
@Suite struct RollupColumnTests {
  private static let day: Int64 = 86_400_000_000_000
  /// 2024-01-10 00:00.
  private static let start: Int64 = 1_704_844_800_000_000_000

  private let clock = ManualClock(wall: start)
  private let disk = SimulatedFileSystem()
  private let database: Database
  private let session: QuerySession

  init() throws {
    database = try Self.open(disk, clock)
    session = database.makeSession(user: "u", database: "d")
    try session.run(
      """
      CREATE TABLE t (time timestamptz, host text, v bigint) WITH (varve.tags = 'host');
      INSERT INTO t SELECT x, 'h', extract(hour FROM x)
        FROM generate_series(timestamptz '2024-01-01Z', '2024-01-09 23:00Z', '1 hour') AS x;
      CREATE MATERIALIZED VIEW r WITH (continuous) AS
        SELECT time_bucket('1 day', time) AS day, host, count(*) AS n, avg(v) AS mean FROM t GROUP BY 1, 2
      """)
  }

  private static func open(_ disk: SimulatedFileSystem, _ clock: ManualClock) throws -> Database {
    var options = Database.Options()
    options.compaction = false
    options.refresh = false
    return try Database.openBlocking("/sim/db", options: options, fileSystem: disk, clock: clock) {
      $0.makeFilesSmall()
    }
  }

  private func add(_ column: String, to rollup: String = "r") throws {
    try session.run("ALTER MATERIALIZED VIEW \(rollup) ADD COLUMN \(column) STORED")
  }

  private func explained(_ question: String) throws -> String {
    try session.run("EXPLAIN " + question).joined(separator: "\n")
  }

  @Test func aColumnIsThereForAllRows() throws {
    try add("top bigint GENERATED ALWAYS AS (max(v))")
    #expect(try session.run("SELECT n, top FROM r ORDER BY day") == Array(repeating: "24|23", count: 9))
    #expect(try session.run("SELECT invalid_ranges, invalid::text FROM varve.rollups") == ["0|00:00:00"])
    // What the rollup keeps by now answers queries that do not name it.
    let question = "SELECT time_bucket('1 day', time), max(v) FROM t GROUP BY 1"
    #expect(try explained(question).contains("Rollup: r (1 day)"))
    try session.run("INSERT INTO t VALUES ('2024-01-03 12:30Z', 'h', 99)")
    #expect(try session.run("SELECT top FROM r WHERE day = '2024-01-03Z'") == ["99"])
    try session.run(
      """
      ALTER TABLE r ADD COLUMN low numeric(6, 1) GENERATED ALWAYS AS (min(v) /* least */ -- of all
        ) STORED, ADD COLUMN "Last one" bigint GENERATED ALWAYS AS (last(v, time)) STORED
      """)
    #expect(
      try session.run("SELECT top, low::text, \"Last one\" FROM r WHERE day >= '2024-01-08Z'") == [
        "23|0.0|23", "23|0.0|23",
      ])
    #expect(
      try session.run("SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'r'").suffix(3)
        == ["top|bigint", "low|numeric", "Last one|bigint"])
  }

  @Test func aPlanThatWasKeptGoesOn() throws {
    try session.run("PREPARE q AS SELECT n FROM r WHERE day = '2024-01-02Z'; EXECUTE q")
    try session.run("PREPARE w AS SELECT sum(v)::bigint FROM t; EXECUTE w")
    let all = "SELECT * FROM r WHERE day = '2024-01-02Z'"
    func width() throws -> [Int] { try session.run(all).map { $0.split(separator: "|").count } }
    #expect(try width() == [4])
    // All that this needs is kept for the average.
    try add("known bigint GENERATED ALWAYS AS (count(v))")
    #expect(try session.run("EXECUTE q") == ["24"])
    #expect(try width() == [5])
    try add("total bigint GENERATED ALWAYS AS (sum(v))")
    try add("top bigint GENERATED ALWAYS AS (max(v))")
    #expect(try session.run("EXECUTE q") == ["24"])
    #expect(try session.run("EXECUTE w") == ["\(9 * 276)"])
    #expect(try session.run("SELECT known, total, top FROM r WHERE day = '2024-01-02Z'") == ["24|276|23"])
  }

  @Test func bucketsWhoseRowsAreGoneHaveNull() throws {
    // Within a bucket, so that what is left of it is not all of it.
    _ = try RetentionRun(session, "t").run(exactlyBefore: Self.start - 4 * Self.day + Self.day / 2)
    try add("positive bigint GENERATED ALWAYS AS (count(*) FILTER (WHERE v > 0))")
    try add("known bigint GENERATED ALWAYS AS (count(v))")
    let wanted = Array(repeating: "24|null|24", count: 6) + Array(repeating: "24|23|24", count: 3)
    #expect(try session.run("SELECT n, positive, known FROM r ORDER BY day") == wanted)
    // What comes late is not all of its bucket either.
    try session.run("INSERT INTO t VALUES ('2024-01-02 00:30Z', 'h', 5), ('2024-01-06 23:30Z', 'h', 5)")
    for _ in 0..<2 {
      #expect(
        try session.run("SELECT n, positive FROM r WHERE n = 25 ORDER BY day") == ["25|null", "25|null"])
      try RollupRefresh(session, "r").run()
      _ = try RetentionRun(session, "t").run(exactlyBefore: Self.start - 4 * Self.day + Self.day / 2)
    }
    // What is frozen later has it.
    try session.dropChunks(of: "t", olderThan: .max)
    #expect(try session.run("SELECT count(*), sum(n)::bigint, count(positive) FROM r") == ["9|218|3"])
    #expect(try session.run("SELECT count(*) FILTER (WHERE v > 0) FROM t") == ["0"])
  }

  @Test func aRollupOfARollupKnowsWhatThatKnows() throws {
    try session.run(
      """
      CREATE MATERIALIZED VIEW weeks WITH (continuous) AS
        SELECT time_bucket('7 days', day) AS week, host, sum(n) AS n FROM r GROUP BY 1, 2
      """)
    try session.dropChunks(of: "t", olderThan: Self.start - 6 * Self.day)
    try add("top bigint GENERATED ALWAYS AS (max(v))")
    // Weeks begin on Mondays: of the first some days are not known.
    try add("top bigint GENERATED ALWAYS AS (max(top))", to: "weeks")
    #expect(try session.run("SELECT n::bigint, top FROM weeks ORDER BY week") == ["168|null", "48|23"])
    // What the coarser one answers for the finer one is what that says itself: of the days that are known.
    let question = "SELECT time_bucket('7 days', day) AS w, max(top), sum(n)::bigint FROM r GROUP BY 1 ORDER BY 1"
    #expect(try explained(question).contains("Rollup: weeks (7 days)"))
    let answer = try session.run(question)
    try session.run("SET varve.use_rollups = off")
    #expect(try session.run(question) == answer && answer.count == 2)
    try session.run("RESET varve.use_rollups")
    try session.run(
      """
      CREATE MATERIALIZED VIEW fortnights WITH (continuous) AS
        SELECT time_bucket('14 days', day) AS t, sum(n)::bigint AS n, max(top) AS top FROM r GROUP BY 1;
      CREATE MATERIALIZED VIEW high WITH (continuous) AS
        SELECT time_bucket('7 days', day) AS t, count(*) AS n FROM r WHERE top > 5 GROUP BY 1
      """)
    #expect(try session.run("SELECT n, top FROM fortnights ORDER BY t") == ["216|null"])
    #expect(try session.run("SELECT n FROM high ORDER BY t") == ["null", "2"])
    #expect(session.failure("ALTER TABLE t DROP COLUMN v")?.sqlState == "2BP01")
  }

  @Test func whatCannotBeAddedIsRefusedWhereItStands() throws {
    let add = "ALTER MATERIALIZED VIEW r ADD COLUMN "
    for (statement, sqlState, place) in [
      ("\(add)n bigint GENERATED ALWAYS AS (max(v)) STORED", "42701", "n bigint"),
      ("\(add)x bigint", "0A000", "x bigint"),
      ("\(add)x bigint DEFAULT 1", "0A000", "x bigint"),
      ("\(add)x bigint GENERATED ALWAYS AS (max(w)) STORED", "42703", "w)"),
      ("\(add)x bigint GENERATED ALWAYS AS (percentile_cont(0.5) WITHIN GROUP (ORDER BY v)) STORED", "0A000", "perc"),
      ("\(add)x bigint GENERATED ALWAYS AS (v) STORED", "42803", "v)"),
      ("\(add)x bool GENERATED ALWAYS AS (max(v)) STORED", "42804", "x bool"),
      ("\(add)x text GENERATED ALWAYS AS (now()::text) STORED", "0A000", "x text"),
      ("ALTER MATERIALIZED VIEW r DROP COLUMN n", "0A000", "r DROP"),
      ("ALTER MATERIALIZED VIEW r RENAME COLUMN n TO m", "0A000", "r RENAME"),
      ("ALTER TABLE r ALTER COLUMN n TYPE text", "0A000", "r ALTER"),
      ("ALTER MATERIALIZED VIEW t ADD COLUMN x bigint", "42809", "t ADD"),
      ("BEGIN; \(add)x bigint GENERATED ALWAYS AS (max(v)) STORED", "25001", ""),
    ] {
      let found = try #require(session.failure(statement), "\(statement)")
      #expect(found.sqlState == sqlState, "\(statement): \(found)")
      if let position = found.position {
        #expect(String(statement.dropFirst(position - 1)).hasPrefix(place), "\(statement): \(position)")
      } else {
        #expect(place.isEmpty, "\(statement)")
      }
      if statement.hasPrefix("BEGIN") { try session.run("ROLLBACK") }
    }
    try session.run("\(add)IF NOT EXISTS n bigint GENERATED ALWAYS AS (max(v)) STORED")
    try session.run("ALTER MATERIALIZED VIEW IF EXISTS nobody ADD COLUMN x bigint")
    #expect(try session.run("SELECT count(*) FROM information_schema.columns WHERE table_name = 'r'") == ["4"])
  }

  @Test func columnsAreAddedWhileRowsComeAndRefreshesRun() async throws {
    let database = database
    func session() -> QuerySession { database.makeSession(user: "u", database: "d") }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        let session = session()
        for number in 0..<60 {
          try session.run("INSERT INTO t VALUES ('2024-01-0\(1 + number % 9) 10:\(10 + number % 50)Z', 'h', \(number))")
        }
      }
      group.addTask {
        let session = session()
        for _ in 0..<30 { try RollupRefresh(session, "r").run() }
      }
      group.addTask {
        let session = session()
        for day in 2...5 { try session.dropChunks(of: "t", olderThan: Self.start - Int64(10 - day) * Self.day) }
      }
      group.addTask {
        let session = session()
        for number in 0..<5 {
          try session.run(
            "ALTER MATERIALIZED VIEW r ADD COLUMN c\(number) bigint GENERATED ALWAYS AS (max(v + \(number))) STORED")
        }
      }
      try await group.waitForAll()
    }
    for _ in 0..<2 {
      #expect(try self.session.run("SELECT sum(n)::bigint FROM r") == ["\(9 * 24 + 60)"])
      let direct = try self.session.run(
        """
        SELECT time_bucket('1 day', time), max(v), max(v) + 1, max(v) + 2, max(v) + 3, max(v) + 4 FROM t
          WHERE time >= '2024-01-06Z' GROUP BY 1 ORDER BY 1
        """)
      #expect(
        try self.session.run("SELECT day, c0, c1, c2, c3, c4 FROM r WHERE day >= '2024-01-06Z' ORDER BY day") == direct)
      try RollupRefresh(self.session, "r").run()
    }
  }

  /// Before each I/O call of the statement the machine stops: the rollup is what its statement says, old or new.
  @Test func aCrashAtAnyCallLeavesTheRollupRight() throws {
    try session.dropChunks(of: "t", olderThan: Self.start - 6 * Self.day)
    disk.startHistory()
    try add("top bigint GENERATED ALWAYS AS (max(v))")
    let moments = disk.takeHistory()
    var hasColumn = 0
    for (number, moment) in moments.enumerated() {
      for (variant, survival) in [Survival.nothing, .everything, .chance].enumerated() {
        let ending = moment.disk.afterCrash(survival, seed: UInt64(8 * number + variant))
        let database = try Self.open(ending, clock)
        let session = database.makeSession(user: "u", database: "d")
        func check() throws {
          #expect(try session.run("SELECT n, round(mean, 1)::text FROM r") == Array(repeating: "24|11.5", count: 9))
          guard try session.run("SELECT * FROM r LIMIT 1")[0].split(separator: "|").count == 5 else { return }
          hasColumn += 1
          let wanted = Array(repeating: "null", count: 3) + Array(repeating: "23", count: 6)
          #expect(try session.run("SELECT top FROM r ORDER BY day") == wanted)
        }
        try check()
        try RollupRefresh(session, "r").run()
        try check()
        try database.closeBlocking()
      }
    }
    #expect(hasColumn > 0 && hasColumn < 6 * moments.count)
  }
}
