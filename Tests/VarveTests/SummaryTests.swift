import Testing
@testable import Varve
import VarveCore
import VarveQuery

/// Aggregates from summaries are those of the rows.
@Suite struct SummaryTests {
  private let scratch: Scratch
  init() throws { scratch = try Scratch() }

  @Test func explainSaysWhatSummariesDid() async throws {
    var g = AggregateWorkload.Random(state: 1)
    let database = try await Database.open(scratch.database)
    for host in 0..<3 {
      try await database.write(AggregateWorkload.points(host, from: AggregateWorkload.midnight, count: 8_640, &g))
    }
    try await database.flush()
    let session = database.makeSession()
    try session.set("varve.use_page_aggregates", "off")
    let sql = "SELECT host, time_bucket('1 hour', time), avg(f), max(i) FROM m GROUP BY 1, 2"
    let used = try AggregateWorkload.explain(session, sql)
    #expect(used.contains("Summaries: 1 h in 1 chunk") && used.contains("Summary Buckets: 72"), "\(used)")
    #expect(used.contains("Row Blocks Read: 0 of 3") && used.contains("Rows Read: 0"), "\(used)")
    try session.set("varve.use_summaries", "off")
    let unused = try AggregateWorkload.explain(session, sql)
    #expect(!unused.contains("Summar") && unused.contains("Row Blocks Read: 3 of 3"), "\(unused)")
    #expect(unused.contains("Rows Read: 25920"), "\(unused)")
    try session.set("varve.use_summaries", "on")
    // Half an hour cuts every bucket; a condition on a field needs rows.
    for cut in ["time_bucket('30 minutes', time)", "time_bucket('1 hour', time), count(DISTINCT i)"] {
      let plan = try AggregateWorkload.explain(session, "SELECT \(cut), min(i) FROM m GROUP BY 1")
      #expect(plan.contains("Rows Read: 25920"), "\(plan)")
    }
    session.close()
    try await database.close()
  }

  /// Parts of a scan read the same blocks of summaries: how many rows they stand for is no reason to cut it.
  @Test func largeScansReadSummariesOnce() async throws {
    var g = AggregateWorkload.Random(state: 5)
    let database = try await Database.open(scratch.database)
    for host in 0..<3 {
      try await database.write(AggregateWorkload.points(host, from: AggregateWorkload.midnight, count: 8_640, &g))
    }
    try await database.flush()
    let session = database.makeSession()
    func pages(_ bucket: String, rowsPerPart: Int) throws -> Substring? {
      try session.set("varve.rows_per_part", "\(rowsPerPart)")
      return try AggregateWorkload.explain(
        session, "SELECT host, time_bucket('\(bucket)', time), avg(f), max(i) FROM m GROUP BY 1, 2"
      ).split(whereSeparator: { "\n,".contains($0) }).first { $0.contains("Pages Read") }
    }
    let once = try pages("1 hour", rowsPerPart: 1_000_000)
    #expect(once != nil)
    #expect(try pages("1 hour", rowsPerPart: 2_000) == once)
    session.close()
    try await database.close()
  }

  /// In Berlin 02:00 to 03:00 is left out at midnight + 1 h: buckets that begin there mean a later time, and one key comes
  /// in two pieces of an hour.
  @Test func aBucketThatBeginsInAnHourThatIsLeftOutIsReadByRows() async throws {
    var g = AggregateWorkload.Random(state: 3)
    let database = try await Database.open(scratch.database)
    try await database.write(AggregateWorkload.points(0, from: AggregateWorkload.midnight, count: 8_640, &g))
    try await database.flush()
    let session = database.makeSession()
    for key in [
      "time_bucket('20 minutes', time, 'Europe/Berlin', '2000-01-03 00:10+01'::timestamptz)",
      "time_bucket('20 minutes', time AT TIME ZONE 'Europe/Berlin', interval '10 minutes') AT TIME ZONE 'Europe/Berlin'",
      "date_trunc('hour', time, 'Europe/Berlin')",
    ] {
      try AggregateWorkload.compare("SELECT \(key), count(*), sum(i) FROM m GROUP BY 1 ORDER BY 1", session, key)
    }
    session.close()
    try await database.close()
  }

  /// A summary counts what its chunk holds; what is deleted from it must not come back with it.
  @Test func deletedRowsAreInNoAnswer() async throws {
    var g = AggregateWorkload.Random(state: 4)
    var options = Database.Options()
    options.compaction = false
    let database = try await Database.open(scratch.database, options: options)
    for host in 0..<3 {
      try await database.write(AggregateWorkload.points(host, from: AggregateWorkload.midnight, count: 4_000, &g))
    }
    try await database.flush()
    let session = database.makeSession()
    let second = AggregateWorkload.midnight / 1_000_000_000
    var expected = 12_000
    for (host, from, until, count) in [("h1", 3_600, 7_200, 360), ("h2", 10_000, 10_005, 1), ("h0", 0, 90_000, 4_000)] {
      _ = try AggregateWorkload.answer(
        session,
        "DELETE FROM m WHERE host = '\(host)' AND time >= to_timestamp(\(second + Int64(from))) AND time < to_timestamp(\(second + Int64(until)))"
      )
      expected -= count
      #expect(try AggregateWorkload.answer(session, "SELECT count(*) FROM m") == [[.integer(Int64(expected))]])
      for keys in ["host", "host, time_bucket('1 hour', time)", "time_bucket('6 hours', time)"] {
        let places = (1...(keys.contains("host, ") ? 2 : 1)).map(String.init).joined(separator: ", ")
        try AggregateWorkload.compare(
          "SELECT \(keys), count(*), sum(i), max(f), last(i, time) FROM m GROUP BY \(places) ORDER BY \(places)",
          session,
          "without \(host)")
      }
    }
    session.close()
    try await database.close()
  }

  /// Cut at both ends: the middle comes from summaries, the edges from pages or rows.
  @Test func edgesAreRead() async throws {
    var g = AggregateWorkload.Random(state: 2)
    let database = try await Database.open(scratch.database)
    try await database.write(AggregateWorkload.points(0, from: AggregateWorkload.midnight, count: 8_640, &g))
    try await database.flush()
    let session = database.makeSession()
    let from = AggregateWorkload.midnight / 1_000_000_000 + 1_800
    let sql =
      "SELECT count(*), sum(i) FROM m WHERE time >= to_timestamp(\(from)) AND time < to_timestamp(\(from + 36_000))"
    let plan = try AggregateWorkload.explain(session, sql)
    #expect(plan.contains("Summary Buckets: 9") && plan.contains("Rows Aggregated on Pages: 360"), "\(plan)")
    try session.set("varve.use_page_aggregates", "off")
    let rows = try AggregateWorkload.explain(session, sql)
    #expect(rows.contains("Summary Buckets: 9") && rows.contains("Rows Read: 360"), "\(rows)")
    try AggregateWorkload.compare(sql, session, "edges")
    session.close()
    try await database.close()
  }
}
