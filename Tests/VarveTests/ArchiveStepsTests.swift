import Testing
import VarveCore
import VarveIO
import VarveSimulator
import VarveStorage

@testable import Varve
@testable import VarveQuery

/// What a run of the archive takes in steps, and what is at hand of what it took.
@Suite struct ArchiveStepsTests {
  private let database: Database
  private let session: QuerySession
  private let clock = ManualClock()

  init() throws {
    var options = Database.Options()
    options.compaction = false
    options.archive = "/sim/archive"
    clock.set(wall: 1_700_000_000_000_000_000)
    database = try Database.openBlocking("/sim/db", options: options, fileSystem: SimulatedFileSystem(), clock: clock)
    session = database.makeSession(user: "u", database: "d")
    try session.run("CREATE TABLE t (time timestamptz, host text, v bigint, s text) WITH (varve.tags = 'host')")
  }

  private func rows(_ sql: String) throws -> [[SQLValue]] { try AggregateWorkload.answer(session, sql) }

  /// Of a partition in more chunks than are merged at once, a preview says all that the run then takes.
  @Test func aPreviewCountsAllChunksOfAPartition() throws {
    for number in 0..<70 {
      try session.run("INSERT INTO t VALUES ('2023-01-01 00:00:\(number % 60)Z', 'h\(number)', \(number), 'x')")
      try session.run("CALL flush()")
    }
    let preview = try rows("SELECT archive_run('t', INTERVAL '1 day', dry_run => true)")
    #expect(preview.count == 1 && preview[0][2...3] == [.integer(70), .integer(70)], "\(preview)")
    #expect(try rows("SELECT archive_list()").isEmpty)
    _ = try rows("SELECT archive_run('t', INTERVAL '1 day')")
    #expect(try rows("SELECT count(*), sum(v)::bigint FROM t") == [[.integer(70), .integer(2415)]])
    #expect(try rows("SELECT archive_run('t', INTERVAL '1 day', dry_run => true)").allSatisfy { $0[3] == .integer(0) })
  }

  /// A policy that cannot be followed, since a clock went back to where its age reaches beyond all times, is told of, and
  /// keeps no other table here.
  @Test func aPolicyThatCannotBeFollowedStopsNoOther() throws {
    for table in ["t", "u"] {
      if table == "u" {
        try session.run("CREATE TABLE u (time timestamptz, host text, v bigint, s text) WITH (varve.tags = 'host')")
      }
      try session.run("INSERT INTO \(table) VALUES ('1975-01-01Z', 'h', 1, 'x')")
      try session.run("CALL flush()")
    }
    try session.run("CALL add_tiering_policy('u', INTERVAL '340 years')")
    clock.set(wall: 315_532_800_000_000_000)
    try session.run("CALL add_tiering_policy('t', INTERVAL '1 day')")
    TieringScheduler().turn(database)
    #expect(try rows("SELECT archive_list()").map { $0[0] } == [.text("t")])
    let failed = "SELECT table_name FROM varve.jobs WHERE job = 'tiering' AND last_error IS NOT NULL"
    #expect(try rows(failed) == [[.text("u")]])
    #expect(try rows("SELECT archive_run()").map { $0[0] } == [.text("t")])
  }

  /// Once newest rows were asked for, those of chunks that go to the archive are at hand: no object is read for them.
  @Test func newestRowsAreAtHandWhenTheirChunksGo() throws {
    let values = (0..<40).map {
      "('2023-01-01 00:\($0):00Z', 'h\($0 % 7)', \($0), \($0 % 3 == 0 ? "NULL" : "'s\($0)'"))"
    }
    try session.run("INSERT INTO t VALUES \(values.joined(separator: ", "))")
    try session.run("CALL flush()")
    let sql = "SELECT DISTINCT ON (host) host, time, v, s FROM t ORDER BY host, time DESC"
    let before = try rows(sql)
    #expect(before.count == 7)
    _ = try rows("SELECT archive_run('t', INTERVAL '1 day')")
    #expect(try rows("SELECT archive_list()").count == 1)
    let plan = try AggregateWorkload.explain(session, sql)
    #expect(!plan.contains("Archive:"), "\(plan)")
    #expect(try rows(sql) == before)
    // Whoever stops early has read something, too.
    for sql in ["SELECT v FROM t", "SELECT s FROM t LIMIT 1"] {
      #expect(try AggregateWorkload.explain(session, sql).contains("Archive: 1 object"), "\(sql)")
    }
  }
}
