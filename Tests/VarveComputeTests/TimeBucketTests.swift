// time_bucket against a naive model and against TimescaleDB's documented examples.

import Testing
import VarveCore

@testable import VarveCompute

@Suite struct TimeBucketTests {
  static func bucket(_ width: String, _ time: String, _ more: [(SQLType, String)] = [], zone: String = "UTC") throws
    -> String
  {
    let context = Support.context(zone)
    var columns: [Column] = []
    for (type, text) in [(SQLType.interval, width), (.timestamptz, time)] + more {
      columns.append(.constant(try TypeText.parse(text, as: type, context: context), type: type, count: 1))
    }
    let result = try Support.call("fn", "time_bucket", columns, 1, context)
    return try Support.text(result, 0, context)
  }

  @Test func bucketsBeginOnTheMondayOfTimescaleDB() throws {
    #expect(try Self.bucket("1 week", "2018-01-02 00:00:00+00") == "2018-01-01 00:00:00+00")
    #expect(try Self.bucket("5 minutes", "2020-01-01 00:07:30+00") == "2020-01-01 00:05:00+00")
    #expect(try Self.bucket("2 days", "2000-01-04 13:00:00+00") == "2000-01-03 00:00:00+00")
    #expect(try Self.bucket("1 hour", "1969-12-31 23:59:59+00") == "1969-12-31 23:00:00+00")
    #expect(try Self.bucket("1 month", "2020-02-29 12:00:00+00") == "2020-02-01 00:00:00+00")
    #expect(try Self.bucket("5 months", "2020-12-31 12:00:00+00") == "2020-11-01 00:00:00+00")
    #expect(try Self.bucket("1 year", "1999-12-31 12:00:00+00") == "1999-01-01 00:00:00+00")
    #expect(try Self.bucket("1 day", "infinity") == "infinity")
  }

  @Test func offsetAndOriginMoveTheBuckets() throws {
    #expect(
      try Self.bucket("1 day", "2020-01-01 05:00:00+00", [(.interval, "6 hours")]) == "2019-12-31 06:00:00+00")
    #expect(
      try Self.bucket("1 week", "2018-01-02 00:00:00+00", [(.timestamptz, "2000-01-02 00:00:00+00")])
        == "2017-12-31 00:00:00+00")
    #expect(
      try Self.bucket("1 month", "2020-01-10 00:00:00+00", [(.interval, "14 days")]) == "2019-12-15 00:00:00+00")
  }

  @Test(.enabled(if: Support.hasZones)) func daysOfAZoneFollowItsClock() throws {
    let zone: [(SQLType, String)] = [(.text, "America/New_York")]
    #expect(try Self.bucket("1 day", "2020-03-08 20:00:00+00", zone) == "2020-03-08 05:00:00+00")
    #expect(try Self.bucket("1 day", "2020-03-09 20:00:00+00", zone) == "2020-03-09 04:00:00+00")
    #expect(try Self.bucket("1 month", "2020-04-01 02:00:00+00", zone) == "2020-03-01 05:00:00+00")
  }

  @Test func widthsThatAreNoneAreRefused() throws {
    for width in ["0", "-1 hour", "1 month 1 day"] {
      #expect(throws: VarveError.self) { try Self.bucket(width, "2020-01-01 00:00:00+00") }
    }
  }

  @Test func columnsAgreeWithTheNaiveModelAtEveryEdge() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SeededGenerator(seed: seed)
    for round in 0..<60 {
      let width = round == 0 ? 1 : Int64.random(in: 1...(1 << Int64.random(in: 1...50)), using: &random) * 1000
      let micro = Interval(microseconds: max(width / 1000, 1))
      let nano = Int128(micro.microseconds) * 1000
      var times = (0..<200).map { _ in Int64.random(in: Int64.min / 2...Int64.max / 2, using: &random) }
      if round % 2 == 0 { times.sort() }
      let column = try Column(type: .timestamptz, data: times.map(Datum.timestamp))
      let result = try Support.call(
        "fn", "time_bucket", [.constant(.interval(micro), type: .interval, count: times.count), column], times.count,
        Support.context())
      for (i, t) in times.enumerated() {
        var rest = (Int128(t) - Int128(TimeBucket.origin)) % nano
        if rest < 0 { rest += nano }
        #expect(
          result.datum(at: i) == .timestamp(Int64(Int128(t) - rest)), "seed \(seed) width \(micro) time \(t)")
      }
    }
  }

  @Test func aBucketBelowTheRangeIsAnErrorNotATrap() throws {
    let times = try Column(type: .timestamptz, data: [.timestamp(Int64.min + 1)])
    #expect(throws: VarveError.self) {
      try Support.call(
        "fn", "time_bucket",
        [.constant(.interval(Interval(days: 1)), type: .interval, count: 1), times], 1, Support.context())
    }
  }
}
