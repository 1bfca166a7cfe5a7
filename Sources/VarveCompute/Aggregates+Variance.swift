// variance and standard deviation: of floats by Youngs and Cramer's update (as float8_accum), of integers and
// numerics exactly from the sums, as numeric_stddev_internal.

import VarveCore

struct VarianceKind: Sendable {
  let sample: Bool
  let squareRoot: Bool

  /// By the name of the aggregate.
  static let all: [(name: String, kind: VarianceKind)] = [
    ("stddev", VarianceKind(sample: true, squareRoot: true)),
    ("stddev_samp", VarianceKind(sample: true, squareRoot: true)),
    ("stddev_pop", VarianceKind(sample: false, squareRoot: true)),
    ("variance", VarianceKind(sample: true, squareRoot: false)),
    ("var_samp", VarianceKind(sample: true, squareRoot: false)),
    ("var_pop", VarianceKind(sample: false, squareRoot: false)),
  ]

  /// Of doubles, from the sum of their squared deviations; nil: NULL.
  func value(count: Double, squares: Double) -> Double? {
    if count < (sample ? 2 : 1) { return nil }
    let variance = squares / (sample ? count - 1 : count)
    return squareRoot ? variance.squareRoot() : variance
  }

  /// Of exact numbers, from their sum (its sign aside) at a scale and the sum of their squares at twice that scale; nil:
  /// NULL.
  func value(count: Int64, sum: WideInteger, squares: WideInteger, scale: Int) throws -> Numeric? {
    if count < (sample ? 2 : 1) { return nil }
    let n = WideInteger(UInt128(count))
    let left = n * squares
    let right = sum * sum
    if !(left > right) { return .zero }
    let numerator = left - right
    let denominator = n * (sample ? WideInteger(UInt128(count - 1)) : n)
    let shown = Numeric.divisionScale(numerator, scale * 2, denominator, 0)
    let variance = try Numeric.quotient(negative: false, numerator, scale * 2, denominator, 0, scale: shown)
    return squareRoot ? try Numeric.squareRoot(variance.wide, variance.scale, scale: shown) : variance
  }
}

/// Of doubles: their number, their sum, and the sum of their squared deviations from the mean.
struct FloatDeviations {
  var count = 0.0
  var sum = 0.0
  var squares = 0.0

  /// Whether finite values came to more than a double holds.
  @inline(__always)
  mutating func add(_ value: Double) -> Bool {
    let before = self
    count += 1
    sum += value
    if before.count > 0 {
      let deviation = value * count - sum
      squares += deviation * deviation / (count * before.count)
      if sum.isInfinite || squares.isInfinite {
        squares = .nan
        return value.isFinite && before.sum.isFinite
      }
    } else if !value.isFinite {
      squares = .nan
    }
    return false
  }

  /// The same of the values of both.
  @inline(__always)
  mutating func merge(_ other: FloatDeviations) -> Bool {
    if other.count == 0 { return false }
    if count == 0 {
      self = other
      return false
    }
    let before = self
    let difference = sum / count - other.sum / other.count
    count += other.count
    sum += other.sum
    squares += other.squares + before.count * other.count * difference * difference / count
    guard sum.isInfinite || squares.isInfinite else { return false }
    squares = .nan
    return before.sum.isFinite && other.sum.isFinite
  }
}

final class FloatVarianceAggregate: GroupedAggregate {
  /// nil: the sum of the squared deviations itself, as it is kept for later.
  private let kind: VarianceKind?
  private var states: [FloatDeviations] = []

  init(_ kind: VarianceKind?) { self.kind = kind }

  func resize(to count: Int) { while states.count < count { states.append(FloatDeviations()) } }

  func update(_ arguments: [Column], groups: UnsafeBufferPointer<UInt32>) throws {
    let input = AggregateInput(arguments[0])
    let words = input.column.wordBuffer
    var overflow = false
    states.withUnsafeMutableBufferPointer { states in
      for (i, group) in groups.enumerated() where !input.column.isNull(at: i) {
        overflow = states[Int(group)].add(Double(bitPattern: words.base[i])) || overflow
      }
    }
    if overflow { throw SQLError.outOfRange(.float8) }
  }
  func update(_ arguments: [Column], rows range: Range<Int>, group: Int) throws {
    let input = AggregateInput(arguments[0], rows: range)
    let words = input.column.wordBuffer
    var state = states[group]
    var overflow = false
    for i in input.rows where !input.column.isNull(at: i) {
      overflow = state.add(Double(bitPattern: words.base[i])) || overflow
    }
    states[group] = state
    if overflow { throw SQLError.outOfRange(.float8) }
  }
  func merge(_ other: any GroupedAggregate, groups: UnsafeBufferPointer<UInt32>) throws {
    guard let other = other as? FloatVarianceAggregate else { preconditionFailure("states of one aggregate merge") }
    for (i, group) in groups.enumerated() where states[Int(group)].merge(other.states[i]) {
      throw SQLError.outOfRange(.float8)
    }
  }
  func result() throws -> Column {
    var builder = ColumnBuilder(.float8, capacity: states.count)
    for state in states {
      guard let kind else {
        if state.count == 0 { builder.appendNull() } else { builder.append(state.squares) }
        continue
      }
      if let value = kind.value(count: state.count, squares: state.squares) {
        builder.append(value)
      } else {
        builder.appendNull()
      }
    }
    return builder.finish()
  }
}

/// Of integers (as numerics of scale 0) and numerics.
final class ExactVarianceAggregate: GroupedAggregate {
  private struct State {
    var count: Int64 = 0
    var scale = 0
    var positive = WideInteger(0)
    var negative = WideInteger(0)
    var squares = WideInteger(0)
    /// NaN or an infinity among the values: the deviations are NaN.
    var isUndefined = false

    mutating func rescale(to newScale: Int) {
      guard newScale > scale else { return }
      let power = WideInteger.powerOfTen(newScale - scale)
      positive = positive * power
      negative = negative * power
      squares = squares * power * power
      scale = newScale
    }
    mutating func add(_ value: Numeric) {
      guard value.isFinite else {
        count += 1
        isUndefined = true
        return
      }
      rescale(to: value.scale)
      let magnitude =
        value.scale == scale ? value.wide : value.wide * WideInteger.powerOfTen(scale - value.scale)
      count += 1
      if value.isNegative { negative = negative + magnitude } else { positive = positive + magnitude }
      squares = squares + magnitude * magnitude
    }
    mutating func add(_ other: State) {
      var other = other
      rescale(to: other.scale)
      other.rescale(to: scale)
      count += other.count
      isUndefined = isUndefined || other.isUndefined
      positive = positive + other.positive
      negative = negative + other.negative
      squares = squares + other.squares
    }
  }
  /// nil: the sum of the squares itself, as it is kept for later.
  private let kind: VarianceKind?
  private var states: [State] = []

  init(_ kind: VarianceKind?) { self.kind = kind }

  func resize(to count: Int) { while states.count < count { states.append(State()) } }

  private func add(_ datum: Datum, _ group: Int) {
    switch datum {
    case .int(let value): states[group].add(Numeric(value))
    case .numeric(let value): states[group].add(value)
    default: break
    }
  }
  func update(_ arguments: [Column], groups: UnsafeBufferPointer<UInt32>) {
    for (i, group) in groups.enumerated() { add(arguments[0].datum(at: i), Int(group)) }
  }
  func update(_ arguments: [Column], rows range: Range<Int>, group: Int) {
    for i in range { add(arguments[0].datum(at: i), group) }
  }
  func merge(_ other: any GroupedAggregate, groups: UnsafeBufferPointer<UInt32>) {
    guard let other = other as? ExactVarianceAggregate else { preconditionFailure("states of one aggregate merge") }
    for (i, group) in groups.enumerated() { states[Int(group)].add(other.states[i]) }
  }

  func result() throws -> Column {
    var builder = ColumnBuilder(.numeric, capacity: states.count)
    for state in states { try builder.append(value(state).map(Datum.numeric) ?? .null) }
    return builder.finish()
  }

  /// nil: NULL.
  private func value(_ state: State) throws -> Numeric? {
    guard let kind else {
      if state.count == 0 { return nil }
      if state.isUndefined { return .nan }
      return try Numeric(negative: false, magnitude: state.squares, scale: state.scale * 2)
    }
    if state.isUndefined { return state.count < (kind.sample ? 2 : 1) ? nil : .nan }
    let sum =
      state.positive >= state.negative ? state.positive - state.negative : state.negative - state.positive
    return try kind.value(count: state.count, sum: sum, squares: state.squares, scale: state.scale)
  }
}
