// Statistics of pairs: PostgreSQL's corr, covar_ and regr_ functions, by Youngs and Cramer's update as
// float8_regr_accum does it. The dependent value comes first: regr_slope(y, x).

import VarveCore

struct RegressionState: WordState {
  enum Result: String, CaseIterable, Sendable {
    case corr, covar_pop, covar_samp, regr_avgx, regr_avgy, regr_count, regr_intercept, regr_r2, regr_slope, regr_sxx,
      regr_sxy, regr_syy
  }

  private(set) var count = 0.0
  private var sumX = 0.0
  private var squaresX = 0.0
  private var sumY = 0.0
  private var squaresY = 0.0
  private var products = 0.0

  /// regr_count: what else there is must not overflow.
  private let onlyCounts: Bool

  init(_ settings: Result) { onlyCounts = settings == .regr_count }

  /// Of at least one pair, from the statistics in the order of `RegressionParts.statistics`.
  init(count: Int64, _ averageX: Double, _ averageY: Double, _ sxx: Double, _ syy: Double, _ sxy: Double) {
    self.init(.regr_slope)
    self.count = Double(count)
    (sumX, sumY) = (averageX * self.count, averageY * self.count)
    (squaresX, squaresY, products) = (sxx, syy, sxy)
  }

  mutating func add(_ first: UInt64, _ second: UInt64) throws {
    try add(y: Double(bitPattern: first), x: Double(bitPattern: second))
  }

  mutating func add(y: Double, x: Double) throws {
    let before = count
    count += 1
    if onlyCounts { return }
    sumX += x
    sumY += y
    if before > 0 {
      let (deviationX, deviationY) = (x * count - sumX, y * count - sumY)
      let scale = 1 / (count * before)
      squaresX += deviationX * deviationX * scale
      squaresY += deviationY * deviationY * scale
      products += deviationX * deviationY * scale
      if !(sumX.isFinite && squaresX.isFinite && sumY.isFinite && squaresY.isFinite && products.isFinite) {
        try settle(finite: x.isFinite && y.isFinite)
      }
    } else {
      if !x.isFinite { (squaresX, products) = (.nan, .nan) }
      if !y.isFinite { (squaresY, products) = (.nan, .nan) }
    }
  }

  /// Finite values that come to more than a double holds are an error; an infinite one makes the deviations NaN.
  private mutating func settle(finite: Bool) throws {
    if sumX.isInfinite || squaresX.isInfinite || sumY.isInfinite || squaresY.isInfinite || products.isInfinite {
      if finite, !squaresX.isNaN, !squaresY.isNaN { throw SQLError.outOfRange(.float8) }
      if sumX.isInfinite || squaresX.isInfinite { squaresX = .nan }
      if sumY.isInfinite || squaresY.isInfinite { squaresY = .nan }
      products = .nan
    }
  }

  mutating func merge(_ other: RegressionState) throws {
    if other.count == 0 { return }
    if count == 0 {
      self = other
      return
    }
    let total = count + other.count
    if onlyCounts {
      count = total
      return
    }
    let differenceX = sumX / count - other.sumX / other.count
    let differenceY = sumY / count - other.sumY / other.count
    let weight = count * other.count / total
    squaresX += other.squaresX + differenceX * differenceX * weight
    squaresY += other.squaresY + differenceY * differenceY * weight
    products += other.products + differenceX * differenceY * weight
    sumX += other.sumX
    sumY += other.sumY
    count = total
    try settle(finite: other.sumX.isFinite && other.sumY.isFinite)
  }

  mutating func shift(_ sum: Double) { sumX += sum }

  func finish(_ settings: Result, into builder: inout ColumnBuilder) {
    if settings == .regr_count { return builder.append(Int64(count)) }
    if let value = value(settings) { builder.append(value) } else { builder.appendNull() }
  }

  /// nil: NULL.
  func value(_ result: Result) -> Double? {
    guard count >= (result == .covar_samp ? 2 : 1) else { return nil }
    switch result {
    case .covar_pop: return products / count
    case .covar_samp: return products / (count - 1)
    case .regr_avgx: return sumX / count
    case .regr_avgy: return sumY / count
    case .regr_sxx: return squaresX
    case .regr_syy: return squaresY
    case .regr_sxy: return products
    case .corr:
      return squaresX == 0 || squaresY == 0 ? nil : products / (squaresX * squaresY).squareRoot()
    case .regr_r2:
      if squaresX == 0 { return nil }
      return squaresY == 0 ? 1 : products * products / (squaresX * squaresY)
    case .regr_slope: return squaresX == 0 ? nil : products / squaresX
    case .regr_intercept: return squaresX == 0 ? nil : (sumY - sumX * products / squaresX) / count
    case .regr_count: return count
    }
  }
}
