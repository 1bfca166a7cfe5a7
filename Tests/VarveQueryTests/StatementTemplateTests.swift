import Testing
import VarveCore

@testable import VarveQuery

/// Texts that differ in their literals alone are planned once, and answered as if each were planned by itself.
@Suite struct StatementTemplateTests {
  private func filled() throws -> QuerySession {
    let session = makeSession()
    try session.rows(
      """
      CREATE TABLE cpu (time timestamptz, host text, v double precision, n bigint, d timestamptz)
        WITH (varve.tags = 'host', varve.partition = '1 hour');
      INSERT INTO cpu SELECT '2024-01-01Z'::timestamptz + n * interval '5 minutes', 'h' || n % 3, n, n, '2024-01-01Z'
        FROM generate_series(0, 99) n
      """)
    return session
  }

  private func hits(_ session: QuerySession) -> Int { session.state.monitor.statementCounts.planCacheHits }

  /// Asks all; each answer must be that of a session which knows nothing, and the number of plans made must be small.
  private func ask(_ queries: [String], plansAtMost limit: Int) throws {
    let session = try filled()
    for query in queries {
      #expect(try answer(session, query) == answer(try filled(), query), "\(query)")
    }
    #expect(hits(session) >= queries.count - limit, "\(hits(session)) of \(queries.count): \(queries[0])")
  }

  private func answer(_ session: QuerySession, _ query: String) throws -> String {
    do {
      return try session.text(query)
    } catch let error as VarveError {
      return "error \(error.sqlState ?? "") at \(error.position ?? 0): \(error.message)"
    }
  }

  @Test(arguments: [
    "n = %", "% = n", "n <> %", "n > % AND host = 'h1'", "n BETWEEN % AND 70", "n IN (%, 2, 90)", "NOT n < %",
    "n < % OR n > 90", "v >= %", "v > %.5", "n > %.25", "n < %00000000000", "n <= 1%000000000000000000000",
    "host = 'h%'", "host IN ('h%', 'x')", "time >= '2024-01-01 0%:00Z'", "time < timestamptz '2024-01-01 0%:00Z'",
    "'2024-01-01 0%:00'::timestamp < time", "d < '2024-01-0%'", "n = '%'",
    "n IN (SELECT n + 1 FROM cpu WHERE n < %)", "EXISTS (SELECT 1 FROM cpu c WHERE c.n = cpu.n AND c.v > %)",
  ]) func valuesBesideColumnsMayDiffer(condition: String) throws {
    try ask(
      ["1", "5", "3", "2"].map { value in
        let filled = condition.split(separator: "%", omittingEmptySubsequences: false).joined(separator: value)
        return "SELECT n FROM cpu WHERE \(filled) ORDER BY n LIMIT 60;"
      }, plansAtMost: 2)
  }

  @Test func valuesInJoinsAndQueriesWithinMayDiffer() throws {
    try ask(
      (2...6).map {
        """
        WITH w AS (SELECT n, host FROM cpu WHERE n > \($0))
        SELECT count(*), max(a.n) FROM w a JOIN (SELECT n FROM cpu WHERE v < 5\($0)) b ON a.n = b.n AND b.n <> 3\($0)
        UNION ALL SELECT count(*), 0 FROM w WHERE n < 1\($0)
        """
      }, plansAtMost: 2)
  }

  @Test(arguments: [
    ["SELECT n, v + 1 FROM cpu WHERE n < 9 ORDER BY 1 DESC", "SELECT n, v + 1 FROM cpu WHERE n < 9 ORDER BY 2"],
    ["SELECT n FROM cpu WHERE n > 3 ORDER BY n LIMIT 2", "SELECT n FROM cpu WHERE n > 5 ORDER BY n LIMIT 4"],
    ["SELECT 'a', n FROM cpu WHERE n = 3", "SELECT 'bc', n FROM cpu WHERE n = 3"],
    ["SELECT n + 1 FROM cpu WHERE n = 3", "SELECT n + 20 FROM cpu WHERE n = 3"],
    ["SELECT n FROM cpu WHERE n + 1 = 3", "SELECT n FROM cpu WHERE n + 2 = 3"],
    ["SELECT n FROM cpu WHERE n = -3", "SELECT n FROM cpu WHERE n = -4"],
    ["SELECT n FROM cpu WHERE host LIKE 'h1%' AND n < 7", "SELECT n FROM cpu WHERE host LIKE 'h2%' AND n < 7"],
    [
      "SELECT time_bucket('1 hour', time) t, count(*) FROM cpu WHERE n < 50 GROUP BY t ORDER BY t",
      "SELECT time_bucket('2 hours', time) t, count(*) FROM cpu WHERE n < 40 GROUP BY t ORDER BY t",
    ],
    ["SELECT n FROM cpu WHERE host = 'h'\n'1' AND n < 5", "SELECT n FROM cpu WHERE host = 'h'\n'2' AND n < 5"],
    ["SELECT n::numeric(9, 2) FROM cpu WHERE n = 3", "SELECT n::numeric(9, 3) FROM cpu WHERE n = 3"],
    ["SELECT n FROM cpu WHERE n = 5", "SELECT n FROM cpu WHERE n = 5.0", "SELECT n FROM cpu WHERE n = '5'"],
    ["SELECT \"n\" FROM cpu WHERE n = 5", "SELECT n FROM cpu WHERE \"n\" = 5"],
  ]) func valuesElsewhereDecideThePlan(queries: [String]) throws {
    try ask(queries + queries.reversed() + queries, plansAtMost: .max)
  }

  @Test func anErrorStandsAtItsOwnPlace() throws {
    try ask(
      [
        "SELECT n FROM cpu WHERE n < 5 AND time >= '2024-01-01Z' AND d = '2024-01-01'",
        "SELECT n FROM cpu WHERE n < 5 AND time >= '2024-01-02Z' AND d = '2024-01-01'",
        "SELECT n FROM cpu WHERE n < 5555 AND time >= '2024-01-02Z' AND d = '2024-13-01'",
        "SELECT n FROM cpu WHERE n < 5 AND time >= 'soon' AND d = '2024-01-01'",
        "SELECT n FROM cpu WHERE n < 5 AND time >= '' AND d = '2024-01-01'",
      ], plansAtMost: .max)
    try ask((2...5).map { "SELECT n FROM cpu WHERE n < 1\($0) AND nothing = 4" }, plansAtMost: .max)
    try ask((2...5).map { "SELECT n / (n - 3) FROM cpu WHERE n < 1\($0)" }, plansAtMost: 2)
  }

  @Test func aChangedTableIsPlannedAnew() throws {
    let session = try filled()
    func ask(_ value: Int) throws -> String { try session.text("SELECT * FROM cpu WHERE n = \(value)") }
    for value in 1...3 { #expect(try ask(value).hasSuffix("|h\(value % 3)|\(value)|\(value)|2024-01-01 00:00:00+00")) }
    try session.rows("ALTER TABLE cpu ADD COLUMN extra text")
    for value in 4...6 {
      #expect(try ask(value).hasSuffix("|h\(value % 3)|\(value)|\(value)|2024-01-01 00:00:00+00|NULL"))
    }
    try session.rows(
      "DROP TABLE cpu; CREATE TABLE cpu (time timestamptz, n text); INSERT INTO cpu VALUES ('2024-01-01Z', '7')")
    #expect(error(session, "SELECT * FROM cpu WHERE n = 7")?.sqlState == "42883")
  }

  @Test func aPreparedTextKeepsItsValuesWhenItsTableChanges() throws {
    let session = try filled()
    for value in 1...3 { try session.rows("SELECT n FROM cpu WHERE n = \(value)") }
    let prepared = try session.prepare("SELECT n FROM cpu WHERE n = 77")
    try session.rows("ALTER TABLE cpu ADD COLUMN extra text")
    let result = try session.execute(prepared)
    #expect(try result.next()?.columns[0].datum(at: 0) == .int(77))
  }

  @Test func aPreparedStatementIsPlannedOnceForAChangedTable() throws {
    let session = try filled()
    let prepared = try session.prepare("SELECT n FROM cpu WHERE n = $1")
    #expect(try session.current(prepared).0 === prepared)
    try session.rows("ALTER TABLE cpu ADD COLUMN extra text")
    let renewed = try session.current(prepared).0
    #expect(renewed !== prepared)
    #expect(try session.current(prepared).0 === renewed)
    #expect(try session.execute(prepared, parameters: [.int(8)]).next()?.columns[0].datum(at: 0) == .int(8))
  }

  @Test func timesAreReadInTheZoneOfTheMoment() throws {
    let session = try filled()
    func count(_ minute: Int) throws -> String {
      try session.text("SELECT count(*) FROM cpu WHERE time < '2024-01-01 02:0\(minute)'")
    }
    #expect(try [count(1), count(2), count(3)] == ["25", "25", "25"])
    try session.rows("SET timezone = '+01'")
    #expect(try [count(4), count(2), count(6)] == ["13", "13", "14"])
  }

  @Test func aMomentIsOfItsStatement() throws {
    let session = try filled()
    for moment in ["2024-05-02Z", "2023-01-01Z", "now", "tomorrow", "yesterday"] {
      let query = "SELECT count(*) FROM cpu WHERE time < '\(moment)'"
      #expect(try session.text(query) == (moment == "2023-01-01Z" ? "0" : "100"), "\(moment)")
    }
  }

  @Test func watchersSeeTheTextThatWasSent() throws {
    let session = try filled()
    for value in 1...3 { try session.rows("SELECT n FROM cpu WHERE n = \(value)") }
    try session.rows("SELECT n FROM cpu WHERE n = 4 ;")
    #expect(session.state.activity.report.statement == "SELECT n FROM cpu WHERE n = 4 ")
  }

  @Test func aFailedTransactionTakesNoTemplate() throws {
    let session = try filled()
    for value in 1...3 { try session.rows("SELECT n FROM cpu WHERE n = \(value)") }
    try session.rows("BEGIN")
    _ = error(session, "SELECT 1 / 0")
    #expect(error(session, "SELECT n FROM cpu WHERE n = 4")?.sqlState == "25P02")
    try session.rows("ROLLBACK")
    #expect(try session.text("SELECT n FROM cpu WHERE n = 5") == "5")
  }

  @Test func aNamedStatementIsPlannedAgainOnlyForAChangedTable() throws {
    let session = try filled()
    try session.rows("PREPARE p (bigint) AS SELECT * FROM cpu WHERE n = $1")
    let plan = try session.namedStatement("p")
    #expect(try session.text("EXECUTE p(3)").hasSuffix("|3|2024-01-01 00:00:00+00"))
    #expect(try session.text("EXECUTE p(4)").hasSuffix("|4|2024-01-01 00:00:00+00"))
    #expect(try session.namedStatement("p") === plan)
    try session.rows("ALTER TABLE cpu ADD COLUMN extra text")
    #expect(try session.text("EXECUTE p(5)").hasSuffix("|5|2024-01-01 00:00:00+00|NULL"))
  }
}

/// What is a literal of a text, and what is none.
@Suite struct StatementShapeTests {
  private func shape(_ text: String) -> StatementShape? {
    var text = text
    return text.withUTF8 { StatementShape($0) }
  }

  @Test(arguments: [
    ("a = 1", "a = 23"), ("a = 'x'", "a = 'y; -- z'"), ("a = 1.5", "a = 27.25"), ("a = 3000000000", "a = 4000000000"),
    ("t1.c2 = 3", "t1.c2 = 4"), ("a IN (1,2)", "a IN (3,4)"), ("a = ''", "a = 'é'"), ("a=1-2", "a=3-4"),
  ]) func theseHaveOneShape(a: String, b: String) throws {
    #expect(try #require(shape(a)) == #require(shape(b)))
  }

  @Test(arguments: [
    ("a = 1", "a = 1.0"), ("a = 1", "a = 3000000000"), ("a = 1", "a = '1'"), ("c2 = 3", "c3 = 3"),
    ("\"1\" = 1", "\"2\" = 1"), ("a = 1", "a = - 1"), ("a = 1", "A = 1"), ("a IN (1,2)", "a IN (1,2,3)"),
    ("é1 = 1", "é2 = 1"),
  ]) func theseHaveNot(a: String, b: String) throws {
    #expect(try #require(shape(a)) != #require(shape(b)))
  }

  @Test(arguments: [
    "a = $1", "a = $$x$$", "a = E'\\''", "a = 'it''s'", "a = 'open", "\"open", "a -- '", "a /* ' */", "a = 1e5",
    "a = .5", "a = 1..2", "a = 1x", "a = U&'x'", "a = U&\"x\"", "a = B'1'", "a$b = 1", "a = \u{1}", "a = '\u{0}'",
    "\"\u{2}\"", "a = 1.5.2", "a = 0x10",
  ]) func theseHaveNone(text: String) {
    #expect(shape(text) == nil)
  }

  /// Whatever the bytes are: literals are in order, apart, and within the text; and the text's own shape is equal to it.
  @Test func anyTextIsReadToItsEnd() {
    var state: UInt64 = 0x5EED
    let alphabet = Array("'\"0123456789.aeE_$&-/*;() \n\u{1}é".utf8)
    for _ in 0..<20_000 {
      var bytes: [UInt8] = []
      for _ in 0..<Int(state % 24) {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        bytes.append(alphabet[Int(state >> 33) % alphabet.count])
      }
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      let shape = bytes.withUnsafeBufferPointer { StatementShape($0) }
      guard let shape else { continue }
      var end = 0
      for literal in shape.literals {
        #expect(literal.bytes.lowerBound >= end && literal.bytes.upperBound <= bytes.count, "\(bytes)")
        end = literal.bytes.upperBound
      }
      #expect(bytes.withUnsafeBufferPointer { StatementShape($0) } == shape, "\(bytes)")
    }
  }
}
