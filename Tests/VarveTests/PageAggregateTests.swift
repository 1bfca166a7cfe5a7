import Testing
@testable import Varve
import VarveCore
import VarveQuery

/// Aggregates made on pages are those of the rows, and are made wherever rows lie alone and groups are long.
@Suite struct PageAggregateTests {
  private typealias Workload = AggregateWorkload
  private let scratch: Scratch
  init() throws { scratch = try Scratch() }

  /// Over chunks that overlap, a head, late rows, fields that were written later than their rows, and deletes: the same
  /// queries on each way to an answer.
  @Test(arguments: 1...4) func onEveryWayTheAnswerIsTheSame(seed: Int) async throws {
    var g = Workload.Random(state: UInt64(seed))
    var options = Database.Options()
    options.compaction = seed % 2 == 0
    let database = try await Database.open(scratch.database, options: options)
    try await Workload.fill(database, &g)
    let session = database.makeSession()
    var (onPages, inBuckets) = (0, 0)
    for zone in ["UTC", "Europe/Berlin", "Asia/Kolkata"] {
      try session.set("timezone", zone)
      for _ in 0..<20 {
        let sql = Workload.query(&g)
        try Workload.compare(sql, session, "seed \(seed), \(zone)")
        // Left as the last way has it: both are used.
        let plan = try Workload.explain(session, sql)
        onPages += Workload.number("Rows Aggregated on Pages", in: plan)
        inBuckets += Workload.number("Summary Buckets", in: plan)
      }
    }
    #expect(onPages > 0 && inBuckets > 0, "seed \(seed): \(onPages) rows on pages, \(inBuckets) buckets")
    session.close()
    try await database.close()
  }

  /// Held against what was written, computed here.
  @Test(arguments: [Int64(5), 17]) func aggregatesAreThoseOfWhatWasWritten(seed: Int64) async throws {
    var g = Workload.Random(state: UInt64(seed))
    let database = try await Database.open(scratch.database)
    var written: [[Int64: (i: Int64, d: Double)]] = [[:], [:], [:]]
    for host in 0..<3 {
      var points: [Point] = []
      for row in 0..<3_000 {
        let time = Workload.midnight + Int64(row) * 10_000_000_000 + Int64.random(in: 0...999, using: &g)
        let (i, d) = (Int64.random(in: -1000...1000, using: &g), Double(Int.random(in: -999...999, using: &g)) / 100)
        written[host][time] = (i, d)
        points.append(
          Point("m", tags: ["host": "h\(host)"], fields: ["i": .integer(i), "d": .double(d)], timeNanoseconds: time))
      }
      try await database.write(points)
    }
    try await database.flush()
    let session = database.makeSession()
    try session.set("varve.use_summaries", "off")
    let second = Workload.midnight / 1_000_000_000
    _ = try Workload.answer(
      session,
      "DELETE FROM m WHERE host = 'h1' AND time >= to_timestamp(\(second + 1_000)) AND time < to_timestamp(\(second + 9_000))"
    )
    let gone = (Workload.midnight + 1_000_000_000_000)..<(Workload.midnight + 9_000_000_000_000)
    written[1] = written[1].filter { !gone.contains($0.key) }
    let sql =
      "SELECT host, time_bucket('1 hour', time), count(*), sum(i), min(i), max(i), first(i, time), last(i, time), min(d), max(d), sum(d), first(d, time), last(d, time) FROM m GROUP BY 1, 2 ORDER BY 1, 2"
    let plan = try Workload.explain(session, sql)
    let rowCount = written.reduce(0) { $0 + $1.count }
    #expect(Workload.number("Rows Aggregated on Pages", in: plan) == rowCount, "\(plan)")
    let found = try Workload.answer(session, sql)
    var expected: [[SQLValue]] = []
    for (host, rows) in written.enumerated() {
      let buckets = Dictionary(grouping: rows.keys.sorted()) { ($0 - Workload.midnight) / Workload.hour }
      for (bucket, times) in buckets.sorted(by: { $0.key < $1.key }) {
        let values = times.compactMap { rows[$0] }
        let (integers, doubles) = (values.map(\.i), values.map(\.d))
        expected.append([
          .text("h\(host)"), .timestamp(Workload.midnight + bucket * Workload.hour), .integer(Int64(values.count)),
          .text("\(integers.reduce(0, +))"), .integer(integers.min() ?? 0), .integer(integers.max() ?? 0),
          .integer(integers.first ?? 0), .integer(integers.last ?? 0), .double(doubles.min() ?? 0),
          .double(doubles.max() ?? 0), .double(doubles.reduce(0, +)), .double(doubles.first ?? 0),
          .double(doubles.last ?? 0),
        ])
      }
    }
    #expect(found.count == expected.count, "seed \(seed)")
    for (a, b) in zip(found, expected) {
      #expect(zip(a, b).allSatisfy { isSame($0, $1) }, "seed \(seed): \(a) and not \(b)")
    }
    session.close()
    try await database.close()
  }

  /// A sum of integers is a numeric, which comes in its own way.
  private func isSame(_ found: SQLValue, _ expected: SQLValue) -> Bool {
    if case .text(let text) = expected, case .text = found { return Workload.isSame(found, .text(text)) }
    if case .text(let text) = expected { return "\(found)".contains(text) }
    return Workload.isSame(found, expected)
  }

  private func database(_ options: Database.Options = Database.Options()) async throws -> Database {
    var g = Workload.Random(state: 1)
    let database = try await Database.open(scratch.database, options: options)
    for host in 0..<3 {
      try await database.write(Workload.points(host, from: Workload.midnight, count: 8_640, &g))
    }
    try await database.flush()
    return database
  }

  @Test func explainSaysWhatWasAggregatedOnPages() async throws {
    let database = try await database()
    let session = database.makeSession()
    func onPages(_ select: String) throws -> (pages: Int, rows: Int) {
      let plan = try Workload.explain(session, select)
      return (Workload.number("Rows Aggregated on Pages", in: plan), Workload.number("Rows Read", in: plan))
    }
    let all = (pages: 25_920, rows: 0)
    // The summaries' buckets are hours: half hours cut them.
    #expect(try onPages("SELECT time_bucket('30 minutes', time), min(i) FROM m GROUP BY 1") == all)
    try session.set("varve.use_summaries", "off")
    #expect(try onPages("SELECT max(f), count(s), count(*) FROM m") == all)
    #expect(try onPages("SELECT rack, first(t, time), last(t, time) FROM m GROUP BY 1") == all)
    #expect(try onPages("SELECT host, date_trunc('hour', time, 'Asia/Kolkata'), min(f) FROM m GROUP BY 1, 2") == all)
    // Six rows a group; a condition, an argument and a value that only rows have.
    for select in [
      "SELECT time_bucket('1 minute', time), min(i) FROM m GROUP BY 1", "SELECT time, min(i) FROM m GROUP BY 1",
      "SELECT min(i) FROM m WHERE i > -101", "SELECT count(DISTINCT i) FROM m", "SELECT max(s) FROM m",
      "SELECT first(sparse, time) FROM m",
    ] {
      #expect(try onPages(select) == (pages: 0, rows: 25_920), "\(select)")
    }
    // The last values alone need neither: three series have their newest rows.
    let last = try onPages("SELECT rack, last(t, time), last(sparse, time) FROM m GROUP BY 1")
    #expect(last.pages == 0 && last.rows < 30, "\(last)")
    try session.set("varve.use_page_aggregates", "off")
    #expect(try onPages("SELECT max(f) FROM m") == (pages: 0, rows: 25_920))
    session.close()
    try await database.close()
  }

  /// What another source may have rows beside is merged, and only that.
  @Test func rowsBesideOthersAreMerged() async throws {
    var options = Database.Options()
    options.compaction = false
    let database = try await database(options)
    // Every value of an hour of one host anew, in the head.
    try await database.write(
      (0..<360).map {
        Point(
          "m", tags: ["host": "h1", "rack": "r1"], fields: ["i": .integer(7)],
          timeNanoseconds: Workload.midnight + 5 * Workload.hour + Int64($0) * 10_000_000_000)
      })
    let session = database.makeSession()
    try session.set("varve.use_summaries", "off")
    let sql = "SELECT host, max(i), count(*) FROM m GROUP BY 1 ORDER BY 1"
    let plan = try Workload.explain(session, sql)
    #expect(Workload.number("Rows Aggregated on Pages", in: plan) == 25_920 - 360, "\(plan)")
    #expect(Workload.number("Rows Read", in: plan) == 360, "\(plan)")
    #expect(plan.contains("Row Blocks Read: 3 of 3"), "\(plan)")
    try Workload.compare(sql, session, "an hour anew")
    session.close()
    try await database.close()
  }

  /// Finite doubles whose sum is none fail as they do by rows; infinite ones do not.
  @Test func sumsThatAreNoNumberAreThoseOfRows() async throws {
    let database = try await Database.open(scratch.database)
    for (host, value) in [("a", Double.greatestFiniteMagnitude), ("b", .infinity), ("c", .nan)] {
      try await database.write(
        (0..<500).map {
          Point(
            "m", tags: ["host": host], fields: ["f": .double(value)],
            timeNanoseconds: Workload.midnight + Int64($0) * 10_000_000_000)
        })
    }
    try await database.flush()
    let session = database.makeSession()
    for host in ["a", "b", "c"] {
      try Workload.compare("SELECT sum(f), max(f), min(f) FROM m WHERE host = '\(host)'", session, host)
    }
    #expect(try Workload.answer(session, "SELECT sum(f) FROM m WHERE host = 'a'") == [[.text("22003")]])
    session.close()
    try await database.close()
  }
}
