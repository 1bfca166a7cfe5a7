// INSERT of many rows of literals does what the same statement does when each cell is parsed: rows, errors, and where
// these point. A comment, which has as many bytes as the spaces in its place, has a statement parsed.

import Testing
import VarveCore

@testable import VarveQuery

@Suite struct LiteralRowsTests {
  private static let definition = """
    CREATE TABLE t (time timestamptz, host text, "Rack 7" text, v double precision, n bigint, u numeric(20,0),
      ok boolean, s text, at timestamptz) WITH (varve.tags = 'host,Rack 7')
    """

  /// What a session says to the text, and what is in the table then.
  private static func outcome(_ sql: String) throws -> String {
    let session = makeSession()
    try session.rows(definition)
    let failure = error(session, sql)
    let rows = try session.text(
      "SELECT to_ns(time), host, \"Rack 7\", v, n, u, ok, s, at FROM t ORDER BY 1, 2, 3, 4, 5, 6, 7, 8, 9")
    let said = failure.map { "\($0.sqlState) \($0.message) \($0.position ?? 0) \($0.hint ?? "")" } ?? "done"
    return said + "\n" + rows
  }

  private static func isRead(_ sql: String) throws -> Bool {
    let session = makeSession()
    try session.rows(definition)
    let prepared = try session.prepare(sql)
    guard case .insert(let plan) = prepared.kind else { return false }
    return plan.source is LiteralRowsNode
  }

  private static func compare(_ beginning: String, _ end: String, seed: UInt64 = 0) throws {
    let read = try outcome(beginning + "    VALUES " + end)
    let parsed = try outcome(beginning + "/**/VALUES " + end)
    #expect(read == parsed, "seed \(seed): \(beginning) VALUES \(end)")
  }

  /// Cells by the column they are for; most are plain.
  private static func cell(_ column: Int, _ random: inout Random) -> String {
    [
      ["'2024-01-02 03:04:05+00'", "'2024-01-02T03:04:05.123456Z'", "'2023-12-31 10:00'", "'epoch'"],
      ["'a'", "'it''s'", "'ü'", "NULL", "''", "'b'"], ["'1'", "null", "'2'"],
      ["1.5", "-0", "-0.0", "'NaN'", "7", "1e3", "1.5E-2", "'-Infinity'", "NULL", "123456789012345678901234567890"],
      ["5", "-9223372036854775808", "'12'", "9223372036854775807", "NULL", "0"],
      ["18446744073709551615", "'3'", "NULL"], ["true", "FALSE", "'t'", "'off'", "Null"],
      ["'text'", "'semi;colon, (and) ''quotes'''", "NULL", "'\\n'"], ["'2024-01-01Z'", "NULL", "'-infinity'"],
    ][column].randomElement(using: &random) ?? "NULL"
  }

  private static let strange = [
    "1.5 + 1", "DEFAULT", "E'a\\n'", "'x'", "'2024-13-01'", "1e400", "-9223372036854775809", "99999999999999999999",
    "now()", "'a' 'b'", "1.", ".5", "0x10", "-(1)", "- 1", "''", "$1", "nothing", "true", "'1'::text", "2.5", "'",
  ]

  @Test(arguments: 0..<60) func rowsReadAreTheRowsParsed(_ number: Int) throws {
    let seed = UInt64.random(in: 1...UInt64.max)
    var random = Random(state: seed)
    let columns = [[0, 1, 2, 3, 4, 5, 6, 7, 8], [0, 1, 3], [0, 4, 6, 7], [8, 7, 0, 2]].randomElement(using: &random)!
    let names = ["time", "host", "\"Rack 7\"", "v", "n", "u", "ok", "s", "at"]
    var rows = (0..<Int.random(in: 60...200, using: &random)).map { _ in columns.map { Self.cell($0, &random) } }
    if number % 2 == 1 {
      let row = rows.indices.randomElement(using: &random)!
      let place = rows[row].indices.randomElement(using: &random)!
      rows[row][place] = Self.strange.randomElement(using: &random)!
    }
    if number % 10 == 3 { rows[rows.count / 2].removeLast() }
    let list = columns.count == names.count ? "" : " (\(columns.map { names[$0] }.joined(separator: ",\n")))"
    let space = ["", " ", "\n\t"].randomElement(using: &random)!
    try Self.compare(
      "insert  INTO t" + list,
      rows.map { "\(space)(\(space)\($0.joined(separator: space + ","))\(space))" }.joined(separator: ","), seed: seed)
  }

  private static let plain = (0..<100).map { "('2024-01-02 03:04:\($0 % 60)+00', 'host\($0 % 7)', \($0).5)" }
    .joined(separator: ", ")

  @Test func plainRowsAreReadAndNotParsed() throws {
    #expect(try Self.isRead("INSERT INTO t (time, host, v) VALUES \(Self.plain)"))
    #expect(try Self.isRead("INSERT INTO t (time, host, v) VALUES \(Self.plain) ; "))
    // A short one is not worth it.
    #expect(try !Self.isRead("INSERT INTO t (time, host, v) VALUES ('2024-01-02Z', 'a', 1), ('2024-01-03Z', 'a', 1)"))
  }

  @Test func whatIsMoreThanRowsIsParsed() throws {
    for end in [
      " RETURNING v", " ON CONFLICT DO NOTHING", "; SELECT 1", " ORDER BY 1", " -- nothing", ", (1)", ",", " x", "()",
    ] {
      #expect(
        try LiteralRows.find(Array("INSERT INTO t (time, host, v) VALUES \(Self.plain)\(end)".utf8)) == nil, "\(end)")
      try Self.compare("INSERT INTO t (time, host, v)", Self.plain + end)
    }
    try Self.compare("INSERT INTO t (time, host, v) SELECT '2024-01-01Z'::timestamptz, 'x', 1 UNION", Self.plain)
    try Self.compare("INSERT INTO t (time, host)", Self.plain)
    try Self.compare("INSERT INTO nothing (time, host, v)", Self.plain)
    try Self.compare("INSERT INTO t (time, host, nothing)", Self.plain)
    try Self.compare("INSERT INTO t (time, host, v) OVERRIDING USER VALUE", Self.plain)
  }

  @Test func rowsOfADimensionTableAreInsertedAllTheSame() throws {
    let session = makeSession()
    try session.rows("CREATE TABLE d (id bigint PRIMARY KEY, site text)")
    let rows = (0..<200).map { "(\($0), 'site \($0)')" }.joined(separator: ",")
    try session.rows("INSERT INTO d VALUES " + rows)
    #expect(try session.text("SELECT count(*), max(site) FROM d") == "200|site 99")
    #expect(error(session, "INSERT INTO d VALUES " + rows)?.sqlState == "23505")
  }
}

private struct Random: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return state ^ state >> 33
  }
}

extension LiteralRows {
  fileprivate static func find(_ text: [UInt8]) throws -> LiteralRows? { text.withUnsafeBufferPointer { find($0) } }
}
