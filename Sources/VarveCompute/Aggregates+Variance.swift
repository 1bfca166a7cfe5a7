// variance and standard deviation: of floats by Youngs and Cramer's update (as float8_accum), of integers and
// numerics exactly from the sums, as numeric_stddev_internal.

import VarveCore

struct VarianceKind: Sendable {
  let sample: Bool
  let squareRoot: Bool
}

final class FloatVarianceAggregate: GroupedAggregate {
  private let kind: VarianceKind
  private var states: [(count: Double, sum: Double, squares: Double)] = []

  init(_ kind: VarianceKind) { self.kind = kind }

  func resize(to count: Int) { while states.count < count { states.append((0, 0, 0)) } }

  /// Whether finite values came to more than a double holds.
  @inline(__always)
  private func add(_ value: Double, _ state: inout (count: Double, sum: Double, squares: Double)) -> Bool {
    let before = state
    state.count += 1
    state.sum += value
    if before.count > 0 {
      let deviation = value * state.count - state.sum
      state.squares += deviation * deviation / (state.count * before.count)
      if state.sum.isInfinite || state.squares.isInfinite {
        state.squares = .nan
        return value.isFinite && before.sum.isFinite
      }
    } else if !value.isFinite {
      state.squares = .nan
    }
    return false
  }

  func update(_ arguments: [Column], groups: UnsafeBufferPointer<UInt32>) throws {
    let input = AggregateInput(arguments[0])
    let words = input.column.wordBuffer
    var overflow = false
    states.withUnsafeMutableBufferPointer { states in
      for (i, group) in groups.enumerated() where !input.column.isNull(at: i) {
        overflow = add(Double(bitPattern: words.base[i]), &states[Int(group)]) || overflow
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
      overflow = add(Double(bitPattern: words.base[i]), &state) || overflow
    }
    states[group] = state
    if overflow { throw SQLError.outOfRange(.float8) }
  }
  func merge(_ other: any GroupedAggregate, groups: UnsafeBufferPointer<UInt32>) throws {
    guard let other = other as? FloatVarianceAggregate else { preconditionFailure("states of one aggregate merge") }
    for (i, group) in groups.enumerated() {
      let a = states[Int(group)]
      let b = other.states[i]
      if b.count == 0 { continue }
      if a.count == 0 {
        states[Int(group)] = b
        continue
      }
      let count = a.count + b.count
      let difference = a.sum / a.count - b.sum / b.count
      let sum = a.sum + b.sum
      let squares = a.squares + b.squares + a.count * b.count * difference * difference / count
      if sum.isInfinite || squares.isInfinite, a.sum.isFinite, b.sum.isFinite { throw SQLError.outOfRange(.float8) }
      states[Int(group)] = (count, sum, squares.isInfinite || sum.isInfinite ? .nan : squares)
    }
  }
  func result() throws -> Column {
    var builder = ColumnBuilder(.float8, capacity: states.count)
    for state in states {
      if state.count < (kind.sample ? 2 : 1) {
        builder.appendNull()
        continue
      }
      let variance = state.squares / (kind.sample ? state.count - 1 : state.count)
      builder.append(kind.squareRoot ? variance.squareRoot() : variance)
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
  private let kind: VarianceKind
  private var states: [State] = []

  init(_ kind: VarianceKind) { self.kind = kind }

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
    for state in states {
      if state.count < (kind.sample ? 2 : 1) {
        builder.appendNull()
      } else {
        try builder.append(.numeric(value(state)))
      }
    }
    return builder.finish()
  }

  private func value(_ state: State) throws -> Numeric {
    if state.isUndefined { return .nan }
    let n = WideInteger(UInt128(state.count))
    let sum =
      state.positive >= state.negative ? state.positive - state.negative : state.negative - state.positive
    let left = n * state.squares
    let right = sum * sum
    if !(left > right) { return .zero }
    let numerator = left - right
    let denominator = n * (kind.sample ? WideInteger(UInt128(state.count - 1)) : n)
    let scale = Numeric.divisionScale(numerator, state.scale * 2, denominator, 0)
    let variance = try Numeric.quotient(
      negative: false, numerator, state.scale * 2, denominator, 0, scale: scale)
    return kind.squareRoot ? try Numeric.squareRoot(variance.wide, variance.scale, scale: scale) : variance
  }
}
