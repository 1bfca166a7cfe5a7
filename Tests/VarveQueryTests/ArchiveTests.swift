import Testing
import VarveCompute
import VarveCore
import VarveStorage

@testable import VarveQuery

/// What procedures about the archive say beside their rows, and what the scheduler is given.
@Suite struct ArchiveTests {
  private let archive = MemoryArchive()

  private func session(_ archive: MemoryArchive?) throws -> QuerySession {
    let session = makeSession(MemoryStore(archive: archive))
    try session.rows(
      """
      CREATE TABLE a (time timestamptz, v bigint);
      CREATE TABLE b (time timestamptz, v bigint);
      INSERT INTO a VALUES ('2024-01-01Z', 1); INSERT INTO b VALUES ('2024-01-01Z', 1)
      """)
    _ = session.takeEffects()
    return session
  }

  private func notices(_ session: QuerySession, _ sql: String) throws -> [String] {
    try session.rows(sql)
    return session.takeEffects().compactMap {
      if case .notice(let severity, _, let message) = $0 { "\(severity) \(message)" } else { nil }
    }
  }

  @Test func aPolicyWithoutAnArchiveIsKeptAndSaysThatNothingMoves() throws {
    let without = try session(nil)
    let said = try notices(without, "SELECT add_tiering_policy('a', INTERVAL '90 days')")
    #expect(said.count == 1 && said[0].contains("--archive") && said[0].hasPrefix("NOTICE"), "\(said)")
    #expect(try without.tieringJobs().map(\.name) == ["a"])
    #expect(error(without, "SELECT archive_run('a')")?.finalSQLState == "58000")
    #expect(error(without, "SELECT archive_list()")?.code == .unavailable)
    #expect(try notices(session(archive), "SELECT add_tiering_policy('a', INTERVAL '90 days')").isEmpty)
  }

  @Test func aRunByPoliciesTakesTheirTablesAndTellsWhatIsLeft() throws {
    let session = try session(archive)
    try session.rows("SELECT add_tiering_policy('b', INTERVAL '90 days')")
    archive.state.withLock {
      $0.unneeded = 3
      $0.failures = ["partition 7 of \"b\": the disk is full"]
    }
    var said = try notices(session, "SELECT archive_run()")
    #expect(said.count == 2 && said[0] == "WARNING partition 7 of \"b\": the disk is full", "\(said)")
    #expect(said.last?.hasPrefix("NOTICE kept for a while: 3 objects of 24 bytes") == true, "\(said)")
    #expect(try session.rows("SELECT archive_list()").map { $0[0] } == ["b"])
    archive.state.withLock { $0.failures = [] }
    said = try notices(session, "SELECT archive_run(delete_unneeded => true)")
    #expect(said == ["NOTICE deleted 3 objects of 24 bytes that nothing needed any more"])
    try session.rows("SELECT archive_run(older_than => INTERVAL '90 days')")
    #expect(archive.state.withLock { $0.runs } == ["b", "b deleting", "a,b"])
  }

  @Test func withoutPoliciesARunSaysSo() throws {
    let said = try notices(session(archive), "SELECT archive_run()")
    #expect(said.count == 1 && said[0].contains("no table has a tiering policy"), "\(said)")
  }

  @Test func whatIsInAnotherFolderIsToldOfAndAdoptedOfAllTables() throws {
    let session = try session(archive)
    try session.rows("SELECT add_tiering_policy('b', INTERVAL '90 days')")
    archive.state.withLock { $0.foreign = 2 }
    let said = try notices(session, "SELECT archive_run()")
    #expect(said.count == 1 && said[0].contains("2 objects are in the folder of another data directory"), "\(said)")
    #expect(said[0].contains("archive_run(adopt => true)"))
    #expect(try session.rows("SELECT archive_list()").map { $0.last } == ["f"])
    #expect(session.takeEffects().count == 1)
    let rows = try session.rows("SELECT archive_run(adopt => true)")
    #expect(rows.map { $0[0] } == ["a", "b"] && rows[0][1] == "NULL" && rows[1][1] != "NULL", "\(rows)")
    #expect(try notices(session, "SELECT archive_list()").isEmpty)
    try session.rows("SELECT archive_run('a', adopt => true)")
    try session.rows("SELECT archive_run('a', INTERVAL '1 day', adopt => true)")
    #expect(archive.state.withLock { $0.runs } == ["b", "a,b adopting", "a adopting", "a adopting"])
  }

  @Test func whatIsTakenOutOfTheArchiveAndGoesThereAgainIsToldOf() throws {
    let session = try session(archive)
    try session.rows("SELECT archive_run(older_than => INTERVAL '1 day')")
    #expect(try notices(session, "SELECT archive_restore('a')").isEmpty)
    try session.rows("SELECT add_tiering_policy('a', INTERVAL '90 days')")
    let job = try session.rows("SELECT id FROM varve.jobs WHERE job = 'tiering'")[0][0]
    let said = try notices(session, "SELECT archive_restore('a')")
    #expect(said.count == 1 && said[0].contains("pause_job(\(job))"), "\(said)")
    #expect(try notices(session, "SELECT archive_restore('a', newer_than => TIMESTAMPTZ '2024-04-01Z')").isEmpty)
    try session.rows("SELECT pause_job(\(job))")
    #expect(try notices(session, "SELECT archive_restore('a')").isEmpty)
  }

  @Test func eachProblemOfTheArchiveIsARow() throws {
    let session = try session(archive)
    try session.rows("SELECT archive_run(older_than => INTERVAL '1 day')")
    archive.state.withLock { $0.problems = [VerifyReport.Problem(path: "0/19723.parquet", message: "is gone")] }
    #expect(
      try session.rows("CALL archive_verify('a')") == [
        ["damaged", "0/19723.parquet", "NULL", "is gone"],
        ["summary", "NULL", "8", "1 objects, 8 bytes read; 1 rows; 1 problem"],
      ])
  }

  @Test func explainAnalyzeTellsOfObjectsThatWereNeeded() throws {
    let session = try session(archive)
    func archiveLine(_ explain: String, _ table: String = "a") throws -> String? {
      try session.rows("\(explain) SELECT sum(v) FROM \(table)").map { $0[0] }.first { $0.contains("Archive") }
    }
    #expect(try archiveLine("EXPLAIN ANALYZE") == nil)
    try session.rows("SELECT archive_run('a', INTERVAL '1 day')")
    #expect(try archiveLine("EXPLAIN") == nil)
    #expect(try archiveLine("EXPLAIN ANALYZE", "b") == nil)
    let line = try #require(try archiveLine("EXPLAIN ANALYZE"))
    #expect(line.hasSuffix("Archive: 1 object, 2 requests, 8 bytes fetched (1 bytes from the disk cache)"), "\(line)")
    let json = try #require(try archiveLine("EXPLAIN (ANALYZE, FORMAT JSON)"))
    #expect(json.contains("\"Archive\": \"1 object, 2 requests, 8 bytes fetched (1 bytes from the disk cache)\""))
  }

  @Test func theSchedulersJobKnowsWhatItsPolicySaysIsOld() throws {
    let session = try session(archive)
    #expect(try session.addTieringPolicy("a", moveAfter: Interval(days: 90)))
    #expect(try !session.addTieringPolicy("a", moveAfter: Interval(days: 1)))
    var job = try #require(try session.tieringJobs().first)
    let now = session.clock.wallNanoseconds()
    #expect(try session.limit(of: job) == now - 90 * 86_400_000_000_000)
    try session.rows("SELECT pause_job(\(JobNumber.policy(job.table, .tiering).rawValue))")
    job = try #require(try session.tieringJobs().first)
    #expect(job.isPaused)
    #expect(try session.removeTieringPolicy("a"))
    #expect(try !session.removeTieringPolicy("a"))
    #expect(try session.tieringJobs().isEmpty)
  }
}
