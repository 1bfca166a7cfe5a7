import Testing
import Varve
import VarveCore
import VarveIO
import VarveQuery
import VarveStorage

/// Transactions and dimension tables from end to end, on files: what sessions see of each other, and what is left.
@Suite struct TransactionTests {
  private let scratch: Scratch
  init() throws { scratch = try Scratch() }

  private func open(_ change: (inout Database.Options) -> Void = { _ in }) async throws -> Database {
    var options = Database.Options()
    options.compaction = false
    change(&options)
    return try await Database.open(scratch.database, options: options)
  }

  private func session(_ database: Database) -> QuerySession { database.makeSession(user: "u", database: "d") }

  private static let setUp = """
    CREATE TABLE d (id text PRIMARY KEY, n bigint); CREATE TABLE e (id text PRIMARY KEY, n bigint);
    CREATE TABLE r (time timestamptz, host text, v bigint) WITH (varve.tags = 'host');
    INSERT INTO d VALUES ('a', 1), ('b', 2)
    """

  @Test func othersSeeATransactionWholeAndOnlyOnceItIsCommitted() async throws {
    let database = try await open()
    let (one, two) = (session(database), session(database))
    try one.run(Self.setUp)
    try one.run("BEGIN; UPDATE d SET n = 10 WHERE id = 'a'; INSERT INTO r VALUES ('2024-01-01Z', 'x', 7)")
    #expect(try one.run("SELECT d.n, r.host, r.v FROM d, r WHERE id = 'a'") == ["10|x|7"])
    #expect(try two.run("SELECT n, (SELECT count(*) FROM r) FROM d WHERE id = 'a'") == ["1|0"])
    try one.run("COMMIT")
    #expect(try two.run("SELECT n, (SELECT count(*) FROM r) FROM d WHERE id = 'a'") == ["10|1"])
    try await database.close()
    let again = try await open()
    #expect(try session(again).run("SELECT n, (SELECT sum(v)::bigint FROM r) FROM d ORDER BY id") == ["10|7", "2|7"])
    try await again.close()
  }

  /// Rows in chunks, in the head, of series that are known and of new ones; deletes over all of them.
  @Test func aBlockReadsItsOwnRowsOverChunksAndHead() async throws {
    let database = try await open()
    let (one, two) = (session(database), session(database))
    try one.run(Self.setUp)
    try one.run(
      "INSERT INTO r SELECT t, 'a', 1 FROM generate_series(timestamptz '2024-01-01Z', '2024-01-02Z', interval '1 hour') AS t"
    )
    try await database.flush()
    try one.run("INSERT INTO r VALUES ('2024-01-01Z', 'b', 2)")
    try one.run(
      "BEGIN; INSERT INTO r VALUES ('2024-01-01 05:00Z', 'a', 100), ('2024-01-01Z', 'c', 3), ('2024-01-01Z', 'b', 20)")
    // Others make series meanwhile: their numbers are none of the block's.
    try two.run("INSERT INTO r VALUES ('2024-01-01Z', 'later', 1000), ('2024-01-01Z', 'c', 2000)")
    let sums = "SELECT host, count(*), sum(v)::bigint FROM r GROUP BY host ORDER BY host"
    #expect(try one.run(sums) == ["a|25|124", "b|1|20", "c|1|3", "later|1|1000"])
    #expect(
      try one.run("SELECT time_bucket('12 hours', time), max(v) FROM r WHERE host = 'a' GROUP BY 1 ORDER BY 1").count
        == 3)
    #expect(try one.run("SELECT v FROM r WHERE host = 'c'") == ["3"])
    #expect(try one.run("SELECT v FROM r WHERE host LIKE 'l%'") == ["1000"])
    #expect(
      try one.run("SELECT DISTINCT ON (host) host, v FROM r ORDER BY host, time DESC") == [
        "a|1", "b|20", "c|3", "later|1000",
      ])
    try one.run("DELETE FROM r WHERE host = 'a' AND time < '2024-01-01 12:00Z'; DELETE FROM r WHERE host = 'c'")
    #expect(try one.run(sums) == ["a|13|13", "b|1|20", "later|1|1000"])
    try one.run("INSERT INTO r VALUES ('2024-01-01 05:00Z', 'a', 5)")
    try two.run("DELETE FROM r WHERE host = 'later'")
    #expect(try two.run(sums) == ["a|25|25", "b|1|2", "c|1|2000"])
    try one.run("COMMIT")
    #expect(try two.run(sums) == ["a|14|18", "b|1|20"])
    try await database.flush()
    #expect(try two.run(sums) == ["a|14|18", "b|1|20"])
    try await database.close()
  }

  @Test func aSecondWriterWaitsAndWorksOnWhatTheFirstLeft() async throws {
    let database = try await open()
    let (one, two) = (session(database), session(database))
    try one.run(Self.setUp)
    try one.run("BEGIN; UPDATE d SET n = n + 1 WHERE id = 'a'")
    let second = Background { try two.run("UPDATE d SET n = n * 100 WHERE id = 'a' RETURNING n") }
    // Another table is free, and so is reading.
    try one.run("UPDATE e SET n = 1; SELECT * FROM d")
    #expect(second.isRunning)
    try one.run("COMMIT")
    #expect(try second.wait() == ["200"])
    // The first's rows are forgotten, and the second goes on with what was there.
    try one.run("BEGIN; INSERT INTO d VALUES ('c', 1)")
    let third = Background { try two.run("INSERT INTO d VALUES ('c', 2) RETURNING n") }
    try one.run("ROLLBACK")
    #expect(try third.wait() == ["2"])
    try await database.close()
  }

  @Test func noUpdateIsLostWhenManyAddAtOnce() async throws {
    let database = try await open()
    try session(database).run(Self.setUp)
    let workers = (0..<4).map { _ in
      let own = session(database)
      return Background {
        for _ in 0..<25 { try own.run("UPDATE d SET n = n + 1 WHERE id = 'a'") }
        return []
      }
    }
    for worker in workers { _ = try worker.wait() }
    #expect(try session(database).run("SELECT n FROM d WHERE id = 'a'") == ["101"])
    try await database.close()
  }

  @Test func aWaitEndsByItsLimitByCancellingAndByDeadlock() async throws {
    let database = try await open()
    let (one, two) = (session(database), session(database))
    try one.run(Self.setUp)
    try one.run("BEGIN; DELETE FROM d")
    #expect(two.failure("SET lock_timeout = 1; DELETE FROM d")?.sqlState == "55P03")
    #expect(
      two.failure("SET lock_timeout = 0; SET statement_timeout = 1; ALTER TABLE d ADD COLUMN x text")?.sqlState
        == "57014")
    try two.run("SET statement_timeout = 0")
    let cancelled = Background { try two.run("TRUNCATE d") }
    two.cancel()
    #expect(cancelled.failure()?.sqlState == "57014")
    two.resetCancellation()
    try two.run("BEGIN; INSERT INTO e VALUES ('x', 1)")
    let first = Background { try one.run("DELETE FROM e") }
    let deadlock = two.failure("DELETE FROM d")
    let other = first.failure()
    // Whichever was told of it, the other goes on.
    #expect([deadlock?.sqlState, other?.sqlState].compactMap { $0 } == ["40P01"])
    try one.run("ROLLBACK")
    try two.run("ROLLBACK")
    #expect(try two.run("SELECT count(*) FROM d") == ["2"])
    try await database.close()
  }

  @Test func aRepeatableSnapshotWritesNoRowThatOthersHaveChanged() async throws {
    let database = try await open()
    let (one, two) = (session(database), session(database))
    try one.run(Self.setUp)
    try one.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM d")
    try two.run("UPDATE d SET n = 5 WHERE id = 'a'; INSERT INTO r VALUES ('2024-01-01Z', 'x', 1)")
    #expect(try one.run("SELECT n FROM d ORDER BY id") == ["1", "2"])
    #expect(try one.run("SELECT count(*) FROM r") == ["0"])
    #expect(try one.run("UPDATE d SET n = n + 1 WHERE id = 'b' RETURNING n") == ["3"])
    #expect(one.failure("UPDATE d SET n = n + 1 WHERE id = 'a'")?.sqlState == "40001")
    #expect(one.failure("SELECT 1")?.sqlState == "25P02")
    try one.run("ROLLBACK")
    #expect(try two.run("SELECT n FROM d ORDER BY id") == ["5", "2"])
    try one.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM d")
    try two.run("DELETE FROM d WHERE id = 'b'")
    #expect(one.failure("TRUNCATE d")?.sqlState == "40001")
    try one.run("ROLLBACK")
    try await database.close()
  }

  @Test func aBlockThatWaitsTooLongIsEnded() async throws {
    let database = try await open()
    let (one, two) = (session(database), session(database))
    try one.run(Self.setUp)
    #expect(one.remainingIdleNanoseconds == nil)
    try one.run("BEGIN; DELETE FROM d")
    let remaining = try #require(one.remainingIdleNanoseconds)
    #expect(remaining > 0 && remaining <= 600_000_000_000)
    #expect(one.expireIdleTransaction() == nil)
    try one.run("SET idle_in_transaction_session_timeout = 1")
    while one.remainingIdleNanoseconds != 0 {}
    #expect(one.expireIdleTransaction()?.sqlState == "25P03")
    // Its rows are as they were, and its table is free.
    #expect(one.transactionStatus == .idle)
    #expect(try two.run("UPDATE d SET n = 0 RETURNING id") == ["a", "b"])
    // Where nobody looked in between, its next statement finds out.
    try one.run("BEGIN; SET idle_in_transaction_session_timeout = 1")
    while one.remainingIdleNanoseconds != 0 {}
    #expect(one.failure("SELECT 1")?.sqlState == "25P03")
    try await database.close()
  }

  @Test func aSessionThatGoesLetsGoOfItsTables() async throws {
    let database = try await open()
    let two = session(database)
    try two.run(Self.setUp)
    var one: QuerySession? = session(database)
    try one?.run("BEGIN; DELETE FROM d")
    one?.close()
    #expect(try two.run("DELETE FROM d WHERE id = 'a' RETURNING id") == ["a"])
    one = session(database)
    try one?.run("BEGIN; DELETE FROM d")
    one = nil
    #expect(try two.run("DELETE FROM d RETURNING id") == ["b"])
    try await database.close()
  }

  @Test func aBlockIsAllOrNothing() async throws {
    let database = try await open()
    let one = session(database)
    try one.run(Self.setUp)
    // A stamp beyond --max-future is refused by the store, with all that came beside it.
    try one.run("BEGIN; INSERT INTO r VALUES ('2024-01-01Z', 'x', 1), ('2100-01-01Z', 'x', 2); UPDATE d SET n = 9")
    #expect(one.failure("COMMIT")?.code == .timestampInFuture)
    #expect(try one.run("SELECT n, (SELECT count(*) FROM r) FROM d ORDER BY id") == ["1|0", "2|0"])
    try one.run("SET varve.query_memory_limit = '64kB'; BEGIN")
    let error = one.failure("INSERT INTO d SELECT repeat('x', 20) || n, n FROM generate_series(1, 1000) AS n")
    #expect(error?.sqlState == "53200")
    try one.run("ROLLBACK; SET varve.query_memory_limit = '64MB'")
    #expect(try one.run("SELECT count(*) FROM d") == ["2"])
    try await database.close()
  }

  @Test func dimensionTablesStayThroughSealsAndOpenings() async throws {
    var database = try await open()
    try session(database).run(Self.setUp)
    for turn in 0..<4 {
      let one = session(database)
      try one.run(
        "INSERT INTO d SELECT 'k' || n, n FROM generate_series(1, 3000) AS n ON CONFLICT (id) DO UPDATE SET n = d.n + 1"
      )
      try one.run("DELETE FROM d WHERE n % 7 = \(turn)")
      if turn == 1 {
        try one.run(
          "ALTER TABLE d ADD COLUMN s text DEFAULT 'new'; ALTER TABLE d RENAME COLUMN n TO m; ALTER TABLE d RENAME COLUMN m TO n"
        )
      }
      if turn == 2 {
        try one.run("ALTER TABLE r DROP COLUMN v; ALTER TABLE r ADD COLUMN v double precision; DROP TABLE e")
      }
      if turn != 2 { try await database.flush() }
      let before = try one.run(
        "SELECT count(*), sum(n)::bigint, count(s), min(s) FROM d".replacing(
          turn == 0 ? ", count(s), min(s)" : "-", with: ""))
      try await database.close()
      database = try await open()
      let after = try session(database).run(
        "SELECT count(*), sum(n)::bigint, count(s), min(s) FROM d".replacing(
          turn == 0 ? ", count(s), min(s)" : "-", with: ""))
      #expect(after == before)
      #expect(try scratch.files("db/dimensions").count == 1)
    }
    #expect(try database.verifyBlocking {}.isSound)
    try await database.close()
  }
}

/// A session's statement on a thread of its own.
private final class Background: Sendable {
  private let outcome = Gate<Result<[String], any Error>?>(nil)

  init(_ body: @escaping () throws -> [String]) {
    // Unchecked: the session is used by this thread alone until `wait` returns.
    struct Work: @unchecked Sendable { let body: () throws -> [String] }
    let work = Work(body: body)
    _ = WorkerThread(name: "test") { [outcome] in
      let result = Result { try work.body() }
      outcome.update { $0 = result }
    }
  }

  var isRunning: Bool { outcome.read { $0 == nil } }

  func wait() throws -> [String] {
    guard let result = outcome.wait(until: { $0 }) else { preconditionFailure("waiting without a limit gives a value") }
    return try result.get()
  }

  func failure() -> VarveCore.VarveError? {
    do {
      _ = try wait()
      return nil
    } catch {
      return error as? VarveCore.VarveError
    }
  }
}
