import Testing
@testable import Varve
import VarveCore
import VarveQuery

/// The first rows by time, or by buckets of time, are those of the whole answer, and reading stops with them.
@Suite struct TopRowsTests {
  private typealias Workload = AggregateWorkload
  private let scratch: Scratch
  init() throws { scratch = try Scratch() }

  private static func query(_ g: inout Workload.Random) -> String {
    var conditions: [String] = []
    if Bool.random(using: &g) {
      let second = Workload.midnight / 1_000_000_000 + Int64.random(in: -9_000...190_000, using: &g)
      conditions.append("time \(Bool.random(using: &g) ? "<" : ">=") to_timestamp(\(second))")
    }
    if Int.random(in: 0..<3, using: &g) == 0 { conditions.append("host IN ('h1', 'h3')") }
    if Int.random(in: 0..<3, using: &g) == 0 { conditions.append("i > 60") }
    let filter = conditions.isEmpty ? "" : " WHERE " + conditions.joined(separator: " AND ")
    let direction = Bool.random(using: &g) ? " DESC" : ""
    let bucket =
      [
        "time_bucket('1 minute', time)", "time_bucket('7 minutes', time)", "time_bucket('6 hours', time)", "time",
        "time_bucket('40 minutes', time, 'Europe/Berlin')", "date_trunc('hour', time, 'Europe/Berlin')",
      ].randomElement(using: &g) ?? ""
    let having = Bool.random(using: &g) ? " HAVING count(*) > 1" : ""
    return [
      "SELECT time, host, i, s FROM m\(filter) ORDER BY time\(direction), host",
      "SELECT host, i, time AS slot FROM m\(filter) ORDER BY slot\(direction), host DESC",
      "SELECT \(bucket) AS slot, max(i), count(*) FROM m\(filter) GROUP BY slot\(having) ORDER BY slot\(direction)",
      "SELECT \(bucket) AS slot, host, min(f), count(DISTINCT i) FROM m\(filter) GROUP BY slot, host\(having) ORDER BY slot\(direction), host",
      "SELECT rack, sum(i) FILTER (WHERE i > 0), \(bucket) AS slot FROM m\(filter) GROUP BY slot, rack ORDER BY slot\(direction), rack DESC",
    ].randomElement(using: &g) ?? ""
  }

  /// Over chunks that overlap, a head, late rows and deletes.
  @Test(arguments: 11...14) func theyAreThoseOfTheWholeAnswer(seed: Int) async throws {
    var g = Workload.Random(state: UInt64(seed))
    var options = Database.Options()
    options.compaction = seed % 2 == 0
    let database = try await Database.open(scratch.database, options: options)
    try await Workload.fill(database, &g)
    let session = database.makeSession()
    for _ in 0..<25 {
      let sql = Self.query(&g)
      let (limit, offset) = (Int.random(in: 1...40, using: &g), Int.random(in: 0...3, using: &g))
      let all = try Workload.answer(session, sql)
      let first = try Workload.answer(session, "\(sql) LIMIT \(limit) OFFSET \(offset)")
      let expected = all.dropFirst(offset).prefix(limit)
      #expect(first.count == expected.count, "seed \(seed): \(sql) LIMIT \(limit) OFFSET \(offset)")
      for (a, b) in zip(first, expected) {
        #expect(
          zip(a, b).allSatisfy { Workload.isSame($0, $1) },
          "seed \(seed): \(sql) LIMIT \(limit) OFFSET \(offset): \(a) and not \(b)")
      }
    }
    session.close()
    try await database.close()
  }

  /// The newest row of each series, and its last values, are those that a look at all rows finds.
  @Test(arguments: 21...24) func theNewestOfEachSeriesAreThoseOfAllRows(seed: Int) async throws {
    var g = Workload.Random(state: UInt64(seed))
    var options = Database.Options()
    options.compaction = seed % 2 == 0
    let database = try await Database.open(scratch.database, options: options)
    try await Workload.fill(database, &g)
    let session = database.makeSession()
    for _ in 0..<12 {
      var filter = ""
      if Bool.random(using: &g) {
        let second = Workload.midnight / 1_000_000_000 + Int64.random(in: -9_000...190_000, using: &g)
        filter = " WHERE time \(Bool.random(using: &g) ? "<" : ">=") to_timestamp(\(second))"
        if Bool.random(using: &g) { filter += " AND host IN ('h1', 'h3')" }
      }
      for key in ["host", "rack"] {
        let columns = "\(key), time, i, f, sparse, host AS h"
        let newest = try Workload.answer(
          session, "SELECT DISTINCT ON (\(key)) \(columns) FROM m\(filter) ORDER BY \(key), time DESC, host")
        var expected: [[SQLValue]] = []
        for row in try Workload.answer(
          session, "SELECT \(columns) FROM m\(filter) ORDER BY \(key), time DESC, host")
        where row[0] != expected.last?[0] {
          expected.append(row)
        }
        #expect(newest.count == expected.count, "seed \(seed): \(key)\(filter)")
        for (a, b) in zip(newest, expected) {
          #expect(zip(a, b).allSatisfy { Workload.isSame($0, $1) }, "seed \(seed): \(key)\(filter): \(a) and not \(b)")
        }
        try Workload.compare(
          "SELECT \(key), last(i, time), last(f, time), last(sparse, time) FROM m\(filter) GROUP BY 1 ORDER BY 1",
          session, "seed \(seed)")
      }
    }
    let plan = try Workload.explain(session, "SELECT DISTINCT ON (host) * FROM m ORDER BY host, time DESC")
    #expect(plan.contains("Last Rows of Series"))
    session.close()
    try await database.close()
  }

  @Test func whatComesBehindIsNotRead() async throws {
    let database = try await Database.open(scratch.database)
    var g = Workload.Random(state: 1)
    try await database.write(Workload.points(0, from: Workload.midnight, count: 8_640, &g))
    try await database.flush()
    let session = database.makeSession()
    try session.set("varve.use_page_aggregates", "off")
    for (sql, most) in [
      ("SELECT time, i FROM m ORDER BY time DESC LIMIT 5", 10),
      ("SELECT time, i FROM m ORDER BY time LIMIT 5", 10),
      ("SELECT time_bucket('1 minute', time) AS slot, max(i) FROM m GROUP BY slot ORDER BY slot DESC LIMIT 5", 42),
      (
        "SELECT time_bucket('1 minute', time) AS slot, max(i) FROM m GROUP BY slot HAVING max(i) > -200 ORDER BY slot LIMIT 5",
        42
      ),
    ] {
      let plan = try Workload.explain(session, sql)
      let read = Workload.number("Rows Read", in: plan)
      #expect(read >= 5 && read <= most, "\(sql)\n\(plan)")
    }
    session.close()
    try await database.close()
  }
}
