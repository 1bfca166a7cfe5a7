import Testing
@testable import Varve
import VarveCore
import VarveQuery

/// Aggregates from summaries are those of the rows: the same queries with summaries and without, over chunks that
/// overlap, a head, late rows, and fields that were written later than their rows.
@Suite struct SummaryTests {
  private let scratch: Scratch
  init() throws { scratch = try Scratch() }

  /// Values that show in a sum, an extreme or an order if they are handled wrongly.
  private static let doubles: [Double] = [
    .nan, .infinity, -.infinity, -0.0, 0, 0.1, 2.25, -3.75, 1e-300, 1e15, 33.37,
  ]

  private struct Random: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state &+= 0x9E37_79B9_7F4A_7C15
      var z = state
      z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
      z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
      return z ^ z >> 31
    }
  }

  private static let hour: Int64 = 3_600_000_000_000
  /// Midnight of the day at whose second hour clocks go forward in Berlin.
  private static let midnight: Int64 = 1_711_843_200_000_000_000

  private func points(_ host: Int, from: Int64, count: Int, _ g: inout Random, only: String? = nil) -> [Point] {
    let special = Int.random(in: 0..<4, using: &g) == 0
    let large = Int.random(in: 0..<6, using: &g) == 0
    return (0..<count).map { index in
      var fields: [String: Point.Value] = [:]
      if only == nil || only == "f" {
        let value =
          special ? Self.doubles.randomElement(using: &g) ?? 0 : Double(Int.random(in: -999...999, using: &g)) / 8
        fields["f"] = .double(value)
      }
      if only == nil || only == "i" {
        fields["i"] = .integer(
          large ? [Int64.max, .min, 5].randomElement(using: &g) ?? 0 : Int64.random(in: -100...100, using: &g))
      }
      if only == nil {
        fields["u"] = .unsigned(large ? UInt64.max - UInt64(index % 3) : UInt64.random(in: 0...9, using: &g))
        fields["b"] = .boolean(Bool.random(using: &g))
        fields["t"] = .timestamp(start + Int64.random(in: 0...1000, using: &g))
        fields["s"] = .text("x\(index % 3)")
        if Int.random(in: 0..<3, using: &g) > 0 { fields["sparse"] = .integer(Int64(index)) }
      }
      return Point(
        "m", tags: ["host": "h\(host)", "rack": "r\(host % 2)"], fields: fields,
        timeNanoseconds: from + Int64(index) * 10_000_000_000)
    }
  }

  private func fill(_ database: Database, _ g: inout Random) async throws {
    // Two days of ten seconds in chunks; each in one or two pieces, which may overlap.
    for day in 0..<2 {
      let from = Self.midnight + Int64(day) * 24 * Self.hour
      for piece in 0..<Int.random(in: 1...2, using: &g) {
        for host in 0..<4 {
          let shift = Int64.random(in: 0...12, using: &g) * Self.hour / 2 * Int64(piece)
          try await database.write(
            points(host, from: from + shift, count: Int.random(in: 2_000...4_300, using: &g), &g))
        }
        try await database.flush()
      }
    }
    // A field written later than its rows, in a chunk of its own or in the head; late rows; the head.
    for host in 0..<2 {
      let from = Self.midnight + Int64.random(in: 0...40, using: &g) * Self.hour
      try await database.write(
        points(
          host, from: from, count: Int.random(in: 1...900, using: &g), &g, only: Bool.random(using: &g) ? "f" : "i"))
      if Bool.random(using: &g) { try await database.flush() }
    }
    try await database.write(points(1, from: Self.midnight + 47 * Self.hour, count: 20, &g))
  }

  private func query(_ g: inout Random) -> String {
    let calls = [
      "count(*)", "count(f)", "count(s)", "count(sparse)", "sum(i)", "avg(i)", "sum(f)", "avg(f)", "min(f)", "max(f)",
      "min(i)", "max(i)", "sum(u)", "avg(u)", "min(u)", "max(u)", "min(t)", "max(t)", "first(i, time)", "last(i, time)",
      "first(f, time)", "last(f, time)", "last(sparse, time)", "first(u, time)", "last(t, time)", "sum(sparse)",
    ].shuffled(using: &g).prefix(Int.random(in: 1...4, using: &g))
    let keys =
      [
        [], ["host"], ["rack"], ["time_bucket('1 hour', time)"], ["host", "time_bucket('6 hours', time)"],
        ["rack", "time_bucket('90 minutes', time)"], ["date_trunc('day', time)"],
        ["date_trunc('hour', time, 'Europe/Berlin')", "host"], ["time_bucket('1 month', time)"],
        ["date_trunc('day', time AT TIME ZONE 'America/St_Johns')"], ["time_bucket('7 minutes', time)"],
      ].randomElement(using: &g) ?? []
    var conditions: [String] = []
    if Bool.random(using: &g) {
      let lower = Self.midnight / 1_000_000_000 + Int64.random(in: 0...90_000, using: &g)
      conditions.append("time >= to_timestamp(\(lower))")
      if Bool.random(using: &g) {
        conditions.append("time < to_timestamp(\(lower + Int64.random(in: 0...90_000, using: &g)))")
      }
    }
    if Int.random(in: 0..<3, using: &g) == 0 { conditions.append("host IN ('h1', 'h3')") }
    let filter = conditions.isEmpty ? "" : " WHERE " + conditions.joined(separator: " AND ")
    let grouping = keys.isEmpty ? "" : " GROUP BY " + (1...keys.count).map(String.init).joined(separator: ", ")
    let order = keys.isEmpty ? "" : " ORDER BY " + (1...keys.count).map(String.init).joined(separator: ", ")
    return "SELECT \((keys + calls).joined(separator: ", ")) FROM m\(filter)\(grouping)\(order)"
  }

  /// The rows, or what the query fails with.
  private func answer(_ session: QuerySession, _ sql: String) throws -> [[SQLValue]] {
    do {
      let result = try session.execute(try session.prepare(sql))
      var rows: [[SQLValue]] = []
      while let batch = try result.next() {
        for row in 0..<batch.count { rows.append(batch.columns.map { SQLValue($0.datum(at: row)) }) }
      }
      try session.endImplicitTransaction(failed: false)
      return rows
    } catch let error as VarveError where error.sqlState == "22003" {
      try session.endImplicitTransaction(failed: true)
      return [[.text("22003")]]
    }
  }

  private func isSame(_ a: SQLValue, _ b: SQLValue) -> Bool {
    if case .double(let x) = a, case .double(let y) = b {
      if x.isNaN || y.isNaN { return x.isNaN && y.isNaN }
      // Sums of terms up to 1e15 may cancel.
      return x == y || (x - y).magnitude <= 1e-12 * max(x.magnitude, y.magnitude) + (x.magnitude > 1e6 ? 10 : 1e-6)
    }
    return a == b
  }

  private func compare(_ sql: String, _ session: QuerySession, _ comment: String) throws {
    try session.set("varve.use_summaries", "on")
    let with = try answer(session, sql)
    try session.set("varve.use_summaries", "off")
    let without = try answer(session, sql)
    #expect(with.count == without.count, "\(comment): \(sql)")
    for (a, b) in zip(with, without) {
      #expect(
        a.count == b.count && zip(a, b).allSatisfy { isSame($0, $1) }, "\(comment): \(sql): \(a) and not \(b)")
    }
  }

  @Test(arguments: 1...6) func withSummariesAndWithoutTheAnswerIsTheSame(seed: Int) async throws {
    var g = Random(state: UInt64(seed))
    let database = try await Database.open(scratch.database)
    try await fill(database, &g)
    let session = database.makeSession()
    for zone in ["UTC", "Europe/Berlin", "Asia/Kolkata"] {
      try session.set("timezone", zone)
      for _ in 0..<25 { try compare(query(&g), session, "seed \(seed), \(zone)") }
    }
    session.close()
    try await database.close()
  }

  @Test func explainSaysWhatSummariesDid() async throws {
    var g = Random(state: 1)
    let database = try await Database.open(scratch.database)
    for host in 0..<3 { try await database.write(points(host, from: Self.midnight, count: 8_640, &g)) }
    try await database.flush()
    let session = database.makeSession()
    func explain(_ sql: String) throws -> String {
      try answer(session, "EXPLAIN (ANALYZE) \(sql)").map { row in
        if case .text(let line) = row[0] { line } else { "" }
      }.joined(separator: "\n")
    }
    let sql = "SELECT host, time_bucket('1 hour', time), avg(f), max(i) FROM m GROUP BY 1, 2"
    let used = try explain(sql)
    #expect(used.contains("Summaries: 1 h in 1 chunk") && used.contains("Summary Buckets: 72"), "\(used)")
    #expect(used.contains("Row Blocks Read: 0 of 3") && used.contains("Rows Read: 0"), "\(used)")
    try session.set("varve.use_summaries", "off")
    let unused = try explain(sql)
    #expect(!unused.contains("Summar") && unused.contains("Row Blocks Read: 3 of 3"), "\(unused)")
    #expect(unused.contains("Rows Read: 25920"), "\(unused)")
    try session.set("varve.use_summaries", "on")
    // Half an hour cuts every bucket; a condition on a field needs rows.
    for cut in ["time_bucket('30 minutes', time)", "time_bucket('1 hour', time), count(DISTINCT i)"] {
      let plan = try explain("SELECT \(cut), min(i) FROM m GROUP BY 1")
      #expect(plan.contains("Rows Read: 25920"), "\(plan)")
    }
    session.close()
    try await database.close()
  }

  /// In Berlin 02:00 to 03:00 is left out at midnight + 1 h: buckets that begin there mean a later time, and one key comes
  /// in two pieces of an hour.
  @Test func aBucketThatBeginsInAnHourThatIsLeftOutIsReadByRows() async throws {
    var g = Random(state: 3)
    let database = try await Database.open(scratch.database)
    try await database.write(points(0, from: Self.midnight, count: 8_640, &g))
    try await database.flush()
    let session = database.makeSession()
    for key in [
      "time_bucket('20 minutes', time, 'Europe/Berlin', '2000-01-03 00:10+01'::timestamptz)",
      "time_bucket('20 minutes', time AT TIME ZONE 'Europe/Berlin', interval '10 minutes') AT TIME ZONE 'Europe/Berlin'",
      "date_trunc('hour', time, 'Europe/Berlin')",
    ] {
      try compare("SELECT \(key), count(*), sum(i) FROM m GROUP BY 1 ORDER BY 1", session, key)
    }
    session.close()
    try await database.close()
  }

  /// A summary counts what its chunk holds; what is deleted from it must not come back with it.
  @Test func deletedRowsAreInNoAnswer() async throws {
    var g = Random(state: 4)
    var options = Database.Options()
    options.compaction = false
    let database = try await Database.open(scratch.database, options: options)
    for host in 0..<3 { try await database.write(points(host, from: Self.midnight, count: 4_000, &g)) }
    try await database.flush()
    let session = database.makeSession()
    let second = Self.midnight / 1_000_000_000
    var expected = 12_000
    for (host, from, until, count) in [("h1", 3_600, 7_200, 360), ("h2", 10_000, 10_005, 1), ("h0", 0, 90_000, 4_000)] {
      _ = try answer(
        session,
        "DELETE FROM m WHERE host = '\(host)' AND time >= to_timestamp(\(second + Int64(from))) AND time < to_timestamp(\(second + Int64(until)))"
      )
      expected -= count
      #expect(try answer(session, "SELECT count(*) FROM m") == [[.integer(Int64(expected))]])
      for keys in ["host", "host, time_bucket('1 hour', time)", "time_bucket('6 hours', time)"] {
        let places = (1...(keys.contains("host, ") ? 2 : 1)).map(String.init).joined(separator: ", ")
        try compare(
          "SELECT \(keys), count(*), sum(i), max(f), last(i, time) FROM m GROUP BY \(places) ORDER BY \(places)",
          session,
          "without \(host)")
      }
    }
    session.close()
    try await database.close()
  }

  /// Cut at both ends: the middle comes from summaries, the edges from rows.
  @Test func edgesAreRead() async throws {
    var g = Random(state: 2)
    let database = try await Database.open(scratch.database)
    try await database.write(points(0, from: Self.midnight, count: 8_640, &g))
    try await database.flush()
    let session = database.makeSession()
    let from = Self.midnight / 1_000_000_000 + 1_800
    let sql =
      "SELECT count(*), sum(i) FROM m WHERE time >= to_timestamp(\(from)) AND time < to_timestamp(\(from + 36_000))"
    let plan = try answer(session, "EXPLAIN (ANALYZE) \(sql)").map { "\($0[0])" }.joined(separator: "\n")
    #expect(plan.contains("Summary Buckets: 9") && plan.contains("Rows Read: 360"), "\(plan)")
    try compare(sql, session, "edges")
    session.close()
    try await database.close()
  }
}
