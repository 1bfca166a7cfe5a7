import Foundation
import Testing
import VarveCore

@testable import VarveWire

struct LineProtocolNumberTests {
  private func parse(_ numbers: [String]) -> [UInt64?] {
    var options = LineProtocolOptions.test
    options.reportedRejectionLimit = .max
    // Long lines and short ones, so that numbers stand near the end of the text and far from it.
    let text = numbers.enumerated().map { "m v=\($1) \($0)\n" }.joined()
    var found = [UInt64?](repeating: nil, count: numbers.count)
    for point in parsed(text, options: options).points {
      if case .float(let bits) = point.fields["v"] { found[Int(point.time)] = bits }
    }
    return found
  }

  private func check(_ numbers: [String]) {
    for (number, bits) in zip(numbers, parse(numbers)) {
      let expected = strtod(number, nil)
      if expected.isInfinite {
        #expect(bits == nil, "\(number), seed \(lineProtocolSeed)")
      } else if bits != expected.bitPattern {
        Issue.record(
          "\(number): \(bits.map { Double(bitPattern: $0) } as Any), strtod \(expected), seed \(lineProtocolSeed)")
      }
    }
  }

  @Test func decimalsAreTheNearestDoubles() {
    var generator = LineProtocolGenerator(seed: lineProtocolSeed)
    func digits(_ count: Int) -> String {
      String((0..<count).map { _ in "0123456789".randomElement(using: &generator)! })
    }
    var numbers: [String] = []
    for _ in 0..<40_000 {
      var number = Bool.random(using: &generator) ? "-" : ""
      let whole = Int.random(in: 0...20, using: &generator)
      number += digits(whole)
      if whole == 0 || Bool.random(using: &generator) {
        number += "." + digits(Int.random(in: whole == 0 ? 1...20 : 0...20, using: &generator))
      }
      if Int.random(in: 0..<4, using: &generator) == 0 {
        number += ["e", "E"].randomElement(using: &generator)! + ["", "+", "-"].randomElement(using: &generator)!
        number += digits(Int.random(in: 1...3, using: &generator))
      }
      numbers.append(number)
    }
    check(numbers)
  }

  @Test func doublesInTheirShortestFormComeBackBitExact() {
    var generator = LineProtocolGenerator(seed: lineProtocolSeed)
    var numbers: [String] = []
    for _ in 0..<40_000 {
      let value = Double(bitPattern: generator.next())
      if value.isFinite { numbers.append("\(value)") }
    }
    check(numbers)
  }

  @Test func theHardCasesOfDecimalConversionAreRight() {
    check([
      "0", "-0", "0.0", "-0.", ".5", "5.", "1e22", "1e23", "9007199254740992", "9007199254740993", "9007199254740993.0",
      "9007199254740992.5", "4.9e-324", "2.4703282292062327e-324", "2.4703282292062328e-324", "2.2250738585072011e-308",
      "2.2250738585072014e-308", "1.7976931348623157e308", "1.7976931348623158e308", "1.7976931348623159e308", "1e309",
      "1e-400", "123456789012345678901234567890", "0.000000000000000000000000000000000000000000000000000001",
      "6.02214076e23", "100000000000000016777215", "100000000000000016777216", "12345678.12345678", "1234567.1234567",
      "0" + String(repeating: "0", count: 400) + "1", "1" + String(repeating: "0", count: 300),
      "0." + String(repeating: "0", count: 300) + "1", "1e99999999999999999999", "1e-99999999999999999999",
      "0e999999999",
      "9223372036854775808", "18446744073709551616", "99999999", "999999999", "123456789012345", "1234567890123456",
    ])
  }

  @Test func integersOfEveryLengthAreExact() {
    var generator = LineProtocolGenerator(seed: lineProtocolSeed)
    var text = ""
    var expected: [ParsedValue] = []
    for _ in 0..<20_000 {
      let value = Int64(bitPattern: generator.next()) >> Int64.random(in: 0..<64, using: &generator)
      if Bool.random(using: &generator), value >= 0 {
        text += "m v=\(value)u\n"
        expected.append(.uint(UInt64(value)))
      } else {
        text += "m v=\(value)i\n"
        expected.append(.int(value))
      }
    }
    #expect(parsed(text).points.map { $0.fields["v"] } == expected, "seed \(lineProtocolSeed)")
  }
}
