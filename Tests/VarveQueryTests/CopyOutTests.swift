// What COPY … TO STDOUT gives, message by message; expected values are PostgreSQL 15's.

import Testing
import VarveCore

@testable import VarveQuery

@Suite struct CopyOutTests {
  private let store = MemoryStore(batchRowCount: 2)

  /// The messages of a COPY.
  private func messages(_ sql: String, _ session: QuerySession? = nil) throws -> [[UInt8]] {
    let session = session ?? makeSession(store)
    let prepared = try session.prepare(sql)
    #expect(prepared.isCopyOut && prepared.columns == nil)
    let source = try session.beginCopyOut(prepared)
    var messages: [[UInt8]] = []
    while true {
      let out = Buffer<UInt8>()
      guard try source.appendNext(to: out) else { break }
      messages.append(out.array)
    }
    #expect(try !source.appendNext(to: Buffer()))
    return messages
  }

  private func lines(_ sql: String) throws -> [String] { try messages(sql).map { String(decoding: $0, as: UTF8.self) } }

  @Test func everyRowIsALine() throws {
    #expect(
      try lines("COPY (VALUES (1, 'a', NULL, true), (2, '', 'x', NULL)) TO STDOUT")
        == ["1\ta\t\\N\tt\n", "2\t\tx\t\\N\n"])
    #expect(try lines("COPY (SELECT 1 WHERE false) TO STDOUT") == [])
  }

  @Test func whatWouldBeReadAsSomethingElseStandsBehindABackslash() throws {
    #expect(
      try lines(#"COPY (SELECT E'\b\t\n\x0b\f\r\\ é \x01', E'\\N', 'a|b') TO STDOUT"#)
        == ["\\b\\t\\n\\v\\f\\r\\\\ é \u{1}\t\\\\N\ta|b\n"])
    #expect(
      try lines(#"COPY (SELECT 'a|b', -1.5, '{1,2}'::int[], E'\t') TO STDOUT (DELIMITER '|', NULL '')"#)
        == ["a\\|b|-1.5|{1,2}|\\t\n"])
    #expect(
      try lines("COPY (SELECT -1, timestamptz '2024-01-01') TO STDOUT (DELIMITER '-')") == [
        "\\-1-2024\\-01\\-01 00:00:00+00\n"
      ])
    #expect(try lines(#"COPY (SELECT '\x61'::bytea, NULL::int) TO STDOUT (NULL 'none')"#) == ["\\\\x61\tnone\n"])
  }

  @Test func csvQuotesWhatItMust() throws {
    #expect(
      try lines(#"COPY (SELECT 'a,b', 'say "x"', E'l\nm', '', NULL, 1.5) TO STDOUT CSV"#)
        == ["\"a,b\",\"say \"\"x\"\"\",\"l\nm\",\"\",,1.5\n"])
    #expect(try lines(#"COPY (VALUES ('\.')) TO STDOUT CSV"#) == ["\"\\.\"\n"])
    #expect(try lines(#"COPY (VALUES ('\.', 1)) TO STDOUT CSV"#) == ["\\.,1\n"])
    #expect(
      try lines(#"COPY (SELECT 'it''s', '\', 0) TO STDOUT (FORMAT csv, QUOTE '''', ESCAPE '\', NULL '0')"#)
        == [#"'it\'s',\,'0'"# + "\n"])
    #expect(
      try lines("COPY (SELECT 1 AS a, 'x' AS b, NULL::int AS c) TO STDOUT (FORMAT csv, FORCE_QUOTE *, HEADER)")
        == ["a,b,c\n", "\"1\",\"x\",\n"])
    #expect(
      try lines("COPY (SELECT 1 AS a, 2 AS b) TO STDOUT (FORMAT csv, FORCE_QUOTE (b), DELIMITER ';')") == ["1;\"2\"\n"])
  }

  @Test func theHeaderNamesColumnsAsValues() throws {
    #expect(
      try lines(#"COPY (SELECT 1 AS "a,b", 2 AS "c""d") TO STDOUT CSV HEADER"#) == ["\"a,b\",\"c\"\"d\"\n", "1,2\n"])
    #expect(try lines("COPY (SELECT 1 AS \"a\tb\") TO STDOUT (HEADER)") == ["a\\tb\n", "1\n"])
  }

  @Test func aTableGivesItsColumnsInTheirOrder() throws {
    let session = makeSession(store)
    try session.rows("CREATE TABLE t (time timestamptz, host text, v bigint, s text) WITH (varve.tags = 'host')")
    try session.rows(
      "INSERT INTO t VALUES ('2024-01-01', 'a', 1, NULL), ('2024-01-01', 'b', NULL, 'x'), ('2024-01-02', 'a', 3, 'y')")
    #expect(
      try lines("COPY t TO STDOUT CSV").sorted() == [
        "2024-01-01 00:00:00+00,a,1,\n", "2024-01-01 00:00:00+00,b,,x\n", "2024-01-02 00:00:00+00,a,3,y\n",
      ])
    #expect(try lines("COPY t (s, host) TO STDOUT").sorted() == ["\\N\ta\n", "x\tb\n", "y\ta\n"])
  }

  @Test func binaryHasASignatureTuplesAndAnEnd() throws {
    let signature: [UInt8] = [80, 71, 67, 79, 80, 89, 10, 255, 13, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    #expect(
      try messages("COPY (VALUES (1, 'ab'::text), (NULL, '')) TO STDOUT (FORMAT binary)") == [
        signature + [0, 2, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 2, 97, 98], [0, 2, 255, 255, 255, 255, 0, 0, 0, 0],
        [255, 255],
      ])
    #expect(try messages("COPY (SELECT 1 WHERE false) TO STDOUT (FORMAT binary)") == [signature + [255, 255]])
  }

  @Test func anErrorBetweenRowsFailsTheTransaction() throws {
    let session = makeSession(store)
    try session.rows("BEGIN")
    let source = try session.beginCopyOut(
      session.prepare("COPY (SELECT 10 / (2000 - n) FROM generate_series(1, 3000) AS g(n)) TO STDOUT"))
    #expect(throws: VarveError.self) { while try source.appendNext(to: Buffer()) {} }
    #expect(session.transactionStatus == .failed)
  }

  @Test func aCancelIsSeenBetweenBatches() throws {
    let session = makeSession(store)
    let source = try session.beginCopyOut(
      session.prepare("COPY (SELECT n FROM generate_series(1, 100000) AS g(n)) TO STDOUT"))
    #expect(try source.appendNext(to: Buffer()))
    session.cancel()
    let error = #expect(throws: VarveError.self) { while try source.appendNext(to: Buffer()) {} }
    #expect(error?.sqlState == "57014")
  }
}
