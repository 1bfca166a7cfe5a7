// Sketches, histograms, counters and statistics of pairs, kept in parts: what they give over the rows.

import Testing
import VarveCore

@testable import VarveCompute

@Suite struct KeptSeriesTests {
  static func nullable(_ value: Datum, _ share: Int, _ random: inout SeededGenerator) -> Datum {
    Int.random(in: 0..<100, using: &random) < share ? .null : value
  }

  @Test func sketchesAreThoseOfAllRows() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SeededGenerator(seed: seed)
    let fractions: [(SQLType, [Datum])] = [
      (.float8, [.float(0), .float(0.5), .float(0.99), .null]),
      (.array(.float8), [.array([.float(0.1), .null, .float(1)]), .array([])]),
    ]
    for (type, values) in fractions {
      let aggregate = try KeptAggregate("approx_percentile", [type, .float8])
      for shape in AggregatePartsTests.Shape.allCases {
        for fraction in values {
          for count in [0, 1, 400] {
            let data = try (0..<count).map { _ in
              Self.nullable(try AggregatePartsTests.value(.float8, shape, &random), 20, &random)
            }
            let constants = [Datum](repeating: fraction, count: count)
            let expected = try aggregate.direct(
              [try Column(type: type, data: constants), try Column(type: .float8, data: data)], &random)
            let pieces = try aggregate.pieces([constants, data], &random)
            let got = try aggregate.finishByAnyTree(pieces, constants: [fraction], &random)
            #expect(got.isIdentical(to: expected), "seed \(seed) \(shape) of \(count): \(got), directly \(expected)")
          }
        }
      }
    }
    for type in [SQLType.int8, .float8, .numeric, .text, .timestamptz, .bool] {
      let aggregate = try KeptAggregate("approx_count_distinct", [type])
      for count in [0, 1, 300] {
        let data = try (0..<count).map { _ in
          Self.nullable(try AggregatePartsTests.value(type, .plain, &random), 20, &random)
        }
        let expected = try aggregate.direct([try Column(type: type, data: data)], &random)
        let got = try aggregate.finishByAnyTree(try aggregate.pieces([data], &random), &random)
        #expect(got == expected, "seed \(seed) \(type.name): \(got), directly \(expected)")
      }
      #expect(try aggregate.finish([], &random) == .int(0))
    }
    // Beyond what is kept sparsely.
    let many = try KeptAggregate("approx_count_distinct", [.int8])
    let data = (0..<5000).map { Datum.int(Int64($0)) }
    let got = try many.finishByAnyTree(try many.pieces([data], cuts: [1000, 4000], &random), &random)
    #expect(try got == many.direct([try Column(type: .int8, data: data)], &random))
  }

  @Test func oneSketchAnswersForEveryFractionAndRefusesNone() throws {
    var random = SeededGenerator(seed: 4)
    let aggregate = try KeptAggregate("approx_percentile", [.float8, .float8])
    let values = (1...100).map { Datum.float(Double($0)) }
    let rows = try aggregate.pieces([Array(repeating: .float(0.5), count: 100), values], cuts: [30], &random)
    for fraction in [0.0, 0.25, 0.75, 1] {
      let got = try aggregate.finish(rows, constants: [.float(fraction)], &random)
      let directly = try aggregate.direct(
        [
          try Column(type: .float8, data: Array(repeating: .float(fraction), count: 100)),
          try Column(type: .float8, data: values),
        ], &random)
      #expect(got.isIdentical(to: directly))
    }
    #expect(throws: VarveError.self) { try aggregate.finish(rows, constants: [.float(1.5)], &random) }
    #expect(throws: VarveError.self) { try aggregate.finish([[.text("no sketch")]], constants: [.float(1)], &random) }
    let array = try KeptAggregate("approx_percentile", [.array(.float8), .float8])
    #expect(array.kept.parts.map(\.signature) == aggregate.kept.parts.map(\.signature))
  }

  @Test func histogramsAddUp() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SeededGenerator(seed: seed)
    let aggregate = try KeptAggregate("histogram", [.float8, .float8, .float8, .int4])
    #expect(aggregate.kept.constants == [1, 2, 3])
    for count in [0, 1, 200] {
      let data = try (0..<count).map { _ in
        Self.nullable(try AggregatePartsTests.value(.float8, .special, &random), 20, &random)
      }
      let bounds = [Datum.float(-100), .float(300.5), .int(7)].map { [Datum](repeating: $0, count: count) }
      let columns = try zip(aggregate.function.argumentTypes, [data] + bounds).map { try Column(type: $0, data: $1) }
      let expected = try aggregate.direct(columns, &random)
      let got = try aggregate.finishByAnyTree(try aggregate.pieces([data] + bounds, &random), &random)
      #expect(got == expected, "seed \(seed) of \(count)")
    }
    #expect(try aggregate.merge([[.text("{1,0,2}")], [.null], [.text("{0,5,1}")]], &random) == [.text("{1,5,3}")])
    for wrong in ["", "{", "{}", "{1,}", "{1,2", "1,2}", "{-1}", "{1 ,2}", "{9999999999999999}"] {
      #expect(throws: VarveError.self, "\(wrong)") { try aggregate.finish([[.text(wrong)]], &random) }
    }
    #expect(throws: VarveError.self) { try aggregate.finish([[.text("{1,2,3}")], [.text("{1,2}")]], &random) }
    #expect(throws: VarveError.self) {
      try aggregate.finish([[.text("{2147483647,1,1}")], [.text("{1,0,0}")]], &random)
    }
  }

  /// Samples in order of time, some at one time, cut where time moves on.
  @Test func countersGrowAcrossStretches() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SeededGenerator(seed: seed)
    for name in ["rate", "increase", "delta"] {
      let aggregate = try KeptAggregate(name, [.float8, .timestamptz])
      #expect(aggregate.kept.needsDisjointTimes == (name != "delta"))
      for round in 0..<40 {
        var time: Int64 = -3_000_000_000
        var value = 0.0
        var samples: [(value: Datum, time: Int64)] = []
        var cuts: [Int] = []
        for _ in 0..<(round < 6 ? round : 100) {
          if samples.isEmpty || Int.random(in: 0..<8, using: &random) > 0 {
            time += Int64.random(in: 1...2_000_000_000, using: &random)
            if Int.random(in: 0..<12, using: &random) == 0 { cuts.append(samples.count) }
          }
          // Now and then it begins anew.
          value =
            Int.random(in: 0..<9, using: &random) == 0
            ? Double.random(in: 0..<3, using: &random) : value + Double.random(in: 0..<20, using: &random)
          samples.append((Self.nullable(.float(value), round % 2 * 30, &random), time))
        }
        let values = samples.map(\.value)
        let times = samples.map { Datum.timestamp($0.time) }
        let columns = [try Column(type: .float8, data: values), try Column(type: .timestamptz, data: times)]
        let expected = try aggregate.direct(columns, &random)
        let got = try aggregate.finishByAnyTree(try aggregate.pieces([values, times], cuts: cuts, &random), &random)
        let tolerance = if case .float(let value) = expected { 1e-12 * abs(value) } else { 0.0 }
        AggregatePartsTests.expectSame(got, expected, tolerance: tolerance, "\(name) seed \(seed) round \(round)")
      }
    }
  }

  @Test func stretchesThatOverlapCountNothingTwice() throws {
    var random = SeededGenerator(seed: 5)
    let increase = try KeptAggregate("increase", [.float8, .timestamptz])
    func stored(_ samples: [(Int64, Double)]) throws -> [Datum] {
      let columns = [
        try Column(type: .float8, data: samples.map { .float($0.1) }),
        try Column(type: .timestamptz, data: samples.map { .timestamp($0.0 * 1_000_000_000) }),
      ]
      return try increase.store(columns, rows: samples.count, &random)
    }
    let whole = try stored([(0, 10), (10, 20), (20, 50)])
    #expect(try increase.finish([whole, try stored([(15, 30)])], &random) == .float(40))
    #expect(try increase.finish([try stored([(15, 30), (30, 55)]), whole], &random) == .float(45))
    // Times without end are no samples.
    let columns = [
      try Column(type: .float8, data: [.float(1), .float(2)]),
      try Column(type: .timestamptz, data: [.timestamp(.max), .timestamp(.min)]),
    ]
    #expect(try increase.store(columns, rows: 2, &random).allSatisfy(\.isNull))
  }

  @Test func statisticsOfPairsAreThoseOfAllPairs() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SeededGenerator(seed: seed)
    let names = RegressionState.Result.allCases.map(\.rawValue)
    for name in names + ["derivative"] {
      let isOverTime = name == "derivative"
      let aggregate = try KeptAggregate(name, [.float8, isOverTime ? .timestamptz : .float8])
      for round in 0..<30 {
        let data = (0..<(round < 5 ? round : 80)).map { _ -> (Datum, Datum) in
          let x = Double.random(in: 0..<100, using: &random)
          // Here and there a number that is none.
          let hole = [Double.nan, .infinity][round % 2]
          let y =
            round % 5 == 4 && Int.random(in: 0..<30, using: &random) == 0
            ? hole : 3 * x + .random(in: 0..<50, using: &random)
          return (
            Self.nullable(.float(y), 10, &random),
            isOverTime ? .timestamp(1_700_000_000_000_000_000 + Int64(x * 1e9)) : Self.nullable(.float(x), 10, &random)
          )
        }
        let columns = try zip(aggregate.function.argumentTypes, [data.map(\.0), data.map(\.1)]).map {
          try Column(type: $0, data: $1)
        }
        let expected = try aggregate.direct(columns, &random)
        let got = try aggregate.finishByAnyTree(try aggregate.pieces([data.map(\.0), data.map(\.1)], &random), &random)
        let tolerance = if case .float(let value) = expected { 1e-12 * max(abs(value), 1) } else { 0.0 }
        AggregatePartsTests.expectSame(got, expected, tolerance: tolerance, "\(name) seed \(seed) round \(round)")
      }
    }
  }

  @Test func whatNeedsItsRowsIsRefusedWithTheNearestThatDoesNot() throws {
    func refusal(_ name: String, _ types: [SQLType], isDistinct: Bool = false) throws -> VarveError? {
      let function = try #require(try FunctionCatalog.aggregate(name, types), "\(name)")
      return #expect(throws: VarveError.self, "\(name)") { try AggregateParts.of(function, isDistinct: isDistinct) }
    }
    for (name, types, hint) in [
      ("percentile_cont", [.float8, .float8], "approx_percentile"),
      ("percentile_disc", [.float8, .text], "approx_percentile"), ("mode", [.text], "count(*)"),
      ("lttb", [.timestamptz, .float8, .int4], "first, last"), ("sum", [.interval], "Cast"), ("avg", [.float4], "Cast"),
      ("min", [.date], "Cast"), ("max", [.timestamp], "Cast"), ("first", [.text, .numeric], "Order by the time"),
      ("last", [.interval, .timestamptz], "Cast"), ("rate", [.float8, .timestamp], "time zone"),
      ("derivative", [.float8, .timestamp], "time zone"), ("stddev", [.float4], "Cast"),
    ] as [(String, [SQLType], String)] {
      let error = try #require(try refusal(name, types))
      #expect(error.sqlState == "0A000" && error.hint?.contains(hint) == true, "\(name): \(error)")
    }
    for (name, types) in [("count", [.text]), ("sum", [.int8]), ("stddev", [.float8])] as [(String, [SQLType])] {
      let error = try #require(try refusal(name, types, isDistinct: true))
      #expect(error.sqlState == "0A000" && error.hint?.contains("approx_count_distinct") == true)
    }
    let greatest = try #require(try FunctionCatalog.aggregate("max", [.int8]))
    #expect(try AggregateParts.of(greatest, isDistinct: true).parts.count == 1)
    // What is not of the catalogue.
    let text = AggregateFunction(name: "string_agg", argumentTypes: [.text, .text], resultType: .text) {
      CountAggregate(ofRows: true)
    }
    #expect(throws: VarveError.self) { try AggregateParts.of(text) }
  }

  /// What chunks' summaries can answer, refreshing and reading a rollup can have from them.
  @Test func partsAreMadeAndMergedFromSummariesWhereTheyCanBe() throws {
    for (name, types) in [
      ("count", []), ("count", [.text]), ("sum", [.int8]), ("sum", [.float8]), ("avg", [.int8]), ("avg", [.float8]),
      ("min", [.int8]), ("max", [.float8]), ("max", [.timestamptz]),
    ] as [(String, [SQLType])] {
      for part in try KeptAggregate(name, types).kept.parts {
        #expect(part.partial.makeStates() is any PartialAggregate, "\(name) \(part.name)")
        #expect(part.merge.makeStates() is any PartialAggregate, "\(name) \(part.name)")
        #expect(part.mergeArguments.count == 1)
      }
    }
    for (name, types) in [
      ("first", [.int8, .timestamptz]), ("last", [.float8, .timestamptz]), ("delta", [.float8, .timestamptz]),
      ("sum", [.numeric]), ("min", [.numeric]),
    ] as [(String, [SQLType])] {
      for part in try KeptAggregate(name, types).kept.parts {
        #expect(part.partial.makeStates() is any PartialAggregate, "\(name) \(part.name)")
      }
    }
  }

  @Test func endsAreTakenFromSummaries() throws {
    // Three buckets of one series, of which the second has no value.
    var column = SummaryColumn(column: ColumnID(rawValue: 1), type: .float64)
    func words(_ values: [Double]) -> Buffer<UInt64> { Buffer(values.map(\.bitPattern)) }
    column[.count] = Buffer([2, 0, 3])
    column[.first] = words([1.5, 0, 7])
    column[.last] = words([2.5, 0, 9])
    let batch = PartialBatch(
      runs: [SeriesRun(series: SeriesID(rawValue: 0), count: 3)], rowCounts: Buffer([2, 1, 3]),
      firstTimes: Buffer([10, 30, 50]),
      lastTimes: Buffer([20, 30, 70]), columns: [column])
    let segments = [
      GroupSegment(rows: 0..<1, group: 1, rank: 0), GroupSegment(rows: 1..<2, group: 0, rank: 0),
      GroupSegment(rows: 2..<3, group: 1, rank: 0),
    ]
    for (name, expected) in [
      ("delta", [.float(1.5), .timestamp(10), .float(9), .timestamp(70)]),
      ("first", [.float(1.5), .timestamp(10)]), ("last", [.float(9), .timestamp(70)]),
    ] as [(String, [Datum])] {
      let parts = try KeptAggregate(name, [.float8, .timestamptz]).kept.parts
      for (part, value) in zip(parts, expected) {
        let states = try #require(part.partial.makeStates() as? any PartialAggregate)
        #expect(states.neededStatistics.isSubset(of: .kept(of: .float64)))
        try states.resize(to: 2)
        try segments.withUnsafeBufferPointer { try states.take(batch, column: 0, segments: $0) }
        let result = try states.result()
        #expect(result.datum(at: 0) == .null && result.datum(at: 1) == value, "\(name) \(part.name)")
      }
    }
  }
}
