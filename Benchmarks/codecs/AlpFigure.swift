// What ALP takes as its paper defines it, for data without a published figure: per vector of 1,024 the best exponent
// and factor of all, the integers' width, and 80 bits an exception; no headers.

enum AlpFigure {
  static func bits(_ words: [UInt64]) -> Double {
    var total = 0.0
    for start in stride(from: 0, to: words.count, by: 1024) {
      total += vector(words[start..<min(start + 1024, words.count)].map { Double(bitPattern: $0) })
    }
    return total / Double(words.count)
  }

  private static func vector(_ values: [Double]) -> Double {
    var best = Double(values.count * 64)
    // A few values rule most pairs out.
    let probe = stride(from: 0, to: values.count, by: max(1, values.count / 32)).map { values[$0] }
    for exponent in 0...18 {
      for factor in 0...exponent {
        guard cost(probe, exponent, factor) * Double(values.count) < best * Double(probe.count) * 1.3 else { continue }
        best = min(best, cost(values, exponent, factor))
      }
    }
    return best
  }

  private static func cost(_ values: [Double], _ exponent: Int, _ factor: Int) -> Double {
    var exceptions = 0
    var (least, greatest) = (Int64.max, Int64.min)
    for value in values {
      let scaled = (value * powers[exponent] * inverses[factor]).rounded(.toNearestOrEven)
      guard scaled.magnitude < 0x1p51 else {
        exceptions += 1
        continue
      }
      let integer = Int64(scaled)
      let (product, overflow) = integer.multipliedReportingOverflow(by: integerPowers[factor])
      guard !overflow, (Double(product) * inverses[exponent]).bitPattern == value.bitPattern else {
        exceptions += 1
        continue
      }
      least = min(least, integer)
      greatest = max(greatest, integer)
    }
    let width = least > greatest ? 0 : 64 - UInt64(greatest - least).leadingZeroBitCount
    return Double(values.count * width + exceptions * 80)
  }

  private static let integerPowers: [Int64] = (0...18).map { (0..<$0).reduce(1) { power, _ in power * 10 } }
  private static let powers: [Double] = (0...18).compactMap { Double("1e\($0)") }
  private static let inverses: [Double] = (0...18).compactMap { Double("1e-\($0)") }
}
