// rate, increase, delta, derivative, lttb, histogram: values worked out by hand, and whatever the order of rows.

import Testing
import VarveCore

@testable import VarveCompute

@Suite struct SeriesAggregateTests {
  /// Seconds and values.
  static func run(_ name: String, _ samples: [(Double, Double?)]) throws -> Datum {
    let function = try #require(try FunctionCatalog.aggregate(name, [.float8, .timestamptz]))
    let states = function.makeStates()
    try states.resize(to: 1)
    let columns = [
      try Column(type: .float8, data: samples.map { $0.1.map(Datum.float) ?? .null }),
      try Column(type: .timestamptz, data: samples.map { .timestamp(Int64($0.0 * 1e9)) }),
    ]
    try states.update(columns, rows: 0..<samples.count, group: 0)
    return try states.result().datum(at: 0)
  }

  @Test func countersGrowThroughResets() throws {
    let samples: [(Double, Double?)] = [(0, 10), (10, 30), (20, nil), (30, 5), (40, 25)]
    // 20 up, a reset that reached 5, 20 up.
    #expect(try Self.run("increase", samples) == .float(45))
    #expect(try Self.run("rate", samples) == .float(45.0 / 40))
    #expect(try Self.run("delta", samples) == .float(15))
    for name in ["rate", "increase", "delta", "derivative"] {
      #expect(try Self.run(name, []) == .null)
      #expect(try Self.run(name, [(5, 1)]) == .null)
      #expect(try Self.run(name, [(5, 1), (5, 9)]) == .null)
      #expect(try Self.run(name, [(5, nil), (6, 1)]) == .null)
    }
  }

  @Test func theDerivativeIsTheSlopeASecond() throws {
    #expect(try Self.run("derivative", [(0, 1), (10, 21), (5, 11)]) == .float(2))
    #expect(try Self.run("derivative", [(0, 1), (10, 1), (5, 4)]) == .float(0))
    // Far from 1970 too, where a double has no room for nanoseconds.
    let late = 1_700_000_000.0
    guard case .float(let slope) = try Self.run("derivative", (0..<100).map { (late + Double($0), Double($0) * 3) })
    else { return #expect(Bool(false), "a slope") }
    #expect(abs(slope - 3) < 1e-9)
  }

  /// Shuffled, in groups, and merged from parts: the same.
  @Test func orderOfRowsAndSplittingDoNotMatter() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SeededGenerator(seed: seed)
    for name in ["rate", "increase", "delta", "derivative"] {
      let function = try #require(try FunctionCatalog.aggregate(name, [.float8, .timestamptz]))
      // Some times come twice.
      let samples = (0..<300).map { _ in
        (Int64.random(in: 0..<1000, using: &random) * 1_000_000_000, Double.random(in: 0..<100, using: &random))
      }
      func result(_ rows: [(Int64, Double)], cut: Int) throws -> Double {
        let columns = [
          try Column(type: .float8, data: rows.map { .float($0.1) }),
          try Column(type: .timestamptz, data: rows.map { .timestamp($0.0) }),
        ]
        let (a, b) = (function.makeStates(), function.makeStates())
        try a.resize(to: 1)
        try b.resize(to: 2)
        try a.update(columns, rows: 0..<cut, group: 0)
        let groups = [UInt32](repeating: 1, count: rows.count - cut)
        try groups.withUnsafeBufferPointer { try b.update(columns.map { $0.slice(cut..<rows.count) }, groups: $0) }
        let merged = function.makeStates()
        try merged.resize(to: 2)
        try ([0] as [UInt32]).withUnsafeBufferPointer { try merged.merge(a, groups: $0) }
        try ([1, 0] as [UInt32]).withUnsafeBufferPointer { try merged.merge(b, groups: $0) }
        return try merged.result().datum(at: 0).double
      }
      let expected = try result(samples.sorted { $0.0 < $1.0 || ($0.0 == $1.0 && $0.1 < $1.1) }, cut: 300)
      for cut in [0, 1, 150, 299] {
        let got = try result(samples.shuffled(using: &random), cut: cut)
        #expect(abs(got - expected) <= 1e-12 * max(abs(expected), 1), "\(name) seed \(seed) cut \(cut)")
      }
    }
  }

  static func downsampled(_ points: [(Int64, Double)], _ count: Int64) throws -> [[Datum]] {
    let function = try #require(try FunctionCatalog.aggregate("lttb", [.timestamptz, .float8, .int4]))
    let states = function.makeStates()
    try states.resize(to: 1)
    try states.update(
      [
        try Column(type: .timestamptz, data: points.map { .timestamp($0.0) }),
        try Column(type: .float8, data: points.map { .float($0.1) }),
        .constant(.int(count), type: .int4, count: points.count),
      ], rows: 0..<points.count, group: 0)
    return Timevector.rows(try states.result().datum(at: 0))
  }

  @Test func downsamplingKeepsEndsAndPeaks() throws {
    var points = (0..<1000).map { (Int64($0), Double($0 % 7) / 100) }
    points[333].1 = 50
    points[777].1 = -50
    let kept = try Self.downsampled(points, 20)
    #expect(kept.count == 20)
    #expect(kept.first == [.timestamp(0), .float(0)] && kept.last?[0] == .timestamp(999))
    #expect(kept.contains([.timestamp(333), .float(50)]) && kept.contains([.timestamp(777), .float(-50)]))
    let times = kept.map { $0[0].timestamp }
    #expect(zip(times, times.dropFirst()).allSatisfy { $0 < $1 })
    #expect(try Self.downsampled(points.reversed(), 20) == kept)
    #expect(try Self.downsampled(points, 2).map { $0[0].timestamp } == [0, 999])
    #expect(try Self.downsampled(Array(points.prefix(5)), 20).count == 5)
    #expect(throws: VarveError.self) { try Self.downsampled(points, 1) }
  }

  @Test func histogramsHaveABucketBelowAndOneAbove() throws {
    let function = try #require(try FunctionCatalog.aggregate("histogram", [.float8, .float8, .float8, .int4]))
    func run(_ values: [Datum], _ low: Double, _ high: Double, _ count: Int64) throws -> Datum {
      let states = function.makeStates()
      try states.resize(to: 1)
      let n = values.count
      try states.update(
        [
          try Column(type: .float8, data: values), .constant(.float(low), type: .float8, count: n),
          .constant(.float(high), type: .float8, count: n), .constant(.int(count), type: .int4, count: n),
        ], rows: 0..<n, group: 0)
      return try states.result().datum(at: 0)
    }
    let values: [Datum] = [-1, 0, 0.5, 1, 4.999, 5, 7].map(Datum.float) + [.null, .float(.nan)]
    #expect(try run(values, 0, 5, 5) == .array([1, 2, 1, 0, 0, 1, 3].map(Datum.int)))
    #expect(try run([.null], 0, 5, 5) == .null)
    #expect(throws: VarveError.self) { try run(values, 0, 5, 0) }
    #expect(throws: VarveError.self) { try run(values, 5, 5, 3) }
  }
}
