// Sessions as others see them and end them, what statements are counted as, and what is told of slow ones.

import Synchronization
import Testing
import VarveCompute
import VarveCore

@testable import VarveQuery

@Suite struct ActivityTests {
  private let store = MemoryStore()

  /// The monotonic clock moves on by a millisecond at each look.
  private func clock() -> SessionClock {
    let ticks = Ticks()
    return SessionClock(wallNanoseconds: { testNow }, monotonicNanoseconds: { ticks.next() })
  }

  private final class Ticks: Sendable {
    private let count = Atomic<Int64>(0)
    func next() -> Int64 { count.add(1_000_000, ordering: .relaxed).newValue }
  }

  private func session(_ monitor: SessionMonitor, user: String = "varve") -> QuerySession {
    QuerySession(store: store, clock: clock(), user: user, monitor: monitor)
  }

  @Test func aSessionIsSeenFromItsBeginningToItsEnd() throws {
    let monitor = SessionMonitor(wallNanoseconds: { testNow })
    let ada = session(monitor, user: "ada")
    let bob = session(monitor, user: "bob")
    #expect(try bob.text("SELECT count(*) FROM varve.queries") == "2")
    try ada.set("application_name", "test")
    try ada.rows("BEGIN")
    try ada.rows("SELECT n FROM generate_series(1, 3) n")
    let list = """
      SELECT user_name, application_name, protocol, state, query, rows, wait FROM varve.queries \
      WHERE user_name = 'ada'
      """
    #expect(
      try bob.text(list) == "ada|test|embedded|idle in transaction|SELECT n FROM generate_series(1, 3) n|3|NULL")
    #expect(error(ada, "SELECT nothing")?.sqlState == "42703")
    #expect(try bob.text("SELECT state FROM pg_stat_activity WHERE usename = 'ada'") == "idle in transaction (aborted)")
    try ada.rows("ROLLBACK")
    #expect(try bob.text("SELECT state, xact_start FROM pg_stat_activity WHERE usename = 'ada'") == "idle|NULL")
    #expect(
      try bob.text("SELECT state, query FROM varve.queries WHERE pid = pg_backend_pid()").hasPrefix("active|SELECT"))
    ada.close()
    #expect(try bob.text("SELECT user_name FROM varve.queries") == "bob")
  }

  @Test func aStatementIsActiveUntilItsRowsAreOver() throws {
    let monitor = SessionMonitor(wallNanoseconds: { testNow })
    let (ada, bob) = (session(monitor, user: "ada"), session(monitor))
    let state = "SELECT state, rows FROM varve.queries WHERE user_name = 'ada'"
    var result: QueryResult? = try ada.execute(ada.prepare("SELECT n FROM generate_series(1, 100000) n"))
    let first = try #require(try result?.next())
    #expect(try bob.text(state) == "active|\(first.count)")
    // A portal that is closed in the middle.
    result = nil
    #expect(try bob.text(state) == "idle|\(first.count)")
  }

  @Test func oneSessionCancelsAndTerminatesAnother() throws {
    let monitor = SessionMonitor(wallNanoseconds: { testNow })
    let (ada, bob) = (session(monitor, user: "ada"), session(monitor))
    let pid = try ada.text("SELECT pg_backend_pid()")
    func running() throws -> QueryResult {
      let result = try ada.execute(
        ada.prepare("SELECT b.m FROM generate_series(1, 1000) a(n), LATERAL generate_series(1, 1000) b(m)"))
      _ = try result.next()
      return result
    }
    let cancelled = try running()
    #expect(try bob.text("SELECT pg_cancel_backend(\(pid))") == "t")
    #expect(throws: VarveError.self) { while try cancelled.next() != nil {} }
    ada.resetCancellation()
    #expect(try ada.text("SELECT 1") == "1", "the session goes on")
    let terminated = try running()
    #expect(try bob.text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'ada'") == "t")
    #expect(throws: VarveError.self) { while try terminated.next() != nil {} }
    ada.resetCancellation()
    #expect(
      error(ada, "SELECT b.m FROM generate_series(1, 1000) a(n), LATERAL generate_series(1, 1000) b(m)")?.sqlState
        == "57P01", "the session does not")
    // Of nobody: a warning, as in PostgreSQL.
    #expect(try bob.text("SELECT pg_cancel_backend(0)") == "f")
    let effects = bob.takeEffects()
    #expect(effects.contains { if case .notice("WARNING", _, let text) = $0 { text.contains("PID 0") } else { false } })
    let counts = monitor.statementCounts
    #expect(counts.endings == [.cancelled: 1] && counts.errorClasses == ["57": 3])
  }

  @Test func sessionsOfAnotherDatabaseAreOutOfReach() throws {
    let here = session(SessionMonitor(wallNanoseconds: { testNow }))
    let there = session(SessionMonitor(wallNanoseconds: { testNow }))
    #expect(try here.text("SELECT count(*) FROM varve.queries") == "1")
    #expect(try here.text("SELECT pg_backend_pid()") == there.text("SELECT pg_backend_pid()"))
    #expect(try here.text("SELECT pg_terminate_backend(pg_backend_pid() + 1)") == "f")
  }

  @Test func statementsAreCountedByKind() throws {
    let monitor = SessionMonitor(wallNanoseconds: { testNow })
    let session = session(monitor)
    try session.rows("CREATE TABLE m (time timestamptz, host text, v float8) WITH (varve.tags = 'host')")
    try session.rows("INSERT INTO m VALUES ('2024-01-01', 'a', 1), ('2024-01-02', 'a', 2)")
    try session.rows("BEGIN; SELECT v FROM m; COMMIT")
    try session.rows("SELECT v FROM m")
    try session.rows("SELECT v FROM m")
    try session.rows("SET statement_timeout = 0")
    _ = error(session, "SELECT nothing FROM m")
    _ = error(session, "SELECT FROM WHERE")
    _ = error(session, "SELECT 1 / 0")
    try session.set("varve.query_memory_limit", "64kB")
    _ = error(session, "SELECT n FROM generate_series(1, 1000000) n ORDER BY -n")
    let counts = monitor.statementCounts
    func count(_ kind: StatementKind) -> [Int] {
      let count = counts.kinds[kind] ?? StatementCounts.Kind()
      return [count.durations.count, count.failures, count.rows]
    }
    #expect(count(.definition) == [1, 0, 0])
    #expect(count(.insert) == [1, 0, 2])
    #expect(count(.transaction) == [2, 0, 0])
    #expect(count(.setting) == [1, 0, 0])
    #expect(count(.select) == [3, 3, 6])
    #expect(count(.other) == [0, 1, 0], "what cannot be parsed is of no kind")
    #expect(counts.errorClasses == ["42": 2, "22": 1, "53": 1])
    #expect(counts.endings == [.overMemory: 1])
    #expect(counts.planCacheHits == 1)
  }

  @Test func aTimeoutIsCountedAsOne() throws {
    let monitor = SessionMonitor(wallNanoseconds: { testNow })
    let session = session(monitor)
    try session.rows("SET statement_timeout = '5ms'")
    #expect(error(session, "SELECT count(*) FROM generate_series(1, 1000000) n")?.sqlState == "57014")
    #expect(monitor.statementCounts.endings == [.timeout: 1])
  }

  @Test func aSlowStatementIsToldOfWithItsPlan() throws {
    let told = Mutex<[SlowStatement]>([])
    let monitor = SessionMonitor(
      wallNanoseconds: { testNow }, slowStatementMilliseconds: 1,
      onSlowStatement: { statement in told.withLock { $0.append(statement) } })
    let session = session(monitor)
    #expect(try session.text("SHOW log_min_duration_statement") == "1ms")
    let long = String(repeating: "x", count: 3000)
    try session.rows(
      "SELECT n FROM generate_series(1, 2000) n WHERE $1 <> '\(long)' ORDER BY n DESC", [.text("it's \(long)")])
    let statement = try #require(told.withLock { $0.last })
    #expect(statement.kind == .select && statement.rows == 2000 && statement.sqlState == nil)
    #expect(statement.durationNanoseconds >= 1_000_000)
    #expect(statement.text.hasSuffix(" bytes)") && statement.text.utf8.count < 2100, "\(statement.text.suffix(40))")
    #expect(statement.parameters.count == 1 && statement.parameters[0].hasPrefix("$1 = 'it''s xxx"))
    #expect(statement.parameters[0].utf8.count < 120)
    #expect(statement.plan.first?.hasPrefix("Sort") == true && statement.plan.first?.contains("rows=2000") == true)
    #expect(statement.plan.last?.hasPrefix("Peak Memory") == true)
    // One that fails says how, and no more than it did.
    _ = error(session, "SELECT 1 / (n - 5) FROM generate_series(1, 5) n")
    #expect(told.withLock { $0.last?.sqlState } == "22012")
    // A session may ask for other times, or for none.
    let count = told.withLock { $0.count }
    try session.rows("SET log_min_duration_statement = '1h'")
    try session.rows("SELECT 1")
    try session.rows("SET log_min_duration_statement = -1")
    let after = told.withLock { $0.count }
    try session.rows("SELECT 1")
    #expect(told.withLock { $0.count } == after && after <= count + 1)
    #expect(error(session, "SET log_min_duration_statement = -2")?.sqlState == "22023")
  }

  @Test func aTextIsCutBetweenCharacters() {
    #expect(SlowStatement.bounded("äöü", 3) == "ä… (6 bytes)")
    #expect(SlowStatement.bounded("äöü", 6) == "äöü")
    #expect(SlowStatement.bounded("", 0) == "")
  }
}
