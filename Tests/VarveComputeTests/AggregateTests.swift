// Aggregates: PostgreSQL's values, agreement of the ways to feed them, merging.

import Testing
import VarveCore

@testable import VarveCompute

@Suite struct AggregateTests {
  static func run(_ name: String, _ type: SQLType, _ texts: [String?]) throws -> String {
    let context = Support.context()
    let data = try texts.map { try $0.map { try TypeText.parse($0, as: type, context: context) } ?? .null }
    guard let function = try FunctionCatalog.aggregate(name, [type]) else { return "none" }
    let states = function.makeStates()
    try states.resize(to: 1)
    try states.update([Column(type: type, data: data)], rows: 0..<data.count, group: 0)
    let result = try states.result()
    #expect(result.type == function.resultType)
    return try Support.text(result, 0, context)
  }

  @Test func valuesAreThoseOfPostgreSQL() throws {
    let integers = ["1", "2", nil, "4", "-7"]
    for (name, value) in [
      ("stddev", "4.8304589153964795"), ("variance", "23.3333333333333333"), ("stddev_pop", "4.1833001326703777"),
      ("var_pop", "17.5000000000000000"), ("avg", "0.00000000000000000000"), ("sum", "0"), ("min", "-7"), ("max", "4"),
      ("count", "4"),
    ] {
      #expect(try Self.run(name, .int4, integers) == value, "\(name)")
    }
    let numerics = ["1.5", "2.25", "4", "-7.125"]
    for (name, value) in [
      ("stddev", "4.9658993394953144"), ("variance", "24.6601562500000000"), ("stddev_pop", "4.3005949806393068"),
      ("var_pop", "18.4951171875000000"), ("avg", "0.15625000000000000000"), ("sum", "0.625"), ("max", "4"),
    ] {
      #expect(try Self.run(name, .numeric, numerics) == value, "\(name)")
    }
    for (name, value) in [
      ("stddev", "4.965899339495315"), ("variance", "24.66015625"), ("stddev_pop", "4.300594980639307"),
      ("var_pop", "18.4951171875"), ("avg", "0.15625"), ("sum", "0.625"), ("min", "-7.125"),
    ] {
      #expect(try Self.run(name, .float8, numerics) == value, "\(name)")
    }
    let large = ["9223372036854775807", "9223372036854775806", "-5"]
    #expect(try Self.run("sum", .int8, large) == "18446744073709551608")
    #expect(try Self.run("avg", .int8, large) == "6148914691236517203")
    #expect(try Self.run("stddev", .int8, large) == "5325116328314171703")
    #expect(try Self.run("variance", .int8, large) == "28356863910078205310135752038641827844")
    #expect(try Self.run("avg", .interval, ["1 day", "2 hours", "1 mon"]) == "10 days 08:40:00")
    #expect(try Self.run("sum", .interval, ["1 day", "2 hours", "1 mon"]) == "1 mon 1 day 02:00:00")
    #expect(try Self.run("max", .float8, ["1", "NaN", "Infinity"]) == "NaN")
    #expect(try Self.run("min", .float8, ["1", "NaN", "-Infinity"]) == "-Infinity")
    #expect(try Self.run("max", .text, ["a", "é", "z"]) == "é")
    #expect(try Self.run("bool_and", .bool, ["t", nil, "f"]) == "f")
    #expect(try Self.run("bool_or", .bool, [nil]) == "NULL!")
    #expect(try Self.run("sum", .int4, [nil, nil]) == "NULL!")
    #expect(throws: VarveError.self) { try Self.run("sum", .float8, ["1e308", "1e308"]) }
    #expect(try Self.run("sum", .float8, ["1e308", "Infinity"]) == "Infinity")
  }

  @Test func firstAndLastSkipNullsAndSettleTies() throws {
    let values = try Column(type: .text, data: [.null, .text("a"), .text("b"), .text("c"), .text("d"), .null])
    let times = try Column(type: .timestamptz, data: [0, 1, 1, 5, 5, 9].map(Datum.timestamp))
    for (name, expected) in [("first", "a"), ("last", "d")] {
      let function = try #require(try FunctionCatalog.aggregate(name, [.text, .timestamptz]))
      let ranged = function.makeStates()
      try ranged.resize(to: 1)
      try ranged.update([values, times], rows: 0..<6, group: 0)
      #expect(try ranged.result().datum(at: 0) == .text(expected))
      let grouped = function.makeStates()
      try grouped.resize(to: 2)
      let groups: [UInt32] = [1, 1, 1, 1, 1, 1]
      try groups.withUnsafeBufferPointer { try grouped.update([values, times], groups: $0) }
      #expect(try grouped.result().datum(at: 1) == .text(expected))
      #expect(try grouped.result().datum(at: 0) == .null)
    }
  }

  /// Rows one by one, by groups, in ranges, and merged from two halves give one answer.
  @Test func everyWayOfFeedingAgrees() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SeededGenerator(seed: seed)
    let context = Support.context()
    for type in [SQLType.int4, .int8, .float8, .numeric, .timestamptz, .text] {
      for name in ["count", "sum", "avg", "min", "max", "stddev", "first", "last"] {
        let types = name == "first" || name == "last" ? [type, .timestamptz] : [type]
        guard let function = try FunctionCatalog.aggregate(name, types), function.argumentTypes == types else {
          continue
        }
        for nullShare in [0, 30] {
          let count = 333
          let data = (0..<count).map { _ -> Datum in
            if Int.random(in: 0..<100, using: &random) < nullShare { return .null }
            let value = Int64.random(in: -1000...1000, using: &random)
            switch type {
            case .int4, .int8: return .int(value)
            case .float8: return .float(Double(value))
            case .numeric: return .numeric(Numeric(mantissa: Int128(value), scale: 2))
            case .timestamptz: return .timestamp(value)
            default: return .text("\(value)")
            }
          }
          let times = (0..<count).map { _ in Datum.timestamp(Int64.random(in: 0...50, using: &random)) }
          var columns = [try Column(type: type, data: data)]
          if types.count == 2 { columns.append(try Column(type: .timestamptz, data: times)) }
          let groups = (0..<count).map { UInt32($0 / 111) }

          let grouped = function.makeStates()
          try grouped.resize(to: 3)
          try groups.withUnsafeBufferPointer { try grouped.update(columns, groups: $0) }
          let ranged = function.makeStates()
          try ranged.resize(to: 3)
          for g in 0..<3 { try ranged.update(columns, rows: (g * 111)..<((g + 1) * 111), group: g) }
          let segmented = function.makeStates()
          try segmented.resize(to: 3)
          // Of all lengths, also none; each group in several.
          let cuts = [0, 0, 1, 8, 60, 111, 200, 222, 230, 333]
          let segments = zip(cuts, cuts.dropFirst()).map {
            GroupSegment(rows: $0..<$1, group: UInt32(min($0 / 111, 2)), rank: 7)
          }
          try segments.withUnsafeBufferPointer { try segmented.update(columns, segments: $0) }
          let merged = function.makeStates()
          try merged.resize(to: 3)
          let half = function.makeStates()
          try half.resize(to: 3)
          for g in 0..<3 {
            try merged.update(columns, rows: (g * 111)..<(g * 111 + 50), group: g)
            try half.update(columns, rows: (g * 111 + 50)..<((g + 1) * 111), group: 2 - g)
          }
          try ([2, 1, 0] as [UInt32]).withUnsafeBufferPointer { try merged.merge(half, groups: $0) }
          for g in 0..<3 {
            let a = try Support.text(grouped.result(), g, context)
            let b = try Support.text(ranged.result(), g, context)
            let c = try Support.text(merged.result(), g, context)
            let d = try Support.text(segmented.result(), g, context)
            if type == .float8, name == "stddev", let x = Double(a), let y = Double(c), let z = Double(d) {
              #expect(abs(x - y) < 1e-9 * x && abs(x - z) < 1e-9 * x, "seed \(seed)")
              #expect(a == b)
            } else {
              #expect(a == b && a == c && a == d, "seed \(seed) \(name)(\(type.name)) nulls \(nullShare)")
            }
          }
        }
      }
    }
  }

  @Test func sumsOfDoublesWithNaNAndManyRowsAreRight() throws {
    let words = (0..<1000).map { Datum.float(Double($0)) }
    let column = try Column(type: .float8, data: words)
    let function = try #require(try FunctionCatalog.aggregate("sum", [.float8]))
    let states = function.makeStates()
    try states.resize(to: 1)
    try states.update([column], rows: 3..<1000, group: 0)
    #expect(try states.result().datum(at: 0) == .float(499_497))
    let extreme = try #require(try FunctionCatalog.aggregate("max", [.float8])).makeStates()
    try extreme.resize(to: 1)
    try extreme.update([column], rows: 0..<999, group: 0)
    #expect(try extreme.result().datum(at: 0) == .float(998))
  }
}
