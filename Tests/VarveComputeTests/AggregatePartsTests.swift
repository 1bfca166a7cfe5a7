// Aggregates kept in parts give what they give over the rows, however these are cut and put together again.

import Testing
import VarveCore

@testable import VarveCompute

@Suite struct AggregatePartsTests {
  enum Shape: CaseIterable { case plain, extreme, special }

  static func value(_ type: SQLType, _ shape: Shape, _ random: inout SeededGenerator) throws -> Datum {
    func pick<T>(_ values: [T]) -> T { values[Int.random(in: 0..<values.count, using: &random)] }
    let plain = Int64.random(in: -1000...1000, using: &random)
    switch type {
    case .int2: return .int(shape == .plain ? plain : pick([.init(Int16.min), .init(Int16.max), plain]))
    case .int4: return .int(shape == .plain ? plain : pick([.init(Int32.min), .init(Int32.max), plain]))
    case .int8: return .int(shape == .plain ? plain : pick([.min, .max, .max - 1, plain]))
    case .float8:
      switch shape {
      case .plain: return .float(Double(plain) / 7)
      case .extreme: return .float(pick([0, -0.0, .leastNonzeroMagnitude, 1e-200, Double(plain), 1e100]))
      case .special: return .float(pick([.nan, .infinity, -.infinity, Double(plain)]))
      }
    case .numeric:
      switch shape {
      case .plain: return .numeric(Numeric(mantissa: Int128(plain), scale: Int(plain.magnitude % 4)))
      case .extreme:
        let texts = ["18446744073709551615", "18446744073709551616", "-1", "123456789012345678901234567890.5", "0.00"]
        return .numeric(
          try #require(
            try Numeric(pick(texts + ["-9" + String(repeating: "9", count: 60), "1e-30", "99999999999999999999"]))))
      case .special: return .numeric(pick([.nan, .infinity, .negativeInfinity, Numeric(plain)]))
      }
    case .bool: return .bool(plain > 0)
    case .timestamptz: return .timestamp(shape == .plain ? plain : pick([.min + 1, .max - 1, plain]))
    case .text: return .text(pick(["", "a", "é", "{}", "\u{0}b", "\(plain)"]))
    default: preconditionFailure("a type that a field holds")
    }
  }

  static func expectSame(_ got: Datum, _ expected: Datum, tolerance: Double, _ what: String) {
    if case .float(let a) = got, case .float(let b) = expected, a.isFinite, b.isFinite {
      #expect(abs(a - b) <= tolerance, "\(what): \(a), directly \(b)")
    } else if case .float(let a) = got, case .float(let b) = expected {
      #expect(a == b || (a.isNaN && b.isNaN), "\(what): \(a), directly \(b)")
    } else if case .numeric(let a) = got, case .numeric(let b) = expected, what.hasPrefix("m") {
      // Which of 1.0 and 1.00 is the greater one is nobody's to say.
      #expect(a == b, "\(what): \(a), directly \(b)")
    } else {
      #expect(got.isIdentical(to: expected), "\(what): \(got), directly \(expected)")
    }
  }

  /// What rounding may do: 1e-12 of the numbers that were added up.
  static func tolerance(_ data: [Datum], _ name: String, _ expected: Datum) -> Double {
    let sizes = data.map { if case .float(let value) = $0, value.isFinite { abs(value) } else { 0.0 } }
    switch name {
    case "sum": return 1e-12 * sizes.reduce(0, +)
    case "avg": return 1e-12 * sizes.reduce(0, +) / Double(max(data.count, 1))
    case "min", "max", "first", "last": return 0
    default:
      guard case .float(let value) = expected else { return 0 }
      return 1e-12 * abs(value)
    }
  }

  static let calls: [(name: String, types: [SQLType])] =
    ["count", "sum", "avg", "min", "max", "stddev", "stddev_pop", "variance", "var_pop"].flatMap { name in
      [SQLType.int2, .int4, .int8, .float8, .numeric].map { (name, [$0]) }
    } + [SQLType.bool, .text, .timestamptz].map { ("count", [$0]) }
    + ["min", "max"].flatMap { name in [SQLType.text, .timestamptz].map { (name, [$0]) } }
    + ["bool_and", "bool_or", "every"].map { ($0, [.bool]) }
    + ["bit_and", "bit_or", "bit_xor"].flatMap { name in [SQLType.int2, .int4, .int8].map { (name, [$0]) } }

  @Test(arguments: calls.indices) func partsMergeToTheWhole(_ index: Int) throws {
    let call = Self.calls[index]
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SeededGenerator(seed: seed)
    let aggregate = try KeptAggregate(call.name, call.types)
    for shape in Shape.allCases {
      for round in 0..<12 {
        let nullShare = [0, 30, 100][round % 3]
        let data = try (0..<Int.random(in: 0...90, using: &random)).map { _ in
          Int.random(in: 0..<100, using: &random) < nullShare
            ? Datum.null : try Self.value(call.types[0], shape, &random)
        }
        let expected = try aggregate.direct([try Column(type: call.types[0], data: data)], &random)
        let got = try aggregate.finishByAnyTree(try aggregate.pieces([data], &random), &random)
        Self.expectSame(
          got, expected, tolerance: Self.tolerance(data, call.name, expected),
          "\(call.name)(\(call.types[0].name)) \(shape) seed \(seed)")
      }
    }
  }

  @Test func rowsAreCountedAndNoRowsAreNone() throws {
    var random = SeededGenerator(seed: 1)
    let aggregate = try KeptAggregate("count", [])
    let rows = try [3, 0, 4].map { try aggregate.store([], rows: $0, &random) }
    #expect(try aggregate.finishByAnyTree(rows, &random) == .int(7))
    #expect(try aggregate.finish([], &random) == .int(0))
    #expect(try KeptAggregate("sum", [.int8]).finish([], &random) == .null)
    // A part that is not there counts nothing.
    #expect(try aggregate.finish([[.int(2)], [.null]], &random) == .int(2))
  }

  @Test func endsAreThoseOfAllRows() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SeededGenerator(seed: seed)
    for name in ["first", "last"] {
      for type in [SQLType.int2, .int4, .int8, .float8, .numeric, .bool, .timestamptz, .text] {
        for order in [SQLType.timestamptz, .int4, .int8, .float8, .text] {
          let aggregate = try KeptAggregate(name, [type, order])
          for nullShare in [0, 40] {
            let count = Int.random(in: 0...40, using: &random)
            func nullable(_ value: Datum) -> Datum {
              Int.random(in: 0..<100, using: &random) < nullShare ? .null : value
            }
            // No order comes twice.
            let places = (0..<count).shuffled(using: &random)
            let orders = places.map { place -> Datum in
              switch order {
              case .timestamptz: .timestamp(Int64(place) * 1_000_000_007 - 5_000_000_000)
              case .float8: .float(Double(place - 20) / 3)
              case .text: .text("\(place)")
              default: .int(Int64(place - 20))
              }
            }.map(nullable)
            let data = try places.map { _ in
              nullable(try Self.value(type, Shape.allCases[count % 3], &random))
            }
            let expected = try aggregate.direct(
              [try Column(type: type, data: data), try Column(type: order, data: orders)], &random)
            let got = try aggregate.finishByAnyTree(try aggregate.pieces([data, orders], &random), &random)
            Self.expectSame(got, expected, tolerance: 0, "\(name)(\(type.name), \(order.name)) seed \(seed)")
          }
        }
      }
    }
  }

  @Test func sumsBeyondAWordHaveAHighWordAndOthersNone() throws {
    var random = SeededGenerator(seed: 2)
    let sum = try KeptAggregate("sum", [.int8])
    #expect(sum.kept.parts.map(\.name) == ["sum", "sum_high"])
    func stored(_ values: [Int64]) throws -> [Datum] {
      try sum.store([try Column(type: .int8, data: values.map(Datum.int))], rows: values.count, &random)
    }
    #expect(try stored([1, -5]) == [.int(-4), .null])
    #expect(try stored([.max, 1]) == [.int(.min), .int(1)])
    #expect(try stored([.min, -1]) == [.int(.max), .int(-1)])
    let far = try stored([.max, .max, .max])
    #expect(try sum.merge([far, try stored([.min, .min, .min])], &random) == [.int(-3), .null])
    #expect(try sum.finish([far], &random) == .numeric(Numeric(mantissa: 3 * Int128(Int64.max), scale: 0)))
    // Scales are kept: a sum that shows digits behind its point is text.
    let exact = try KeptAggregate("sum", [.numeric])
    let numerics = try ["1.50", "2.5"].map { Datum.numeric(try #require(try Numeric($0))) }
    #expect(
      try exact.store([try Column(type: .numeric, data: numerics)], rows: 2, &random) == [.null, .null, .text("4.00")])
  }

  /// Where the aggregate ends with an error, so does what is kept of it.
  @Test func overflowsAreErrorsOfTheSameKind() throws {
    var random = SeededGenerator(seed: 3)
    for (name, values) in [
      ("sum", [1e308, 1e308, 1e308]), ("avg", [1e308, 1e308]), ("stddev", [1e308, 1e308]),
      ("variance", [1e200, -1e200]),
    ] {
      let aggregate = try KeptAggregate(name, [.float8])
      let data = values.map(Datum.float)
      for cuts in [[], [1]] {
        #expect(throws: VarveError.self, "\(name) \(cuts)") {
          try aggregate.finish(try aggregate.pieces([data], cuts: cuts, &random), &random)
        }
      }
    }
    // Small integers sum to a bigint; halves of it may lie beyond.
    let sum = try KeptAggregate("sum", [.int4])
    #expect(try sum.finish([[.int(.max), .null], [.int(5), .null], [.int(-6), .null]], &random) == .int(.max - 1))
    #expect(throws: VarveError.self) { try sum.finish([[.int(.max), .null], [.int(5), .null]], &random) }
  }

  @Test func whatSumAndAverageKeepIsTheSame() throws {
    func signatures(_ name: String, _ types: [SQLType]) throws -> Set<String> {
      Set(try KeptAggregate(name, types).kept.parts.map(\.signature))
    }
    for type in [SQLType.int8, .float8, .numeric] {
      #expect(
        try signatures("avg", [type]) == signatures("sum", [type]).union(signatures("count", [type])), "\(type.name)")
      #expect(try signatures("stddev", [type]).isSuperset(of: signatures("avg", [type])))
      #expect(try signatures("min", [type]).isDisjoint(with: signatures("max", [type])))
    }
    // Each part of an aggregate is its own.
    for call in Self.calls {
      let parts = try KeptAggregate(call.name, call.types).kept.parts
      #expect(Set(parts.map(\.signature)).count == parts.count && Set(parts.map(\.name)).count == parts.count)
    }
  }
}
