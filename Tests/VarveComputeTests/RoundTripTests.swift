// Text and binary forms: what is printed reads back bit for bit, and no bytes whatever trap.

import Foundation
import Testing
import VarveCore

@testable import VarveCompute

@Suite struct RoundTripTests {
  static func random(_ type: SQLType, _ random: inout SeededGenerator) -> Datum {
    func int(_ range: ClosedRange<Int64>) -> Int64 {
      let shift = Int64.random(in: 0...62, using: &random)
      return min(
        max(Int64.random(in: Int64.min...Int64.max, using: &random) >> shift, range.lowerBound), range.upperBound)
    }
    switch type {
    case .bool: return .bool(Bool.random(using: &random))
    case .int2: return .int(int(-32768...32767))
    case .int4: return .int(int(Int64(Int32.min)...Int64(Int32.max)))
    case .int8: return .int(int(.min...(.max)))
    case .oid: return .int(int(0...Int64(UInt32.max)))
    case .float8: return .float(Double(bitPattern: UInt64.random(in: 0...UInt64.max, using: &random)))
    case .float4: return .float(Double(Float(bitPattern: UInt32.random(in: 0...UInt32.max, using: &random))))
    case .numeric:
      let m = Int128(int(.min...(.max))) * Int128(Int64.random(in: 0...1_000_000_000_000_000_000, using: &random))
      return .numeric(Numeric(mantissa: m, scale: Int.random(in: 0...40, using: &random)))
    case .timestamptz, .timestamp:
      return .timestamp(int(Int64.min / 1000 + 1...Int64.max / 1000) * 1000)
    case .date: return .date(Int32(int(-2_400_000...1_000_000)))
    case .interval:
      return .interval(
        Interval(
          months: Int32(int(-100_000...100_000)), days: Int32(int(-100_000...100_000)),
          microseconds: int(-1 << 50...1 << 50)))
    case .bytea:
      return .bytea((0..<Int.random(in: 0...9, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) })
    case .array(let element):
      return .array(
        (0..<Int.random(in: 0...5, using: &random)).map { _ in
          Int.random(in: 0...4, using: &random) == 0 ? .null : Self.random(element, &random)
        })
    default:
      let alphabet = Array("ab{}\",\\ NULé😀'".unicodeScalars)
      var view = String.UnicodeScalarView()
      for _ in 0..<Int.random(in: 0...8, using: &random) { view.append(alphabet.randomElement(using: &random) ?? "a") }
      return .text(String(view))
    }
  }

  static let types: [SQLType] = [
    .bool, .int2, .int4, .int8, .float4, .float8, .numeric, .text, .timestamptz, .timestamp, .date, .interval, .bytea,
    .oid, .array(.int4), .array(.text), .array(.float8), .array(.numeric), .array(.timestamptz),
  ]

  @Test(.enabled(if: Support.hasZones)) func everyValueSurvivesTextAndBinary() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var generator = SeededGenerator(seed: seed)
    for type in Self.types {
      for round in 0..<1500 {
        let context = Support.context(round % 2 == 0 ? "UTC" : "Asia/Kolkata")
        let datum = Self.random(type, &generator)
        let column = Column.constant(datum, type: type, count: 1).materialized()
        let text = try Support.text(column, 0, context)
        let back = try Column(type: type, data: [try TypeText.parse(text, as: type, context: context)])
        #expect(back.isSame(0, column, 0), "seed \(seed) \(type.name) \(datum) as \(text)")
        let bytes = Buffer<UInt8>()
        #expect(try TypeBinary.append(column, row: 0, to: bytes, context: context))
        let decoded = try Column(type: type, data: [try TypeBinary.decode(bytes.span, as: type, context: context)])
        #expect(decoded.isSame(0, column, 0), "seed \(seed) \(type.name) \(datum) in binary")
        if type == .numeric { #expect(try Support.text(decoded, 0, context) == text, "seed \(seed)") }
      }
    }
  }

  @Test func doublesPrintTheShortestDigitsThatStrtodReadsBack() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var generator = SeededGenerator(seed: seed)
    let out = Buffer<UInt8>()
    for round in 0..<200_000 {
      let value: Double
      switch round % 4 {
      case 0: value = Double(bitPattern: generator.next())
      case 1:
        value =
          Double(Int64.random(in: -1_000_000_000...1_000_000_000, using: &generator)) / FloatText.powersOfTen[round % 9]
      case 2: value = Double.random(in: -1e6...1e6, using: &generator)
      default: value = Double(Int64.random(in: Int64.min...Int64.max, using: &generator) >> Int64(round % 63))
      }
      if !value.isFinite { continue }
      out.count = 0
      FloatText.append(value, to: out)
      let text = String(decoding: out.span, as: UTF8.self)
      #expect(strtod(text, nil).bitPattern == value.bitPattern, "seed \(seed) \(value) as \(text)")
      let digits = text.filter(\.isNumber).drop { $0 == "0" }.count
      let shortest = "\(value)".prefix { $0 != "e" }.filter(\.isNumber)
      if value.magnitude < 0x1p53, !text.contains("e") {
        #expect(digits <= max(shortest.count, String(Int64(value.magnitude)).count), "seed \(seed) \(text)")
      }
      let parsed = try TypeText.parse(text, as: .float8, context: Support.context())
      #expect(parsed == .float(value) && parsed.double.sign == value.sign, "seed \(seed) \(text)")
    }
  }

  @Test func noBytesTrapAnyParser() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var generator = SeededGenerator(seed: seed)
    let context = Support.context()
    let alphabet = Array("0123456789.-+eE:TZ/ ,{}\\\"'adhmnsyPWDMinfinityNaN\u{00}\u{FF}é".utf8)
    var accepted = 0
    for type in Self.types + [
      .regtype, .regclass, .name, .char, .int2vector, .oidvector, .numeric(precision: 5, scale: 2),
    ] {
      for _ in 0..<3000 {
        let bytes = (0..<Int.random(in: 0...24, using: &generator)).map { _ in
          Bool.random(using: &generator)
            ? alphabet.randomElement(using: &generator) ?? 0 : UInt8.random(in: 0x2B...0x3A, using: &generator)
        }
        try bytes.withUnsafeBufferPointer { span in
          do {
            let datum = try TypeText.parse(bytes: span, as: type, context: context)
            // What parses also prints.
            _ = try TypeText.string(datum, type: type, context: context)
            accepted += 1
          } catch is VarveError {}
          do {
            let datum = try TypeBinary.decode(span, as: type, context: context)
            _ = try TypeText.string(datum, type: type, context: context)
          } catch is VarveError {}
        }
        do {
          let text = String(decoding: bytes, as: UTF8.self)
          _ = try SQLType.parse(text)
          let expression = try RegularExpression(text)
          _ = try Array(text.utf8).withUnsafeBufferPointer { try expression.matches($0) }
          _ = DateFormat(text)
          _ = try NumberFormat(text)
        } catch is VarveError {}
        bytes.withUnsafeBufferPointer { _ = PosixZoneRule(Array($0)) }
      }
    }
    #expect(accepted > 100, "seed \(seed)")
  }

  @Test(.enabled(if: Support.hasZones)) func aDamagedZoneFileGivesNoZoneOrAZone() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var generator = SeededGenerator(seed: seed)
    let good = [UInt8](try #require(FileManager.default.contents(atPath: "/usr/share/zoneinfo/America/New_York")))
    for _ in 0..<3000 {
      var bytes = good
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
      }
      if Bool.random(using: &generator) { bytes.removeLast(Int.random(in: 0...bytes.count, using: &generator)) }
      if let zone = TimeZone(name: "x", tzif: bytes) {
        for second in [Int.min / 4, -1, 0, 1_600_000_000, 1 << 40, Int.max / 4] {
          _ = zone.utc(fromLocal: second + zone.offset(at: second))
        }
      }
    }
  }

  @Test func numericArithmeticAgreesWithInt128() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<20_000 {
      let a = Int128(
        Int64.random(in: Int64.min...Int64.max, using: &generator) >> Int64.random(in: 0...62, using: &generator))
      let b = Int128(
        Int64.random(in: Int64.min...Int64.max, using: &generator) >> Int64.random(in: 0...62, using: &generator))
      let s = Int.random(in: 0...6, using: &generator)
      let x = Numeric(mantissa: a, scale: s)
      let y = Numeric(mantissa: b, scale: s)
      #expect(try Numeric.adding(x, y).mantissa == a + b, "seed \(seed)")
      #expect(try Numeric.subtracting(x, y).mantissa == a - b, "seed \(seed)")
      if let product = try? Numeric.multiplying(x, y) {
        #expect(product.mantissa == a * b && product.scale == 2 * s, "seed \(seed)")
      }
      #expect((Numeric.compare(x, y) < 0) == (a < b), "seed \(seed)")
      if b != 0 {
        #expect(try Numeric.remainder(x, y).mantissa == a % b, "seed \(seed)")
        let wide =
          WideInteger(a.magnitude) * WideInteger(UInt128(0xFFFF_FFFF_FFFF_FFFF_FFFF)) + WideInteger(b.magnitude)
        let (q, r) = wide.divided(by: WideInteger(b.magnitude))
        #expect(q * WideInteger(b.magnitude) + r == wide && r < WideInteger(b.magnitude), "seed \(seed)")
      }
      let rescaled = try x.rescaled(to: s + 3)
      #expect(rescaled == x && rescaled.hashValue == x.hashValue, "seed \(seed)")
      let root = WideInteger(a.magnitude).squareRoot
      #expect(!(root * root > WideInteger(a.magnitude)), "seed \(seed)")
      let next = root + WideInteger(1)
      #expect(next * next > WideInteger(a.magnitude), "seed \(seed)")
    }
  }

  @Test func narrowQuotientsAreTheWideOnes() throws {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SeededGenerator(seed: seed)
    func number() -> Numeric {
      let magnitude = Int128(UInt64.random(in: 0 ... .max, using: &random) >> UInt64.random(in: 0...63, using: &random))
      let isNegative = Bool.random(using: &random)
      return Numeric(mantissa: isNegative ? -magnitude : magnitude, scale: Int.random(in: 0...20, using: &random))
    }
    var narrow = 0
    for i in 0..<20_000 {
      var (a, b) = (number(), number())
      // What averages of integers divide.
      if i % 2 == 0 { (a.scale, b.scale) = (0, 0) }
      // Quotients at a tie, and powers of ten, whose digits are counted right at their ends.
      if i % 5 == 0 { b.mantissa = 2 * Numeric.powers[Int.random(in: 0...18, using: &random)] }
      if i % 7 == 0 { a.mantissa = Numeric.powers[Int.random(in: 0...19, using: &random)] - Int128(i % 2) }
      if b.mantissa == 0 { continue }
      guard let quotient = Numeric.narrowQuotient(a, b) else { continue }
      narrow += 1
      let wide = try Numeric.wideQuotient(a, b)
      guard quotient.mantissa == wide.mantissa, quotient.scale == wide.scale else {
        Issue.record("seed \(seed): \(a) / \(b) is \(wide), not \(quotient)")
        continue
      }
    }
    #expect(narrow > 5_000, "seed \(seed)")
    let average = try #require(Numeric.narrowQuotient(Numeric(Int64(18_007)), Numeric(Int64(360))))
    #expect(average.mantissa == 500_194_444_444_444_444 && average.scale == 16)
  }
}
