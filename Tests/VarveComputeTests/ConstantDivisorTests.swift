// The reciprocal divides as the processor does: all lengths of operands, both signs, and around multiples.

import Testing

@testable import VarveCompute

@Suite("division by a constant")
struct ConstantDivisorTests {
  private static let edges: [Int64] = [
    .min, .min + 1, -(1 << 62), -101, -100, -3, -2, -1, 0, 1, 2, 3, 7, 10, 99, 100, 101, 1 << 31, 1 << 32, 1 << 62,
    .max - 1, .max,
  ]

  @Test("there is no divisor 0, and none that the least value cannot be divided by")
  func refused() {
    #expect(ConstantDivisor(0) == nil)
    #expect(ConstantDivisor(-1) == nil)
  }

  @Test("quotient and remainder are those of the processor")
  func asTheProcessor() throws {
    var generator = SystemRandomNumberGenerator()
    // Of all lengths, and both signs.
    func random() -> Int64 { Int64.random(in: .min ... .max, using: &generator) >> Int64.random(in: 0...63) }
    let divisors = Self.edges + (0..<400).map { _ in random() } + (1...1000).map { $0 }
    let dividends = Self.edges + (0..<400).map { _ in random() }
    for number in divisors {
      guard let divisor = ConstantDivisor(number) else { continue }
      // Around its multiples it is told whether the reciprocal is exact enough.
      let multiples = dividends.flatMap { [$0 / number &* number, $0 / number &* number &- 1] }
      let wrong = (dividends + multiples).filter {
        divisor.quotient($0) != $0 / number || divisor.remainder($0) != $0 % number
      }
      #expect(wrong.isEmpty, "by \(number): \(wrong.prefix(3))")
    }
  }
}
