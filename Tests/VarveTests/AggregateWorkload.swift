// Rows and queries that show where aggregates go wrong, and the comparison of all ways to an answer with that by rows.

import Testing
@testable import Varve
import VarveCore
import VarveQuery

enum AggregateWorkload {
  /// Values that show in a sum, an extreme or an order if they are handled wrongly.
  static let doubles: [Double] = [
    .nan, .infinity, -.infinity, -0.0, 0, 0.1, 2.25, -3.75, 1e-300, 1e15, 33.37,
  ]

  struct Random: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state &+= 0x9E37_79B9_7F4A_7C15
      var z = state
      z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
      z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
      return z ^ z >> 31
    }
  }

  static let hour: Int64 = 3_600_000_000_000
  /// Midnight of the day at whose second hour clocks go forward in Berlin.
  static let midnight: Int64 = 1_711_843_200_000_000_000

  static func points(_ host: Int, from: Int64, count: Int, _ g: inout Random, only: String? = nil) -> [Point] {
    let special = Int.random(in: 0..<4, using: &g) == 0
    let large = Int.random(in: 0..<6, using: &g) == 0
    return (0..<count).map { index in
      var fields: [String: Point.Value] = [:]
      if only == nil || only == "f" {
        let value =
          special ? doubles.randomElement(using: &g) ?? 0 : Double(Int.random(in: -999...999, using: &g)) / 8
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

  static func fill(_ database: Database, _ g: inout Random) async throws {
    // Two days of ten seconds in chunks; each in one or two pieces, which may overlap.
    for day in 0..<2 {
      let from = midnight + Int64(day) * 24 * hour
      for piece in 0..<Int.random(in: 1...2, using: &g) {
        for host in 0..<4 {
          let shift = Int64.random(in: 0...12, using: &g) * hour / 2 * Int64(piece)
          try await database.write(
            points(host, from: from + shift, count: Int.random(in: 2_000...4_300, using: &g), &g))
        }
        try await database.flush()
      }
    }
    // A field written later than its rows, in a chunk of its own or in the head; late rows; the head.
    for host in 0..<2 {
      let from = midnight + Int64.random(in: 0...40, using: &g) * hour
      try await database.write(
        points(
          host, from: from, count: Int.random(in: 1...900, using: &g), &g, only: Bool.random(using: &g) ? "f" : "i"))
      if Bool.random(using: &g) { try await database.flush() }
    }
    try await database.write(points(1, from: midnight + 47 * hour, count: 20, &g))
    // Blocks of the head that were put in order, one behind the other or overlapping.
    for piece in 0..<Int.random(in: 0...3, using: &g) {
      let shift = Int64.random(in: 0...2, using: &g) * hour * Int64(piece)
      for host in 0..<4 {
        try await database.write(
          points(host, from: midnight + 46 * hour + shift, count: Int.random(in: 20...900, using: &g), &g))
      }
      while let gather = database.store.pickGather(byteCount: 0, joinedRowCount: 0) {
        guard database.store.install(gather, gather.make()) else { break }
      }
    }
    let session = database.makeSession()
    for _ in 0..<Int.random(in: 0...2, using: &g) {
      let from = midnight / 1_000_000_000 + Int64.random(in: 0...150_000, using: &g)
      let until = from + Int64.random(in: 1...20_000, using: &g)
      _ = try answer(
        session,
        "DELETE FROM m WHERE host = 'h\(Int.random(in: 0...3, using: &g))' AND time >= to_timestamp(\(from)) AND time < to_timestamp(\(until))"
      )
    }
    session.close()
  }

  static func query(_ g: inout Random) -> String {
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
        ["time_bucket('15 minutes', time)", "rack"], ["time_bucket('40 minutes', time, 'Europe/Berlin')", "host"],
        ["date_trunc('hour', time AT TIME ZONE 'Europe/Berlin')"],
      ].randomElement(using: &g) ?? []
    var conditions: [String] = []
    if Bool.random(using: &g) {
      let lower = midnight / 1_000_000_000 + Int64.random(in: 0...90_000, using: &g)
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
  static func answer(_ session: QuerySession, _ sql: String) throws -> [[SQLValue]] {
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

  static func isSame(_ a: SQLValue, _ b: SQLValue) -> Bool {
    if case .double(let x) = a, case .double(let y) = b {
      if x.isNaN || y.isNaN { return x.isNaN && y.isNaN }
      // Sums of terms up to 1e15 may cancel.
      return x == y || (x - y).magnitude <= 1e-12 * max(x.magnitude, y.magnitude) + (x.magnitude > 1e6 ? 10 : 1e-6)
    }
    return a == b
  }

  /// The ways to an answer, and the settings that choose them.
  static let ways = [
    (name: "rows", summaries: "off", pages: "off", rowsPerPart: "1000000"),
    (name: "rows in parts", summaries: "off", pages: "off", rowsPerPart: "500"),
    (name: "pages", summaries: "off", pages: "on", rowsPerPart: "1000000"),
    (name: "pages in parts", summaries: "off", pages: "on", rowsPerPart: "500"),
    (name: "summaries", summaries: "on", pages: "off", rowsPerPart: "1000000"),
    (name: "summaries and pages in parts", summaries: "on", pages: "on", rowsPerPart: "500"),
  ]

  /// The answer is that of rows on every other way.
  static func compare(_ sql: String, _ session: QuerySession, _ comment: String) throws {
    var expected: [[SQLValue]]?
    for way in ways {
      try session.set("varve.use_summaries", way.summaries)
      try session.set("varve.use_page_aggregates", way.pages)
      try session.set("varve.rows_per_part", way.rowsPerPart)
      let found = try answer(session, sql)
      guard let expected else {
        expected = found
        continue
      }
      #expect(found.count == expected.count, "\(comment), \(way.name): \(sql)")
      for (a, b) in zip(found, expected) {
        #expect(
          a.count == b.count && zip(a, b).allSatisfy { isSame($0, $1) },
          "\(comment), \(way.name): \(sql): \(a) and not \(b)")
      }
    }
  }

  /// A plan as EXPLAIN ANALYZE prints it.
  static func explain(_ session: QuerySession, _ sql: String) throws -> String {
    try answer(session, "EXPLAIN (ANALYZE) \(sql)").map { row in
      if case .text(let line) = row[0] { line } else { "" }
    }.joined(separator: "\n")
  }

  /// The number behind a name in a plan; 0 where it is not there.
  static func number(_ name: String, in plan: String) -> Int {
    plan.split(separator: "\n").compactMap { line in
      line.split(separator: ":").first?.drop { $0 == " " } == name[...]
        ? line.split(separator: " ").last.flatMap { Int($0) } : nil
    }.reduce(0, +)
  }
}
