import Testing
import VarveCore
import VarveIO
import VarveSimulator
import VarveStorage

@testable import Varve
@testable import VarveQuery

/// Sealing, compaction and checkpoints as users see them beside the jobs of policies.
@Suite struct DatabaseJobTests {
  private static let noon: Int64 = 1_704_110_400_000_000_000

  private let scratch: Scratch
  init() throws { scratch = try Scratch() }

  private func session(_ database: Database) -> QuerySession { database.makeSession(user: "u", database: "d") }

  /// A chunk of a day that is long over.
  private func writeChunk(_ session: QuerySession, hour: Int) throws {
    try session.run("INSERT INTO t SELECT '2023-01-01 \(hour):00Z', 'a', \(hour); CALL flush()")
  }

  private func chunkCount(_ session: QuerySession) throws -> String {
    try session.run("SELECT count(*) FROM varve.chunks")[0]
  }

  private func paused(_ session: QuerySession) throws -> [String] {
    try session.run("SELECT job FROM varve.jobs WHERE paused")
  }

  /// Longer than the thread takes to look for something to do.
  private func giveTime() async throws { try await Task.sleep(for: .milliseconds(1500)) }

  @Test(.timeLimit(.minutes(20))) func pausedCompactionBeginsNothingAlsoAfterARestartAndServesThoseWhoAsk() async throws
  {
    var database = try await Database.open(scratch.database)
    var session = session(database)
    try session.run("CREATE TABLE t (time timestamptz, host text, v bigint) WITH (varve.tags = 'host')")
    #expect(try session.run("SELECT pause_job(2)") == ["2"])
    #expect(try session.run("SELECT pause_job(2)") == ["2"], "twice is once")
    for hour in 1...3 { try writeChunk(session, hour: hour) }
    try await giveTime()
    #expect(try chunkCount(session) == "3")
    #expect(
      try session.run("CALL compact_chunks('t')").map {
        String($0.split(separator: "|").prefix(3).joined(separator: "|"))
      }
        == ["t|3|1"])
    try writeChunk(session, hour: 4)
    try await database.close()
    database = try await Database.open(scratch.database)
    session = self.session(database)
    #expect(try paused(session) == ["compaction"])
    try await giveTime()
    #expect(try chunkCount(session) == "2")
    // From the manifest, too, once the log is let go of.
    try session.run("CALL flush()")
    try await database.close()
    database = try await Database.open(scratch.database)
    session = self.session(database)
    #expect(try paused(session) == ["compaction"])
    try session.run("CALL resume_job(2)")
    #expect(try paused(session).isEmpty)
    while try chunkCount(session) != "1" { try await Task.sleep(for: .milliseconds(20)) }
    #expect(
      try session.run(
        "SELECT runs > 0, failures, last_error, last_run IS NOT NULL FROM varve.jobs WHERE job = 'compaction'") == [
          "true|0|null|true"
        ])
    try await database.close()
    database = try await Database.open(scratch.database)
    #expect(try paused(self.session(database)).isEmpty)
    try await database.close()
  }

  @Test func whatBoundsTheStoreIsNotPausedAndSaysWhy() async throws {
    let database = try await Database.open(scratch.database)
    let session = session(database)
    for (job, reason) in [(1, "memory, the log"), (3, "the manifest")] {
      let error = session.failure("SELECT pause_job(\(job))")
      #expect(error?.sqlState == "0A000" && error?.position == 18)
      #expect(error?.hint?.contains(reason) == true, "\(error?.hint ?? "")")
      #expect(try session.run("SELECT resume_job(\(job))") == ["\(job)"], "it is not paused")
    }
    #expect(try paused(session).isEmpty)
    try await database.close()
  }

  @Test func jobsTellOfTheirRuns() async throws {
    let clock = ManualClock(wall: Self.noon)
    var options = Database.Options()
    options.compaction = false
    options.refresh = false
    options.sealIdle = .zero
    let database = try Database.openBlocking(scratch.database, options: options, clock: clock)
    let session = session(database)
    func shown(_ job: String) throws -> String {
      try session.run(
        """
        SELECT to_char(last_run, 'HH24:MI:SS'), to_char(next_run, 'HH24:MI:SS'), runs, failures, last_error, paused,
          running, last_seconds IS NULL FROM varve.jobs WHERE job = '\(job)'
        """)[0]
    }
    for job in ["seal", "compaction", "checkpoint"] {
      #expect(try shown(job) == "null|null|0|0|null|false|false|true", "\(job)")
    }
    try session.run("CREATE TABLE t (time timestamptz, host text, v bigint) WITH (varve.tags = 'host')")
    clock.advance(nanoseconds: 60 * second)
    #expect(try shown("seal") == "null|12:10:00|0|0|null|false|false|true")
    for hour in 1...2 { try writeChunk(session, hour: hour) }
    #expect(try shown("seal") == "12:01:00|null|2|0|null|false|false|false")
    clock.advance(nanoseconds: 60 * second)
    try session.run("CALL compact_chunks()")
    #expect(try shown("compaction") == "12:02:00|null|1|0|null|false|false|false")
    #expect(try shown("checkpoint") == "null|null|0|0|null|false|false|true")
    try await database.close()
  }

  /// What fails is seen, and when it is tried again; with the next success it is over. Others go on meanwhile.
  @Test(.timeLimit(.minutes(20))) func aFailureOfCompactionIsSeenAndStopsNoOther() async throws {
    let disk = SimulatedFileSystem()
    let clock = ManualClock(wall: Self.noon)
    var options = Database.Options()
    options.refresh = false
    let database = try Database.openBlocking("/sim/db", options: options, fileSystem: disk, clock: clock) {
      $0.segmentByteCount = 1 << 20
    }
    let session = session(database)
    try session.run("CREATE TABLE t (time timestamptz, host text, v bigint) WITH (varve.tags = 'host')")
    try session.run(
      """
      CREATE MATERIALIZED VIEW hours WITH (continuous) AS
        SELECT time_bucket('1 hour', time) AS hour, count(*) AS rows FROM t GROUP BY 1
      """)
    try session.run("CALL pause_job(2)")
    for hour in 1...2 { try writeChunk(session, hour: hour) }
    // Room for what a commit takes, and not for what a compaction wants to have free.
    let used = disk.paths.reduce(0) { $0 + (disk.contents($1)?.count ?? 0) }
    disk.set(capacity: used + 1 << 20)
    try session.run("CALL resume_job(2)")
    let failed =
      "SELECT failures > 0, last_error LIKE '%bytes of room%', next_run > last_run FROM varve.jobs WHERE job = 'compaction'"
    while try session.run(failed) != ["true|true|true"] {
      clock.advance(nanoseconds: second)
      try await Task.sleep(for: .milliseconds(20))
    }
    clock.advance(nanoseconds: 10 * second)
    while database.jobs.turn(database) {}
    #expect(try session.run("SELECT failures, runs > 0 FROM varve.jobs WHERE job = 'refresh'") == ["0|true"])
    disk.set(capacity: .max)
    let succeeded =
      "SELECT failures > 0, runs > failures, last_error, next_run FROM varve.jobs WHERE job = 'compaction'"
    while try session.run(succeeded) != ["true|true|null|null"] {
      clock.advance(nanoseconds: 10 * second)
      try await Task.sleep(for: .milliseconds(20))
    }
    try await database.close()
  }
}
