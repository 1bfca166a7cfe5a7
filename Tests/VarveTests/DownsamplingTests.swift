import Testing
import Varve
import VarveCore
import VarveIO
import VarveSimulator
import VarveStorage

@testable import VarveQuery

/// add_downsampling_policy: rollups of rollups and what is dropped when, in one call, all or nothing.
@Suite struct DownsamplingTests {
  private static let day: Int64 = 86_400_000_000_000
  /// 2024-01-10 00:00.
  private static let start: Int64 = 1_704_844_800_000_000_000
  private static let levels = #"{"1 hour": "forever", "raw": "3 days", "1 minute": "5 days"}"#
  private static let add = "SELECT add_downsampling_policy('weather', '\(levels)'"

  private let clock = ManualClock(wall: start)
  private let disk = SimulatedFileSystem()
  private let database: Database
  private let session: QuerySession

  init() throws {
    database = try Self.open(disk, clock)
    session = database.makeSession(user: "u", database: "d")
    try session.run(
      """
      CREATE TABLE weather (time timestamptz, site text, "Wind" double precision, n bigint, sky text, rain boolean)
        WITH (varve.tags = 'site', varve.partition = '1 day');
      INSERT INTO weather SELECT t, s, extract(minute FROM t) / 4, extract(hour FROM t),
          'sky ' || extract(minute FROM t), extract(minute FROM t) > 30
        FROM generate_series(timestamptz '2024-01-03Z', '2024-01-09 23:59Z', '90 seconds') AS t,
          (VALUES ('a'), ('b')) AS sites(s)
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

  private func names(_ session: QuerySession) throws -> [String] {
    try session.run("SELECT name FROM varve.rollups ORDER BY name")
  }

  @Test func oneCallMakesAllLevels() throws {
    let direct = try session.run(
      """
      SELECT time_bucket('1 hour', time) AS h, site, count(*), min("Wind"), max("Wind"), round(avg("Wind")::numeric, 9)::text,
        sum(n)::bigint, count(n), avg(n)::text, first(n, time), last(sky, time), last(rain, time)
      FROM weather GROUP BY 1, 2 ORDER BY 1, 2
      """)
    let dry = try session.run("\(Self.add), dry_run => true)")
    #expect(dry.count == 3 && dry[0] == "weather|null|null|3 days|retention policy|null")
    #expect(dry[1].hasPrefix("weather_1_minute|weather|00:01:00|5 days|rollup; retention policy|SELECT time_bucket("))
    #expect(dry[2].hasPrefix("weather_1_hour|weather_1_minute|01:00:00|null|rollup|SELECT"))
    #expect(try names(session).isEmpty)
    #expect(try session.run("\(Self.add))") == dry)
    #expect(try names(session) == ["weather_1_hour", "weather_1_minute"])
    #expect(
      try session.run(
        "SELECT job, table_name, end_offset::text FROM varve.jobs WHERE table_name IS NOT NULL ORDER BY 2, 1")
        == [
          "retention|weather|3 days", "refresh|weather_1_hour|null", "refresh|weather_1_minute|null",
          "retention|weather_1_minute|5 days",
        ])
    let kept = """
      SELECT time, site, rows, "Wind_min", "Wind_max", round("Wind_avg"::numeric, 9)::text, n_sum::bigint, n_count,
        n_avg::text, n_first, sky_last, rain_last FROM weather_1_hour ORDER BY 1, 2
      """
    #expect(try session.run(kept) == direct)
    // What is old goes level by level, and the last has it all.
    try session.run("SELECT run_retention(); SELECT run_retention()")
    #expect(try session.run("SELECT min(time) FROM weather") == ["\(Self.start - 3 * Self.day)"])
    #expect(try session.run("SELECT min(time) >= '2024-01-05Z', count(*) > 0 FROM weather_1_minute") == ["true|true"])
    #expect(try session.run(kept) == direct)
  }

  @Test func theSameCallAgainChangesNothingAndAddsWhatCame() throws {
    try session.run("\(Self.add))")
    #expect(session.failure("\(Self.add))")?.sqlState == "42P07")
    #expect(try session.run("\(Self.add), if_not_exists => true)").allSatisfy { $0.split(separator: "|")[4] == "null" })
    try session.run("INSERT INTO weather (time, site, n) VALUES ('2024-01-09 12:00:10Z', 'a', 7)")
    try session.run("ALTER TABLE weather ADD COLUMN gust double precision")
    try session.run("INSERT INTO weather (time, site, gust) VALUES ('2024-01-09 12:00:20Z', 'a', 2.5)")
    let changes = try session.run("\(Self.add), if_not_exists => true)").map { $0.split(separator: "|")[4] }
    let columns = ["min", "max", "avg", "sum", "count", "first", "last"].map { "gust_\($0)" }.joined(separator: ", ")
    #expect(changes == ["null", "columns \(columns)", "columns \(columns)"])
    #expect(
      try session.run("SELECT gust_avg, gust_count FROM weather_1_hour WHERE gust_count > 0 AND site = 'a'") == [
        "2.5|1"
      ])
    #expect(
      session.failure(
        #"SELECT add_downsampling_policy('weather', '{"raw": "4 days", "1 minute": "5 days"}', if_not_exists => true)"#)?
        .sqlState == "42710")
    try session.run("SELECT remove_downsampling_policy('weather')")
    #expect(try session.run("SELECT count(*) FROM varve.jobs WHERE job = 'retention'") == ["0"])
    #expect(try names(session).count == 2)
    try session.run("\(Self.add), if_not_exists => true)")
    #expect(try session.run("SELECT count(*) FROM varve.jobs WHERE job = 'retention'") == ["2"])
    #expect(session.failure("SELECT remove_downsampling_policy('weather_1_hour')")?.sqlState == "42809")
    try session.run("CREATE TABLE plain (time timestamptz, v bigint)")
    #expect(session.failure("SELECT remove_downsampling_policy('plain')")?.sqlState == "42704")
    try session.run("SELECT remove_downsampling_policy('plain', if_exists => true)")
  }

  @Test func whatFailsLeavesNothing() throws {
    // A tag that a level's column would be called like: found when the first is made.
    try session.run("CREATE TABLE two (time timestamptz, v bigint, v_min text) WITH (varve.tags = 'v_min')")
    #expect(session.failure(#"SELECT add_downsampling_policy('two', '{"1 minute": "forever"}')"#)?.sqlState == "42701")
    // And one that the second is called like, which is no rollup.
    try session.run("CREATE TABLE weather_1_hour (time timestamptz, v bigint)")
    #expect(session.failure("\(Self.add))")?.sqlState == "42P07")
    #expect(session.failure("\(Self.add), if_not_exists => true)")?.sqlState == "42P07")
    try session.run("DROP TABLE weather_1_hour; SELECT add_retention_policy('weather', INTERVAL '9 days')")
    #expect(session.failure("\(Self.add))")?.sqlState == "42710")
    #expect(try names(session).isEmpty)
    for (levels, sqlState) in [
      (#"{"raw": "3 days"}"#, "22023"), (#"["1 minute"]"#, "22023"), (#"{"1 minute": 5}"#, "22023"),
      (#"{"1 minute": "1 day", "90 seconds": "2 days"}"#, "22023"),
      (#"{"1 minute": "1 day", "60 seconds": "2 days"}"#, "22023"),
      (#"{"7 days": "1 year", "1 month": null}"#, "22023"),
      (#"{"raw": "30 days", "1 minute": "7 days"}"#, "22023"), (#"{"raw": "1 hour", "1 day": "1 year"}"#, "22023"),
      (#"{"1 minute": "forever", "1 hour": "1 year"}"#, "22023"), (#"{"1 day 1 hour": "forever"}"#, "22023"),
      (#"{"soon": "forever"}"#, "22007"), (#"{"1 minute": "forever"#, "22P02"),
    ] {
      let error = session.failure("SELECT add_downsampling_policy('weather', '\(levels)')")
      #expect(error?.sqlState == sqlState && error?.position != nil, "\(levels): \(error.map { "\($0)" } ?? "taken")")
    }
    #expect(try names(session).isEmpty)
  }

  /// Before each I/O call the machine stops: rows are dropped by no policy, or by all; and the same call makes the rest.
  @Test func aCrashAtAnyCallIsMadeUpForByTheSameCall() throws {
    disk.startHistory()
    try session.run("\(Self.add))")
    let moments = disk.takeHistory()
    var finished = 0
    for (number, moment) in moments.enumerated() where number % 3 == 0 || number == moments.count - 1 {
      let ending = moment.disk.afterCrash(.chance, seed: UInt64(number))
      let database = try Self.open(ending, clock)
      let session = database.makeSession(user: "u", database: "d")
      let policies = try session.run("SELECT count(*) FROM varve.jobs WHERE job = 'retention'")
      #expect(policies == ["0"] || policies == ["2"])
      if policies == ["2"] { finished += 1 }
      try session.run("\(Self.add), if_not_exists => true)")
      #expect(try session.run("SELECT count(*) FROM varve.jobs WHERE job = 'retention'") == ["2"])
      #expect(
        try session.run("SELECT sum(rows)::bigint FROM weather_1_hour") == session.run("SELECT count(*) FROM weather"))
      try database.closeBlocking()
    }
    #expect(finished > 0)
  }
}
