// No text makes the query layer trap: it answers or throws.

import Testing
import VarveCore

@testable import VarveQuery

struct FuzzTests {
  @Test func mutatedStatementsNeverTrap() throws {
    let seed = UInt64.random(in: 1...UInt64.max)
    var state = seed
    func random(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }
    let session = makeSession()
    var texts = Script.names().flatMap { Script.cases(Script.read($0)).map(\.sql) }
    texts.removeAll { $0.contains("generate_series") }
    let words = texts.flatMap { $0.split(whereSeparator: { " \n,()".contains($0) }).map(String.init) }
    try session.rows(
      "CREATE TABLE cpu (time timestamptz, host text, v double precision, usage bigint) WITH (varve.tags = 'host')")
    try session.rows("INSERT INTO cpu (time, host, v) VALUES ('2024-01-01Z', 'a', 1), ('2024-01-02Z', 'b', 2)")
    try session.rows("SET varve.query_memory_limit = '16MB'")
    var answered = 0
    for _ in 0..<3000 {
      var text = texts[random(texts.count)]
      for _ in 0..<(1 + random(3)) {
        var bytes = Array(text.utf8)
        let place = random(bytes.count + 1)
        switch random(4) {
        case 0: bytes.insert(contentsOf: " \(words[random(words.count)]) ".utf8, at: place)
        case 1: if place < bytes.count { bytes.removeSubrange(place..<min(bytes.count, place + 1 + random(6))) }
        case 2: if place < bytes.count { bytes[place] = UInt8(1 + random(126)) }
        default:
          var parts = text.split(separator: " ").map(String.init)
          if parts.count > 1 { parts.swapAt(random(parts.count), random(parts.count)) }
          bytes = Array(parts.joined(separator: " ").utf8)
        }
        text = String(decoding: bytes, as: UTF8.self)
      }
      if random(4) == 0 { text = "EXPLAIN " + text }
      do {
        try session.rows(text)
        answered += 1
      } catch is VarveError {
        if session.transactionStatus != .idle { try session.rows("ROLLBACK") }
      } catch {
        Issue.record("seed \(seed): \(text): an error of another type: \(error)")
      }
    }
    #expect(answered > 20, "seed \(seed)")
  }

  @Test func deepNestingIsRefused() {
    let session = makeSession()
    let deep = String(repeating: "(", count: 20_000) + "1" + String(repeating: ")", count: 20_000)
    _ = error(session, "SELECT " + deep)
    #expect(error(session, "SELECT " + String(repeating: "- ", count: 5000) + "x")?.sqlState != nil)
    #expect(error(session, "SELECT 1" + String(repeating: " + 1", count: 5000))?.sqlState == "54001")
    #expect(
      error(
        session, String(repeating: "SELECT * FROM (", count: 1000) + "SELECT 1" + String(repeating: ") x", count: 1000))?
        .sqlState == "54001")
  }

  /// `count` queries of which each reads the one before through `body`, and the rows of the last.
  private func chain(_ count: Int, _ body: (String) -> String) -> String {
    let tables = (1..<count).map { "a\($0) AS (\(body("a\($0 - 1)")))" }
    return "WITH a0 AS (SELECT 1 AS n), \(tables.joined(separator: ", ")) SELECT * FROM a\(count - 1)"
  }

  @Test func queriesOfWithThatNameEachOtherAreRefusedBeyondADepth() throws {
    let session = makeSession()
    let deep = String(repeating: "(", count: 150) + "SELECT n FROM "
    for body in [
      { "SELECT * FROM \($0)" }, { "SELECT 1 AS n WHERE EXISTS (SELECT 1 FROM \($0))" },
      { "SELECT n FROM \($0) UNION ALL SELECT 2" }, { "SELECT x.n FROM (SELECT * FROM \($0)) AS x" },
      { deep + $0 + String(repeating: ")", count: 150) },
      { "SELECT " + String(repeating: "- ", count: 100) + "(SELECT n FROM \($0)) AS n" },
    ] as [(String) -> String] {
      let refusal = error(session, chain(900, body))
      #expect(refusal?.sqlState == "54001", "\(body("t").prefix(60)): \(String(describing: refusal))")
    }
    #expect(try session.text(chain(150) { "SELECT n + 1 AS n FROM \($0) WHERE n > 0 LIMIT 1" }) == "150")
    #expect(
      try session.text(
        chain(60) { "SELECT sum(n) + row_number() OVER (ORDER BY n) AS n FROM \($0) GROUP BY n ORDER BY n LIMIT 5" })
        == "60")
    #expect(error(session, chain(3000) { "SELECT * FROM \($0)" })?.sqlState == "54001")
  }
}
